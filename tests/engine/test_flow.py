"""Steps, DAGs, loops, retries, values and limits, with pods that end as the test says."""

import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from bed import Bed, FastClock, ScriptedExecutor, bed, dag, nodes_of, pod, single, steps

from aiowf.engine.pod import Pod, PodResult

FAILED = PodResult(exit_code=1, reason="Error")


def param(name: str, value: str) -> dict[str, Any]:
    """Return arguments of one parameter."""
    return {"parameters": [{"name": name, "value": value}]}


def taker(name: str, *arguments: str) -> dict[str, Any]:
    """Return a template that puts its input `v` into its arguments."""
    return {
        "name": name,
        "inputs": {"parameters": [{"name": "v"}]},
        "container": {
            "image": "i",
            "command": ["c"],
            "args": [*arguments, "{{inputs.parameters.v}}"],
        },
    }


def giver(name: str, parameter: str = "out", **source: Any) -> dict[str, Any]:
    """Return a template with an output parameter."""
    outputs = [{"name": parameter, "valueFrom": {"path": "/tmp/x", **source}}]
    return pod(name, outputs={"parameters": outputs})


async def test_values_flow_between_steps(bed: Bed) -> None:
    """Outputs of a step are arguments of a later one, and are substituted once more there."""
    bed.executor.behave = lambda p: PodResult(exit_code=0, outputs={"out": '{{workflow.name}} "q"'})
    spec = steps(
        ["give"],
        [{"name": "take", "arguments": param("v", "{{steps.give.outputs.parameters.out}}")}],
        templates=[giver("give"), taker("take", "{{workflow.parameters.p}}", "{{node.name}}")],
        arguments=param("p", "P"),
    )
    await bed.run(spec)
    state = await bed.executor.pod("take")
    assert state.pod.container.args == ("P", "wf[1].take", 'wf "q"')
    assert state.pod.name.startswith("wf-take-")


async def test_standard_output_is_an_output_where_somebody_refers_to_it(bed: Bed) -> None:
    """Only a step whose result is referred to has one."""
    bed.executor.behave = lambda p: PodResult(exit_code=0, stdout="42")
    spec = steps(
        ["a", "b"],
        [{"name": "take", "arguments": param("v", "{{steps.a.outputs.result}}")}],
        templates=[pod("a"), pod("b"), taker("take")],
    )
    nodes = nodes_of(await bed.run(spec))
    assert nodes["wf[0].a"]["outputs"] == {"result": "42", "exitCode": "0"}
    assert nodes["wf[0].b"]["outputs"] == {"exitCode": "0"}
    assert nodes["wf[1].take"]["inputs"] == param("v", "42")


async def test_raw_artifacts_become_files(bed: Bed) -> None:
    """A raw input artifact reaches the pod as a file, with its parameters in it."""
    template = taker("take")
    raw = {"data": "<{{inputs.parameters.v}}>"}
    template["inputs"]["artifacts"] = [{"name": "f", "path": "/tmp/f", "raw": raw}]
    template["container"]["args"] = ["{{inputs.artifacts.f.path}}"]
    await bed.run(single(template, arguments=param("v", "a\n")))
    state = await bed.executor.pod("take")
    assert state.pod.files == {"/tmp/f": b"<a\n>"}
    assert state.pod.container.args == ("/tmp/f",)


async def test_an_artifact_is_passed_as_an_argument(bed: Bed) -> None:
    """A raw artifact may come from the caller."""
    template = pod("p", inputs={"artifacts": [{"name": "f", "path": "/f"}]})
    passed = {"artifacts": [{"name": "f", "raw": {"data": "x"}}]}
    await bed.run(steps([{"name": "p", "arguments": passed}], templates=[template]))
    assert (await bed.executor.pod("p")).pod.files == {"/f": b"x"}


