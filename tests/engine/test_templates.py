"""WorkflowTemplates and ClusterWorkflowTemplates, and workflows that use them."""

import json
from pathlib import Path
from typing import Any

import pytest
from bed import Bed, ScriptedExecutor, bed, dag, nodes_of, pod, single, steps

from aiowf.engine.pod import Pod, PodResult

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "argo" / "templates.json").read_text())
# What is another one each time.
ASIDE = {"uid", "creationTimestamp", "resourceVersion", "startedAt", "finishedAt"}
ASIDE |= {"resourcesDuration", "hostNodeName", "generation", "workflows.argoproj.io/trace-id"}
TEMPLATES = "/api/v1/workflow-templates/ns"
CLUSTER = "/api/v1/cluster-workflow-templates"


def comparable(data: Any) -> Any:
    """Leave out what cannot be equal."""
    if isinstance(data, dict):
        return {
            key: value[:-5] if key == "name" and data.get("generateName") else comparable(value)
            for key, value in data.items()
            if key not in ASIDE
        }
    return [comparable(item) for item in data] if isinstance(data, list) else data


async def call(running: Bed, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Make a request; return status and answer."""
    response = await running.client.request(method, path, json=body)
    return response.status, await response.json()


def renewed(body: Any, version: str) -> Any:
    """Return a recorded request with a resource version of today."""
    if body and "resourceVersion" in (body.get("template") or {}).get("metadata", {}):
        body["template"]["metadata"]["resourceVersion"] = version
    return body


async def test_answers_as_recorded() -> None:
    """Templates, submissions from them and lints are answered as a real server answered."""
    version = ""
    async with bed(ScriptedExecutor(lambda _: None)) as running:
        for row in RECORDED["exchanges"]:
            body = renewed(row.get("body"), version)
            status, found = await call(running, row["method"], row["path"], body)
            about = row["path"], row.get("note")
            assert (about, row["status"]) == (about, status), found
            assert (about, comparable(row["answer"])) == (about, comparable(found))
            if "workflow-templates" in row["path"] and "uid" in found.get("metadata", {}):
                version = found["metadata"]["resourceVersion"]


async def test_a_submitted_workflow_ends_as_recorded() -> None:
    """Its status tells of the template and of the whole specification."""
    rows = [row for row in RECORDED["exchanges"] if row["method"] == "POST"]
    create = next(row for row in rows if row["path"].endswith("workflow-templates/argo"))
    submit = next(row for row in rows if row["path"].endswith("submit"))
    async with bed() as running:
        for row in (create, submit):
            status, answer = await call(
                running, "POST", row["path"].replace("argo", "ns"), row["body"]
            )
            assert status == 200, answer
        found = await running.finished("sub-1")
    expected = comparable(RECORDED["finished"])
    expected["metadata"]["namespace"] = "ns"
    assert comparable(found) == expected


class Saying(ScriptedExecutor):
    """Notes the arguments of each pod."""

    def __init__(self) -> None:
        super().__init__(self._behave)
        self.said: list[tuple[str, ...]] = []

    def _behave(self, pod: Pod) -> PodResult:
        self.said.append(tuple(pod.container.args or ()))
        return PodResult(exit_code=0, outputs={"v": "value"}, stdout="out")


def saying(name: str, *words: str, **more: Any) -> dict[str, Any]:
    """Return a template with arguments."""
    container = {"image": "i", "command": ["echo"], "args": list(words)}
    return {"name": name, "container": container, **more}


async def store(running: Bed, name: str, spec: Any, path: str = TEMPLATES) -> Any:
    """Store a template."""
    body = {"template": {"metadata": {"name": name}, "spec": spec}}
    status, answer = await call(running, "POST", path, body)
    assert status == 200, answer
    return answer


def ref(name: str, template: str, **more: Any) -> dict[str, Any]:
    """Return what names a template elsewhere."""
    return {"templateRef": {"name": name, "template": template, **more}}


async def test_steps_of_other_templates() -> None:
    """Names in a stored template are looked up there, at any depth, and in its own kind."""
    inner = [
        [
            {
                "name": "s",
                "template": "say",
                "arguments": {"parameters": [{"name": "x", "value": "{{inputs.parameters.x}}"}]},
            }
        ]
    ]
    x = {"parameters": [{"name": "x"}]}
    shared = {
        "templates": [
            {"name": "whole", "inputs": x, "steps": inner},
            saying("say", "shared", "{{inputs.parameters.x}}", inputs=x),
            {"name": "unused", "resource": {"action": "get"}},
        ]
    }
    passed = {"arguments": {"parameters": [{"name": "x", "value": "1"}]}}
    spec = steps(
        [{"name": "a", **ref("lib", "whole"), **passed}],
        [{"name": "b", **ref("clib", "say", clusterScope=True), **passed}],
        ["say"],
        templates=[saying("say", "own")],
    )
    spec["templates"][0]["steps"] = [
        [
            {
                key: value
                for key, value in step.items()
                if "templateRef" not in step or key != "template"
            }
        ]
        for (step,) in spec["templates"][0]["steps"]
    ]
    async with bed(Saying()) as running:
        await store(running, "lib", shared)
        await store(running, "clib", {"templates": [saying("say", "cluster", inputs=x)]}, CLUSTER)
        found = await running.run(spec)
    assert running.executor.said == [("shared", "1"), ("cluster",), ("own",)]
    nodes = nodes_of(found)
    assert nodes["wf[0].a"]["templateRef"] == {"name": "lib", "template": "whole"}
    assert "templateName" not in nodes["wf[0].a"]
    assert nodes["wf[0].a"]["templateScope"] == "local/wf"
    assert nodes["wf[0].a[0]"]["templateScope"] == "namespaced/lib"
    assert nodes["wf[0].a[0].s"]["templateScope"] == "namespaced/lib"
    assert nodes["wf[0].a[0].s"]["templateName"] == "say"
    assert found["status"]["storedTemplates"].keys() == {
        "namespaced/lib/whole",
        "namespaced/lib/say",
        "cluster/clib/say",
    }


async def test_a_dag_of_templates_with_loops_and_outputs() -> None:
    """Tasks by reference may be loops, have outputs, be retried and be skipped."""
    outputs = {"parameters": [{"name": "v", "valueFrom": {"path": "/v"}}]}
    lib = {"templates": [saying("give", outputs=outputs, retryStrategy={"limit": 1}), pod("item")]}
    use = saying("use", "{{inputs.parameters.x}}", inputs={"parameters": [{"name": "x"}]})
    value = {"parameters": [{"name": "x", "value": "{{tasks.give.outputs.parameters.v}}"}]}
    spec = dag(
        {"name": "give", **ref("lib", "give")},
        {"name": "each", **ref("lib", "item"), "withItems": [1, 2], "depends": "give"},
        {"name": "not", **ref("lib", "item"), "when": "1 == 2"},
        {"name": "use", "template": "use", "arguments": value, "depends": "give"},
        templates=[use],
    )
    for task in spec["templates"][0]["dag"]["tasks"]:
        if "templateRef" in task:
            del task["template"]
    async with bed(Saying()) as running:
        await store(running, "lib", lib)
        found = await running.run(spec)
    nodes = nodes_of(found)
    assert found["status"]["phase"] == "Succeeded"
    assert ("value",) in running.executor.said
    assert nodes["wf.give(0)"]["templateScope"] == "local/wf"
    assert nodes["wf.each"]["templateRef"] == {"name": "lib", "template": "item"}
    assert nodes["wf.not"]["templateRef"] == {"name": "lib", "template": "item"}


async def test_a_change_of_the_template_changes_nothing_that_was_submitted() -> None:
    """A retry runs the templates of the submission, with new parameters if there are some."""
    main = saying("main", "{{workflow.parameters.x}}", outputs={"parameters": []})
    spec = single(main, arguments={"parameters": [{"name": "x", "value": "1"}]})
    async with bed(Saying()) as running:
        await store(running, "lib", spec)
        given = {"workflowTemplateRef": {"name": "lib"}}
        first = await running.run(given)
        assert (await call(running, "DELETE", f"{TEMPLATES}/lib"))[0] == 200
        again = {"restartSuccessful": True, "nodeFieldSelector": "name=wf", "parameters": ["x=2"]}
        assert (await running.put("retry", again))[0] == 200
        found = await running.finished()
        assert (await running.put("resubmit"))[0] == 404
    assert first["spec"] == {"arguments": {}, **given}
    assert running.executor.said == [("1",), ("2",)]
    assert found["spec"]["arguments"]["parameters"] == [{"name": "x", "value": "2"}]


async def test_labels_and_annotations_for_workflows() -> None:
    """A template gives its workflows metadata."""
    described = {"labels": {"team": "a"}, "annotations": {"n": "1"}}
    async with bed() as running:
        await store(running, "lib", single(pod("p"), workflowMetadata=described))
        found = await running.create({"workflowTemplateRef": {"name": "lib"}})
    assert found["metadata"]["labels"] == {"team": "a"}
    assert found["metadata"]["annotations"] == {"n": "1"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"workflowTemplateRef": {"name": "lib"}, "templates": [pod("p")]},
            "Templates is invalid field in spec if workflow referred WorkflowTemplate reference",
        ),
        (
            {"workflowTemplateRef": {"name": "lib"}, "entrypoint": "http"},
            "spec.templates[1].http: the embedded engine does not run this",
        ),
        (
            {
                "entrypoint": "m",
                "templates": [{"name": "m", "steps": [[{"name": "a", **ref("lib", "http")}]]}],
            },
            "storedTemplates[namespaced/lib/http].http: the embedded engine does not run this",
        ),
        (
            {
                "entrypoint": "m",
                "templates": [{"name": "m", "steps": [[{"name": "a", **ref("x", "y")}]]}],
            },
            "templates.m.steps[0].a template reference x.y not found",
        ),
    ],
)
async def test_workflows_that_are_refused(bed: Bed, spec: Any, message: str) -> None:
    """What a workflow takes from a template is checked as its own."""
    await store(
        bed,
        "lib",
        {"entrypoint": "p", "templates": [pod("p"), {"name": "http", "http": {"url": "u"}}]},
    )
    assert message in await bed.refused(spec)


@pytest.mark.parametrize(
    ("method", "path", "body", "refusal"),
    [
        ("POST", TEMPLATES, {}, (400, 3, "workflow template was not found in the request body")),
        (
            "POST",
            TEMPLATES,
            {"template": {"spec": single(pod("p"))}},
            (400, 3, "name or generateName"),
        ),
        (
            "POST",
            TEMPLATES,
            {"template": {"metadata": {"generateName": "x-"}, "spec": single(pod("p"))}},
            (400, 3, "a template needs a name"),
        ),
        (
            "POST",
            f"{TEMPLATES}/lint",
            {"template": {"spec": single({"name": "h", "http": {"url": "u"}})}},
            (400, 3, "spec.templates[0].http"),
        ),
        (
            "PUT",
            f"{TEMPLATES}/no",
            {"template": {"spec": single(pod("p"))}},
            (400, 3, "name or gen"),
        ),
        (
            "PUT",
            f"{TEMPLATES}/no",
            {"template": {"metadata": {"name": "no"}, "spec": single(pod("p"))}},
            (404, 5, 'workflowtemplates.argoproj.io "no" not found'),
        ),
        (
            "PUT",
            f"{TEMPLATES}/lib",
            {"template": {"metadata": {"name": "lib"}, "spec": single(pod("p"))}},
            (400, 3, "must be specified for an update"),
        ),
        (
            "PUT",
            f"{TEMPLATES}/lib",
            {
                "template": {
                    "metadata": {"name": "lib", "resourceVersion": "1"},
                    "spec": single(pod("p")),
                }
            },
            (409, 6, "the object has been modified"),
        ),
        (
            "POST",
            "/api/v1/workflows/ns/submit",
            {"resourceKind": "CronWorkflow", "resourceName": "c"},
            (501, 12, "no cron workflows"),
        ),
        (
            "POST",
            "/api/v1/workflows/ns/submit",
            {"resourceKind": "WorkflowTemplate", "resourceName": "lib", "submitOptions": "x"},
            (400, 3, "submitOptions"),
        ),
        ("GET", "/api/v1/cron-workflows/ns", None, (501, 12, "no cron workflows")),
        ("PUT", "/api/v1/archived-workflows/u/retry", {}, (500, 13, "not supported")),
    ],
)
async def test_requests_that_are_refused(
    bed: Bed, method: str, path: str, body: Any, refusal: tuple[int, int, str]
) -> None:
    """A request that cannot be done says why."""
    await store(bed, "lib", single(pod("p")))
    status, answer = await call(bed, method, path, body)
    assert (status, answer["code"]) == refusal[:2], answer
    assert refusal[2] in answer["message"]


@pytest.mark.parametrize("value", [1, ["x"], {"a": 1}])
async def test_types_that_are_wrong(bed: Bed, value: Any) -> None:
    """A name that is no text is refused, wherever it stands."""
    step = {"name": "a", "templateRef": {"name": value, "template": value}}
    for spec in (
        {"workflowTemplateRef": {"name": value}},
        {"entrypoint": "m", "templates": [{"name": "m", "steps": [[step]]}]},
    ):
        assert await bed.refused(spec)


async def test_lists(bed: Bed) -> None:
    """Labels, a part of the name, a limit and fields choose."""
    for name in ("one", "two"):
        body = {
            "template": {
                "metadata": {"name": name, "labels": {"n": name}},
                "spec": single(pod("p")),
            }
        }
        assert (await call(bed, "POST", TEMPLATES, body))[0] == 200
    for query, expected in (
        ("", ["one", "two"]),
        ("listOptions.labelSelector=n=two", ["two"]),
        ("namePattern=ne", ["one"]),
        ("listOptions.limit=1", ["one"]),
    ):
        _, listed = await call(bed, "GET", f"{TEMPLATES}?{query}")
        assert (query, [item["metadata"]["name"] for item in listed["items"]]) == (query, expected)
    _, listed = await call(bed, "GET", f"{TEMPLATES}?fields=items.metadata.name")
    assert listed == {"items": [{"metadata": {"name": "one"}}, {"metadata": {"name": "two"}}]}
    assert (await call(bed, "GET", "/api/v1/workflow-templates/other"))[1]["items"] is None
