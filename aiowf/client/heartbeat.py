"""Notices that the event loop stood still, for then nothing that aiowf promises comes in time."""

import asyncio
import logging
from types import TracebackType
from typing import Self

_log = logging.getLogger("aiowf.client")

_EVERY = 1.0
_TOO_LATE = 1.0
# A service that blocks its loop again and again is told of it so often.
_QUIET = 30.0


class Heartbeat:
    """A timer that looks how late it is: `async with Heartbeat():`."""

    _timer: asyncio.TimerHandle | None  # None outside of `async with`
    _told_at: float  # loop time of the last warning

    def __init__(self) -> None:
        self._timer = None
        self._told_at = float("-inf")

    async def __aenter__(self) -> Self:
        self._wait(asyncio.get_running_loop())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + _EVERY
        self._timer = loop.call_at(due, self._beat, loop, due)

    def _beat(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        if now - due > _TOO_LATE and now - self._told_at > _QUIET:
            self._told_at = now
            _log.warning(
                "the event loop stood still for %.1f s, and nothing that ended meanwhile was "
                "noticed: a call blocks it, such as time.sleep, requests or a long computation. "
                "await asyncio.to_thread(…) it, or make it a task; "
                "asyncio.run(…, debug=True) logs where it is",
                now - due,
            )
        self._wait(loop)
