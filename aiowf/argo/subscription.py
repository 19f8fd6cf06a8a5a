"""What one waits for: the changes of one workflow, and its end."""

import asyncio
from collections.abc import Callable
from copy import copy
from types import TracebackType
from typing import Any, Self

from attrs import define, field, frozen

from aiowf.errors import AiowfError
from aiowf.wire.events import WatchEvent


@frozen
class Ending:
    """Why there is nothing more to wait for.

    Attributes:
        reason: "finished": the workflow has a final phase. "gone": it was deleted before one was
            seen. "closed": the watch was closed first.
        phase: The phase last seen; "" if none was.
        event: The event that told the end, or None.
    """

    reason: str
    phase: str = ""
    event: WatchEvent | None = None

    @property
    def is_final(self) -> bool:
        """Return whether the workflow is known to have ended."""
        return self.reason == "finished"


@define(eq=False, slots=True)
class Subscription:
    """The changes of one workflow, told by a Watch: iterate, or await `ended()`.

    Only the latest change that was not yet read is kept. Nothing is told before `bind` has said
    which uid is meant: another workflow may have had the name before.

    Attributes:
        name: Name of the workflow.
        uid: Its uid; "" before `bind`.
        phase: The phase last seen.
        progress: The progress last seen, "N/M"; one that stays the same is a stall.
        changed_at: Time of the event loop at which phase or progress last changed.
        is_stopped: Whether somebody here has stopped the workflow, which need not have ended yet.
    """

    name: str
    uid: str
    changed_at: float
    _leave: Callable[["Subscription"], None] = field(repr=False)
    _ends_only: bool = field(default=False, repr=False)  # nobody reads the changes: none is kept
    phase: str = ""
    progress: str = ""
    is_stopped: bool = False
    version: str = field(default="", repr=False)  # resourceVersion last seen
    _event: WatchEvent | None = field(default=None, repr=False)  # the latest, if not yet read
    _ending: Ending | None = field(default=None, repr=False)  # set once
    _error: AiowfError | None = field(default=None, repr=False)  # set at most once, and no _ending
    # Woken, and forgotten, by every event; each future belongs to the coroutine that made it.
    _readers: tuple[asyncio.Future[None], ...] = field(default=(), repr=False)
    # Told the end, each to one who awaits it; those of whom it was cancelled are among them.
    _enders: tuple[asyncio.Future[Ending], ...] = field(default=(), repr=False)
    # Another one who follows a workflow of this name: the watch's chain.
    next: "Subscription | None" = field(default=None, repr=False)

    @property
    def is_settled(self) -> bool:
        """Return whether nothing more will come."""
        return self._ending is not None or self._error is not None

    @property
    def is_awaited(self) -> bool:
        """Return whether somebody waits for the end."""
        return any(not each.done() for each in self._enders)

    def bind(self, uid: str, version: str = "") -> None:
        """Say which workflow of this name is meant; what was told of others is forgotten.

        Args:
            uid: Its uid.
            version: A resourceVersion; what is not newer is not told.
        """
        self.uid = uid
        self.version = version
        event, self._event = self._event, None
        if event is not None and event.uid == uid:
            self.tell(event)

    def tell(self, event: WatchEvent) -> None:
        """Take an event; one that is not newer than what was seen changes nothing."""
        if self._ending or self._error or _is_old(event.resource_version, self.version):
            return
        self._event = event
        if not self.uid:
            return
        self.version = event.resource_version
        phase, progress = event.phase, event.progress
        if phase != self.phase or progress != self.progress:
            self.phase, self.progress = phase, progress
            self.changed_at = asyncio.get_running_loop().time()
            if event.is_final:
                self.settle(Ending("finished", phase, event))
                return
        if self._ends_only:
            self._event = None
        elif self._readers:
            self._wake()

    def settle(self, how: Ending | AiowfError) -> None:
        """End the subscription; the first end counts."""
        if self.is_settled:
            return
        if isinstance(how, Ending):
            self._ending = how
        else:
            self._error = how
        self._wake()
        enders, self._enders = self._enders, ()
        for future in enders:
            self._tell_end(future)
        self._leave(self)

    def ended(self) -> asyncio.Future[Ending]:
        """Wait for the end: `await subscription.ended()`.

        Raises:
            ArgoError: The watch cannot work; the server refused it.
        """
        # No coroutine: while ten thousand wait, each frame counts.
        future: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        if self.is_settled:
            self._tell_end(future)
        else:
            self._enders = (*(each for each in self._enders if not each.done()), future)
        return future

    def _tell_end(self, future: asyncio.Future[Ending]) -> None:
        if future.done():
            return
        if self._ending is not None:
            future.set_result(self._ending)
        elif self._error is not None:
            # Each waiter gets its own: a traceback grows with everybody who raises the error.
            future.set_exception(copy(self._error))

    def interrupt(self, error: AiowfError) -> None:
        """Raise an error in all who wait at this moment; changes and the end may still come."""
        waiting: list[asyncio.Future[Any]] = [*self._enders, *self._readers]
        self._enders = self._readers = ()
        for future in waiting:
            if not future.done():
                future.set_exception(copy(error))

    def close(self) -> None:
        """Stop following."""
        self.settle(Ending("closed", self.phase))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WatchEvent:
        while True:
            if self._event is not None and self.uid:
                event, self._event = self._event, None
                return event
            if self._error is not None:
                raise copy(self._error)
            if self._ending is not None:
                raise StopAsyncIteration
            future = asyncio.get_running_loop().create_future()
            self._readers = (*self._readers, future)
            await future

    def _wake(self) -> None:
        readers, self._readers = self._readers, ()
        for future in readers:
            if not future.done():
                future.set_result(None)


def _is_old(new: str, seen: str) -> bool:
    """Return whether a list told what a watch has already overtaken, or the other way round."""
    if len(new) > len(seen) or (len(new) == len(seen) and new > seen):
        return False
    return new.isdecimal() and seen.isdecimal()
