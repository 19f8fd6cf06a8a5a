"""What is done to a workflow, how it ends, and what is collected afterwards."""

import json
from typing import Any

import pytest
from bed import Bed, FastClock, ScriptedExecutor, bed, dag, nodes_of, pod, single, steps

from aiowf.engine.pod import PodResult

OK = PodResult(exit_code=0)
FAILED = PodResult(exit_code=1, reason="Error")
GATE = {"name": "gate", "suspend": {}}
ANSWER = {
    "name": "gate",
    "suspend": {},
    "outputs": {"parameters": [{"name": "answer", "valueFrom": {"supplied": {}}}]},
}


def is_running(*displayed: str) -> Any:
    """Return a test for nodes that run."""
    return lambda workflow: all(
        any(
            node["displayName"] == name and node["phase"] == "Running"
            for node in workflow["status"].get("nodes", {}).values()
        )
        for name in displayed
    )


async def test_a_fresh_workflow_has_no_status(bed: Bed) -> None:
    """The answer to a creation comes before anything runs."""
    answer = await bed.create(single(pod("p")), labels={"a": "b"}, annotations={"c": "d"})
    assert answer["status"] == {"startedAt": None, "finishedAt": None}
    assert answer["metadata"]["labels"] == {"a": "b"}
    workflow = await bed.finished()
    assert workflow["metadata"]["labels"] == {
        "a": "b",
        "workflows.argoproj.io/completed": "true",
        "workflows.argoproj.io/phase": "Succeeded",
    }
    assert workflow["metadata"]["annotations"] == {
        "workflows.argoproj.io/pod-name-format": "v2",
        "c": "d",
    }


async def test_what_a_pod_is_told(bed: Bed) -> None:
    """Labels, annotations and volumes of a pod come from template, specification and engine."""
    template = pod("p", metadata={"labels": {"t": "1"}, "annotations": {"u": "2"}})
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in ("v", "claim", "own")]
    template["container"]["volumeMounts"] = mounts
    template["volumes"] = [{"name": "own", "emptyDir": {}}]
    spec = single(
        template,
        podMetadata={"labels": {"s": "3", "t": "0"}},
        volumes=[
            {"name": "v", "persistentVolumeClaim": {"claimName": "{{workflow.name}}-x"}},
            {"name": "unused", "emptyDir": {}},
        ],
        volumeClaimTemplates=[{"metadata": {"name": "claim"}, "spec": {}}],
    )
    await bed.create(spec)
    told = (await bed.executor.pod("p")).pod
    assert (told.name, told.key, told.node_id) == ("wf", "ns/wf", "wf")
    assert told.labels == {
        "s": "3",
        "t": "1",
        "workflows.argoproj.io/workflow": "wf",
        "workflows.argoproj.io/completed": "false",
    }
    assert told.annotations == {"u": "2", "workflows.argoproj.io/node-name": "wf"}
    claims = [
        v.persistent_volume_claim and v.persistent_volume_claim.claim_name for v in told.volumes
    ]
    assert claims == ["wf-x", "wf-claim", None]


async def test_variables_of_a_workflow(bed: Bed) -> None:
    """A pod may refer to everything that is known of its workflow."""
    names = ["name", "namespace", "serviceAccountName", "mainEntrypoint", "status", "priority"]
    names += ["labels.l", "annotations.a", "parameters.p", "parameters.d", "parameters"]
    names += ["creationTimestamp.Y"]
    template = pod("p")
    template["container"]["args"] = [f"{{{{workflow.{name}}}}}" for name in names]
    parameters = [{"name": "p", "value": 3}, {"name": "d", "default": True}]
    spec = single(template, priority=7, arguments={"parameters": parameters})
    await bed.create(spec, labels={"l": "L"}, annotations={"a": "A"})
    arguments = (await bed.executor.pod("p")).pod.container.args
    year = arguments[-1]
    assert arguments == (
        "wf",
        "ns",
        "default",
        "p",
        "Running",
        "7",
        "L",
        "A",
        "3",
        "true",
        '[{"name":"p","value":"3"},{"name":"d","default":"true"}]',
        year,
    )
    assert year.isdigit()
    assert len(year) == 4


