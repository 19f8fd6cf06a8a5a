"""The engine's only source of time."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache


class Clock:
    """Wall-clock time, and timers on the running event loop."""

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Call `callback` after `seconds`; cancel the handle to prevent it."""
        return asyncio.get_running_loop().call_later(seconds, callback)


@lru_cache(maxsize=256)
def _timestamp(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def nano_timestamp(nanoseconds: int) -> str:
    """Return a moment as Kubernetes writes it into logs: RFC 3339 with nine digits of a second."""
    second, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{_timestamp(second)[:-1]}.{rest:09}Z"


def timestamp(moment: float | None) -> str | None:
    """Return a moment as Kubernetes writes it: RFC 3339 with whole seconds."""
    return None if moment is None else _timestamp(int(moment))
