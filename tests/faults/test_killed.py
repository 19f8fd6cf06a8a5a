"""Clients that are killed, or that are two: with the same ids there is one workflow for each.

`KILLS=50` in the environment kills so many clients.
"""

import asyncio
import multiprocessing
import os
import random
from multiprocessing.connection import Connection

import aiowf
from aiowf import operations, tasks
from aiowf.engine import Engine

KILLS = int(os.environ.get("KILLS", "8"))
# Starts processes that have imported everything already: so a kill hits the work, not the imports.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["test_killed"])


def square(number: int) -> int:
    return number * number


def operation(number: int) -> operations.DistributedSyncOperation[int]:
    """Return the operation that each of the processes executes."""
    return operations.DistributedSyncOperation(
        f"killed-{number}-", tasks.PythonTask("square", square, args=(number,))
    )


def execute(server: str, token: str, number: int, pipe: Connection) -> None:
    """Execute one operation in a process of its own; tell the workflow and the value."""

    async def main() -> None:
        async with aiowf.connect(server, token=f"Bearer {token}", namespace="default") as client:
            result = await operation(number).execute(client=client, id="order")
            pipe.send((result.name, result.value))

    asyncio.run(main())


async def outcome(engine: Engine, number: int, kill_after: float | None = None) -> object:
    """Run a client; return what it told, or None if it was killed before."""
    here, there = FORKS.Pipe()
    process = FORKS.Process(target=execute, args=(engine.server, engine.token, number, there))
    process.start()
    there.close()
    try:
        if kill_after is not None:
            await asyncio.sleep(kill_after)
            process.kill()
        await asyncio.to_thread(process.join)
        return here.recv() if here.poll() else None
    except EOFError:
        return None
    finally:
        here.close()
        process.close()


async def names_on(engine: Engine) -> list[str]:
    """Return the names of all workflows of an engine."""
    async with aiowf.connect(
        engine.server, token=f"Bearer {engine.token}", namespace="default"
    ) as client:
        return [run.name async for run in client.list()]


async def test_killed_clients_find_their_workflows_again(engine: Engine) -> None:
    """Each client is killed at a random point and started again: one workflow, one Result each."""
    dice = random.Random(4)
    await outcome(engine, 10_000)  # the fork server is up, and this took as long as others will
    found = {}
    for start in range(0, KILLS, 2):
        numbers = range(start, min(start + 2, KILLS))
        await asyncio.gather(*(outcome(engine, n, dice.uniform(0.0, 0.6)) for n in numbers))
        again = await asyncio.gather(*(outcome(engine, n) for n in numbers))
        found.update(zip(numbers, again, strict=True))
    names = await names_on(engine)
    assert len(names) == KILLS + 1
    assert {n: value for n, (_, value) in found.items()} == {n: n * n for n in range(KILLS)}  # type: ignore[misc]
    assert {name for name, _ in found.values()} <= set(names)  # type: ignore[misc]


async def test_two_processes_at_once_share_one_workflow(engine: Engine) -> None:
    """The same line in three processes at once is one workflow, and all get its value."""
    told = await asyncio.gather(*(outcome(engine, 7) for _ in range(3)))
    (name,) = await names_on(engine)
    assert told == [(name, 49)] * 3
