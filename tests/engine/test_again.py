"""Running a finished workflow again: retry, and resubmit."""

import json
from pathlib import Path
from typing import Any

import pytest
from bed import OK, Bed, ScriptedExecutor, bed, dag, nodes_of, pod, single, steps

from aiowf.engine.pod import Pod, PodResult

DATA = Path(__file__).parents[1] / "data" / "argo" / "retry-failed.json"
FAILED = PodResult(exit_code=3, reason="Error")
ASIDE = {"startedAt", "finishedAt", "resourcesDuration", "hostNodeName"}
LABELS = "workflows.argoproj.io"


class Counting(ScriptedExecutor):
    """Counts the pods of each template; those listed fail as often as is said."""

    def __init__(self, **failures: int) -> None:
        super().__init__(self._behave)
        self.failures = failures
        self.runs: dict[str, int] = {}

    def _behave(self, pod: Pod) -> PodResult:
        name = pod.template_name
        self.runs[name] = self.runs.get(name, 0) + 1
        if self.runs[name] <= self.failures.get(name, 0):
            return FAILED
        return PodResult(exit_code=0, outputs={"v": f"{name}-{self.runs[name]}"})


def giving(name: str, **more: Any) -> dict[str, Any]:
    """Return a template with an output parameter."""
    outputs = {
        "parameters": [{"name": "v", "valueFrom": {"path": "/v"}, "globalName": f"g-{name}"}]
    }
    return pod(name, outputs=outputs, **more)


def comparable(data: Any) -> Any:
    """Leave out what cannot be equal."""
    if isinstance(data, dict):
        return {key: comparable(value) for key, value in data.items() if key not in ASIDE}
    return [comparable(item) for item in data] if isinstance(data, list) else data


async def retried(running: Bed, body: Any = None) -> Any:
    """Retry a workflow, and return it when it has finished again."""
    status, answer = await running.put("retry", body)
    assert status == 200, answer
    assert answer["status"]["finishedAt"] is None
    return await running.finished()


async def test_a_retry_as_on_a_cluster() -> None:
    """What was good is kept, with its times; the rest runs again, and ends as it did there."""
    recorded = json.loads(DATA.read_text())
    executor = Counting(bad=2)
    async with bed(executor) as running:
        before = await running.run(recorded["before"]["spec"], "act-ret")
        status, answer = await running.put("retry", {}, "act-ret")
        after = await running.finished("act-ret")
    assert comparable(before["status"]) == comparable(recorded["before"]["status"])
    assert status == 200
    # Right after a retry groups there still have the progress of before.
    for status_then in (answer["status"], recorded["retried"]["status"]):
        for node in status_then["nodes"].values():
            node.pop("progress", None)
    assert comparable(answer["status"]) == comparable(recorded["retried"]["status"])
    assert answer["metadata"]["labels"] == recorded["retried"]["metadata"]["labels"]
    assert comparable(after["status"]) == comparable(recorded["after"]["status"])
    assert after["metadata"]["labels"] == recorded["after"]["metadata"]["labels"]
    kept = "act-ret-2882501556", "act-ret-4030741717"
    for node in kept:
        assert after["status"]["nodes"][node] == before["status"]["nodes"][node] | {
            "resourcesDuration": after["status"]["nodes"][node]["resourcesDuration"]
        }
    assert executor.runs == {"good": 1, "bad": 2}


async def test_values_of_what_is_kept() -> None:
    """Outputs of nodes that are kept flow on: as parameters, and as global ones."""
    late = pod("late", inputs={"parameters": [{"name": "x"}]})
    late["container"] = {"image": "i", "command": ["true"], "args": ["{{inputs.parameters.x}}"]}
    passed = {"parameters": [{"name": "x", "value": "{{steps.early.outputs.parameters.v}}"}]}
    spec = steps(
        ["early"],
        ["bad"],
        [{"name": "late", "arguments": passed}],
        templates=[giving("early"), pod("bad"), late],
    )
    async with bed(Counting(bad=1)) as running:
        assert (await running.run(spec))["status"]["phase"] == "Failed"
        found = await retried(running)
        state = await running.executor.pod("late")
    assert found["status"]["phase"] == "Succeeded"
    assert found["status"]["progress"] == "3/3"
    assert found["status"]["outputs"]["parameters"] == [{"name": "g-early", "value": "early-1"}]
    assert state.pod.container.args == ("early-1",)
    assert running.executor.runs == {"early": 1, "bad": 2, "late": 1}