async def test_an_exit_handler_is_told_of_failures(bed: Bed) -> None:
    """The exit handler knows status, failures and duration, and carries a label."""
    bed.executor.behave = lambda p: FAILED if p.template_name == "p" else PodResult(exit_code=0)
    handler = pod("bye")
    handler["container"]["args"] = [
        "{{workflow.status}}",
        "{{workflow.failures}}",
        "{{workflow.duration}}",
    ]
    spec = steps(["p"], templates=[pod("p"), handler], onExit="bye")
    workflow = await bed.run(spec)
    told = (await bed.executor.pod("bye")).pod
    status, failures, duration = told.container.args
    assert (status, json.loads(json.loads(failures))[0]["displayName"]) == ("Failed", "p")
    assert float(duration) >= 0
    assert told.labels["workflows.argoproj.io/on-exit"] == "true"
    assert workflow["status"]["message"].startswith("child 'wf-")


async def test_an_exit_handler_with_retries_and_steps(bed: Bed) -> None:
    """An exit handler may be any template."""
    spec = single(pod("p"), onExit="bye")
    spec["templates"] += [
        {"name": "bye", "steps": [[{"name": "q", "template": "q"}]], "retryStrategy": {"limit": 1}},
        pod("q"),
    ]
    nodes = nodes_of(await bed.run(spec))
    assert nodes["wf.onExit(0)"]["nodeFlag"] == {"hooked": True, "retried": True}
    assert nodes["wf.onExit(0)[0].q"]["phase"] == "Succeeded"


async def test_an_exit_handler_that_cannot_run(bed: Bed) -> None:
    """An exit handler that cannot be made ends the workflow in Error."""
    handler = pod("bye")
    handler["container"]["volumeMounts"] = [{"name": "nope", "mountPath": "/x"}]
    spec = single(pod("p"), onExit="bye")
    spec["templates"].append(handler)
    status = (await bed.run(spec))["status"]
    assert (status["phase"], status["message"]) == (
        "Error",
        "volume 'nope' not found in workflow spec",
    )


@pytest.mark.parametrize(("verb", "runs_handler"), [("stop", True), ("terminate", False)])
async def test_stop_and_terminate(verb: str, runs_handler: bool) -> None:
    """Both end what runs, waits or sleeps; only after a stop the exit handler runs."""
    executor = ScriptedExecutor(
        lambda p: PodResult(exit_code=0) if p.template_name == "bye" else None
    )
    async with bed(executor) as running:
        names = ["a", "b"]
        gate = {**GATE, "suspend": {"duration": "1h"}}
        templates = [pod("a"), pod("b"), gate, pod("bye")]
        executor.limit = type(executor.limit)(1)
        spec = steps([*names, "gate"], templates=templates, onExit="bye")
        await running.create(spec)
        await running.until(is_running("a", "gate"))
        status, answer = await running.put(verb)
        assert (status, answer["spec"]["shutdown"]) == (200, verb.title())
        workflow = await running.finished()
        nodes = nodes_of(workflow)
        again, refusal = await running.put(verb)
    assert workflow["status"]["message"] == f"Stopped with strategy '{verb.title()}'"
    assert nodes["wf[0].a"]["message"] == "main: Error (exit code 143)"
    assert nodes["wf[0].b"]["message"] == f"workflow shutdown with strategy:  {verb.title()}"
    assert nodes["wf[0].gate"]["message"] == f"Stopped with strategy '{verb.title()}'"
    assert ("wf.onExit" in nodes) is runs_handler
    assert (again, refusal) == (
        500,
        {
            "code": 13,
            "message": 'cannot shutdown a completed workflow: workflow: "wf", namespace: "ns"',
        },
    )


