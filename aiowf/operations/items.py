"""The items that a function is spread over: of one iterable, or of several side by side."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiowf.errors import ConfigurationError

END: Any = object()  # what comes after the last item


class ItemReader:
    """Items of iterables, read by one task from the first to the last.

    Args:
        iterables: One, or several of which each item takes one.

    Raises:
        ConfigurationError: One of them is no iterable.
    """

    def __init__(self, iterables: Sequence[Iterable[Any] | AsyncIterable[Any]]) -> None:
        self._sources = [_Source(each, f"iterables[{n}]") for n, each in enumerate(iterables)]

    async def next(self) -> Any:
        """Return the next item, a tuple if there are several iterables; END after the last."""
        found = []
        for source in self._sources:
            item = await source.next()
            if item is END:
                return END
            found.append(item)
        return tuple(found) if len(found) > 1 else found[0]

    async def interrupt(self, error: asyncio.CancelledError) -> None:
        """Let the iterables hear that the task that reads them was cancelled between two items.

        It may be that a timeout which one of them holds around its `yield` is over. That one raises
        what it then raises, or goes on.

        Raises:
            asyncio.CancelledError: It was none of their timeouts.
            ConfigurationError: It was one of them, and has ended another iterable, too.
        """
        reader = asyncio.current_task()
        ended: list[_Source] = []
        for source in self._sources:
            if await source.interrupt(error):
                ended.append(source)
            if reader is None or not reader.cancelling():  # it was this one's timeout
                break
        else:
            raise error
        if ended:
            raise ConfigurationError(
                "a timeout around a `yield` of another iterable has cancelled this one",
                where=ended[0].where,
                hint="read both in one asynchronous generator that holds the timeout",
            )

    async def aclose(self) -> None:
        """Cancel the asynchronous generators that stand at a `yield`: another ended sooner.

        The task that reads them does it, for what they hold around a `yield` is its own.
        """
        async with AsyncExitStack() as stack:
            for source in self._sources:
                stack.push_async_callback(source.aclose)


class _Source:
    """One iterable."""

    def __init__(self, items: Any, where: str) -> None:
        self.where = where
        self._is_async = hasattr(items, "__aiter__")
        try:
            self._items: Any = aiter(items) if self._is_async else iter(items)
        except TypeError:
            raise ConfigurationError(f"{items!r:.80} is no iterable", where=where) from None
        self._ahead: list[Any] = []  # what came of an interruption: one item, or END, at most

    async def next(self) -> Any:
        if self._ahead:
            return self._ahead.pop()
        return await anext(self._items, END) if self._is_async else next(self._items, END)

    async def interrupt(self, error: asyncio.CancelledError) -> bool:
        """Return whether it has heard, and ended by it."""
        if self._ahead or not isinstance(self._items, AsyncGenerator):
            return False
        try:
            self._ahead.append(await self._items.athrow(error))
        except StopAsyncIteration:
            self._ahead.append(END)
        except asyncio.CancelledError:
            return True
        return False

    async def aclose(self) -> None:
        if not isinstance(self._items, AsyncGenerator):
            return
        cancelled = asyncio.CancelledError()  # a task group around a `yield` bears no GeneratorExit
        try:
            await self._items.athrow(cancelled)
        except StopAsyncIteration:
            return
        except asyncio.CancelledError as error:
            if error is not cancelled:
                raise
        await self._items.aclose()
