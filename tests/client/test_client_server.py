"""A client of an Argo Server that fails, hesitates and refuses: respx answers for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from argo_double import ArgoDouble, pending
from respx_server import serve

import aiowf
from aiowf import operations, tasks
from aiowf.client import stalls
from aiowf.manifest import Workflow

OP = operations.DistributedSyncOperation("op-", tasks.BashTask("work", "true"))


@pytest.fixture
def server() -> ArgoDouble:
    """A server that takes workflows and lets them run for ever."""
    return ArgoDouble()


@pytest.fixture
async def client(server: ArgoDouble) -> AsyncIterator[aiowf.Client]:
    """A client of that server."""
    async with (
        serve(server.router) as url,
        aiowf.connect(url, namespace="argo", token="Bearer hush-hush") as opened,
    ):
        yield opened


def succeeded(name: str) -> dict[str, Any]:
    """Return the status of a workflow of one pod that has succeeded."""
    node = {"id": name, "name": name, "type": "Pod", "phase": "Succeeded", "templateName": "work"}
    return {"phase": "Succeeded", "nodes": {name: node}, "startedAt": None, "finishedAt": None}


async def test_a_pod_that_cannot_start_is_told(
    server: ArgoDouble, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image that cannot be pulled ends the wait, with Kubernetes' reason, and the workflow."""
    monkeypatch.setattr(stalls, "FIRST_LOOK", 0.05)
    monkeypatch.setattr(stalls, "HOPELESS_AFTER", 0.2)
    server.status = pending("ErrImagePull: no such image")
    with pytest.raises(aiowf.OperationStuckError) as caught:
        await OP.execute(client=client)
    error = caught.value
    assert (error.reason, error.node) == ("ErrImagePull", "work")
    assert "no such image" in str(error)
    assert server.stop.call_count == 1