async def test_stop_with_a_limit_of_parallelism() -> None:
    """What waits for room is not started after a stop."""
    async with bed(ScriptedExecutor(lambda p: None)) as running:
        spec = dag(
            {"name": "a"}, {"name": "b"}, {"name": "gate"}, templates=[pod("a"), pod("b"), GATE]
        )
        spec["templates"][0]["parallelism"] = 1
        await running.create(spec)
        await running.until(is_running("a"))
        await running.put("stop")
        nodes = nodes_of(await running.finished())
    assert nodes["wf.b"]["message"] == "workflow shutdown with strategy:  Stop"
    assert nodes["wf.gate"]["message"] == "Stopped with strategy 'Stop'"
    assert running.executor.killed == ["ns/wf-a-" + nodes["wf.a"]["id"].rpartition("-")[2]]


async def test_stop_between_two_attempts() -> None:
    """A retry that waits for its next attempt ends at once."""
    strategy = {"limit": 3, "backoff": {"duration": "1h"}}
    async with bed(ScriptedExecutor(lambda p: FAILED)) as running:
        await running.create(single(pod("p", retryStrategy=strategy)))
        await running.until(lambda found: "Backoff" in str(found["status"]))
        await running.put("stop")
        workflow = await running.finished()
    assert nodes_of(workflow)["wf"]["message"] == "Stopped with strategy 'Stop'"


async def test_no_attempt_follows_a_stop() -> None:
    """A pod that was stopped is not tried again."""
    async with bed(ScriptedExecutor(lambda p: None)) as running:
        await running.create(single(pod("p", retryStrategy={"limit": 3})))
        await running.until(is_running("wf(0)"))
        await running.put("stop")
        nodes = nodes_of(await running.finished())
    assert len(nodes["wf"]["children"]) == 1


async def test_deadline_of_a_workflow() -> None:
    """Everything but the exit handler fails when the time is over."""
    executor = ScriptedExecutor(
        lambda p: {"bye": PodResult(exit_code=0), "q": FAILED}.get(p.template_name)
    )
    async with bed(executor, clock=FastClock(20)) as running:
        strategy = {"limit": 3, "backoff": {"duration": "1h"}}
        templates = [pod("p"), pod("q", retryStrategy=strategy), GATE, pod("bye")]
        spec = steps(["p", "q", "gate"], templates=templates, onExit="bye", activeDeadlineSeconds=4)
        workflow = await running.run(spec)
    nodes = nodes_of(workflow)
    message = "Step exceeded its deadline"
    assert [nodes[f"wf[0].{name}"]["message"] for name in ("p", "q", "gate")] == [message] * 3
    assert nodes["wf.onExit"]["phase"] == "Succeeded"
    assert workflow["status"]["phase"] == "Failed"


@pytest.mark.parametrize("more", [{"timeout": "3s"}, {"activeDeadlineSeconds": 3}])
async def test_deadline_of_a_template(more: dict[str, Any]) -> None:
    """A pod that runs for too long is killed."""
    async with bed(ScriptedExecutor(lambda p: None), clock=FastClock(50)) as running:
        status = (await running.run(single(pod("p", **more))))["status"]
    assert status["message"] == "Pod was active on the node longer than the specified deadline"


async def test_suspend_and_resume_a_workflow() -> None:
    """A suspended workflow lets its pods end, and starts nothing."""
    async with bed(ScriptedExecutor(lambda p: None)) as running:
        await running.create(steps(["a"], ["b"], templates=[pod("a"), pod("b")]))
        first = await running.executor.pod("a")
        assert (await running.put("suspend"))[1]["spec"]["suspend"] is True
        assert (await running.put("suspend"))[0] == 200
        first.end(PodResult(exit_code=0))
        workflow = await running.until(lambda found: found["status"]["progress"] == "1/1")
        assert nodes_of(workflow)["wf[0]"]["phase"] == "Running"
        assert "suspend" not in (await running.put("resume"))[1]["spec"]
        (await running.executor.pod("b")).end(PodResult(exit_code=0))
        workflow = await running.finished()
        refused = await running.put("suspend")
        assert (await running.put("resume"))[0] == 200
    assert workflow["status"]["phase"] == "Succeeded"
    message = "timed out waiting for the condition: cannot suspend completed workflows"
    assert refused == (400, {"code": 3, "message": message})


