"""What is wrong with a workflow is found before it is sent, and told with its place."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from aiowf.errors import ConfigurationError
from aiowf.manifest import Workflow, check_fields, check_size, check_workflow, structure
from aiowf.manifest.checks import MAX_TEMPLATES
from aiowf.manifest.checks.flow import MAX_PARAMETERS, MAX_TASKS

DATA = Path(__file__).parents[1] / "data" / "manifest"
CREATED = json.loads((DATA / "created.json").read_text())

# Refused by a real server for what only it can know, or accepted although it cannot run.
ONLY_A_SERVER_KNOWS = {"workflow-template-missing", "template-ref-missing"}
SWALLOWED_BY_ARGO = {"undefined-volume", "create-unknown-fields"}

SLEEP = {"name": "s", "suspend": {}}
ECHO = {
    "name": "echo",
    "inputs": {
        "parameters": [{"name": "text"}, {"name": "times", "default": "1"}],
        "artifacts": [{"name": "file", "path": "/tmp/file", "optional": True}],
    },
    "container": {"image": "alpine:3.20", "args": ["{{inputs.parameters.text}}"]},
    "outputs": {"parameters": [{"name": "out", "valueFrom": {"path": "/tmp/out"}}]},
}
STEPS = {
    "name": "main",
    "steps": [
        [{"name": "one", "template": "s"}],
        [
            {
                "name": "two",
                "template": "echo",
                "arguments": {
                    "parameters": [
                        {
                            "name": "text",
                            "value": "{{workflow.parameters.who}} {{steps.one.status}}",
                        }
                    ]
                },
            }
        ],
    ],
}
BASE: dict[str, Any] = {
    "metadata": {"generateName": "a-", "labels": {"x/y": "z"}, "annotations": {"n": "any text"}},
    "spec": {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "who", "value": "me"}]},
        "templates": [STEPS, ECHO, SLEEP],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "podGC": {"strategy": "OnPodCompletion", "deleteDelayDuration": "60"},
        "ttlStrategy": {"secondsAfterCompletion": 60},
    },
}  # fmt: skip


def changed(path: str, value: Any, base: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the base with one change; the path is like "spec.templates.0.container.image"."""
    data: Any = copy.deepcopy(base or BASE)
    at = data
    *way, last = path.split(".")
    for name in way:
        at = at[int(name)] if name.isdigit() else at.setdefault(name, {})
    if last.isdigit() and int(last) == len(at):
        at.append(value)
    else:
        at[int(last) if last.isdigit() else last] = value
    return data  # type: ignore[no-any-return]


def refusal(data: dict[str, Any]) -> ConfigurationError:
    """Return the error with which a workflow is refused."""
    with pytest.raises(ConfigurationError) as caught:
        check_workflow(structure(data, Workflow))
    return caught.value


def accept(data: dict[str, Any]) -> None:
    """Check a workflow that is right."""
    check_fields(data)
    check_workflow(structure(data, Workflow))


@pytest.mark.parametrize("row", CREATED, ids=lambda row: row["note"] or row["case"])
def test_what_a_real_server_refuses_is_refused(row: dict[str, Any]) -> None:
    """The same workflows are refused as by a real server, and more; what it takes passes."""
    try:
        accept(row["workflow"])
        refused = False
    except ConfigurationError:
        refused = True
    if row["note"] in ONLY_A_SERVER_KNOWS:
        assert row["refused"]
        assert not refused
    elif (row["note"] or row["case"]) in SWALLOWED_BY_ARGO:
        assert row["refused"] is None
        assert refused
    else:
        assert refused == (row["refused"] is not None)


@pytest.mark.parametrize(
    ("parameter", "at", "hint"),
    [
        ({"value": "fsat", "enum": ["fast", "slow"]}, ".value", 'did you mean "fast"?'),
        ({"value": "", "enum": ["fast"]}, ".value", 'there is "fast"'),
        ({"value": 3, "enum": [1, 2]}, ".value", 'there is "1", "2"'),
        ({"value": "a", "enum": []}, ".enum", None),
    ],
)
def test_a_value_is_one_of_its_enum(parameter: dict[str, Any], at: str, hint: str | None) -> None:
    """A parameter whose enum lacks its value is refused, with the nearest one."""
    error = refusal(changed("spec.arguments.parameters.1", {"name": "mode", **parameter}))
    assert (f"arguments.parameters[1]{at}", hint) == (error.where, error.hint)


