"""Timeouts, cancellation, stuck pods, durable ids and bounds: what becomes of a workflow."""

import asyncio
import gc
import os
import signal
import time
from datetime import timedelta
from typing import Any

import pytest

import aiowf
from aiowf import operations, tasks
from aiowf.client.run import Run

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLEEP = tasks.BashTask("sleep", "echo begun; sleep 60", retry_limit=0)
QUICK = tasks.BashTask("quick", "true")


async def the_run(client: aiowf.Client, prefix: str) -> Run[object]:
    """Return the one run whose name begins so."""
    (run,) = [run async for run in client.list() if run.name.startswith(prefix)]
    return run


async def running(client: aiowf.Client, prefix: str) -> Run[object]:
    """Wait until the one run with this prefix is running, and return it."""
    async with asyncio.timeout(20):
        while True:
            runs = [run async for run in client.list() if run.name.startswith(prefix)]
            if runs:
                async for change in runs[0].watch():
                    nodes = (change.workflow.status and change.workflow.status.nodes) or {}
                    if any(node.phase == "Running" for node in nodes.values()):
                        return runs[0]
            await asyncio.sleep(0)


async def test_a_timeout_stops_the_workflow(client: aiowf.Client) -> None:
    """The error says what was done, and is a TimeoutError; Argo knows the deadline too."""
    op = operations.DistributedSyncOperation("late-", SLEEP)
    with pytest.raises(aiowf.OperationTimeoutError) as caught:
        await op.execute(client=client, timeout=0.7)
    error = caught.value
    assert (error.timeout, error.action) == (0.7, "stop")
    assert isinstance(error, TimeoutError)
    run = client.get_run(error.workflow_name)
    result = await run.wait(check=False)
    assert (
        result.phase,
        result.workflow.status.message if result.workflow.status else "",
    ) == ("Failed", "Stopped with strategy 'Stop'")
    assert result.workflow.spec is not None
    assert result.workflow.spec.active_deadline_seconds == 1


@pytest.mark.parametrize("how", ["execute", "wait"])
async def test_a_success_that_is_heard_late_counts(client: aiowf.Client, how: str) -> None:
    """Who blocks the event loop beyond the timeout gets the Result of what has ended meanwhile."""
    task = tasks.PythonTask("add", sum, args=([1, 2],))
    if how == "wait":
        run = await operations.SingleTaskOperation("blocked-", task).execute(client=client)
        waiting = asyncio.create_task(run.wait(timeout=2))
    else:
        op = operations.DistributedSyncOperation("blocked-", task)
        waiting = asyncio.create_task(op.execute(client=client, timeout=2))
        await running(client, "blocked-")
    time.sleep(2.5)  # noqa: ASYNC251
    assert (await waiting).value == 3


async def test_a_run_of_an_embedded_engine_that_is_closed_has_ended() -> None:
    """Whoever awaits a run behind the end of its client is told that its engine has ended too."""
    async with aiowf.connect("local") as client:
        run = await operations.SingleTaskOperation("behind-", SLEEP).execute(client=client)
    with pytest.raises(aiowf.EngineError, match="aiowf dev"):
        await run


async def test_a_timeout_may_leave_the_workflow(client: aiowf.Client) -> None:
    """With on_cancel="leave" the workflow goes on to its end, and has no deadline."""
    op = operations.DistributedSyncOperation("left-", tasks.BashTask("nap", "sleep 2"))
    with pytest.raises(aiowf.OperationTimeoutError) as caught:
        await op.execute(client=client, timeout=timedelta(seconds=0.2), on_cancel="leave")
    assert caught.value.action == "leave"
    run = client.get_run(caught.value.workflow_name)
    assert await run.is_running()
    result = await run
    assert result.succeeded
    assert result.workflow.spec is not None
    assert result.workflow.spec.active_deadline_seconds is None


@pytest.mark.parametrize(
    ("on_cancel", "message"),
    [("stop", "Stopped with strategy 'Stop'"), ("terminate", "Stopped with strategy 'Terminate'")],
)
async def test_cancellation_reaches_the_workflow(
    client: aiowf.Client, on_cancel: str, message: str
) -> None:
    """A cancelled caller ends its workflow, and stays cancelled."""
    op = operations.DistributedSyncOperation(f"gone-{on_cancel}-", SLEEP)
    waiting = asyncio.create_task(op.execute(client=client, on_cancel=on_cancel))
    run = await running(client, f"gone-{on_cancel}-")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    result = await run.wait(check=False)
    assert result.workflow.status is not None
    assert message == result.workflow.status.message


