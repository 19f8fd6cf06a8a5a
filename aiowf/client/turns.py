"""The line in which submissions wait until it is their turn."""

import asyncio
from collections import deque

# Submissions that are under way at once: a few more than the session has connections.
_UNDER_WAY = 128
# Submissions that begin in one round of the event loop: each is rendered, which takes some time.
_AT_ONCE = 16


class Turns:
    """Lets submissions through, `async with turns:`, in the order in which they come.

    Whoever waits here has neither been rendered nor named: ten thousand that begin at once are
    ten thousand waiting tasks and nothing more, and they do not block the event loop.

    Args:
        max_active: Most workflows in flight; None: no bound. A body that ends well keeps its share
            of them until `ended` is called.
    """

    _line: deque[asyncio.Future[None]]  # the futures of those who wait, and of some who gave up
    _places: int  # how many may still be under way; never below 0
    _active: int | None  # how many workflows may still be in flight; None: no bound
    _at_once: int  # how many may still begin in this round of the event loop

    def __init__(self, max_active: int | None) -> None:
        self._line = deque()
        self._places = _UNDER_WAY
        self._active = max_active
        self._at_once = _AT_ONCE

    @property
    def is_bounded(self) -> bool:
        """Return whether there is a bound, and so whether `ended` has to be called."""
        return self._active is not None

    async def __aenter__(self) -> None:
        if not self._line and self._enter():
            return
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # it had come, and is not taken
                await self.__aexit__(asyncio.CancelledError)
            raise

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._places += 1
        if kind is not None:
            self.ended()
        else:
            self._admit()

    def ended(self) -> None:
        """Note that a workflow is not in flight any more."""
        if self._active is not None:
            self._active += 1
        self._admit()

    def _admit(self) -> None:
        while self._line and (self._line[0].done() or self._enter()):
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)

    def _enter(self) -> bool:
        if not (self._places and self._active != 0 and self._at_once):
            return False
        if self._at_once == _AT_ONCE:
            asyncio.get_running_loop().call_soon(self._begin_round)
        self._at_once -= 1
        self._places -= 1
        if self._active is not None:
            self._active -= 1
        return True

    def _begin_round(self) -> None:
        self._at_once = _AT_ONCE
        self._admit()
