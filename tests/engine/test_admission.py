"""What is refused when it is submitted: in Argo's words, or with the field that cannot run here."""

import io
from typing import Any

import pytest
from bed import Bed, ScriptedExecutor, bed, dag, nodes_of, pod, single, steps
from yarl import URL

from aiowf.errors import ConfigurationError
from aiowf.manifest import Container, ScriptTemplate


async def test_bodies_that_are_refused(bed: Bed) -> None:
    """What is no request for a workflow is refused."""
    for body, message in (
        (b"x" * (3 * 1024 * 1024 + 1), "Request entity too large: limit is 3145728"),
        (b"{nope", "invalid JSON"),
        (b'{"workflow": 5}', "json: cannot unmarshal number into Go struct field workflow"),
        (b'{"workflow": {"spec": {"podGC": []}}}', "workflow.spec.podGC"),
        (b'{"workflow": {"spec": {"templates": {}}}}', "workflow.spec.templates"),
        (b'{"workflow": {"spec": {"hooks": []}}}', "workflow.spec.hooks"),
        (b'{"workflow": {"metadata": {"labels": []}}}', "workflow.metadata.labels"),
        (b'{"workflow": {"metadata": {"finalizers": {}}}}', "workflow.metadata.finalizers"),
        (b'{"workflow": {"spec": {"activeDeadlineSeconds": "1"}}}', "activeDeadlineSeconds"),
    ):
        response = await bed.client.post("/api/v1/workflows/ns", data=io.BytesIO(body))
        answer = await response.json()
        assert (response.status, message in answer["message"]) == (400, True), answer


def with_step(**step: Any) -> dict[str, Any]:
    """Return a specification with one odd step."""
    return steps([{"name": "p", **step}], templates=[pod("p")])