async def test_outputs_of_steps_and_dags(bed: Bed) -> None:
    """A steps or DAG template gives what its children gave, and a default where they did not."""
    bed.executor.behave = lambda p: PodResult(exit_code=0, outputs={"out": "7"})
    source = {"parameter": "{{steps.give.outputs.parameters.out}}"}
    inner = {
        "name": "inner",
        "steps": [[{"name": "give", "template": "give"}]],
        "outputs": {
            "parameters": [
                {"name": "o", "valueFrom": source, "globalName": "g"},
                {"name": "d", "valueFrom": {"parameter": "{{steps.give.ip}}", "default": "D"}},
                {
                    "name": "e",
                    "valueFrom": {"expression": "steps.give.outputs.parameters.out + 'x'"},
                },
                {"name": "f", "valueFrom": {"expression": "nope.x", "default": "F"}},
            ]
        },
    }
    spec = dag(
        {"name": "inner"},
        {
            "name": "take",
            "depends": "inner",
            "arguments": param("v", "{{tasks.inner.outputs.parameters.o}}"),
        },
        templates=[inner, giver("give"), taker("take")],
    )
    workflow = await bed.run(spec)
    given = nodes_of(workflow)["wf.inner"]["outputs"]["parameters"]
    assert [(p["name"], p["value"]) for p in given] == [
        ("o", "7"),
        ("d", "D"),
        ("e", "7x"),
        ("f", "F"),
    ]
    assert nodes_of(workflow)["wf.take"]["inputs"] == param("v", "7")
    assert workflow["status"]["outputs"] == param("g", "7")


@pytest.mark.parametrize("source", [{"parameter": "{{steps.p.ip}}"}, {"expression": "nope.x"}])
async def test_an_output_without_a_value(bed: Bed, source: dict[str, str]) -> None:
    """A template whose output has no source ends in Error."""
    spec = steps(["p"], templates=[pod("p")])
    spec["templates"][0]["outputs"] = {"parameters": [{"name": "o", "valueFrom": source}]}
    workflow = await bed.run(spec)
    assert workflow["status"]["phase"] == "Error"
    assert workflow["status"]["message"].startswith("unable to resolve references: ")


async def test_a_missing_output_with_a_default(bed: Bed) -> None:
    """A file that is not there gives the default."""
    workflow = await bed.run(single(giver("p", default="D")))
    assert nodes_of(workflow)["wf"]["outputs"]["parameters"] == [
        {"name": "out", "value": "D", "valueFrom": {"path": "/tmp/x", "default": "D"}}
    ]


async def test_loops_in_a_dag(bed: Bed) -> None:
    """A loop task is a TaskGroup; its outputs are lists, its skipped items count as done."""
    bed.executor.behave = lambda p: PodResult(exit_code=0, outputs={"out": p.container.args[-1]})
    item = taker("each")
    item["outputs"] = {"parameters": [{"name": "out", "valueFrom": {"path": "/x"}}]}
    spec = dag(
        {
            "name": "each",
            "arguments": param("v", "{{item}}"),
            "withItems": ["x", "y", "z"],
            "when": "'{{item}}' != 'y'",
        },
        {
            "name": "take",
            "depends": "each.AnySucceeded && !each.AllFailed",
            "arguments": param("v", "{{tasks.each.outputs.parameters.out}}"),
        },
        {
            "name": "none",
            "template": "each",
            "arguments": param("v", "{{item}}"),
            "withParam": "[]",
        },
        templates=[item, taker("take")],
    )
    workflow = await bed.run(spec)
    nodes = nodes_of(workflow)
    assert workflow["status"]["phase"] == "Succeeded"
    assert (nodes["wf.each"]["type"], nodes["wf.each"]["phase"]) == ("TaskGroup", "Succeeded")
    assert nodes["wf.each(1:y)"]["phase"] == "Skipped"
    assert nodes["wf.each(0:x)"]["boundaryID"] == "wf"
    assert nodes["wf.take"]["inputs"] == param("v", '["x","z"]')
    assert nodes["wf.none"]["phase"] == "Succeeded"


async def test_results_of_a_loop_of_steps(bed: Bed) -> None:
    """The results of a loop are a list."""
    bed.executor.behave = lambda p: PodResult(exit_code=0, stdout="r")
    spec = steps(
        [{"name": "each", "withSequence": {"count": 2}}],
        [{"name": "take", "arguments": param("v", "{{steps.each.outputs.result}}")}],
        templates=[pod("each"), taker("take")],
    )
    nodes = nodes_of(await bed.run(spec))
    assert nodes["wf[1].take"]["inputs"] == param("v", '["r","r"]')