async def test_pending_for_any_reason_has_a_bound_of_its_own(
    server: ArgoDouble, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod that no node has room for waits as long as pending_timeout says."""
    monkeypatch.setattr(stalls, "HOPELESS_AFTER", 0.01)
    server.status = pending("Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.")
    with pytest.raises(aiowf.OperationStuckError, match="Insufficient cpu") as caught:
        await OP.execute(client=client, pending_timeout=0.2)
    assert caught.value.reason == "Unschedulable"
    assert caught.value.waited >= 0.2


async def test_without_a_bound_an_unschedulable_pod_is_waited_for(
    server: ArgoDouble, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """The reason is logged, and the wait goes on until the workflow has ended."""
    monkeypatch.setattr(stalls, "FIRST_LOOK", 0.05)
    monkeypatch.setattr(stalls, "HOPELESS_AFTER", 0.05)
    server.status = pending("Unschedulable: 0/3 nodes are available")
    with pytest.raises(aiowf.OperationTimeoutError):
        await OP.execute(client=client, timeout=0.5)
    assert "0/3 nodes are available" in caplog.text


async def test_an_answer_that_is_lost_creates_one_workflow(
    server: ArgoDouble, client: aiowf.Client
) -> None:
    """After a failure that leaves open what happened the server is asked, not told again."""
    lost = 0

    def lose_the_answer(request: httpx.Request) -> httpx.Response:
        nonlocal lost
        lost += 1
        server.on_create(request)
        return httpx.Response(500, json={"code": 13, "message": "Post …: EOF"})

    server.create.mock(side_effect=lose_the_answer)
    run = await client.submit(OP)
    assert (1, [run.name]) == (lost, list(server.made))


async def test_a_server_that_is_not_ready_is_asked_again(
    server: ArgoDouble, client: aiowf.Client
) -> None:
    """503 is an answer that comes before anything was created: the workflow is sent again."""
    answers = iter([httpx.Response(503, json={"code": 14, "message": "connection refused"})] * 2)

    def not_yet(request: httpx.Request) -> httpx.Response:
        return next(answers, None) or server.on_create(request)

    server.create.mock(side_effect=not_yet)
    run = await client.submit(OP)
    assert [run.name] == list(server.made)


async def test_a_name_that_is_taken_is_an_error(server: ArgoDouble, client: aiowf.Client) -> None:
    """Another workflow of the same name is not taken for one's own."""
    workflow = OP.to_dict()
    workflow["metadata"] = {"name": "mine"}
    await client.submit(workflow)
    with pytest.raises(aiowf.AlreadyExistsError, match="another workflow is called mine"):
        await client.submit(workflow)


async def test_a_refusal_is_not_repeated(server: ArgoDouble, client: aiowf.Client) -> None:
    """What the server finds wrong it is asked once."""
    refusal = httpx.Response(400, json={"code": 3, "message": "templates.work is wrong"})
    server.create.mock(return_value=refusal)
    with pytest.raises(aiowf.InvalidWorkflowError):
        await OP.execute(client=client)
    assert server.create.call_count == 1


async def test_cancelled_while_the_post_is_under_way(
    server: ArgoDouble, client: aiowf.Client
) -> None:
    """A workflow whose creation arrives after its caller gave up is stopped all the same."""
    arrived, go_on, stopped = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        arrived.set()
        await go_on.wait()
        return server.on_create(request)

    def note(request: httpx.Request) -> httpx.Response:
        go_on.set()  # the first stop finds nothing; only then does the creation arrive
        answer = server.on_stop(request)
        if answer.status_code == 200:
            stopped.set()
        return answer

    server.create.mock(side_effect=slow)
    server.stop.mock(side_effect=note)
    executing = asyncio.create_task(OP.execute(client=client))
    await arrived.wait()
    executing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await executing
    async with asyncio.timeout(5):
        await stopped.wait()


async def test_what_is_misspelt_is_not_sent(server: ArgoDouble, client: aiowf.Client) -> None:
    """A field that Argo would drop silently is refused, with the nearest name."""
    workflow = OP.to_dict()
    workflow["spec"]["entryPoint"] = workflow["spec"].pop("entrypoint")
    with pytest.raises(aiowf.ConfigurationError, match="entrypoint"):
        await client.submit(workflow)
    workflow = OP.to_dict()
    workflow["spec"]["entrypoint"] = "wrok"
    with pytest.raises(aiowf.ConfigurationError, match="work"):
        await client.submit(workflow)
    assert server.create.call_count == 0


@pytest.mark.parametrize(
    ("what", "message", "hint"),
    [
        ({**OP.to_dict(), "kind": "WorkflowTemplate"}, "kind: .* WorkflowTemplate", "submit_from"),
        ("flow.yaml", "str does not become", r"yaml\.safe_load"),
        (None, "NoneType does not become", "Give an operation"),
        (operations.DirectOperation("op", print), "DirectOperation does not", "without a client"),
    ],
)
async def test_what_is_no_workflow_is_not_sent(
    server: ArgoDouble, client: aiowf.Client, what: Any, message: str, hint: str
) -> None:
    """The hint says what could be meant."""
    with pytest.raises(aiowf.ConfigurationError, match=f"{message}.*\n.*{hint}"):
        await client.submit(what)
    assert server.create.call_count == 0


async def test_results_need_a_runtime_image(server: ArgoDouble, client: aiowf.Client) -> None:
    """A pod has to send the files: without an image for it that is said, and nothing is sent."""
    op = operations.DistributedSyncOperationWithResults("op-", tasks.BashTask("work", "true"))
    with pytest.raises(aiowf.ConfigurationError, match="docker/runtime/Dockerfile"):
        await op.execute(client=client)
    assert server.create.call_count == 0


async def test_a_claim_of_which_nobody_knows_is_warned_of_once(
    server: ArgoDouble, client: aiowf.Client
) -> None:
    """Outside of a cluster a claim is taken to exist, and a warning says so."""
    op = operations.SingleTaskOperation(
        "op-", tasks.BashTask("work", "true"), shared_directory="data:/data"
    )
    with pytest.warns(aiowf.AiowfWarning, match="'data' exists: it is taken to exist"):
        await op.execute(client=client)
    await op.execute(client=client)
    (first, _) = server.made.values()
    claims = [volume["persistentVolumeClaim"] for volume in first["spec"]["volumes"]]
    assert claims == [{"claimName": "data"}]


async def test_a_value_and_its_times_are_read(server: ArgoDouble, client: aiowf.Client) -> None:
    """The result of a workflow that another program made has phase, times and no values."""
    await client.submit({**OP.to_dict(), "metadata": {"name": "made"}})
    server.status = {
        **succeeded("made"),
        "startedAt": "2026-11-23T16:09:42Z",
        "finishedAt": "2026-11-23T16:09:53Z",
    }
    result = await client.get_run("made").wait()
    assert (
        result.succeeded,
        result.duration.total_seconds() if result.duration else None,
        result.value,
    ) == (True, 11.0, None)
    assert isinstance(result.workflow, Workflow)


async def test_the_token_is_never_shown(server: ArgoDouble, client: aiowf.Client) -> None:
    """Neither client nor session nor settings tell the token."""
    texts = [repr(client), repr(client.settings), repr(client.argo), repr(client.backend)]
    assert not [text for text in texts if "hush-hush" in text]
    run = await client.submit(OP)
    assert run.ui_url is None
    assert f"<Run argo/{run.name} [submitted]>" == repr(run)


async def test_token_and_scheme_come_from_the_environment(
    server: ArgoDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ARGO_TOKEN and ARGO_SECURE are heeded, as the argo command line does."""
    async with serve(server.router) as url:
        monkeypatch.setenv("ARGO_SERVER", url.removeprefix("http://"))
        monkeypatch.setenv("ARGO_SECURE", "false")
        monkeypatch.setenv("ARGO_TOKEN", "Bearer from-the-environment")
        monkeypatch.setenv("ARGO_NAMESPACE", "argo")
        async with aiowf.connect() as client:
            assert [] == await client.list()
    headers = server.list.calls.last.request.headers
    assert "Bearer from-the-environment" == headers["Authorization"]