PARAMETER = {"parameters": [{"name": "v", "valueFrom": {"path": "/x"}}]}
CLAIMLESS = {"volumeClaimTemplates": [{"spec": {}}]}


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (single(pod("p", daemon=True)), "spec.templates[0].daemon"),
        (single(pod("p", sidecars=[{"name": "s"}])), "spec.templates[0].sidecars"),
        (single({"name": "p", "http": {}}), "spec.templates[0].http"),
        (single(pod("p"), synchronization={"mutexes": []}), "spec.synchronization"),
        (with_step(hooks={"exit": {"template": "p"}}), "spec.templates[0].steps[0][0].hooks"),
        (with_step(onExit="p"), "spec.templates[0].steps[0][0].onExit"),
        (
            with_step(hooks={"exit": {"expression": "{{steps.p.outputs.artifacts.a}}"}}),
            "spec.templates[0].steps[0][0].hooks",
        ),
        (
            steps([{"name": "i", "template": None, "inline": pod("")}]),
            "spec.templates[0].steps[0][0].inline",
        ),
        (with_step(when="{{=sprig.env('HOME') == ''}}"), "spec.templates[0].steps[0][0].when"),
        (
            with_step(arguments={"parameters": [{"name": "v", "valueFrom": {"event": "e"}}]}),
            "spec.templates[0].steps[0][0].arguments.parameters[0].valueFrom",
        ),
        (
            with_step(arguments={"artifacts": [{"name": "a", "from": "{{x}}"}]}),
            "spec.templates[0].steps[0][0].arguments.artifacts[0].from",
        ),
        (
            dag({"name": "p", "onExit": "p"}, templates=[pod("p")]),
            "spec.templates[0].dag.tasks[0].onExit",
        ),
        (
            single(pod("p", inputs={"artifacts": [{"name": "a", "s3": {"key": "k"}}]})),
            "spec.templates[0].inputs.artifacts[0].s3",
        ),
        (
            single(
                pod(
                    "p",
                    inputs={"parameters": [{"name": "v", "valueFrom": {"configMapKeyRef": {}}}]},
                )
            ),
            "spec.templates[0].inputs.parameters[0].valueFrom.configMapKeyRef",
        ),
        (
            single(pod("p", outputs={"parameters": [{"name": "v", "valueFrom": {"event": "e"}}]})),
            "spec.templates[0].outputs.parameters[0].valueFrom.event",
        ),
        (
            single(pod("p", outputs={"parameters": [{"name": "v"}]})),
            "spec.templates[0].outputs.parameters[0].valueFrom",
        ),
        (single(pod("p"), podGC={"deleteDelayDuration": "soon"}), "spec.podGC.deleteDelayDuration"),
        (
            single(pod("p", retryStrategy={"backoff": {"duration": "x"}})),
            "spec.templates[0].retryStrategy.backoff.duration",
        ),
        (
            single(pod("p", retryStrategy={"expression": "f(x)"})),
            "spec.templates[0].retryStrategy.expression",
        ),
        (
            single({"name": "p", "container": {"image": "i", "args": ["{{=sprig.x(1)}}"]}}),
            "spec.templates[0].container.args[0]",
        ),
        (single(pod("p"), **CLAIMLESS), "spec.volumeClaimTemplates[0].metadata.name"),
    ],
)
async def test_what_the_engine_does_not_run_is_refused(
    bed: Bed, spec: dict[str, Any], where: str
) -> None:
    """A workflow that cannot run here is refused with the field."""
    assert (await bed.refused(spec)).partition(": ")[0] == where


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            with_step(
                arguments={"parameters": [{"name": "v", "value": "{{steps.zz.outputs.result}}"}]}
            ),
            "templates.main.steps failed to resolve {{steps.zz.outputs.result}}",
        ),
        (
            dag(
                {
                    "name": "p",
                    "arguments": {"parameters": [{"name": "v", "value": "{{tasks.q.id}}"}]},
                },
                templates=[pod("p")],
            ),
            "templates.main.tasks.p failed to resolve {{tasks.q.id}}",
        ),
        (
            steps(["p"], templates=[pod("p", inputs={"parameters": [{"name": "x"}]})]),
            "templates.main.steps[0].p templates.p inputs.parameters.x was not supplied",
        ),
        (
            steps([{"name": "a b", "template": "p"}], templates=[pod("p")]),
            "templates.main.steps[0].name: 'a b' is invalid: name must consist of alpha-numeric "
            "characters or '-', and must start with an alpha-numeric character "
            "(e.g. My-name1-2, 123-NAME)",
        ),
        (
            single(pod("p" * 129)),
            f"spec.templates[0].name: '{'p' * 129}' is invalid: "
            "must be no more than 128 characters",
        ),
        (single({"name": "", "suspend": {}}, entrypoint="x"), "spec.templates[0].name is required"),
        (
            single(pod("p"), arguments={"parameters": [{"name": "v"}]}),
            "spec.arguments.v.value or spec.arguments.v.valueFrom is required",
        ),
        (single(pod("p"), onExit="nope"), "template name 'nope' undefined"),
        (
            single(pod("p", parallelism=1)),
            "templates.p.parallelism is only valid for steps and dag templates",
        ),
        (
            {"entrypoint": "m", "templates": [{"name": "m", "steps": [[]], "timeout": "1s"}]},
            "templates.m.timeout is only valid for leaf templates",
        ),
        (
            dag({"name": "p", "depends": "q &&"}, templates=[pod("p")]),
            "templates.main.tasks.p unable to parse the depends logic 'q &&'",
        ),
        (
            dag({"name": "p", "depends": "q"}, {"name": "q", "dependencies": ["p"]}, templates=[]),
            "templates.main cannot use both 'depends' and 'dependencies' in the same DAG template",
        ),
        (
            dag({"name": "p", "depends": "q"}, {"name": "q", "continueOn": {"failed": True}}),
            "templates.main cannot use 'continueOn' when using 'depends'. Instead use "
            "'dep-task.Failed'/'dep-task.Errored'",
        ),
        (
            dag({"name": "p"}, templates=[pod("p")], failFast=True),
            None,
        ),
        (
            {"entrypoint": "t0", "templates": [pod(f"t{n}") for n in range(201)]},
            'Workflow.argoproj.io "wf" is invalid: spec.templates: Too many: 201: '
            "must have at most 200 items",
        ),
    ],
)
async def test_argos_own_refusals(bed: Bed, spec: dict[str, Any], message: str | None) -> None:
    """An invalid workflow is refused in Argo's words."""
    if message is None:
        await bed.create(spec)
    else:
        assert await bed.refused(spec) == message


async def test_steps_that_are_none(bed: Bed) -> None:
    """An empty list of steps is dropped, and the template has no kind."""
    assert "template 'main' type is unknown" == await bed.refused(steps())