async def test_an_empty_group(bed: Bed) -> None:
    """A loop over nothing leaves an empty group, to which the next one is connected."""
    spec = steps([{"name": "a", "withItems": []}], ["b"], templates=[pod("a"), pod("b")])
    nodes = nodes_of(await bed.run(spec))
    assert nodes["wf[0]"]["children"] == [nodes["wf[1]"]["id"]]
    assert nodes["wf"]["phase"] == "Succeeded"


def failing(*names: str) -> Any:
    """Let the pods of some templates fail."""
    return lambda p: FAILED if p.template_name in names else PodResult(exit_code=0)


@pytest.mark.parametrize(
    ("tasks", "more", "phase", "phases"),
    [
        (
            [{"name": "bad"}, {"name": "b", "dependencies": ["bad"]}],
            {},
            "Failed",
            {"b": "Omitted"},
        ),
        (
            [
                {"name": "bad", "continueOn": {"failed": True}},
                {"name": "b", "dependencies": ["bad"]},
            ],
            {},
            "Succeeded",
            {"b": "Succeeded"},
        ),
        ([{"name": "bad", "continueOn": {"failed": True}}], {}, "Succeeded", {}),
        (
            [{"name": "bad"}, {"name": "b", "depends": "bad.Failed || bad.Errored"}],
            {},
            "Succeeded",
            {"b": "Succeeded"},
        ),
        (
            [{"name": "bad"}, {"name": "b"}, {"name": "c", "dependencies": ["b"]}],
            {"failFast": False},
            "Failed",
            {"b": "Succeeded", "c": "Succeeded"},
        ),
        (
            [{"name": "a"}, {"name": "b", "dependencies": ["a"]}, {"name": "bad"}],
            {"target": "b"},
            "Succeeded",
            {"a": "Succeeded", "b": "Succeeded"},
        ),
        (
            [{"name": "a", "when": "1 == 2"}, {"name": "b", "dependencies": ["a"]}],
            {},
            "Succeeded",
            {"a": "Skipped", "b": "Succeeded"},
        ),
        ([{"name": "a", "when": "1 == "}], {}, "Error", {"a": "Error"}),
    ],
)
async def test_dags(
    bed: Bed, tasks: list[Any], more: dict[str, Any], phase: str, phases: dict[str, str]
) -> None:
    """A DAG ends as its targets do; what a failure keeps from running is omitted."""
    bed.executor.behave = failing("bad")
    templates = [pod(name) for name in ("a", "b", "c", "bad")]
    spec = dag(*tasks, templates=templates)
    spec["templates"][0]["dag"].update(more)
    workflow = await bed.run(spec)
    nodes = nodes_of(workflow)
    assert workflow["status"]["phase"] == phase
    assert {name: nodes[f"wf.{name}"]["phase"] for name in phases} == phases
    assert ("wf.bad" in nodes) == (any(t["name"] == "bad" for t in tasks) and "target" not in more)


@pytest.mark.parametrize("fail_fast", [True, False])
async def test_a_template_may_stop_after_a_failure(fail_fast: bool) -> None:
    """With failFast no further child is started after one has failed."""
    async with bed(ScriptedExecutor(failing("bad"))) as running:
        spec = steps(["bad", "b", "c"], templates=[pod("bad"), pod("b"), pod("c")])
        spec["templates"][0].update(parallelism=1, failFast=fail_fast)
        workflow = await running.run(spec)
    assert workflow["status"]["phase"] == "Failed"
    assert ("wf[0].c" in nodes_of(workflow)) is not fail_fast


async def test_a_dag_template_may_stop_after_a_failure(bed: Bed) -> None:
    """A DAG with failFast and parallelism ends with Argo's message."""
    bed.executor.behave = failing("bad")
    spec = dag({"name": "bad"}, {"name": "b"}, templates=[pod("bad"), pod("b")])
    spec["templates"][0].update(parallelism=1, failFast=True)
    workflow = await bed.run(spec)
    message = "template has failed or errored children and failFast enabled"
    assert workflow["status"]["message"] == message
    assert "wf.b" not in nodes_of(workflow)


@pytest.mark.parametrize("where", ["workflow", "template"])
async def test_parallelism(bed: Bed, where: str) -> None:
    """Never more pods run than allowed, and all of them do run."""
    names = [f"t{n}" for n in range(6)]
    spec = steps(names, templates=[pod(name) for name in names])
    (spec if where == "workflow" else spec["templates"][0])["parallelism"] = 2
    workflow = await bed.run(spec)
    assert (bed.executor.most, workflow["status"]["progress"]) == (2, "6/6")