async def test_a_dag_is_retried_where_it_failed() -> None:
    """Branches that succeeded are kept; what comes after the failed task runs again."""
    spec = dag(
        {"name": "a"},
        {"name": "b"},
        {"name": "after-a", "depends": "a"},
        {"name": "whatever", "depends": "b.Succeeded || b.Failed"},
        {"name": "bad"},
        templates=[pod("a"), pod("b"), pod("after-a"), pod("whatever"), pod("bad")],
    )
    async with bed(Counting(b=1, bad=1)) as running:
        first = await running.run(spec)
        found = await retried(running)
    assert nodes_of(first)["wf.b"]["phase"] == "Failed"
    assert {node["phase"] for node in nodes_of(found).values()} == {"Succeeded"}
    assert running.executor.runs == {"a": 1, "after-a": 1, "b": 2, "whatever": 2, "bad": 2}


async def test_loops_groups_and_attempts_are_kept() -> None:
    """Good items of a loop, whole groups inside, and nodes that needed several attempts."""
    inner = {"name": "inner", "steps": [[{"name": "x", "template": "x"}]]}
    tried = pod("tried", retryStrategy={"limit": 3})
    looped = {"name": "looped", "template": "item", "withItems": ["1", "2"]}
    spec = steps(
        [looped, "inner", "tried"],
        ["bad"],
        templates=[pod("item"), inner, pod("x"), tried, pod("bad")],
    )
    async with bed(Counting(bad=1, tried=1, item=0)) as running:
        first = await running.run(spec)
        found = await retried(running)
    assert running.executor.runs == {"item": 2, "x": 1, "tried": 2, "bad": 2}
    assert found["status"]["phase"] == "Succeeded"
    assert nodes_of(found).keys() == nodes_of(first).keys()
    good = nodes_of(found)["wf[0].tried(1)"]
    assert good["children"] == nodes_of(first)["wf[0].tried(1)"]["children"]


async def test_restarting_what_succeeded() -> None:
    """A selector names nodes that run again, and with them all that came after."""
    inner = {"name": "inner", "steps": [[{"name": "x", "template": "x"}]]}
    spec = steps(["a"], ["inner"], ["c"], templates=[pod("a"), inner, pod("x"), pod("c")])
    async with bed(Counting()) as running:
        await running.run(spec)
        for body in ({}, {"restartSuccessful": True}, {"nodeFieldSelector": "displayName=x"}):
            status, answer = await running.put("retry", body)
            assert (status, answer["code"]) == (400, 3), body
        found = await retried(
            running, {"restartSuccessful": True, "nodeFieldSelector": "displayName=x"}
        )
    assert found["status"]["phase"] == "Succeeded"
    assert running.executor.runs == {"a": 1, "x": 2, "c": 2}


async def test_a_retry_with_parameters() -> None:
    """Parameters have new values from then on."""
    spec = single(
        pod("p", inputs={"parameters": [{"name": "x", "value": "{{workflow.parameters.x}}"}]}),
        arguments={"parameters": [{"name": "x", "value": "old"}]},
    )
    async with bed(Counting(p=1)) as running:
        await running.run(spec)
        found = await retried(running, {"parameters": ["x=new=er", "y=2"]})
    assert nodes_of(found)["wf"]["inputs"]["parameters"] == [{"name": "x", "value": "new=er"}]
    assert found["spec"]["arguments"]["parameters"][1] == {"name": "y", "value": "2"}


async def test_what_was_stopped_is_retried() -> None:
    """A suspend node that was stopped waits again, the exit handler runs again."""
    handler = pod("handler")
    spec = steps(
        ["gate"], ["after"], templates=[{"name": "gate", "suspend": {}}, pod("after"), handler]
    )
    async with bed(Counting()) as running:
        await running.create({**spec, "onExit": "handler"})
        await running.until(is_waiting)
        await running.put("stop")
        assert (await running.finished())["status"]["phase"] == "Failed"
        status, answer = await running.put("retry")
        assert (status, "shutdown" in answer["spec"]) == (200, False)
        await running.until(is_waiting)
        await running.put("resume")
        assert (await running.finished())["status"]["phase"] == "Succeeded"
    assert running.executor.runs == {"after": 1, "handler": 2}


