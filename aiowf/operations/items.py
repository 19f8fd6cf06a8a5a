"""The items that a function is spread over: of one iterable, or of several side by side."""

import asyncio
from collections.abc import AsyncIterable, Iterable, Sequence
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
        """
        for source in self._sources:
            await source.interrupt(error)
        reader = asyncio.current_task()
        if reader is not None and reader.cancelling():
            raise error


class _Source:
    """One iterable."""

    def __init__(self, items: Any, where: str) -> None:
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

    async def interrupt(self, error: asyncio.CancelledError) -> None:
        athrow = getattr(self._items, "athrow", None)
        if athrow is None or self._ahead:
            return
        try:
            self._ahead.append(await athrow(error))
        except StopAsyncIteration:
            self._ahead.append(END)
        except asyncio.CancelledError:
            return