async def test_parallelism_of_a_workflow_in_a_dag_with_retries(bed: Bed) -> None:
    """A limit holds across branches and attempts."""
    tried: dict[str, int] = {}

    def behave(p: Pod) -> PodResult:
        tried[p.template_name] = tried.get(p.template_name, 0) + 1
        return FAILED if tried[p.template_name] == 1 else PodResult(exit_code=0)

    bed.executor.behave = behave
    names = ["a", "b", "c"]
    spec = dag(
        *({"name": name} for name in names),
        templates=[pod(name, retryStrategy={"limit": 1}) for name in names],
    )
    spec["parallelism"] = 1
    workflow = await bed.run(spec)
    assert (bed.executor.most, workflow["status"]["phase"]) == (1, "Succeeded")
    assert workflow["status"]["progress"] == "3/6"


async def test_nested_steps_and_dags(bed: Bed) -> None:
    """What a nested template ends with is connected to what follows it."""
    inner = {"name": "inner", "dag": {"tasks": [{"name": "p", "template": "p"}]}}
    spec = steps(["inner"], ["p"], templates=[inner, pod("p")])
    nodes = nodes_of(await bed.run(spec))
    assert nodes["wf[0].inner.p"]["children"] == [nodes["wf[1]"]["id"]]
    assert nodes["wf[0].inner"]["progress"] == "2/2"
    assert nodes["wf[0].inner.p"]["boundaryID"] == nodes["wf[0].inner"]["id"]


ONCE = {"limit": 3, "expression": "asInt(lastRetry.exitCode) in [-1, 137, 143]"}


@pytest.mark.parametrize(
    ("strategy", "code", "attempts", "message"),
    [
        (ONCE, 3, 1, "retryStrategy.expression evaluated to false"),
        (ONCE, 137, 4, "No more retries left"),
        ({"limit": "1"}, 1, 2, "No more retries left"),
        ({"retryPolicy": "OnError"}, 1, 1, "main: Error (exit code 1)"),
        ({"retryPolicy": "OnTransientError"}, 1, 1, "main: Error (exit code 1)"),
        ({"limit": 1, "expression": "nope == 1"}, 1, 1, "unknown name nope"),
        ({"limit": 2, "expression": "{{lastRetry.exitCode}} == 1"}, 1, 3, "No more retries left"),
        ({"backoff": {"duration": ""}}, 1, 1, "no base duration specified for retryStrategy"),
        (
            {"backoff": {"duration": "1m", "factor": 2, "cap": "10s", "maxDuration": "5"}},
            1,
            1,
            "Backoff would exceed max duration limit",
        ),
    ],
)
async def test_retries(
    bed: Bed, strategy: dict[str, Any], code: int, attempts: int, message: str
) -> None:
    """A failed pod is tried again as often as its strategy says."""
    bed.executor.behave = lambda p: PodResult(exit_code=code, reason="Error")
    workflow = await bed.run(single(pod("p", retryStrategy=strategy)))
    nodes = nodes_of(workflow)
    assert len(nodes["wf"]["children"]) == attempts
    assert workflow["status"]["message"] == message
    assert nodes["wf"]["outputs"] == {"exitCode": str(code)}


async def test_max_duration_of_retries() -> None:
    """Attempts that took too long altogether are the last ones."""
    async with bed() as running:
        ticks = iter(range(0, 100000, 100))
        running.controller.clock.time = lambda: float(next(ticks))
        running.executor.behave = failing("p")
        strategy = {"backoff": {"duration": "1", "maxDuration": "5"}}
        workflow = await running.run(single(pod("p", retryStrategy=strategy)))
    assert workflow["status"]["message"] == "Max duration limit exceeded"


