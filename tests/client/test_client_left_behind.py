"""What a client says of workflows that end unseen with its embedded engine."""

import asyncio
import logging
import subprocess
import sys

import pytest

import aiowf
from aiowf import operations, tasks

SLEEP = tasks.BashTask("sleep", "sleep 60", retry_limit=0)


def op(name: str, task: tasks.Task[object] = SLEEP) -> operations.SingleTaskOperation[object]:
    """Return an operation that is submitted and not waited for."""
    return operations.SingleTaskOperation(name, task)


async def test_what_nobody_awaited_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """One warning names three workflows, counts the rest, and says what to do."""
    with caplog.at_level(logging.WARNING, logger="aiowf.client"):
        async with aiowf.connect("local") as client:
            runs = [await op(f"left-{n}-").execute(client=client) for n in range(4)]
    (said,) = [each for each in caplog.messages if "embedded engine" in each]
    assert [True, True, True, False] == [run.name in said for run in runs]
    assert "and 1 more" in said
    assert "await run" in said
    assert "aiowf dev" in said


@pytest.mark.parametrize("max_active", [None, 2])
async def test_what_was_seen_to_is_not_warned_of(
    caplog: pytest.LogCaptureFixture, max_active: int | None
) -> None:
    """Workflows that were awaited, followed, stopped or deleted are no surprise."""
    quick = tasks.BashTask("quick", "true")
    with caplog.at_level(logging.WARNING, logger="aiowf.client"):
        async with aiowf.connect("local", max_active=max_active) as client:
            for verb in ("stop", "terminate", "delete"):
                run = await op(f"{verb}-").execute(client=client)
                await getattr(run, verb)()
            await (await op("awaited-", quick).execute(client=client))
            async for _ in (await op("logs-", quick).execute(client=client)).logs():
                pass
            async for _ in (await op("watch-", quick).execute(client=client)).watch():
                pass
            waiting = operations.DistributedSyncOperation("late-", SLEEP).execute(client=client)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(waiting, 0.5)
    assert [] == [each for each in caplog.messages if "embedded engine" in each]


def test_the_default_client_warns_at_the_end_of_the_loop() -> None:
    """A script that fires and forgets reads on stderr what became of it."""
    script = (
        "import asyncio\n"
        "from aiowf import operations, tasks\n"
        "op = operations.SingleTaskOperation('fired-', tasks.BashTask('nap', 'sleep 60'))\n"
        "asyncio.run(op.execute())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert "ends what nobody has awaited: fired-" in done.stderr