@pytest.mark.parametrize("value", ["1", 1, True, "{{workflow.name}}"])
def test_scalars_are_texts_in_an_enum(value: Any) -> None:
    """Numbers and truth values are compared as the texts that they become; tags are Argo's."""
    given = {"name": "mode", "value": value, "enum": [1, "true"]}
    accept(changed("spec.arguments.parameters.1", given))


def test_a_workflow_that_is_right_passes() -> None:
    """The base of these tests itself is right."""
    accept(BASE)


CONTAINER = "spec.templates.1.container"
AT_CONTAINER = "templates[1].container"
DAG: dict[str, Any] = {"name": "main", "dag": {"tasks": [
    {"name": "a", "template": "s"},
    {"name": "b", "template": "s", "dependencies": ["a"]},
]}}  # fmt: skip
WITH_DAG = changed("spec.templates.0", DAG)
TASK = "spec.templates.0.dag.tasks.1"
AT_TASK = "templates[0].dag.tasks[1]"


@pytest.mark.parametrize(
    ("path", "value", "where", "message", "hint"),
    [
        ("metadata.name", "A_b", "metadata.name", "is not valid", 'use "a-b"'),
        ("metadata.name", "n" * 64, "metadata.name", "may have 63", "use "),
        ("metadata", {}, "metadata", "needs a name or a generateName", ""),
        ("metadata.generateName", "A-", "metadata.generateName", "is not valid", 'use "a"'),
        ("metadata.namespace", "A", "metadata.namespace", "is not valid", 'use "a"'),
        ("metadata.labels", {"a b": "c"}, "metadata.labels", "is not valid", 'use "a-b"'),
        ("metadata.labels", {"a": "b c"}, "metadata.labels.a", "is not valid", 'use "b-c"'),
        ("spec.entrypoint", "mian", "entrypoint", 'no template "mian"', 'did you mean "main"?'),
        ("spec.entrypoint", None, "entrypoint", "is missing", ""),
        ("spec.onExit", "exit", "onExit", 'no template "exit"', ""),
        ("spec.onExit", "echo", "onExit", '"text" of template "echo" is not supplied', ""),
        ("spec.hooks", {"exit": {"template": "ecko"}}, "hooks.exit.template", "no template", ""),
        ("spec.shutdown", "stop", "shutdown", "is not one of Stop, Terminate", ""),
        ("spec.dnsPolicy", "Cluster", "dnsPolicy", "is not one of", ""),
        ("spec.podGC.strategy", "onpodsucces", "podGC.strategy", "is not one of", "did you mean"),
        ("spec.podGC.deleteDelayDuration", "1d", "podGC.deleteDelayDuration", "no duration", ""),
        ("spec.volumeClaimGC", {"strategy": "x"}, "volumeClaimGC.strategy", "not one of", ""),
        ("spec.ttlStrategy.secondsAfterFailure", -1, "ttlStrategy.secondsAfterFailure", "-1", ""),
        ("spec.activeDeadlineSeconds", -1, "activeDeadlineSeconds", "no whole number", ""),
        ("spec.parallelism", -1, "parallelism", "no whole number", ""),
        ("spec.retryStrategy", {"limit": "few"}, "retryStrategy.limit", "no whole number", ""),
        ("spec.podMetadata", {"labels": {"-": ""}}, "podMetadata.labels", "is not valid", ""),
        ("spec.volumes.0.name", "V", "volumes[0].name", "is not valid", 'use "v"'),
        ("spec.volumes.1", {"name": "v", "emptyDir": {}}, "volumes[1].name", "is taken", ""),
        ("spec.volumes.0.hostPath", {"path": "/"}, "volumes[0]", "exactly one source", ""),
        ("spec.volumes.0", {"name": "v"}, "volumes[0]", "exactly one source, not none", ""),
        ("spec.volumes.1", None, "volumes[1]", "null is no item", ""),
        ("spec.volumeClaimTemplates", [{}], "volumeClaimTemplates[0].metadata", "no name", ""),
        (
            "spec.volumeClaimTemplates",
            [{"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWrite"]}}],
            "volumeClaimTemplates[0].spec.accessModes[0]",
            "is not one of",
            'did you mean "ReadWriteOnce"?',
        ),
        ("spec.arguments.parameters.0", {"name": "who"}, "arguments.parameters[0]", "neither", ""),
        ("spec.arguments.parameters.0.name", "a.b", "arguments.parameters[0].name", "valid", ""),
        ("spec.arguments.artifacts", [{"name": "f"}], "arguments.artifacts[0]", "neither", ""),
        ("spec.workflowTemplateRef", {"name": "t"}, "templates", "not allowed together", ""),
        ("spec.templates.2.name", "echo", "templates[2].name", "is taken", ""),
        ("spec.templates.2.name", "a b", "templates[2].name", "is not valid", 'use "a-b"'),
        ("spec.templates.3", {"suspend": {}}, "templates[3]", "it has no name", ""),
        ("spec.templates.3", None, "templates[3]", "null is no item", ""),
        ("spec.templates.3", {"name": "x"}, "templates[3]", "it has none", ""),
        ("spec.templates.1.suspend", {}, "templates[1]", "container and suspend", ""),
        ("spec.templates.1.timeout", "60", "templates[1].timeout", "no unit", 'use "60s"'),
        ("spec.templates.1.timeout", "1d", "templates[1].timeout", "is no duration", ""),
        ("spec.templates.0.timeout", "60s", "templates[0].timeout", "not allowed", ""),
        ("spec.templates.1.activeDeadlineSeconds", "x", "templates[1].activeDeadlineSeconds",
         "no whole number", ""),
        ("spec.templates.0.activeDeadlineSeconds", 1, "templates[0].activeDeadlineSeconds",
         "not allowed", ""),
        ("spec.templates.1.parallelism", 1, "templates[1].parallelism", "steps or a DAG", ""),
        ("spec.templates.2.suspend.duration", "1d", "templates[2].suspend.duration", "dur", ""),
        ("spec.templates.1.metadata", {"annotations": {"a": None, "b c": ""}},
         "templates[1].metadata.annotations", "is not valid", ""),
        ("spec.templates.1.retryStrategy", {"retryPolicy": "Never"},
         "templates[1].retryStrategy.retryPolicy", "is not one of Always", ""),
        ("spec.templates.1.retryStrategy", {"limit": -1}, "templates[1].retryStrategy.limit",
         "-1 is no whole number", ""),
        ("spec.templates.1.retryStrategy", {"backoff": {"duration": "x"}},
         "templates[1].retryStrategy.backoff.duration", "is no duration", ""),
        ("spec.templates.1.retryStrategy", {"backoff": {"factor": "x"}},
         "templates[1].retryStrategy.backoff.factor", "no whole number", ""),
        ("spec.templates.3", {"name": "r", "resource": {"action": "make"}},
         "templates[3].resource.action", "is not one of", ""),
        ("spec.templates.1.inputs.parameters.2", {"name": "text"},
         "templates[1].inputs.parameters[2].name", "is taken", ""),
        ("spec.templates.1.outputs.parameters.0", {"name": "o"},
         "templates[1].outputs.parameters[0]", "either a value or a valueFrom", ""),
        ("spec.templates.1.outputs.parameters.0.valueFrom", {"parameter": "x"},
         "templates[1].outputs.parameters[0].valueFrom", "path is needed", ""),
        (f"{CONTAINER}.image", None, f"{AT_CONTAINER}.image", "an image is needed", ""),
        (f"{CONTAINER}.image", "Alpine", f"{AT_CONTAINER}.image", "no image", '"alpine"?'),
        (f"{CONTAINER}.image", "a b", f"{AT_CONTAINER}.image", "no image", ""),
        (f"{CONTAINER}.imagePullPolicy", "Maybe", f"{AT_CONTAINER}.imagePullPolicy", "not one", ""),
        (f"{CONTAINER}.env", [{}], f"{AT_CONTAINER}.env[0]", "has no name", ""),
        (f"{CONTAINER}.env", [{"name": "1"}], f"{AT_CONTAINER}.env[0].name", "not valid", ""),
        (f"{CONTAINER}.env", [{"name": "A", "value": "x", "valueFrom": {}}],
         f"{AT_CONTAINER}.env[0]", "both a value and a valueFrom", ""),
        (f"{CONTAINER}.resources", {"limits": {"memory": "1GB"}},
         f"{AT_CONTAINER}.resources.limits.memory", "no quantity", 'did you mean "1G"?'),
        (f"{CONTAINER}.volumeMounts", [{"name": "w", "mountPath": "/x"}],
         f"{AT_CONTAINER}.volumeMounts[0]", 'there is no volume "w"', 'there is "v"'),
        (f"{CONTAINER}.volumeMounts", [{"mountPath": "/x"}],
         f"{AT_CONTAINER}.volumeMounts[0]", "names no volume", ""),
        (f"{CONTAINER}.volumeMounts", [{"name": "v"}],
         f"{AT_CONTAINER}.volumeMounts[0]", "has no mountPath", ""),
        (f"{CONTAINER}.volumeMounts", [{"name": "v", "mountPath": "/x"}] * 2,
         f"{AT_CONTAINER}.volumeMounts[1].mountPath", '"/x" is the path of volume "v" too', ""),
        (f"{CONTAINER}.volumeMounts", [{"name": "v", "mountPath": "/tmp/file"}],
         "templates[1].inputs.artifacts[0].path", "is the path of volume", ""),
        (f"{CONTAINER}.args", ["x", "{{inputs.parameters.txt}}"], f"{AT_CONTAINER}.args[1]",
         "{{inputs.parameters.txt}} cannot be resolved", 'did you mean "inputs.parameters.text"?'),
        (f"{CONTAINER}.args", ["{{ workflow.status }}"], f"{AT_CONTAINER}.args[0]", "cannot", ""),
        (f"{CONTAINER}.args", ["{{item.x}}"], f"{AT_CONTAINER}.args[0]", "cannot be resolved", ""),
        (f"{CONTAINER}.args", ["{{steps.one.id}}"], f"{AT_CONTAINER}.args[0]", "cannot", ""),
        ("spec.templates.1.sidecars", [{"image": "x"}], "templates[1].sidecars[0]", "no name", ""),
        ("spec.templates.1.initContainers", [{"name": "I", "image": "x"}],
         "templates[1].initContainers[0].name", "is not valid", ""),
        ("spec.templates.3", {"name": "c", "containerSet": {"containers": [{"image": "x"}, None]}},
         "templates[3].containerSet.containers[0]", "it has no name", ""),
        ("spec.templates.0.steps.0.0.template", "z", "templates[0].steps[0][0].template",
         'no template "z"', 'there is "main", "echo", "s"'),
        ("spec.templates.0.steps.0.0", {"name": "one"}, "templates[0].steps[0][0]",
         "exactly one of template", ""),
        ("spec.templates.0.steps.0.0", {"name": "one", "templateRef": {"name": "t"}},
         "templates[0].steps[0][0].templateRef", "needs `name` and `template`", ""),
        ("spec.templates.0.steps.0.0.name", None, "templates[0].steps[0][0]", "no name", ""),
        ("spec.templates.0.steps.0.0.name", "two", "templates[0].steps[1][0].name", "taken", ""),
        ("spec.templates.0.steps.0.1", None, "templates[0].steps", "null is no step", ""),
        ("spec.templates.0.steps.0.0.onExit", "z", "templates[0].steps[0][0].onExit", "no t", ""),
        ("spec.templates.0.steps.0.0.hooks", {"h": {"template": "z"}},
         "templates[0].steps[0][0].hooks.h.template", "no template", ""),
        ("spec.templates.0.steps.0.0.withItems", [1], None, None, None),
        ("spec.templates.0.steps.1.0.arguments.parameters.0.name", "txt",
         "templates[0].steps[1][0].arguments", 'the parameter "text" of template "echo"',
         'did you mean "txt"?'),
        ("spec.templates.0.steps.1.0.arguments.parameters.0", {"name": "text"},
         "templates[0].steps[1][0].arguments.parameters[0]", "neither a value", ""),
        ("spec.templates.0.steps.1.0.arguments.parameters.0.value", "{{steps.three.id}}",
         "templates[0].steps[1][0].arguments.parameters[0].value", "{{steps.three.id}} cannot", ""),
        ("spec.templates.0.steps.1.0.arguments.parameters.0.value", "{{steps.one.outputs.x}}",
         "templates[0].steps[1][0].arguments.parameters[0].value", "cannot be resolved here", ""),
        ("spec.templates.1.inputs.artifacts.0.optional", None, "templates[0].steps[1][0].arguments",
         'the artifact "file" of template "echo"', ""),
        ("spec.templates.0.steps.0.0", {"name": "one", "inline": {"container": {}}},
         "templates[0].steps[0][0].inline.container.image", "an image is needed", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(
    path: str, value: Any, where: str | None, message: str | None, hint: str | None
) -> None:
    """Each mistake is refused with its place, what is wrong and the nearest right thing."""
    data = changed(path, value)
    if message is None:
        accept(data)
        return
    error = refusal(data)
    assert error.where == where
    assert message in error.message
    assert (hint or "") in (error.hint or "")


@pytest.mark.parametrize(
    ("path", "value", "where", "message"),
    [
        ("spec.templates.0.dag.tasks", [], "templates[0].dag.tasks", "at least one task"),
        ("spec.templates.0.dag.tasks.2", None, "templates[0].dag.tasks", "null is none"),
        ("spec.templates.0.dag.target", "a c", "templates[0].dag.target", 'no task "c"'),
        (f"{TASK}.dependencies", ["aa"], AT_TASK, 'there is no task "aa"'),
        (f"{TASK}.dependencies", ["b"], "templates[0].dag.tasks", "wait for each other: b ← b"),
        (f"{TASK}.name", "1b", f"{AT_TASK}.name", "begins with a digit"),
        (f"{TASK}.depends", "a && (c.Succeeded || a)", AT_TASK, 'there is no task "c"'),
        (f"{TASK}.template", "x", f"{AT_TASK}.template", "no template"),
        (f"{TASK}.withParam", "[]", None, None),
        (f"{TASK}.when", "{{tasks.c.status}} == x", f"{AT_TASK}.when", "cannot be resolved here"),
        ("spec.templates.0.dag.tasks.0.depends", "b.Failed", "templates[0].dag.tasks", "wait for"),
        (
            "spec.templates.0.dag.tasks.0.arguments",
            {"parameters": [{"name": "x", "value": "{{tasks.b.outputs.result}}"}]},
            "templates[0].dag.tasks[0].arguments.parameters[0]",
            'the task "b" does not end before this one begins',
        ),
        (
            "spec.templates.0.dag.tasks.0.arguments",
            {"artifacts": [{"name": "x", "from": "{{tasks.b.outputs.artifacts.x}}"}]},
            "templates[0].dag.tasks[0].arguments.artifacts[0]",
            "does not end before",
        ),
    ],
)
def test_what_is_wrong_with_a_dag_is_told(
    path: str, value: Any, where: str | None, message: str | None
) -> None:
    """Unknown, circular and missing dependencies are found."""
    data = changed(path, value, WITH_DAG)
    if message is None:
        accept(data)
    else:
        everything = refusal(data)
        told = f"{everything.where}: {everything.message}\n{everything.hint}"
        assert f"{where}: " in told
        assert message in told


def test_depends_and_dependencies_cannot_be_mixed() -> None:
    """One DAG has one way of saying what waits for what."""
    data = changed("spec.templates.0.dag.tasks.2",
                   {"name": "c", "template": "s", "depends": "a"}, WITH_DAG)  # fmt: skip
    assert "cannot be mixed" in refusal(data).message


def test_a_dag_uses_the_outputs_of_what_ran_before() -> None:
    """Ancestors count, not only direct dependencies; loops give items."""
    tasks = [
        {"name": "a", "template": "echo", "arguments": {"parameters": [
            {"name": "text", "value": "{{item.x}} {{item}}"}]}, "withItems": [{"x": 1}]},
        {"name": "b", "template": "s", "depends": "a.Succeeded && !a.Failed"},
        {"name": "c", "template": "echo", "depends": "b", "arguments": {"parameters": [
            {"name": "text", "value": "{{tasks.a.outputs.parameters.out}}"}]}},
    ]  # fmt: skip
    accept(changed("spec.templates.0.dag.tasks", tasks, WITH_DAG))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.generateName", "n" * 62 + "-" * 10),
        (f"{CONTAINER}.image", "{{workflow.parameters.who}}"),
        (f"{CONTAINER}.args", ["{{x}} {{=1+1}} {{.Names}} {{workflow.labels.a}} {{pod.name}}"]),
        (f"{CONTAINER}.args", ["{{inputs.artifacts.file.path}} {{outputs.parameters.out.path}}"]),
        (f"{CONTAINER}.volumeMounts", [{"name": "{{inputs.parameters.text}}", "mountPath": "/x"}]),
        ("spec.templates.1.podSpecPatch", "x"),
        ("spec.templates.1.volumes", [{"name": "w", "extraSource": {}}]),
        ("spec.templates.0.steps.0.0", {"name": "one", "templateRef": {
            "name": "t", "template": "u"}}),
        ("spec.templates.0.steps.0.0.template", "{{workflow.parameters.who}}"),
        ("spec.templates.0.steps.0.0", {"name": "one", "inline": {
            "inputs": {"parameters": [{"name": "p", "value": "1"}]},
            "container": {"image": "x", "args": ["{{steps.zzz.id}} {{inputs.parameters.p}}"]}}}),
        ("spec.templates.0.steps.0.0.hooks", {"exit": {"template": "s"}, "no": None}),
        ("spec.templates.1.retryStrategy", {"limit": "{{workflow.parameters.who}}", "backoff": {
            "duration": "10", "factor": 2, "maxDuration": "1h", "cap": "5m"}}),
        ("spec.hooks", {"exit": {"template": "s"}, "no": None}),
        ("spec.arguments.parameters.1", None),
        ("spec.volumeClaimTemplates", [{"metadata": {"name": "c"}}]),
    ],
)  # fmt: skip
def test_what_argo_fills_in_or_others_know_passes(path: str, value: Any) -> None:
    """Nothing is refused that a server may know better."""
    data = changed(path, value)
    if path.endswith("parameters.1"):
        assert refusal(data).where == "arguments.parameters[1]"
    else:
        check_workflow(structure(data, Workflow))