async def test_a_cancelled_wait_leaves_the_run(client: aiowf.Client) -> None:
    """Whoever merely waits for a run may stop waiting."""
    run = await operations.SingleTaskOperation("waited-", SLEEP).execute(client=client)
    with pytest.raises(aiowf.OperationTimeoutError, match="it goes on"):
        await run.wait(timeout=0.1)
    assert await run.is_running()
    await run.stop()
    assert not (await run.wait(check=False)).succeeded
    assert await run.is_error()


async def test_suspend_and_resume(client: aiowf.Client) -> None:
    """A suspended workflow starts nothing more until it is resumed."""
    first = tasks.BashTask("first", "sleep 0.5")
    op = operations.PipelineOperation("paused-", (first, tasks.BashTask("second", "true")))
    run = await op.execute(client=client)
    await run.suspend()
    async for change in run.watch():
        if change.progress.startswith("1/"):
            break
    workflow = await run.workflow()
    assert workflow.spec is not None
    assert workflow.spec.suspend is True
    assert await run.is_running()
    await run.resume()
    assert (await run).succeeded


async def test_a_deleted_run_is_told(client: aiowf.Client) -> None:
    """A run that is deleted before its end is an error, not a hang."""
    run = await operations.SingleTaskOperation("deleted-", SLEEP).execute(client=client)
    waiting = asyncio.create_task(run.wait())
    await running(client, "deleted-")
    await run.delete()
    with pytest.raises(aiowf.NotFoundError, match="was deleted before its end"):
        await waiting
    with pytest.raises(aiowf.NotFoundError):
        await client.delete(run.name)


async def test_an_id_makes_it_durable(client: aiowf.Client) -> None:
    """The same id at the same time, and once more afterwards, is one workflow and one value."""
    op = operations.DistributedSyncOperation(
        "durable-", tasks.BashTask("once", "echo ran"), labels={"test": "durable"}
    )
    both = await asyncio.gather(*(op.execute(client=client, id="order-17") for _ in range(5)))
    again = await op.execute(client=client, id="order-17")
    other = await op.execute(client=client, id="order-18")
    assert {again.name} == {result.name for result in both}
    assert again.name != other.name
    names = {run.name for run in await client.list(labels={"test": "durable"})}
    assert {again.name, other.name} == names


async def test_another_client_attaches_by_the_id(client: aiowf.Client) -> None:
    """A workflow of another session is followed and read like one's own."""

    op = operations.DistributedSyncOperation("shared-", tasks.PythonTask("slow", slow))
    first = asyncio.create_task(op.execute(client=client, id="both"))
    run = await running(client, "shared-")
    assert (await client.get_run(run.name).wait()).phase.replace("Succeeded", "waited") == "waited"
    assert (await first).value == "done"


def slow() -> str:
    import time

    time.sleep(0.5)
    return "done"


async def test_max_active_bounds_the_workflows_in_flight() -> None:
    """No more workflows than max_active exist unfinished at any time, and all succeed."""
    async with aiowf.connect("local", max_active=2) as client:
        op = operations.DistributedSyncOperation("few-", QUICK)
        most = 0

        async def one() -> bool:
            nonlocal most
            result = await op.execute(client=client)
            unfinished = [run async for run in client.list(phase="Running")]
            most = max(most, len(unfinished))
            return result.succeeded

        assert await asyncio.gather(*(one() for _ in range(12))) == [True] * 12
        assert most <= 2


async def test_an_async_operation_gives_back_its_place_too() -> None:
    """A Run that nobody awaits counts until its workflow has ended, and then no longer."""
    async with aiowf.connect("local", max_active=1) as client, asyncio.timeout(20):
        op = operations.SingleTaskOperation("place-", QUICK)
        runs = [await op.execute(client=client) for _ in range(3)]
        assert [(await run).succeeded for run in runs] == [True] * 3


