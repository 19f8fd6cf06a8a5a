"""The engine's only source of time."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Timer(Protocol):
    """What will happen at its time."""

    def cancel(self) -> None:
        """Prevent it."""
        ...


class Clock:
    """Wall-clock time, and timers on the running event loop."""

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def call_later(
        self, seconds: float, callback: Callable[[], object], *, awaited: bool = True
    ) -> Timer:
        """Call `callback` after `seconds`; cancel the timer to prevent it.

        Args:
            seconds: From now on.
            callback: What to call.
            awaited: Whether a workflow waits for it. What is merely tidied up later is not awaited.
        """
        return asyncio.get_running_loop().call_later(seconds, callback)

    def hold(self) -> None:
        """Note that something is at work, which takes the time that it takes."""

    def release(self) -> None:
        """Note that it has ended; once for each `hold`."""


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