async def test_backoff_and_the_variables_of_a_retry() -> None:
    """The next attempt comes after a while, and knows of the last one."""
    arguments: list[Any] = []

    def behave(p: Pod) -> PodResult:
        arguments.append(p.container.args)
        return FAILED if len(arguments) < 3 else PodResult(exit_code=0)

    async with bed(ScriptedExecutor(behave), clock=FastClock(1000)) as running:
        template = pod("p")
        template["container"]["args"] = ["{{retries}}", "{{lastRetry.exitCode}}"]
        backoff = {"duration": "20s", "factor": "2"}
        spec = single(template, retryStrategy={"limit": 3, "backoff": backoff})
        await running.create(spec)
        message = "Backoff for 40 seconds"
        await running.until(lambda found: message in str(found["status"]))
        workflow = await running.finished()
    assert arguments == [("0", "{{lastRetry.exitCode}}"), ("1", "1"), ("2", "1")]
    assert nodes_of(workflow)["wf"].get("message") is None


async def test_retries_of_steps(bed: Bed) -> None:
    """A whole steps template is tried again."""
    tried: list[str] = []

    def behave(p: Pod) -> PodResult:
        tried.append(p.name)
        return FAILED if len(tried) == 1 else PodResult(exit_code=0)

    bed.executor.behave = behave
    spec = steps(["p"], ["q"], templates=[pod("p"), pod("q")])
    spec["templates"][0]["retryStrategy"] = {"limit": 1}
    workflow = await bed.run(spec)
    assert workflow["status"]["phase"] == "Succeeded"
    assert nodes_of(workflow)["wf(1)[1].q"]["phase"] == "Succeeded"


VOLUME = pod("p")
VOLUME["container"] = {**VOLUME["container"], "volumeMounts": [{"name": "nope", "mountPath": "/x"}]}
NO_VOLUME = "volume 'nope' not found in workflow spec"


@pytest.mark.parametrize(
    ("spec", "phase", "message"),
    [
        (
            steps(["p", "q"], templates=[VOLUME, pod("q")]),
            "Failed",
            f"step group deemed errored due to child wf[0].p error: {NO_VOLUME}",
        ),
        (dag({"name": "p"}, templates=[VOLUME]), "Error", ""),
        (dag({"name": "p", "withItems": [1]}, templates=[VOLUME]), "Error", ""),
        (
            single({**VOLUME, "retryStrategy": {"limit": 2}}),
            "Error",
            f"error in entry template execution: {NO_VOLUME}",
        ),
        (
            single(pod("p", activeDeadlineSeconds="{{workflow.name}}")),
            "Error",
            "error in entry template execution: Invalid timeout format. "
            "could not convert string to float: 'wf'",
        ),
        (
            single({"name": "s", "suspend": {"duration": "{{workflow.name}}"}}),
            "Error",
            'error in entry template execution: time: invalid duration "wf"',
        ),
    ],
)
async def test_what_cannot_run_ends_in_an_error(
    bed: Bed, spec: dict[str, Any], phase: str, message: str
) -> None:
    """A pod that cannot be made ends what is around it, in Argo's words."""
    workflow = await bed.run(spec)
    assert (workflow["status"]["phase"], workflow["status"].get("message", "")) == (phase, message)


async def test_a_task_that_errored_says_so(bed: Bed) -> None:
    """The node of a DAG's task says what was wrong."""
    workflow = await bed.run(dag({"name": "p"}, templates=[VOLUME]))
    assert nodes_of(workflow)["wf.p"]["message"] == f"task 'wf.p' errored: {NO_VOLUME}"


async def test_an_executor_that_fails_fails_one_pod(bed: Bed) -> None:
    """An error of the executor is an Error of the node; a StartError is told as such."""

    def behave(p: Pod) -> PodResult:
        if p.template_name == "broken":
            raise OSError("no space left")
        return PodResult(exit_code=128, message="too long", reason="StartError")

    bed.executor.behave = behave
    spec = steps(["broken", "p"], templates=[pod("broken"), pod("p")])
    nodes = nodes_of(await bed.run(spec))
    assert nodes["wf[0].broken"]["message"] == "OSError: no space left"
    assert nodes["wf[0].broken"]["phase"] == "Error"
    assert nodes["wf[0].p"]["message"] == "main: StartError (exit code 128): too long"


