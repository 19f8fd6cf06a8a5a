"""What a client does in the background."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from attrs import define, field

R = TypeVar("R")

# Seconds that the close waits for what it has cancelled, and for what has to be done first.
_PATIENCE = 10.0


@define(eq=False)
class Errands:
    """Tasks that outlive the call that began them; the client owns them and awaits their ends."""

    # Cancelled by the close.
    _attended: set["asyncio.Task[Any]"] = field(factory=set, init=False)
    # Awaited by the close, and cancelled only if they take too long.
    _kept: set["asyncio.Task[Any]"] = field(factory=set, init=False)

    @property
    def is_idle(self) -> bool:
        """Return whether nothing is under way."""
        return not self._attended and not self._kept

    def attend(self, work: Coroutine[Any, Any, R]) -> "asyncio.Task[R]":
        """Run something that goes on no longer than the client is open."""
        return _run(work, self._attended)

    def keep(self, work: Coroutine[Any, Any, R]) -> "asyncio.Task[R]":
        """Run something that must end even if its caller is cancelled, such as a stop."""
        return _run(work, self._kept)

    async def aclose(self) -> None:
        """End all; what is cancelled may still clean up."""
        for task in self._attended:
            task.cancel()
        if unfinished := self._attended | self._kept:
            await asyncio.wait(unfinished, timeout=_PATIENCE)
        for task in self._kept:
            task.cancel()
        if self._kept:
            await asyncio.wait(self._kept, timeout=_PATIENCE)


def _run(work: Coroutine[Any, Any, R], tasks: set["asyncio.Task[Any]"]) -> "asyncio.Task[R]":
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task