def test_volumes_of_templates_claims_and_defaults_can_be_mounted() -> None:
    """A mount finds its volume wherever Argo looks for it."""
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in ("v", "t", "c", "d")]
    data = changed(f"{CONTAINER}.volumeMounts", mounts)
    data["spec"]["templates"][1]["volumes"] = [{"name": "t", "emptyDir": {}}]
    data["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "c"}}]
    data["spec"]["templateDefaults"] = {"volumes": [{"name": "d", "emptyDir": {}}]}
    accept(data)


@pytest.mark.parametrize("where", ["spec", "spec.templateDefaults"])
def test_a_patch_of_the_pod_may_add_volumes(where: str) -> None:
    """Where the pod is patched nobody knows its volumes."""
    data = changed(f"{CONTAINER}.volumeMounts", [{"name": "w", "mountPath": "/x"}])
    accept(changed(f"{where}.podSpecPatch", "volumes: …", data))


def test_the_defaults_may_name_the_image() -> None:
    """A container without an image takes that of templateDefaults, a script does not."""
    data = changed(f"{CONTAINER}.image", None)
    data["spec"]["templateDefaults"] = {"container": {"image": "x"}}
    accept(data)
    data["spec"]["templates"].append({"name": "p", "script": {"source": "x"}})
    assert refusal(data).where == "templates[3].script.image"


def test_a_workflow_of_a_stored_template_needs_no_templates() -> None:
    """What a WorkflowTemplate gives is not missed."""
    data = {
        "metadata": {"name": "a"},
        "spec": {"workflowTemplateRef": {"name": "t"}, "entrypoint": "there", "onExit": "too"},
    }
    accept(data)


def test_the_status_is_known_in_exit_handlers() -> None:
    """{{workflow.status}} resolves where there is an exit handler."""
    data = changed("spec.onExit", "bye")
    data["spec"]["templates"].append(
        {"name": "bye", "container": {"image": "x", "args": ["{{workflow.status}}"]}}
    )
    accept(data)


def test_two_artifacts_at_one_path_are_refused() -> None:
    """The second would overwrite the first."""
    artifact = {"name": "g", "path": "/tmp/file", "raw": {"data": "x"}}
    data = changed("spec.templates.1.inputs.artifacts.1", artifact)
    assert refusal(data).message == '"/tmp/file" is the path of artifact "file" too'


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("spec.templates", [{"name": f"t{n}", "suspend": {}} for n in range(MAX_TEMPLATES + 1)],
         "templates"),
        ("spec.templates.0", {"name": "main", "dag": {"tasks": [
            {"name": f"t{n}", "template": "s"} for n in range(MAX_TASKS + 1)]}},
         "templates[0].dag.tasks"),
        ("spec.arguments.parameters",
         [{"name": f"p{n}", "value": "1"} for n in range(MAX_PARAMETERS + 1)],
         "arguments.parameters"),
        ("spec.templates.2.inputs", {"parameters": [
            {"name": f"p{n}", "value": "1"} for n in range(MAX_PARAMETERS + 1)]},
         "templates[2].inputs.parameters"),
    ],
)  # fmt: skip
def test_argos_limits(path: str, value: Any, where: str) -> None:
    """200 templates, 200 tasks of a DAG and 500 parameters are the most."""
    error = refusal(changed(path, value))
    told = f"{error.where}: {error.message}\n{error.hint}"
    assert any(line.removeprefix("also ").startswith(f"{where}: ") and "at most" in line
               for line in told.splitlines())  # fmt: skip


