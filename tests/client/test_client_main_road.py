"""The main road, from outside: operations executed on the embedded engine."""

import asyncio
import os
import pickle
from datetime import timedelta
from pathlib import Path

import pytest

import aiowf
from aiowf import operations, tasks
from aiowf.errors import ConfigurationError

pytestmark = pytest.mark.asyncio(loop_scope="module")


def add(a: int, b: int) -> int:
    return a + b


def double(number: int) -> int:
    return 2 * number


def leave_files() -> str:
    shared = Path(os.environ["shared_directory"])
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
    assert (result.value, result.phase, result.succeeded) == (5, "Succeeded", True)
    assert result.name.startswith("add-")
    assert isinstance(result.duration, timedelta)
    assert dict(result.values) == {"add": 5}


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
    assert result.value == "written"


async def test_values_flow_through_a_pipeline(client: aiowf.Client) -> None:
    """A later task takes an earlier one's value."""
    first = tasks.PythonTask("first", add, args=(1, 2))
    second = tasks.PythonTask("second", double, args=(first.output,))
    run = await operations.PipelineOperation("flow-", (first, second)).execute(client=client)
    result = await run
    assert dict(result.values) == {"first": 3, "second": 6}
    assert result.values[first] == 3
    assert result.value == 6


async def test_a_failure_says_why(client: aiowf.Client) -> None:
    """The error names the exception, the exit code and the user's own line."""
    op = operations.DistributedSyncOperation("fail-", tasks.PythonTask("fail", fail))
    with pytest.raises(aiowf.OperationFailedError) as caught:
        await op.execute(client=client)
    error = caught.value
    assert (error.phase, error.exit_code, error.task) == ("Failed", 1, "fail")
    assert "ValueError: no such luck" in error.message
    assert any("test_client_main_road.py" in line for line in error.log_tail)
    assert error.result is not None
    assert not error.result.succeeded


async def test_a_failure_can_be_taken_as_a_result(client: aiowf.Client) -> None:
    """With check=False a failed operation gives its result."""
    op = operations.DistributedSyncOperation("fail-", tasks.PythonTask("fail", fail))
    result = await op.execute(client=client, check=False)
    assert result.phase == "Failed"
    with pytest.raises(aiowf.MissingResultsError):
        _ = result.value


async def test_logs_are_live_and_end(client: aiowf.Client) -> None:
    """The lines of a task come as they are written, and end with the workflow."""
    op = operations.SingleTaskOperation("talk-", tasks.BashTask("talk", "echo one; echo two"))
    run = await op.execute(client=client)
    assert [line async for line in run.logs("talk")] == ["one", "two"]
    assert [line async for line in run.logs(follow=False)] == ["talk: one", "talk: two"]
    with pytest.raises(ConfigurationError, match="has no task 'tolk'") as caught:
        await anext(run.logs("tolk"))
    assert 'did you mean "talk"?' in str(caught.value)
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


async def test_files_come_back_to_whoever_attaches(client: aiowf.Client) -> None:
    """The same id gives the same files, also when the workflow has ended long before."""
    task = tasks.PythonTask("leave", leave_files)
    op = operations.DistributedSyncOperationWithResults("again-", task)
    first = await op.execute(client=client, id="files")
    second = await op.execute(client=client, id="files")
    assert first.name == second.name
    assert dict(first.files) == dict(second.files)
    assert second.files.text("report.txt") == "ünï\n"


async def test_a_result_can_be_pickled(client: aiowf.Client) -> None:
    """A result, and the error that carries one, survive pickling with values and files."""
    task = tasks.PythonTask("leave", leave_files)
    op = operations.DistributedSyncOperationWithResults("pickle-", task)
    result = await op.execute(client=client)
    copy = pickle.loads(pickle.dumps(result))
    assert (result, result.value) == (copy, copy.value)
    assert dict(result.files) == dict(copy.files)
    failing = operations.DistributedSyncOperation("pickle-", tasks.PythonTask("fail", fail))
    with pytest.raises(aiowf.OperationFailedError) as caught:
        await failing.execute(client=client)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (str(caught.value), caught.value.result) == (str(error), error.result)


async def test_large_values_travel_beside_the_parameters(client: aiowf.Client) -> None:
    """A value over 256 KB comes back whole, and reaches a later task whole."""
    large = tasks.PythonTask("large", repeat, args=("é{{x}}$", 40_000))
    size = tasks.PythonTask("size", len_of, args=(large.output,))
    run = await operations.PipelineOperation("large-", (large, size)).execute(client=client)
    result = await run
    assert result.value == 280_000
    assert result.values[large] == "é{{x}}$" * 40_000


@pytest.mark.parametrize("kilobytes", [200, 300])
async def test_large_arguments_travel_in_the_script(client: aiowf.Client, kilobytes: int) -> None:
    """An argument is not limited as a variable is; all together they share the workflow's room."""
    given = "é{{x}}$" * (kilobytes * 1000 // 8)
    task = tasks.PythonTask("size", len_of, args=(given,))
    result = await operations.DistributedSyncOperation("large-", task).execute(client=client)
    assert len(given) == result.value


async def test_what_looks_like_our_own_marks_is_a_value(client: aiowf.Client) -> None:
    """A dictionary with our own key in it is the user's."""
    op = operations.DistributedSyncOperation("marks-", tasks.PythonTask("marks", marks))
    assert (await op.execute(client=client)).value == {"aiowf.dev/value": "x", "size": 3}


async def test_many_at_once(client: aiowf.Client) -> None:
    """A hundred operations by gather all succeed, each once."""
    op = operations.DistributedSyncOperation("gather-", tasks.BashTask("true", "true"))
    results = await asyncio.gather(*(op.execute(client=client) for _ in range(100)))
    assert len({result.name for result in results if result.succeeded}) == 100


def repeat(text: str, times: int) -> str:
    return text * times


def len_of(text: str) -> int:
    return len(text)


def marks() -> dict[str, object]:
    return {"aiowf.dev/value": "x", "size": 3}


async def test_a_run_by_its_name_gives_plain_values(client: aiowf.Client) -> None:
    """Whoever has only the name of a workflow gets its values as plain JSON data."""
    first = tasks.PythonTask("first", add, args=(1, 2))
    second = tasks.PythonTask("second", repeat, args=("xy", 200_000))
    run = await operations.PipelineOperation("named-", (first, second)).execute(client=client)
    assert (await run).succeeded
    again = await client.get_run(run.name)
    assert {"first": 3, "second": "xy" * 200_000} == dict(again.values)
    assert "xy" * 200_000 == again.value


async def test_the_phase_is_kept_fresh(client: aiowf.Client) -> None:
    """The phase of a run is what the watch has told, without a request."""
    run = await operations.SingleTaskOperation("fresh-", tasks.BashTask("t", "true")).execute(
        client=client
    )
    assert run._subscription is not None
    await run._subscription.ended()
    assert "Succeeded" == run.phase
    assert f"<Run default/{run.name} [Succeeded]>" == repr(run)


async def test_another_operation_under_the_same_id_is_told(client: aiowf.Client) -> None:
    """The same name and id with another task cannot give that task's value."""
    one = operations.DistributedSyncOperation("same-", tasks.PythonTask("aa", add, args=(1, 2)))
    other = operations.DistributedSyncOperation("same-", tasks.PythonTask("bb", add, args=(1, 2)))
    await one.execute(client=client, id="k")
    result = await other.execute(client=client, id="k")
    with pytest.raises(aiowf.MissingResultsError, match="has no task bb"):
        _ = result.value
    with pytest.raises(KeyError, match="these do: bb"):
        _ = result.values["nope"]
