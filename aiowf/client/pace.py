"""How fast a client submits: as fast as it likes, until the server asks it to slow down."""

import asyncio

from attrs import define, field

# A first 429 leaves this share of the speed at which submissions were accepted, and a further one
# this share of the speed since.
_FIRST_CUT, _CUT = 0.5, 0.7
_SLOWEST = 0.5
_FIRST_SPEED = 5.0
# There is one cut in so many seconds, and in a second without one the speed grows by this share:
# together they do not let single refusals, which tell nothing of the speed, stop everything.
_CUT_EVERY = 1.0
_GAIN = 0.5
# Above this speed there is no bound any more; an Argo Server by default answers 1,000 a second.
_FREE = 1000.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 8.0


@define
class Pace:
    """A token bucket of one token, shared by all submissions of a client, that adapts.

    A 429 stops all of them for as long as the server says, and then lets them go on slower than
    the server took them before; each one that is accepted makes it a little faster again.
    """

    # Submissions a second; None: no bound, as long as there was no 429.
    rate: float | None = field(default=None, init=False)
    # Loop time before which nothing is sent.
    _next: float = field(default=0.0, init=False)
    # Loop time of the last cut: a 429 for what was sent before it is old news.
    _cut_at: float = field(default=float("-inf"), init=False)
    # The pause after a 429 that names none; it doubles while nothing is accepted.
    _pause: float = field(default=_FIRST_PAUSE, init=False)
    # Accepted since `_since`, which is at most about a second ago.
    _accepted: int = field(default=0, init=False)
    _since: float = field(default=0.0, init=False)
    # Those who wait have their turns in the order in which they came.
    _queue: asyncio.Lock = field(factory=asyncio.Lock, init=False)

    async def turn(self, *, again: bool = False) -> float:
        """Wait until one more may be sent; return the time of the event loop.

        Args:
            again: Whether it was sent before: then it goes before those that were not.
        """
        clock = asyncio.get_running_loop().time
        if self.rate is None and self._next <= (now := clock()):
            return now
        if again:
            return await self._take()
        async with self._queue:
            return await self._take()

    async def _take(self) -> float:
        clock = asyncio.get_running_loop().time
        # A 429 may come while this sleeps, or another one take its place.
        while (rest := self._next - clock()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(rest)
        now = clock()
        self._next = now + (1 / self.rate if self.rate else 0.0)
        return now

    def accepted(self) -> None:
        """Note that the server has taken one."""
        now = asyncio.get_running_loop().time()
        if now - self._since > 1.0:
            self._since, self._accepted = now, 0
        self._accepted += 1
        if self.rate is not None:
            self._pause = _FIRST_PAUSE
            self.rate += _GAIN  # as many times in a second as the rate says
            if self.rate > _FREE:
                self.rate = None

    def refused(self, sent_at: float, retry_after: float | None) -> None:
        """Note a 429.

        Args:
            sent_at: Loop time at which the refused one was sent, as `turn` gave it.
            retry_after: Seconds that the server asked to wait, or None.
        """
        now = asyncio.get_running_loop().time()
        is_news = sent_at > self._cut_at and now - self._cut_at >= _CUT_EVERY
        if retry_after is None:
            retry_after = self._pause
            if is_news:
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._next = max(self._next, now + retry_after)
        if not is_news:
            return
        self._cut_at = now
        if self.rate is None:
            speed = self._accepted / max(now - self._since, 0.1) if now - self._since < 2.0 else 0.0
            self.rate = max(_FIRST_CUT * speed, _FIRST_SPEED)
        else:
            self.rate = max(_CUT * self.rate, _SLOWEST)