async def test_a_workflow_that_fails_the_engine_fails_alone(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in the handling of one workflow ends it, and no other."""
    await bed.create(single({"name": "s", "suspend": {}}), "other")
    with monkeypatch.context() as patch:
        patch.setattr("aiowf.engine.run.execute", lambda *_: 1 / 0)
        workflow = await bed.run(single(pod("p")))
    message = "the embedded engine failed: ZeroDivisionError: division by zero"
    assert (workflow["status"]["phase"], workflow["status"]["message"]) == ("Error", message)
    assert (await bed.put("resume", name="other"))[0] == 200
    assert (await bed.finished("other"))["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize(
    "body",
    [
        {"steps": [[{"name": "a", "template": "m"}, {"name": "b", "template": "m"}]]},
        {"dag": {"tasks": [{"name": "a", "template": "m", "withItems": [1, 2]}]}},
        {"retryStrategy": {"limit": 1}, "steps": [[{"name": "a", "template": "m"}]]},
    ],
)
async def test_templates_that_call_one_another_without_end(bed: Bed, body: dict[str, Any]) -> None:
    """The workflow ends when a hundred are within one another, however they branch."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(before + 3000)  # as the engine's process does
    try:
        workflow = await bed.run({"entrypoint": "m", "templates": [{"name": "m", **body}]})
    finally:
        sys.setrecursionlimit(before)
    assert workflow["status"]["phase"] == "Error"
    assert workflow["status"]["message"].startswith("Maximum recursion depth exceeded: ")
    assert len(workflow["status"]["nodes"]) < 400


@pytest.mark.parametrize(
    "body", [{"steps": [[{"name": "p", "template": "p"}]]}, {"dag": {"tasks": []}}]
)
async def test_an_output_computed_from_an_input(bed: Bed, body: dict[str, Any]) -> None:
    """The outputs of a steps or DAG template may name its inputs."""
    inner = {
        "name": "inner",
        "inputs": {"parameters": [{"name": "n"}]},
        "outputs": {
            "parameters": [
                {"name": "e", "valueFrom": {"expression": "asInt(inputs.parameters.n) + 1"}},
                {"name": "p", "valueFrom": {"parameter": "{{inputs.parameters.n}}"}},
            ]
        },
    }
    call = {"name": "inner", "arguments": param("n", "1")}
    workflow = await bed.run(dag(call, templates=[{**inner, **body}, pod("p")]))
    given = nodes_of(workflow)["wf.inner"]["outputs"]["parameters"]
    assert [("e", "2"), ("p", "1")] == [(p["name"], p["value"]) for p in given]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("give", "steps.give.outputs.result"),
        ("give-it", "steps['give-it'].outputs.result"),
        ("give-it", 'steps["give-it"].outputs.result'),
    ],
)
async def test_a_result_that_only_an_expression_names(bed: Bed, name: str, source: str) -> None:
    """A step's standard output is kept where an expression without braces names it."""
    bed.executor.behave = lambda p: PodResult(exit_code=0, stdout="7" if p.capture_stdout else None)
    spec = steps([{"name": name, "template": "p"}], templates=[pod("p")])
    spec["templates"][0]["outputs"] = {
        "parameters": [{"name": "o", "valueFrom": {"expression": source}}]
    }
    workflow = await bed.run(spec)
    assert [{"name": "o", "value": "7"}] == nodes_of(workflow)["wf"]["outputs"]["parameters"]


@pytest.mark.parametrize(("target", "ran"), [("a", {"a"}), ("a b", {"a", "b"}), ("c", {"a", "c"})])
async def test_a_target_that_is_a_parameter(bed: Bed, target: str, ran: set[str]) -> None:
    """The targets of a DAG may be named by a parameter."""
    tasks = ({"name": "a"}, {"name": "b"}, {"name": "c", "depends": "a"})
    spec = dag(*tasks, templates=[pod(name) for name in "abc"])
    spec["templates"][0]["dag"]["target"] = "{{workflow.parameters.t}}"
    workflow = await bed.run({**spec, "arguments": param("t", target)})
    assert ran == {name.removeprefix("wf.") for name in nodes_of(workflow) if name != "wf"}


async def test_a_target_that_turns_out_not_to_be_there(bed: Bed) -> None:
    """A DAG whose parameter names no task ends in Error, and says why."""
    spec = dag({"name": "a"}, templates=[pod("a")])
    spec["templates"][0]["dag"]["target"] = "{{workflow.parameters.t}}"
    workflow = await bed.run({**spec, "arguments": param("t", "nope")})
    assert workflow["status"]["phase"] == "Error"
    assert "target 'nope' is not defined" in workflow["status"]["message"]