async def test_a_workflow_that_begins_suspended(bed: Bed) -> None:
    """Nothing of a workflow that is submitted suspended starts before it is resumed."""
    await bed.create(single(pod("p"), suspend=True))
    workflow = await bed.until(lambda found: found["status"].get("phase") == "Running")
    assert "nodes" not in workflow["status"]
    assert (await bed.put("resume"))[0] == 200
    assert (await bed.finished())["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize("end", ["stop", "terminate", "deadline"])
async def test_a_suspended_workflow_ends(end: str) -> None:
    """What was never started is stopped, and meets its deadline, all the same."""
    async with bed(clock=FastClock(1000)) as running:
        limit = {"activeDeadlineSeconds": 60} if end == "deadline" else {}
        await running.create(single(pod("p"), suspend=True, **limit))
        if end != "deadline":
            assert (await running.put(end))[0] == 200
        assert (await running.finished())["status"]["phase"] == "Failed"
        assert running.executor.states == {}


async def test_a_suspended_workflow_does_not_retry() -> None:
    """The wait for a retry may end while the workflow is suspended; the retry waits on."""
    async with bed(ScriptedExecutor(lambda p: FAILED)) as running:
        retry = {"limit": 1, "backoff": {"duration": "1h"}}
        await running.create(single(pod("p", retryStrategy=retry)))
        await running.until(lambda found: "Backoff" in json.dumps(found["status"]))
        await running.put("suspend")
        run = running.controller.store.get("ns", "wf")
        run.act(run.nodes["wf"].frame._again)
        assert len(run.nodes) == 2
        running.executor.behave = lambda p: OK
        await running.put("resume")
        workflow = await running.finished()
    assert (workflow["status"]["phase"], len(workflow["status"]["nodes"])) == ("Succeeded", 3)


async def test_set_and_resume_a_node(bed: Bed) -> None:
    """An output that is supplied by hand is an argument of the next step."""
    consumer = pod("p", inputs={"parameters": [{"name": "v"}]})
    value = {"name": "v", "value": "{{steps.gate.outputs.parameters.answer}}"}
    spec = steps(
        ["gate"],
        [{"name": "p", "arguments": {"parameters": [value]}}],
        templates=[ANSWER, consumer],
    )
    await bed.create(spec)
    await bed.until(is_running("gate"))
    select = {"nodeFieldSelector": "displayName=gate"}
    status, refusal = await bed.put("resume")
    assert (status, "has not been set" in refusal["message"]) == (500, True)
    body = {**select, "outputParameters": '{"answer": "yes"}', "message": "by hand"}
    assert (await bed.put("set", body))[0] == 200
    assert (await bed.put("resume", select))[0] == 200
    nodes = nodes_of(await bed.finished())
    assert (nodes["wf[0].gate"]["phase"], nodes["wf[0].gate"]["message"]) == (
        "Succeeded",
        "by hand",
    )
    assert nodes["wf[1].p"]["inputs"] == {"parameters": [{"name": "v", "value": "yes"}]}


async def test_a_supplied_output_with_a_default(bed: Bed) -> None:
    """Resuming takes the default of what was not supplied."""
    gate = json.loads(json.dumps(ANSWER))
    gate["outputs"]["parameters"][0]["valueFrom"]["default"] = "D"
    await bed.create(single(gate))
    await bed.until(is_running("wf"))
    await bed.put("resume")
    nodes = nodes_of(await bed.finished())
    assert nodes["wf"]["outputs"] == {"parameters": [{"name": "answer", "value": "D"}]}


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("phase=Running", True),
        ("templateName=gate,inputs.parameters.v.value=1", True),
        ("inputs.parameters.v.value!=1", False),
    ],
)
async def test_nodes_are_chosen_by_their_fields(bed: Bed, selector: str, chosen: bool) -> None:
    """A phase is set on the nodes that the selector chooses."""
    gate = {**GATE, "inputs": {"parameters": [{"name": "v", "value": "1"}]}}
    await bed.create(single(gate))
    await bed.until(is_running("wf"))
    body = {"nodeFieldSelector": selector, "phase": "Error"}
    assert (await bed.put("set", body))[0] == (200 if chosen else 500)
    if chosen:
        assert (await bed.finished())["status"]["phase"] == "Error"


