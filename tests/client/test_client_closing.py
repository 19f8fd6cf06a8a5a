"""What follows a run or a queue ends with its client, and tells why."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import aiowf
from aiowf import operations, tasks

SLEEP = operations.SingleTaskOperation("sleep-", tasks.BashTask("sleep", "sleep 60"))


async def _drain(items: AsyncIterator[object]) -> None:
    async for _ in items:
        pass


async def test_whoever_iterates_is_told_that_the_client_closes() -> None:
    """Logs, changes, outcomes and queues end by an error, instead of waiting for ever."""
    async with asyncio.timeout(30):
        async with aiowf.connect("local", namespace="here") as client:
            assert "namespace=here" in repr(client)
            run = await SLEEP.execute()
            changes, outcomes, queue = run.watch(), run.outcomes(), client.notices.subscribe("q")
            await anext(changes)
            reading = [
                asyncio.create_task(_drain(each)) for each in (changes, outcomes, run.logs(), queue)
            ]
            await client.notices.publish("other", "x")
        told = await asyncio.gather(*reading, return_exceptions=True)
    assert [True] * 4 == [
        isinstance(each, aiowf.AiowfError) and "the client was closed" in str(each) for each in told
    ]


async def test_a_message_that_is_no_exit_notice() -> None:
    """What was published by hand comes as the payload; names that no queue can have are refused."""
    async with aiowf.connect("local") as client:
        for payload in ("plain", {"n": 1}, b"\xff"):
            await client.notices.publish("orders", payload)
        queue = client.notices.subscribe("orders")
        found = [(await anext(queue)).payload for _ in range(3)]
        await queue.aclose()
        assert ["plain", '{"n":1}', None] == found
        names: list[Any] = ["", "a b", "..", None]
        for name in names:
            with pytest.raises(aiowf.ConfigurationError, match="queue"):
                await client.notices.publish(name, "x")
        unknown: Any = object()
        with pytest.raises(aiowf.ConfigurationError, match="payload"):
            await client.notices.publish("orders", unknown)


async def test_a_client_of_another_loop_says_so() -> None:
    """A client cannot be used from another event loop, and that is told at once."""
    async with aiowf.connect("local") as client:

        def elsewhere() -> None:
            asyncio.run(client.submit(SLEEP))

        with pytest.raises(aiowf.ConfigurationError, match="another event loop"):
            await asyncio.to_thread(elsewhere)