async def test_parameters_that_are_no_strings(bed: Bed) -> None:
    """Values, defaults and choices of parameters may be any scalars, and become strings."""
    given = [{"name": "a", "value": 1, "default": 1.5, "enum": [1, True, "x"]}]
    template = pod("p")
    template["outputs"] = {"parameters": [{"name": "o", "valueFrom": {"path": "/o", "default": 0}}]}
    workflow = await bed.run(single(template, arguments={"parameters": given}))
    wanted = {"name": "a", "value": "1", "default": "1.5", "enum": ["1", "true", "x"]}
    assert [wanted] == workflow["spec"]["arguments"]["parameters"]
    assert "0" == nodes_of(workflow)["wf"]["outputs"]["parameters"][0]["value"]


async def test_a_target_that_is_not_there(bed: Bed) -> None:
    """A DAG's target must be one of its tasks."""
    spec = dag({"name": "p"}, templates=[pod("p")])
    spec["templates"][0]["dag"]["target"] = "q"
    assert await bed.refused(spec) == "templates.main.targets target 'q' is not defined"


@pytest.mark.parametrize("namespace", [".x", "My_NS", "a%2Fb", "-a", "a" * 64])
async def test_namespaces(bed: Bed, namespace: str) -> None:
    """What cannot be a namespace is none."""
    body = {"workflow": {"metadata": {"name": "wf"}, "spec": single(pod("p"))}}
    response = await bed.client.post(URL(f"/api/v1/workflows/{namespace}", encoded=True), json=body)
    answer = await response.json()
    assert (response.status, answer["code"]) == (404, 5)
    assert answer["message"].startswith("namespaces ")


async def test_nesting(bed: Bed) -> None:
    """What is nested too deeply is refused, for nobody could list it."""
    deep: Any = 1
    for _ in range(95):
        deep = [deep]
    step = {"name": "p", "withItems": [deep]}
    assert await bed.refused(steps([step], templates=[pod("p")])) == "exceeded max depth"
    step["withItems"] = [deep[0][0][0][0][0]]
    await bed.create(steps([step], templates=[pod("p")]))
    assert (await bed.finished())["status"]["phase"] == "Succeeded"


async def test_the_executor_refuses_too() -> None:
    """What the executor cannot have is refused at submission, with the field."""
    executor = ScriptedExecutor()

    def refuse(thing: Any, where: str) -> None:
        raise ConfigurationError("not here", where=where)

    executor.check_volume = refuse  # type: ignore[method-assign]
    async with bed(executor) as running:
        own = single(pod("p", volumes=[{"name": "v", "emptyDir": {}}]))
        assert await running.refused(own) == "spec.templates[0].volumes[0]: not here"
        shared = single(pod("p"), volumes=[{"name": "v", "emptyDir": {}}])
        assert await running.refused(shared) == "spec.volumes[0]: not here"
        executor.check = refuse  # type: ignore[method-assign]
        script = {"name": "p", "script": {"image": "i", "source": "x"}}
        assert await running.refused(single(script)) == "spec.templates[0].script: not here"


class Noticing(ScriptedExecutor):
    """Has something to say of every container."""

    def check(self, container: Container | ScriptTemplate, where: str) -> str:
        """Tell of it."""
        return f"{where}: look"


async def test_notices_are_few_enough_for_any_client() -> None:
    """The first are headers of the answer, the others are counted."""
    templates = [pod(f"p{number}") for number in range(150)]
    spec = {"entrypoint": "p0", "templates": templates}
    body = {"workflow": {"metadata": {"name": "wf"}, "spec": spec}}
    async with bed(Noticing()) as running:
        response = await running.client.post("/api/v1/workflows/ns", json=body)
        *first, last = response.headers.getall("Warning")
    assert 200 == response.status
    assert [f'299 - "spec.templates[{n}].container: look"' for n in range(10)] == first
    assert '299 - "there are 140 more such warnings"' == last


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        (
            {"value": "fsat", "enum": ["fast", "slow"]},
            "spec.arguments.mode.value should be present in spec.arguments.mode.enum list",
        ),
        (
            {"value": "fast", "enum": []},
            "spec.arguments.mode.enum should contain at least one value",
        ),
    ],
)
@pytest.mark.parametrize("verb", ["", "/lint"])
async def test_values_outside_of_an_enum(
    bed: Bed, parameter: dict[str, Any], message: str, verb: str
) -> None:
    """What is not in a parameter's enum is refused, in Argo's words."""
    spec = single(pod("p"), arguments={"parameters": [{"name": "mode", **parameter}]})
    body = {"workflow": {"metadata": {"name": "w"}, "spec": spec}}
    response = await bed.client.post(f"/api/v1/workflows/ns{verb}", json=body)
    assert (False, message) == (response.ok, (await response.json())["message"])