@pytest.mark.parametrize(
    ("verb", "body", "refusal"),
    [
        ("resume", {"nodeFieldSelector": "displayName=nope"}, (500, "no suspend nodes matching")),
        ("resume", {"nodeFieldSelector": "nonsense"}, (500, "can't understand 'nonsense'")),
        ("stop", {"nodeFieldSelector": "displayName=nope"}, (500, "no suspend nodes matching")),
        ("set", {}, (500, "use a node field selector")),
        ("set", {"nodeFieldSelector": "id=wf", "phase": "Done"}, (400, "Done is an invalid phase")),
        (
            "set",
            {"nodeFieldSelector": "id=wf", "outputParameters": '{"other": "5"}'},
            (500, "node is not expecting output parameter 'other'"),
        ),
        (
            "set",
            {"nodeFieldSelector": "id=wf", "outputParameters": '{"answer": 5}'},
            (400, "json: cannot unmarshal number into Go value of type string"),
        ),
        ("set", {"nodeFieldSelector": "id=wf", "outputParameters": "{"}, (400, "unable to parse")),
        ("set", {"nodeFieldSelector": "id=wf", "outputParameters": {}}, (400, "cannot unmarshal")),
        ("retry", {}, (400, "Cannot retry a workflow in phase Running")),
        ("resubmit", {"memoized": True}, (501, "memoized")),
        ("resubmit", {"parameters": ["x"]}, (500, "expected parameter of the form: NAME=VALUE")),
        ("resubmit", {"parameters": "x=1"}, (400, "cannot unmarshal")),
    ],
)
async def test_verbs_that_are_refused(
    bed: Bed, verb: str, body: Any, refusal: tuple[int, str]
) -> None:
    """A verb that cannot be done says why, and nothing changes."""
    await bed.create(single(ANSWER))
    await bed.until(is_running("wf"))
    status, answer = await bed.put(verb, body)
    assert (status, refusal[1] in answer["message"]) == (refusal[0], True), answer
    assert nodes_of(await bed.get())["wf"]["phase"] == "Running"


CLAIM = {"volumeClaimTemplates": [{"metadata": {"name": "work"}, "spec": {}}]}


@pytest.mark.parametrize(
    ("code", "strategy", "gone"),
    [(0, None, True), (1, None, False), (1, "OnWorkflowCompletion", True)],
)
async def test_claims_of_a_workflow(bed: Bed, code: int, strategy: str | None, gone: bool) -> None:
    """A workflow's claims go at its end, or else with the workflow."""
    bed.executor.behave = lambda p: PodResult(exit_code=code, reason="Error")
    collection = {"volumeClaimGC": {"strategy": strategy}} if strategy else {}
    workflow = await bed.run(single(pod("p"), **CLAIM, **collection))
    claims = [("ns", "wf-work")]
    assert bed.gone_claims == (claims if gone else [])
    assert ("persistentVolumeClaims" in workflow["status"]) is not gone
    await bed.client.delete("/api/v1/workflows/ns/wf")
    assert bed.gone_claims == claims
    assert bed.gone_workflows == [("ns", "wf")]


