"""A clock that need not wait: where nothing is at work, it goes to what is due next."""

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count

from attrs import define, field

from aiowf.engine.clock import Clock


@define(eq=False)
class _Timer:
    """What happens at a time."""

    callback: Callable[[], object]
    awaited: bool
    cancelled: bool = False

    def cancel(self) -> None:
        """Prevent it."""
        self.cancelled = True


@define(eq=False)
class SkippingClock(Clock):
    """The machine's time, and what was skipped of it.

    As long as nothing is at work (see `hold`) and something is awaited, the clock goes at once to
    the time for which that waits; what is due before happens on the way, in order. While something
    is at work, time passes as on the machine.

    Attributes:
        skips: Whether it does so; else it only goes on as the machine's.
    """

    skips: bool = True
    # Seconds by which it is ahead of the machine's clock; it never goes back.
    _ahead: float = field(default=0.0, init=False)
    # A heap: when each is due, in which order they were set, and what happens.
    _timers: list[tuple[float, int, _Timer]] = field(factory=list, init=False)
    _numbers: "count[int]" = field(factory=count, init=False)
    # How many pods and requests are at work.
    _held: int = field(default=0, init=False)
    # The next look at the timers; None if there is nothing to look at.
    _next: asyncio.Handle | None = field(default=None, init=False)

    def time(self) -> float:
        """Return the seconds since the epoch, with those that were skipped."""
        return time.time() + self._ahead

    def call_later(
        self, seconds: float, callback: Callable[[], object], *, awaited: bool = True
    ) -> _Timer:
        """Call `callback` after `seconds` of this clock; see Clock."""
        timer = _Timer(callback, awaited)
        heapq.heappush(self._timers, (self.time() + seconds, next(self._numbers), timer))
        self._look_again()
        return timer

    def hold(self) -> None:
        """Let time pass as on the machine until `release`."""
        self._held += 1

    def release(self) -> None:
        """End a `hold`."""
        self._held -= 1
        self._look_again()

    async def skip(self, seconds: float) -> None:
        """Come back when so many seconds have passed, with all that happens in them."""
        passed = asyncio.Event()
        timer = self.call_later(seconds, passed.set)
        try:
            await passed.wait()
        finally:
            timer.cancel()

    def _look_again(self) -> None:
        """Look at the timers when whatever happens now has happened."""
        if self._next is not None:
            self._next.cancel()
        self._next = asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        """Do the first thing that is due, or wait for it."""
        self._next = None
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        if not self._timers:
            return
        (due, _, first), now = self._timers[0], self.time()
        if due > now and not self._may_skip():
            loop = asyncio.get_running_loop()
            self._next = loop.call_later(due - now, self._look)
            return
        heapq.heappop(self._timers)
        self._ahead += max(0.0, due - now)
        self._look_again()
        first.callback()

    def _may_skip(self) -> bool:
        return (
            self.skips
            and not self._held
            and any(timer.awaited and not timer.cancelled for _, _, timer in self._timers)
        )