def is_waiting(workflow: Any) -> bool:
    """Return whether the gate of a workflow waits."""
    gate = nodes_of(workflow).get("wf[0].gate") if workflow["status"].get("nodes") else None
    return gate is not None and gate["phase"] == "Running"


async def test_a_retry_waits_for_pods_of_before() -> None:
    """While a pod of the same name still ends, the new one does not start."""
    async with bed(ScriptedExecutor(lambda _: None)) as running:
        running.executor.kill = lambda key, *, grace: running.executor.killed.append(key)
        await running.create(single(pod("p", activeDeadlineSeconds=3600), activeDeadlineSeconds=1))
        old = await running.executor.pod("p")
        assert (await running.finished())["status"]["phase"] == "Failed"
        assert (await running.put("retry"))[0] == 200
        assert "phase" not in (await running.get())["status"]
        assert running.executor.states["ns/wf"] is old
        old.end(FAILED)
        await running.until(lambda workflow: workflow["status"].get("phase") == "Running")
        new = await running.executor.pod("p")
        assert new is not old
        new.end(OK)
        assert (await running.finished())["status"]["phase"] == "Succeeded"


async def test_a_retry_has_its_own_ttl() -> None:
    """The workflow is not deleted while it runs again."""
    spec = single(pod("p"), ttlStrategy={"secondsAfterFailure": 3600})
    async with bed(Counting(p=1)) as running:
        await running.run(spec)
        assert running.controller._timers
        await retried(running)
        assert not running.controller._timers


async def test_resubmit() -> None:
    """A new workflow with the old specification and labels, and a label that tells of the old."""
    spec = single(pod("p"), arguments={"parameters": [{"name": "x", "value": "1"}]})
    async with bed(Counting()) as running:
        old = await running.run(spec, labels={"a": "b"}, annotations={"n": "1"})
        status, answer = await running.put("resubmit", {"parameters": ["x=2"]})
        again = await running.finished(answer["metadata"]["name"])
        _, third = await running.put("resubmit", {}, answer["metadata"]["name"])
    assert status == 200
    assert answer["metadata"]["generateName"] == "wf-"
    assert answer["metadata"]["annotations"] == {"n": "1"}
    assert answer["metadata"]["labels"] == {"a": "b", f"{LABELS}/resubmitted-from-workflow": "wf"}
    assert answer["spec"]["arguments"]["parameters"] == [{"name": "x", "value": "2"}]
    assert answer["spec"]["templates"] == old["spec"]["templates"]
    assert again["status"]["phase"] == "Succeeded"
    assert third["metadata"]["generateName"] == "wf-"


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        ({}, 500, {"code": 2, "message": "unable to get a workflow"}),
        (
            {"workflow": {"spec": steps(["nope"])}},
            500,
            {"code": 2, "message": "templates.main.steps[0].nope template name 'nope' undefined"},
        ),
        (
            {"workflow": {"spec": single({"name": "r", "resource": {"action": "get"}})}},
            500,
            {
                "code": 2,
                "message": "spec.templates[0].resource: the embedded engine does not run this",
            },
        ),
        (
            {"workflow": {"metadata": {"name": "Bad_Name" * 9}, "spec": single(pod("p"))}},
            200,
            None,
        ),
        ({"workflow": {"spec": single(pod("p"))}}, 200, None),
    ],
)
async def test_lint(bed: Bed, body: Any, status: int, answer: Any) -> None:
    """A lint tells what a submission would refuse, but for the name; nothing is created."""
    response = await bed.client.post("/api/v1/workflows/ns/lint", json=body)
    found = await response.json()
    assert (status, answer or found) == (response.status, found)
    if status == 200:
        assert found["metadata"] == body["workflow"].get("metadata", {})
        assert found["status"] == {"startedAt": None, "finishedAt": None}
    assert list(bed.controller.store.all()) == []