@pytest.mark.parametrize("field", ["exitCode", "outputs.exitCode", "outputs.result", "status"])
def test_what_every_node_gives_can_be_named(field: str) -> None:
    """Argo's own examples take the exit code of a step by either name."""
    when = f"{{{{steps.one.{field}}}}} == 0"
    check_workflow(structure(changed("spec.templates.0.steps.1.0.when", when), Workflow))


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("spec.templates.2.metadata", "templates[2]"),
        ("spec.templates.2.nodeSelector", "templates[2]"),
    ],
)
def test_tags_are_found_in_keys_too(path: str, where: str) -> None:
    """Argo substitutes in the whole text of a template."""
    key = {"{{workflow.nothing}}": "x"}
    value = {"annotations": key} if path.endswith("metadata") else key
    error = refusal(changed(path, value))
    assert (error.where or "").startswith(where)
    assert "workflow.nothing" in f"{error.message}{error.hint}"


def test_a_workflow_that_is_too_large_is_refused() -> None:
    """The API server takes 3 MiB."""
    check_size(b"x" * 3 * 1024 * 1024)
    with pytest.raises(ConfigurationError, match="3,145,729 bytes"):
        check_size(b"x" * (3 * 1024 * 1024 + 1))


def test_values_of_wrong_types_are_refused() -> None:
    """What no JSON could bring but Python code can: numbers as variables, texts as seconds."""
    data = structure(BASE, Workflow)
    from attrs import evolve

    from aiowf.manifest import Container, EnvVar, Metadata, Template, TTLStrategy

    assert data.spec is not None
    wrong: Any = 3
    env = (EnvVar(name="A", value=wrong),)
    template = Template(name="main", container=Container(image="x", env=env))
    labels = Metadata(annotations={"a": wrong})
    ttl = TTLStrategy(seconds_after_success="60")  # type: ignore[arg-type]
    spec = evolve(data.spec, templates=(template,), ttl_strategy=ttl, pod_metadata=labels)
    with pytest.raises(ConfigurationError) as caught:
        check_workflow(evolve(data, spec=spec))
    told = str(caught.value)
    assert "ttlStrategy.secondsAfterSuccess: '60' is no whole number" in told
    assert "podMetadata.annotations.a: expected a text, not 3" in told
    assert "templates[0].container.env[0].value: the value of A must be a text, not 3" in told


def test_all_problems_are_told_at_once() -> None:
    """The first is the message, the others stand in the hint, no more than can be read."""
    data = changed("spec.templates.1.container", {"env": [{}] * 12})
    error = refusal(data)
    assert error.where == f"{AT_CONTAINER}.image"
    assert error.hint is not None
    assert error.hint.splitlines()[0] == f"also {AT_CONTAINER}.env[0]: the variable has no name"
    assert error.hint.splitlines()[-1] == "and 3 more"


def test_nothing_but_a_name_is_refused() -> None:
    """A workflow without a spec lacks its entrypoint."""
    assert refusal({"metadata": {"name": "a"}}).where == "entrypoint"