async def test_an_empty_retry_strategy(bed: Bed) -> None:
    """A strategy that says nothing retries until the pod succeeds."""
    codes = iter([1, 2, 0])
    bed.executor.behave = lambda p: PodResult(exit_code=next(codes))
    workflow = await bed.run(single(pod("p", retryStrategy={})))
    phases = [nodes_of(workflow)[f"wf({n})"]["phase"] for n in range(3)]
    assert ["Failed", "Failed", "Succeeded"] == phases
    assert workflow["status"]["phase"] == "Succeeded"


async def test_results_of_a_loop_are_data(bed: Bed) -> None:
    """Results that are JSON are data in the list; an item that failed has no place in it."""
    given = iter(['{"n": 1, "kind": "odd"}', '{"n": 2, "kind": "even"}', "x", "4"])
    spec = steps(
        [{"name": "each", "withItems": [1, 2, 3, 4], "continueOn": {"failed": True}}],
        [{"name": "take", "arguments": param("v", "{{steps.each.outputs.result}}")}],
        templates=[pod("each"), taker("take")],
    )
    bed.executor.behave = partial(_given, given)
    nodes = nodes_of(await bed.run(spec))
    expected = '[{"n":1,"kind":"odd"},{"n":2,"kind":"even"},4]'
    assert param("v", expected) == nodes["wf[1].take"]["inputs"]


def _given(texts: Iterator[str], p: Pod) -> PodResult:
    text = next(texts, "")
    return PodResult(exit_code=int(text == "x"), stdout=text)


async def test_a_loop_over_results_that_are_objects(bed: Bed) -> None:
    """The items of a later loop have their fields, in arguments and in `when`."""
    given = iter(['{"n": 1, "kind": "odd"}', '{"n": 2, "kind": "even"}'])
    bed.executor.behave = partial(_given, given)
    spec = steps(
        [{"name": "each", "withItems": [1, 2]}],
        [
            {
                "name": "take",
                "arguments": param("v", "{{item.n}}"),
                "withParam": "{{steps.each.outputs.result}}",
                "when": "{{item.kind}} == even",
            }
        ],
        templates=[pod("each"), taker("take")],
    )
    nodes = nodes_of(await bed.run(spec))
    assert "Skipped" == nodes["wf[1].take(0:kind:odd,n:1)"]["phase"]
    assert param("v", "2") == nodes["wf[1].take(1:kind:even,n:2)"]["inputs"]


@pytest.mark.parametrize("kind", ["steps", "dag"])
async def test_a_condition_of_an_item_that_cannot_be_read(bed: Bed, kind: str) -> None:
    """It is an error of that item, and says what is wrong."""
    step = {"name": "each", "template": "each", "withItems": ["a"], "when": "{{item.b}} == c"}
    make = steps if kind == "steps" else dag
    workflow = await bed.run(make([step] if kind == "steps" else step, templates=[pod("each")]))
    node = next(n for n in nodes_of(workflow).values() if n["displayName"] == "each(0:a)")
    assert ("Skipped", "Error") == (node["type"], node["phase"])
    assert "Invalid 'when' expression '{{item.b}} == c'" in node["message"]
    assert workflow["status"]["phase"] in ("Failed", "Error")


async def test_columns_of_a_loop(bed: Bed) -> None:
    """One parameter of all items is data where all its values are objects or lists."""
    given = iter(["[1]", '{"a":2}'])
    bed.executor.behave = lambda p: PodResult(exit_code=0, outputs={"out": next(given, "")})
    spec = steps(
        [{"name": "each", "withItems": [1, 2]}],
        [{"name": "take", "arguments": param("v", "{{steps.each.outputs.parameters.out}}")}],
        templates=[giver("each"), taker("take")],
    )
    nodes = nodes_of(await bed.run(spec))
    assert param("v", '[[1],{"a":2}]') == nodes["wf[1].take"]["inputs"]


async def test_the_path_of_an_output_parameter(bed: Bed) -> None:
    """A template may name the file of its output parameter, with inputs or without."""
    bed.executor.behave = lambda p: PodResult(exit_code=0, outputs={"out": "1"})
    template = giver("give")
    template["container"]["args"] = ["{{outputs.parameters.out.path}}"]
    await bed.run(single(template))
    assert ("/tmp/x",) == (await bed.executor.pod("give")).pod.container.args
