"""The main road, from outside: operations executed on the embedded engine."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

import aiowf
from aiowf import operations, tasks

pytestmark = pytest.mark.asyncio(loop_scope="module")


def add(a: int, b: int) -> int:
    return a + b


def double(number: int) -> int:
    return 2 * number


def leave_files() -> str:
    shared = Path(os.environ["shared_directory"])  # noqa: SIM112
    (shared / "report.txt").write_text("ünï\n")
    (shared / "empty").touch()
    (shared / "deep" / "er").mkdir(parents=True)
    (shared / "deep" / "er" / "data.bin").write_bytes(bytes(range(256)))
    (shared / "link").symlink_to("/etc/passwd")
    return "written"


def fail() -> None:
    raise ValueError("no such luck")


async def test_a_sync_operation_gives_the_function_s_value(client: aiowf.Client) -> None:
    """A function runs in a pod, and its return value is the result's."""
    op = operations.DistributedSyncOperation("add-", tasks.PythonTask("add", add, args=(2, 3)))
    result = await op.execute(client=client)
    assert (5, "Succeeded", True) == (result.value, result.phase, result.succeeded)
    assert result.name.startswith("add-")
    assert isinstance(result.duration, timedelta)
    assert {"add": 5} == dict(result.values)


async def test_files_come_back(client: aiowf.Client) -> None:
    """Files of any kind come back from the shared directory; links are not followed."""
    task = tasks.PythonTask("leave", leave_files)
    op = operations.DistributedSyncOperationWithResults("files-", task)
    result = await op.execute(client=client)
    expected = {
        "report.txt": "ünï\n".encode(),
        "empty": b"",
        "deep/er/data.bin": bytes(range(256)),
    }
    assert expected == dict(result.files)
    assert "written" == result.value


async def test_values_flow_through_a_pipeline(client: aiowf.Client) -> None:
    """A later task takes an earlier one's value."""
    first = tasks.PythonTask("first", add, args=(1, 2))
    second = tasks.PythonTask("second", double, args=(first.output,))
    run = await operations.PipelineOperation("flow-", (first, second)).execute(client=client)
    result = await run
    assert {"first": 3, "second": 6} == dict(result.values)
    assert 3 == result.values[first]
    assert 6 == result.value


async def test_a_failure_says_why(client: aiowf.Client) -> None:
    """The error names the exception, the exit code and the user's own line."""
    op = operations.DistributedSyncOperation("fail-", tasks.PythonTask("fail", fail))
    with pytest.raises(aiowf.OperationFailedError) as caught:
        await op.execute(client=client)
    error = caught.value
    assert ("Failed", 1, "fail") == (error.phase, error.exit_code, error.task)
    assert "ValueError: no such luck" in error.message
    assert any("test_client_main_road.py" in line for line in error.log_tail)
    assert error.result is not None
    assert not error.result.succeeded


async def test_a_failure_can_be_taken_as_a_result(client: aiowf.Client) -> None:
    """With check=False a failed operation gives its result."""
    op = operations.DistributedSyncOperation("fail-", tasks.PythonTask("fail", fail))
    result = await op.execute(client=client, check=False)
    assert "Failed" == result.phase
    with pytest.raises(aiowf.MissingResultsError):
        _ = result.value


async def test_logs_are_live_and_end(client: aiowf.Client) -> None:
    """The lines of a task come as they are written, and end with the workflow."""
    op = operations.SingleTaskOperation("talk-", tasks.BashTask("talk", "echo one; echo two"))
    run = await op.execute(client=client)
    assert ["one", "two"] == [line async for line in run.logs("talk")]
    assert ["talk: one", "talk: two"] == [line async for line in run.logs(follow=False)]
    assert (await run).succeeded


async def test_a_notice_goes_out(client: aiowf.Client) -> None:
    """The exit handler puts a notice on the user's queue, its payload byte for byte."""
    payload = '{"order": 17, "literal": "{{workflow.name}} $(HOME) $$"}'
    op = operations.SingleTaskOperation(
        "notice-",
        tasks.BashTask("work", "true"),
        on_exit_notify={"queue": "orders", "payload": payload},
    )
    run = await op.execute(client=client)
    assert (await run).succeeded
    notices = client.notices.subscribe("orders")
    notice = await anext(notices)
    await notices.aclose()
    assert ("Succeeded", payload, run.name) == (notice.status, notice.payload, notice.workflow)
