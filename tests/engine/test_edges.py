"""Races, and what can only be reached from inside."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from bed import Bed, FastClock, ScriptedExecutor, bed, dag, nodes_of, pod, single, steps

from aiowf.engine import streams
from aiowf.engine.admission import Admitted
from aiowf.engine.exchange import CONTROLLER
from aiowf.engine.expressions import evaluate
from aiowf.engine.fields import parse_fields
from aiowf.engine.functions import ExpressionError
from aiowf.engine.plan import ExecutionError, Plans
from aiowf.engine.pod import PodResult
from aiowf.engine.server import create_app

OK = PodResult(exit_code=0)
FAILED = PodResult(exit_code=1, reason="Error")


async def test_a_pod_that_is_killed_before_the_executor_knows_of_it(bed: Bed) -> None:
    """A workflow that is terminated as it starts runs nothing."""
    workflow = {"metadata": {"name": "wf"}, "spec": single(pod("p"))}
    run = bed.controller.create(Admitted(workflow, None, {}), "ns")
    bed.controller._start(run)
    run.shut_down("Terminate")
    status = (await bed.finished())["status"]
    assert status["message"] == "Stopped with strategy 'Terminate'"
    assert bed.executor.states == {}


async def test_a_name_is_free_when_the_pods_of_its_last_owner_have_ended() -> None:
    """A new workflow of a deleted one's name starts after the old one's pods have ended."""
    async with bed(ScriptedExecutor(lambda p: None)) as running:
        await running.create(single(pod("old")))
        old = await running.executor.pod("old")
        kill, running.executor.kill = running.executor.kill, lambda key, *, grace: None
        await running.client.delete("/api/v1/workflows/ns/wf")
        await running.create(single(pod("new")))
        assert (await running.get())["status"] == {"startedAt": None, "finishedAt": None}
        kill(old.pod.key, grace=0)
        (await running.executor.pod("new")).end(OK)
        assert (await running.finished())["status"]["phase"] == "Succeeded"
        assert running.executor.forgotten == ["ns/wf"]


async def test_a_workflow_is_deleted_before_it_starts(bed: Bed) -> None:
    """Nothing of it ever runs; a generated name is kept."""
    workflow = {"metadata": {"generateName": "wf-"}, "spec": single(pod("p"))}
    run = bed.controller.create(Admitted(workflow, None, {}), "ns")
    assert run.metadata["generateName"] == "wf-"
    bed.controller.delete(run)
    await asyncio.sleep(0)
    assert (run.started, bed.executor.states) == (None, {})


async def test_an_end_of_a_pod_that_fails_the_engine(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trouble with one pod's end leaves all others running."""
    with monkeypatch.context() as patch:
        patch.setattr("aiowf.engine.controller.forget_after", lambda *_: 1 / 0)
        await bed.create(single(pod("p")))
        await bed.finished()
        assert bed.controller.store.get("ns", "wf").nodes["wf"].pod.ended
    await bed.create(single(pod("p")), "other")
    assert (await bed.finished("other"))["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize("fail_fast", [True, False])
async def test_a_dag_waits_for_room(fail_fast: bool) -> None:
    """A DAG of which nothing runs, because the workflow is full, goes on when there is room."""
    async with bed(ScriptedExecutor(lambda p: None)) as running:
        tasks = [{"name": "a", "template": "a"}, {"name": "b", "template": "b", "depends": "a"}]
        inner = {"name": "inner", "dag": {"tasks": tasks, "failFast": fail_fast}}
        many = {"name": "many", "steps": [[{"name": c, "template": c} for c in ("c", "d", "e")]]}
        pods = [pod(name) for name in "abcde"]
        await running.create(
            steps(["inner", "many"], templates=[inner, many, *pods], parallelism=2)
        )
        first = [await running.executor.pod(name) for name in "ca"]
        await running.put("suspend")
        for state in first:
            state.end(OK)
        await running.until(lambda found: found["status"]["progress"] == "2/2")
        await running.put("resume")
        workflow = await running.until(lambda found: found["status"]["progress"] == "2/4")
        assert nodes_of(workflow)["wf[0].inner"]["phase"] == "Running"
        for name in "deb":
            (await running.executor.pod(name)).end(OK)
        assert (await running.finished())["status"]["progress"] == "5/5"


async def test_a_dag_whose_output_has_no_value(bed: Bed) -> None:
    """A DAG that cannot give its output ends in Error."""
    spec = dag({"name": "p"}, templates=[pod("p")])
    source = {"valueFrom": {"parameter": "{{tasks.p.ip}}"}}
    spec["templates"][0]["outputs"] = {"parameters": [{"name": "o", **source}]}
    status = (await bed.run(spec))["status"]
    assert (status["phase"], "tasks.p.ip" in status["message"]) == ("Error", True)


async def test_a_later_attempt_that_cannot_run(bed: Bed) -> None:
    """An attempt that cannot be made ends the retries in Error."""
    bed.executor.behave = lambda p: FAILED
    timeout = "{{=retries == '0' ? '9s' : 'never'}}"
    template = pod("p", timeout=timeout, retryStrategy={"limit": 3})
    status = (await bed.run(single(template)))["status"]
    assert status["phase"] == "Error"
    assert status["message"] == 'Invalid timeout format. time: invalid duration "never"'


async def test_a_first_attempt_that_cannot_run_in_a_step(bed: Bed) -> None:
    """The Retry node and its attempt are both in Error."""
    template = pod("p", retryStrategy={"limit": 3})
    template["container"]["volumeMounts"] = [{"name": "nope", "mountPath": "/x"}]
    nodes = nodes_of(await bed.run(steps(["p"], templates=[template])))
    assert [nodes[name]["phase"] for name in ("wf[0].p", "wf[0].p(0)", "wf[0]")] == ["Error"] * 3


async def test_a_timer_that_goes_off_too_late() -> None:
    """A stop ends the wait for an attempt, and a pause; their timers then do nothing."""
    behave = {"q": FAILED}
    async with bed(
        ScriptedExecutor(lambda p: behave.get(p.template_name)), clock=FastClock(1000)
    ) as running:
        gate = {"name": "gate", "suspend": {"duration": "100s"}}
        retried = pod("q", retryStrategy={"limit": 3, "backoff": {"duration": "100s"}})
        spec = steps(["gate", "q"], templates=[gate, retried, pod("bye")], onExit="bye")
        await running.create(spec)
        await running.until(lambda found: "Backoff" in str(found["status"]))
        await running.put("stop")
        handler = await running.executor.pod("bye")
        await asyncio.sleep(
            0.2
        )  # longer than both timers, and no event tells that they did nothing
        handler.end(OK)
        workflow = await running.finished()
    message = "Stopped with strategy 'Stop'"
    nodes = nodes_of(workflow)
    assert [nodes[f"wf[0].{name}"]["message"] for name in ("gate", "q")] == [message] * 2


async def test_pods_after_the_deadline() -> None:
    """A pod that finds room only after the deadline does not start."""
    async with bed(ScriptedExecutor(lambda p: None), clock=FastClock(20)) as running:
        spec = steps(["a", "b"], templates=[pod("a"), pod("b")], activeDeadlineSeconds=4)
        spec["templates"][0]["parallelism"] = 1
        nodes = nodes_of(await running.run(spec))
    assert nodes["wf[0].b"]["message"] == "Step exceeded its deadline"


async def test_a_pod_that_starts_when_all_is_over() -> None:
    """The start and the end of a pod after the end of its workflow change nothing."""
    async with bed(ScriptedExecutor(lambda p: None)) as running:
        await running.create(single(pod("p")))
        await running.executor.pod("p")
        run = running.controller.store.get("ns", "wf")
        await running.put("terminate")
        before = (await running.finished())["status"]
        run.pod_started(run.nodes["wf"])
        assert (await running.get())["status"] == before


def test_inputs_that_are_not_supplied() -> None:
    """A template that lacks an input, or is not there, cannot be run."""
    inputs = {"parameters": [{"name": "v"}], "artifacts": [{"name": "a"}]}
    plans = Plans.of([{**pod("p"), "inputs": inputs}], {})
    with pytest.raises(ExecutionError, match=r"inputs\.parameters\.v was not supplied"):
        plans["p"].bind({}, {})
    value = {"parameters": [{"name": "v", "value": "x"}]}
    with pytest.raises(ExecutionError, match=r"inputs\.artifacts\.a was not supplied"):
        plans["p"].bind(value, {})
    with pytest.raises(ExecutionError, match="template q not found"):
        plans["q"]


def test_odd_texts() -> None:
    """A stray bracket is no expression; scalars in lists have no fields."""
    with pytest.raises(ExpressionError):
        evaluate(")", {})
    fields = parse_fields("a.b")
    assert fields is not None
    assert fields.prune({"a": [1, {"b": 2}]}) == {"a": [1, {"b": 2}]}


class PlainServer(TestServer):
    """A server whose handlers are not cancelled when their client goes, as is the default."""

    async def _make_runner(self, **options: Any) -> Any:
        return await super()._make_runner(**{**options, "handler_cancellation": False})


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
async def test_a_stream_ends_when_its_client_has_gone(
    accept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch on which nothing happens is ended with its connection."""
    monkeypatch.setattr(streams, "KEEPALIVE", 0.02)
    app = create_app(ScriptedExecutor())
    async with TestClient(PlainServer(app)) as client:
        workflow = {"metadata": {"name": "wf"}, "spec": single({"name": "s", "suspend": {}})}
        await client.post("/api/v1/workflows/ns", json={"workflow": workflow})
        response = await client.get("/api/v1/workflow-events/ns", headers={"Accept": accept})
        await response.content.readline()
        response.close()
        async with asyncio.timeout(10):
            while app[CONTROLLER].store._watches:
                await client.get("/api/v1/info")


async def test_a_write_to_a_client_that_has_gone() -> None:
    """An event that nobody can be told ends the stream quietly."""

    async def batches() -> Any:
        yield [{"result": 1}]
        raise ConnectionResetError

    async def handler(request: web.Request) -> web.StreamResponse:
        return await streams.run_stream(request, batches())

    app = web.Application()
    app.router.add_get("/", handler)
    async with TestClient(TestServer(app)) as client, client.get("/") as response:
        assert response.status == 200


async def test_a_header_that_is_not_text() -> None:
    """A token of any bytes is only wrong."""
    async with bed(token="secret") as running:
        server = running.client.server
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET /api/v1/info HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        writer.close()
        await writer.wait_closed()


async def test_an_output_that_is_not_text(bed: Bed) -> None:
    """What could not be written is not taken: it would break every list and watch."""
    gate = {
        "name": "gate",
        "suspend": {},
        "outputs": {"parameters": [{"name": "v", "valueFrom": {"supplied": {}}}]},
    }
    await bed.create(single(gate))
    await bed.until(lambda found: found["status"].get("nodes"))
    body = {"nodeFieldSelector": "displayName=wf", "outputParameters": '{"v": "\\ud800"}'}
    status, answer = await bed.put("set", body)
    assert (status, answer["code"]) == (400, 3)
    assert (await bed.get())["status"]["phase"] == "Running"


@pytest.mark.parametrize("where", ["template", "specification"])
async def test_a_retry_strategy_with_variables(where: str) -> None:
    """The limit of retries may be an input, or a parameter of the workflow."""
    name = "inputs.parameters.n" if where == "template" else "workflow.parameters.n"
    retry = {"retryStrategy": {"limit": f"{{{{{name}}}}}"}}
    parameters = {"parameters": [{"name": "n", "value": "2"}]}
    template = pod("p", inputs={"parameters": [{"name": "n"}]})
    spec = single(template, arguments=parameters)
    (template if where == "template" else spec).update(retry)
    async with bed(ScriptedExecutor(lambda p: FAILED)) as running:
        workflow = await running.run(spec)
    assert workflow["status"]["nodes"]["wf"]["message"] == "No more retries left"
    assert len(workflow["status"]["nodes"]) == 4