async def test_a_deleted_workflow_is_killed() -> None:
    """The pods of a deleted workflow are killed; its claims go when they have ended."""
    async with bed(ScriptedExecutor(lambda p: None)) as running:
        await running.create(single(pod("p"), **CLAIM))
        state = await running.executor.pod("p")
        kill, running.executor.kill = running.executor.kill, lambda key, *, grace: None
        response = await running.client.delete("/api/v1/workflows/ns/wf")
        assert (response.status, running.gone_claims) == (200, [])
        assert (await running.get())["code"] == 5
        kill(state.pod.key, grace=0)
        while not running.executor.forgotten:
            await running.get()
        assert running.gone_claims == [("ns", "wf-work")]


@pytest.mark.parametrize(
    ("strategy", "code", "when"),
    [
        ({"secondsAfterCompletion": 100}, 0, 100),
        ({"secondsAfterCompletion": 1000000, "secondsAfterSuccess": 100}, 0, 100),
        ({"secondsAfterCompletion": 1000000, "secondsAfterFailure": 100}, 1, 100),
    ],
)
async def test_a_finished_workflow_is_deleted(
    strategy: dict[str, int], code: int, when: int
) -> None:
    """The TTL of the way in which it ended decides."""
    executor = ScriptedExecutor(lambda p: PodResult(exit_code=code, reason="Error"))
    async with bed(executor, clock=FastClock(200)) as running:
        await running.create(single(pod("p"), ttlStrategy=strategy))
        async with running.stream("workflow-events/ns") as response:
            async for line in response.content:
                if b'"DELETED"' in line:
                    break
        assert running.gone_workflows == [("ns", "wf")]
        assert executor.forgotten == ["ns/wf"]


@pytest.mark.parametrize(
    ("strategy", "forgotten"),
    [
        ("OnPodCompletion", {"good", "bad"}),
        ("OnPodSuccess", {"good"}),
        ("OnWorkflowCompletion", {"good", "bad"}),
        ("OnWorkflowSuccess", set()),
    ],
)
async def test_pods_are_collected(strategy: str, forgotten: set[str]) -> None:
    """Finished pods are forgotten as podGC says."""
    executor = ScriptedExecutor(
        lambda p: FAILED if p.template_name == "bad" else PodResult(exit_code=0)
    )
    collection = {"strategy": strategy, "deleteDelayDuration": "0s"}
    async with bed(executor) as running:
        spec = steps(["good", "bad"], templates=[pod("good"), pod("bad")], podGC=collection)
        await running.run(spec)
        for _ in range(3):
            await running.get()
    assert {key.split("-")[1] for key in executor.forgotten} == forgotten


async def test_a_workflow_that_is_refused_leaves_nothing(bed: Bed) -> None:
    """Whoever submits the same name again and again does not fill the engine's memory."""
    await bed.run(single(pod("p")))
    for _ in range(3):
        body = {"workflow": {"metadata": {"name": "wf"}, "spec": single(pod("p"))}}
        response = await bed.client.post("/api/v1/workflows/ns", json=body)
        assert 409 == response.status
    assert 1 == len(bed.controller._labels)


async def test_many_workflows_at_once(bed: Bed) -> None:
    """Hundreds of workflows side by side all come to their end."""
    names = [f"w{n}" for n in range(300)]
    for name in names:
        await bed.create(steps(["p"], ["q"], templates=[pod("p"), pod("q")]), name)
    left = set(names)
    async with bed.stream("workflow-events/ns?fields=-result.object.status.nodes") as response:
        async for line in response.content:
            if line.startswith(b"data: ") and b'"phase":"Succeeded"' in line:
                left.discard(json.loads(line[6:])["result"]["object"]["metadata"]["name"])
            if not left:
                break
    assert left == set()


async def test_the_engine_closes_while_pods_run() -> None:
    """Closing kills what runs and leaves no task behind."""
    executor = ScriptedExecutor(lambda p: None)
    async with bed(executor) as running:
        await running.create(single(pod("p"), activeDeadlineSeconds=1000))
        await executor.pod("p")
    assert executor.running == 0
