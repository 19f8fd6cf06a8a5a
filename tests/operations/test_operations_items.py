"""Items that one task reads, and what becomes of it when a timeout of theirs is over."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiowf.errors import ConfigurationError
from aiowf.operations.items import END, ItemReader


async def read(items: ItemReader, wanted: asyncio.Event) -> list[Any]:
    """Return all items: the first at once, the others when they are wanted."""
    found = [await items.next()]
    while True:
        try:
            await wanted.wait()
        except asyncio.CancelledError as error:
            await items.interrupt(error)
            wanted.set()
            continue
        item = await items.next()
        if item is END:
            return found
        found.append(item)


async def impatient(*, catches: bool = False, goes_on: bool = False) -> AsyncIterator[int]:
    """Yield items; a timeout around the first is over at once."""
    try:
        async with asyncio.timeout(0):
            yield 1
    except TimeoutError:
        if not catches:
            raise
    if goes_on:
        yield 2
        yield 3


async def test_a_timeout_is_raised_where_it_stands() -> None:
    """It cancels the task that reads, which waits for something else at that moment."""
    with pytest.raises(TimeoutError):
        await read(ItemReader([impatient()]), asyncio.Event())


@pytest.mark.parametrize("others", [0, 1])
async def test_a_source_may_expect_its_timeout(others: int) -> None:
    """Then it ends, or goes on with the next item; others beside it lose none."""
    beside: Any = [iter("abc")] * others
    found = await read(ItemReader([impatient(catches=True), *beside]), asyncio.Event())
    assert [(1, "a")] * others + [1] * (1 - others) == found
    items = ItemReader([impatient(catches=True, goes_on=True), *[iter("abc")] * others])
    found = await read(items, asyncio.Event())
    assert ([(1, "a"), (2, "b"), (3, "c")] if others else [1, 2, 3]) == found


async def test_a_cancellation_that_is_nobodys_timeout_goes_on() -> None:
    """Asynchronous sources hear of it; plain ones have nothing to hear it with."""
    heard = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        try:
            yield 1
        except asyncio.CancelledError:
            heard.set()
            raise

    items = ItemReader([source(), range(9)])
    reader = asyncio.create_task(read(items, asyncio.Event()))
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert heard.is_set()


async def test_a_timeout_that_ends_another_source_is_told() -> None:
    """Items are never cut short in silence: one that stands before it has ended by it."""

    async def patient() -> AsyncIterator[int]:
        for n in range(3):
            yield n

    mild = impatient(catches=True, goes_on=True)
    with pytest.raises(ConfigurationError, match=r"timeout .* of another iterable") as caught:
        await read(ItemReader([patient(), mild]), asyncio.Event())
    assert "iterables[0]" == caught.value.where
    mild = impatient(catches=True, goes_on=True)
    found = await read(ItemReader([mild, patient()]), asyncio.Event())
    assert [(1, 0), (2, 1), (3, 2)] == found


async def test_sources_are_closed_wherever_they_stand() -> None:
    """All of them, also where one fails at it or goes on; what is no generator is left alone."""
    ends: list[tuple[str, type]] = []

    async def source(name: str) -> AsyncIterator[int]:
        try:
            yield 1
        except BaseException as error:
            ends.append((name, type(error)))
            if name == "deaf":
                yield 2
            if name == "failing":
                raise LookupError(name) from error
            raise

    items = ItemReader([source("plain"), source("failing"), source("deaf"), iter("ab")])
    await items.next()
    with pytest.raises(LookupError):
        await items.aclose()
    assert ["deaf", "failing", "plain"] == [name for name, _ in ends]
    assert {asyncio.CancelledError} == {kind for _, kind in ends}


async def test_a_cancellation_while_sources_are_closed_goes_on() -> None:
    """What a source awaits at its end is broken off, and who closes it hears of it."""
    begun = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            begun.set()
            await asyncio.Event().wait()

    items = ItemReader([source()])
    await items.next()
    closing = asyncio.create_task(items.aclose())
    await begun.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing


def test_what_is_no_iterable_is_told_with_its_place() -> None:
    """The others are not touched."""
    with pytest.raises(ConfigurationError, match="3 is no iterable") as caught:
        ItemReader(["ab", 3])  # type: ignore[list-item]
    assert "iterables[1]" == caught.value.where
