"""The line in which submissions wait."""

import asyncio

import pytest

from aiowf.client.turns import _AT_ONCE, _UNDER_WAY, Turns


class Body:
    """What stands in a turn until it is told to go on."""

    def __init__(self) -> None:
        self.began: list[int] = []
        self.may_end = asyncio.Event()

    async def run(self, turns: Turns, number: int) -> None:
        """Take a turn."""
        async with turns:
            self.began.append(number)
            await self.may_end.wait()


async def rounds(count: int) -> None:
    """Let the event loop come round."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_few_begin_in_one_round_and_all_in_order() -> None:
    """Many that come at once begin some at a time, as many as may be under way, in their order."""
    turns, body = Turns(None), Body()
    async with asyncio.TaskGroup() as tasks:
        for number in range(3 * _UNDER_WAY):
            tasks.create_task(body.run(turns, number))
        await rounds(1)
        assert list(range(_AT_ONCE)) == body.began
        await rounds(3 * _UNDER_WAY // _AT_ONCE)
        assert list(range(_UNDER_WAY)) == body.began
        body.may_end.set()
    assert list(range(3 * _UNDER_WAY)) == body.began


async def test_max_active_counts_what_was_submitted_until_it_ends() -> None:
    """A body that ends well keeps its share; one that fails gives it back at once."""
    turns = Turns(1)
    assert turns.is_bounded
    with pytest.raises(KeyError):
        async with turns:
            raise KeyError
    async with turns:
        pass
    waiting = asyncio.create_task(turns.__aenter__())
    await rounds(3)
    assert not waiting.done()
    turns.ended()
    await waiting


async def test_who_gives_up_takes_nobody_s_turn() -> None:
    """A waiter that is cancelled, before its turn or in the moment of it, lets the next one in."""
    turns, body = Turns(1), Body()
    async with turns:
        pass
    early, late = (asyncio.create_task(turns.__aenter__()) for _ in range(2))
    last = asyncio.create_task(body.run(turns, 1))
    await rounds(2)
    early.cancel()
    await rounds(1)
    turns.ended()  # the turn is late's …
    late.cancel()  # … which never takes it
    await asyncio.wait([early, late])
    assert (early.cancelled(), late.cancelled()) == (True, True)
    body.may_end.set()
    await asyncio.wait_for(last, 5)
    assert [1] == body.began
