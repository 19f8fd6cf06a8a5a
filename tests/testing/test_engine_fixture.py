"""The fixture `aiowf_engine`, as the tests of a service use it."""

import asyncio
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aiohttp
import attrs
import pytest

import aiowf
import aiowf.testing
from aiowf import operations, tasks
from aiowf.engine.addresses import REHEARSAL
from aiowf.errors import (
    ConfigurationError,
    NotFoundError,
    OperationFailedError,
    OperationStuckError,
)
from aiowf.manifest import Workflow
from aiowf.testing import AiowfEngine, Image, Pending, Submission

SUM = operations.DistributedSyncOperation(
    "order-", tasks.CustomTask("sum", "samples-sum", args=["3", "4"])
)


def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


def add(*numbers: str) -> None:
    """Stand in for an image that adds."""
    sys.stdout.write(f"{sum(map(int, numbers))}\n")


def fail_with_three() -> int:
    """Stand in for an image that fails."""
    return 3


async def lines(run: Any) -> list[str]:
    """Return what the pods of a run have written."""
    return [str(line) async for line in run.logs()]


async def test_an_operation_runs_and_is_recorded(aiowf_engine: AiowfEngine) -> None:
    """A test needs no client of its own, and sees what was submitted."""
    op = operations.DistributedSyncOperation("order-", tasks.PythonTask("d", double, args=(21,)))
    result = await op.execute()
    assert 42 == result.value
    [submission] = aiowf_engine.submissions
    assert ("order-", result.name, "default") == (
        submission.operation,
        submission.name,
        submission.namespace,
    )
    assert isinstance(submission.workflow, Workflow)
    assert "d" == submission.template("d").name


async def test_a_service_opens_its_own_client(aiowf_engine: AiowfEngine) -> None:
    """`aiowf.connect()` without arguments leads to the test's engine, results and claims too."""
    async with aiowf.connect() as client:
        assert aiowf_engine.server == client.settings.server
        op = operations.DistributedSyncOperationWithResults(
            "files-", tasks.BashTask("write", 'echo hello > "$shared_directory/hello.txt"')
        )
        result = await op.execute()
        assert "hello\n" == result.files.text("hello.txt")
        assert not await client.backend.engine_knows_claim("no-such")


@pytest.mark.parametrize("turn", [1, 2])
async def test_nothing_is_left_for_the_next_test(aiowf_engine: AiowfEngine, turn: int) -> None:
    """A workflow of the same name, and a queue, begin afresh in each test."""
    assert [] == aiowf_engine.submissions
    async with aiowf.connect() as client:
        assert [] == await client.list(namespace="")
        gate = {
            "metadata": {"name": "same"},
            "spec": {"entrypoint": "g", "templates": [{"name": "g", "suspend": {}}]},
        }
        await client.submit(gate)
        await client.notices.publish("orders", {"status": "Succeeded", "payload": turn})
        async with asyncio.timeout(10):
            async for notice in client.notices.subscribe("orders"):
                assert turn == notice.payload
                break
    [submission] = aiowf_engine.submissions
    assert "same" == submission.operation


@pytest.mark.parametrize("turn", [1, 2])
async def test_what_runs_at_the_end_is_killed(aiowf_engine: AiowfEngine, turn: int) -> None:
    """A test need not wait for what it has started."""
    run = await operations.SingleTaskOperation(
        "long-", tasks.CommandBasedTask("sleep", "sleep 600")
    ).execute()
    assert "long-" == aiowf_engine.submissions[0].operation
    await run.workflow()


@pytest.mark.aiowf(images={"samples-sum": ["echo", "the sum of"]})
async def test_a_command_stands_in_for_an_image(aiowf_engine: AiowfEngine) -> None:
    """The arguments of the container come behind the words of the command."""
    run = await operations.SingleTaskOperation("sum-", SUM.task).execute()
    await run
    assert ["sum: the sum of 3 4"] == await lines(run)


@pytest.mark.aiowf(images={"samples-sum": add})
async def test_a_function_stands_in_for_an_image(aiowf_engine: AiowfEngine) -> None:
    """It gets the arguments of the container; what it prints is the output."""
    run = await operations.SingleTaskOperation("sum-", SUM.task).execute()
    await run
    assert ["sum: 7"] == await lines(run)


@pytest.mark.aiowf(images={"samples-sum": lambda *numbers: 0 if len(numbers) == 2 else 1})
async def test_even_a_lambda_does(aiowf_engine: AiowfEngine) -> None:
    """What can travel to a pod can stand in for an image."""
    assert (await SUM.execute()).succeeded


@pytest.mark.aiowf(images={"samples-sum": fail_with_three})
async def test_a_function_fails_its_pod(aiowf_engine: AiowfEngine) -> None:
    """What it returns is the exit code, as that of a console script."""
    op = operations.DistributedSyncOperation("fail-", tasks.CustomTask("sum", "samples-sum"))
    with pytest.raises(OperationFailedError) as caught:
        await op.execute()
    assert 3 == caught.value.exit_code


@pytest.fixture
def aiowf_images() -> Mapping[str, Image]:
    """What stands in for images in this module, unless a mark says otherwise."""
    return {"samples-sum": "echo from the fixture", "other": ["true"]}


async def test_a_fixture_says_what_stands_in_for_images(aiowf_engine: AiowfEngine) -> None:
    """A project says once, in conftest.py, what its images are."""
    run = await operations.SingleTaskOperation("sum-", SUM.task).execute()
    await run
    assert ["sum: from the fixture 3 4"] == await lines(run)