async def test_closing_tells_whoever_still_waits() -> None:
    """A waiter of a client that closes gets an error that names the workflow."""
    async with aiowf.connect("local") as client:
        run = await operations.SingleTaskOperation("open-", SLEEP).execute(client=client)
        waiting = asyncio.create_task(run.wait())
        await running(client, "open-")
    with pytest.raises(aiowf.AiowfError, match=run.name):
        await waiting


@pytest.mark.parametrize("value", [0, -1, "soon", True])
async def test_a_timeout_is_a_positive_number(client: aiowf.Client, value: object) -> None:
    """What is no time is refused before anything is sent."""
    op = operations.DistributedSyncOperation("never-", QUICK)
    with pytest.raises(aiowf.ConfigurationError, match="timeout"):
        await op.execute(client=client, timeout=value)  # type: ignore[arg-type]
    with pytest.raises(aiowf.ConfigurationError, match="on_cancel"):
        await op.execute(client=client, on_cancel="explode")  # type: ignore[arg-type]
    with pytest.raises(aiowf.ConfigurationError, match="id="):
        await op.execute(client=client, id="")
    assert [run for run in await client.list() if run.name.startswith("never-")] == []


async def test_the_retry_of_a_success_says_how(client: aiowf.Client) -> None:
    """What Argo refuses in words of its API is told in words of ours, which work."""
    run = await operations.SingleTaskOperation("again-", QUICK).execute(client=client)
    await run
    with pytest.raises(aiowf.BadRequestError) as caught:
        await run.retry()
    assert "run.retry(restart_successful=True, nodes=task)" in (caught.value.hint or "")
    await run.retry(restart_successful=True, nodes=QUICK)
    assert (await run).succeeded


async def test_a_failure_is_told_after_the_close_too() -> None:
    """Its last lines cannot be asked for any more; that is no other error."""
    failing = operations.SingleTaskOperation("f-", tasks.BashTask("f", "exit 3", retry_limit=0))
    async with aiowf.connect("local") as client:
        run = await client.submit(failing)
        assert not (await run.wait(20, check=False)).succeeded
    with pytest.raises(aiowf.OperationFailedError, match="exit code 3") as caught:
        await run
    assert () == caught.value.log_tail


async def test_an_engine_that_dies_is_told_to_those_who_wait_alone() -> None:
    """What counts the workflows in flight hears of it too, and says nothing."""
    troubles: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: troubles.append(context))
    async with aiowf.connect("local", max_active=2) as client, asyncio.timeout(20):
        run = await client.submit(
            {
                "metadata": {"generateName": "s-"},
                "spec": {"entrypoint": "s", "templates": [{"name": "s", "suspend": {}}]},
            }
        )
        engine = client.backend.engine
        assert engine is not None
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(aiowf.EngineError, match="killed by signal 9"):
            await run
    gc.collect()
    loop.set_exception_handler(None)
    assert [] == troubles


async def test_what_was_stopped_is_found_under_its_id_and_says_so(client: aiowf.Client) -> None:
    """The error names the id, the workflow and what to do; which is then no longer so."""
    op = operations.DistributedSyncOperation("found-", SLEEP)
    with pytest.raises(aiowf.OperationTimeoutError) as late:
        await op.execute(client=client, id="k1", timeout=0.7)
    assert "earlier call" not in str(late.value)
    with pytest.raises(aiowf.OperationFailedError) as caught:
        await op.execute(client=client, id="k1")
    text, name = str(caught.value), late.value.workflow_name
    assert f"workflow {name} Failed" in text
    assert "Stopped with strategy 'Stop'" in text
    assert "An earlier call with id='k1' began it" in text
    assert f"await client.delete({name!r})" in text
    assert f"await client.get_run({name!r}).retry()" in text
    await client.delete(name)
    with pytest.raises(aiowf.OperationTimeoutError):
        await op.execute(client=client, id="k1", timeout=0.7)


async def test_a_failure_of_ones_own_call_is_not_said_to_be_found(client: aiowf.Client) -> None:
    """Only the second call with the id finds it."""
    failing = tasks.BashTask("f", "exit 3", retry_limit=0)
    op = operations.DistributedSyncOperation("own-", failing)
    hints = []
    for _ in range(2):
        with pytest.raises(aiowf.OperationFailedError) as caught:
            await op.execute(client=client, id="k2")
        hints.append(caught.value.hint or "")
    assert [False, True] == ["id='k2'" in hint for hint in hints]