@pytest.mark.aiowf(clock="skip")
class TestSkipping:
    """Time that passes at once."""

    async def test_backoffs_take_no_time(self, aiowf_engine: AiowfEngine) -> None:
        """Three attempts with ten minutes between them are a matter of milliseconds."""
        slow = {"retryStrategy": {"backoff": {"duration": "10m", "factor": 1, "cap": "1h"}}}
        task = tasks.CommandBasedTask("f", "false", retry_limit=3, template_overrides=slow)
        with pytest.raises(OperationFailedError) as caught:
            await operations.DistributedSyncOperation("retry-", task).execute()
        assert caught.value.result is not None
        assert timedelta(minutes=30) <= caught.value.result.duration < timedelta(minutes=31)

    async def test_the_time_to_live_passes_when_asked(self, aiowf_engine: AiowfEngine) -> None:
        """After twenty minutes a workflow that succeeded is gone."""
        task = tasks.CommandBasedTask("t", "true")
        run = await operations.SingleTaskOperation("gone-", task).execute()
        await run
        await run.workflow()
        await aiowf_engine.skip(timedelta(minutes=21))
        with pytest.raises(NotFoundError):
            await run.workflow()


async def test_the_real_clock_does_not_skip(aiowf_engine: AiowfEngine) -> None:
    """A test that wants to skip time says so beforehand."""
    with pytest.raises(ConfigurationError, match='clock="skip"'):
        await aiowf_engine.skip(1)


async def test_parameters_are_recorded(aiowf_engine: AiowfEngine) -> None:
    """The arguments of a workflow come as a mapping."""
    arguments = {"parameters": [{"name": "size", "value": "3"}]}
    spec = {"entrypoint": "g", "arguments": arguments}
    gate = {"name": "g", "suspend": {}}
    async with aiowf.connect() as client:
        workflow = {"metadata": {"generateName": "w-"}, "spec": {**spec, "templates": [gate]}}
        await client.submit(workflow)
    submission: Submission = aiowf_engine.submissions[0]
    assert {"size": "3"} == submission.parameters
    assert "w-" == submission.operation
    with pytest.raises(ConfigurationError, match="has no template 'gg'"):
        submission.template("gg")


def test_a_sync_test_may_use_it(aiowf_engine: AiowfEngine) -> None:
    """Whoever runs a loop of his own needs no plugin for asynchronous tests."""
    assert "order-" == asyncio.run(named()).removesuffix("x")
    assert 1 == len(aiowf_engine.submissions)
    assert os.environ["ARGO_SERVER"] == aiowf_engine.server
    assert "ARGO_TOKEN" not in repr(aiowf_engine)


async def named() -> str:
    """Run an operation; return the name of it."""
    op = operations.DistributedSyncOperation("order-", tasks.CommandBasedTask("t", "true"))
    await op.execute()
    return op.name


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of a machine, which would lead a client elsewhere."""
    monkeypatch.setenv("ARGO_NAMESPACE", "production")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("AIOWF_REPLY_KEY", "secret")


async def test_settings_of_the_machine_count_for_nothing(
    elsewhere: None, aiowf_engine: AiowfEngine
) -> None:
    """Neither a broker nor a namespace of the developer's own gets into a test."""
    assert "default" == (await aiowf.current_client()).backend.namespace
    await named()


async def test_a_service_in_another_process(aiowf_engine: AiowfEngine) -> None:
    """The environment leads it here, and what it submits is recorded."""
    program = (
        "import asyncio; from aiowf import operations as o, tasks as t; "
        "asyncio.run(o.DistributedSyncOperation('o-', t.CommandBasedTask('t', 'true')).execute())"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert 0 == await process.wait()
    assert ["o-"] == [submission.operation for submission in aiowf_engine.submissions]


@pytest.mark.aiowf(images={"samples-sum": Pending()})
async def test_an_image_that_cannot_be_pulled(aiowf_engine: AiowfEngine) -> None:
    """The pod stays pending, and the client says why."""
    with pytest.raises(OperationStuckError) as caught:
        await SUM.execute(pending_timeout=0.05, on_cancel="terminate")
    assert "ErrImagePull" == caught.value.reason


@pytest.mark.aiowf(images={"samples-sum": Pending("Unschedulable", "0/3 nodes")}, clock="skip")
async def test_a_pod_that_never_starts_holds_no_time(aiowf_engine: AiowfEngine) -> None:
    """What waits for a node reaches its deadline at once."""
    late = attrs.evolve(SUM, active_deadline=3600)
    with pytest.raises(OperationFailedError) as caught:
        await late.execute()
    assert caught.value.result is not None
    assert timedelta(hours=1) <= (caught.value.result.duration or timedelta())


async def test_only_the_test_itself_sets_the_stage(aiowf_engine: AiowfEngine) -> None:
    """Without the token of the session nobody clears the engine, or moves its clock."""
    connector = aiohttp.UnixConnector(aiowf_engine.server.removeprefix("unix:"))
    async with aiohttp.ClientSession(connector=connector) as session:
        answers = [
            await session.put(f"http://engine{REHEARSAL}", json={}),
            await session.post(f"http://engine{REHEARSAL}/skip", json={"seconds": 1}),
        ]
    assert [401, 401] == [answer.status for answer in answers]


def test_a_misspelt_name_is_no_member() -> None:
    """The room answers for its own names alone."""
    with pytest.raises(AttributeError, match="has no attribute 'Engine'"):
        _ = aiowf.testing.Engine  # type: ignore[attr-defined]
