"""Shared directories, claims, and which pods run near which."""

from typing import Any

import attrs
import pytest

from aiowf import operations, tasks
from aiowf.errors import ConfigurationError
from aiowf.manifest import unstructure
from aiowf.manifest.rendering import Submission
from aiowf.operations import PodExecutionContext, Volume
from aiowf.profile import Profile

A = tasks.BashTask("a", "echo a")
B = tasks.BashTask("b", "echo b")
HOST = "kubernetes.io/hostname"


def render(
    shared: Any = None,
    *given: tasks.Task[Any],
    profile: Profile | None = None,
    submission: Submission | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Return the JSON of a pipeline's spec."""
    op = operations.PipelineOperation("op", given or (A, B), shared_directory=shared, **options)
    spec: dict[str, Any] = unstructure(op.to_workflow(profile, submission=submission).spec)
    return spec


def pods(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the templates that make pods, by name."""
    return {t["name"]: t for t in spec["templates"] if "steps" not in t}


def mounts(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the mounts of task a, which are those of task b."""
    found = [template["script"].get("volumeMounts", []) for template in pods(spec).values()]
    assert found[1:] == found[:-1]
    return found[0]


def shared_variable(spec: dict[str, Any]) -> list[str]:
    """Return the values of the variable `shared_directory`."""
    env = pods(spec)["a"]["script"]["env"]
    return [each["value"] for each in env if each["name"] == "shared_directory"]


def required(affinity: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return keys and values of the required terms."""
    terms = affinity["podAffinity"].get("requiredDuringSchedulingIgnoredDuringExecution", [])
    assert {term["topologyKey"] for term in terms} <= {HOST}
    found = [term["labelSelector"]["matchExpressions"] for term in terms]
    assert {len(each) for each in found} <= {1}
    return [(each[0]["key"], each[0]["values"]) for each in found]


def labels(template: dict[str, Any]) -> dict[str, str]:
    """Return the labels of a template's pods."""
    found: dict[str, str] = template.get("metadata", {}).get("labels", {})
    return found


@pytest.mark.parametrize(
    ("shared", "path"),
    [
        (True, "/mnt/shared"),
        ("/data", "/data"),
        ("/data:rw", "/data"),
        (Volume("/data"), "/data"),
        (["/data"], "/data"),
    ],
)
def test_a_directory_without_a_claim_lives_with_the_workflow(shared: Any, path: str) -> None:
    """A claim template, deleted when the workflow completes; mounted in every task."""
    spec = render(shared)
    (template,) = spec["volumeClaimTemplates"]
    name = template["metadata"]["name"]
    assert template["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Mi"}},
    }
    assert spec["volumeClaimGC"] == {"strategy": "OnWorkflowCompletion"}
    assert "volumes" not in spec
    assert mounts(spec) == [{"name": name, "mountPath": path}]
    assert shared_variable(spec) == [path]


@pytest.mark.parametrize("shared", [None, False, "", ()])
def test_without_a_shared_directory_there_is_nothing(shared: Any) -> None:
    """No volume, no mount, no variable."""
    spec = render(shared)
    assert {"volumes", "volumeClaimTemplates", "volumeClaimGC", "affinity"} & set(spec) == set()
    assert mounts(spec) == []
    assert shared_variable(spec) == []


def test_size_and_mode_of_an_ephemeral_volume() -> None:
    """rwx may be mounted on several nodes; the size is in MiB."""
    (template,) = render("/data:rwx", shared_volume_size=64)["volumeClaimTemplates"]
    assert template["spec"]["accessModes"] == ["ReadWriteMany"]
    assert template["spec"]["resources"]["requests"]["storage"] == "64Mi"
    (template,) = render(Volume("/data", size=5), shared_volume_size=64)["volumeClaimTemplates"]
    assert template["spec"]["resources"]["requests"]["storage"] == "5Mi"


def test_an_existing_claim_is_used() -> None:
    """And is not deleted with the workflow."""
    spec = render("claim:/data")
    assert spec["volumes"] == [{"name": "claim", "persistentVolumeClaim": {"claimName": "claim"}}]
    assert "volumeClaimTemplates" not in spec
    assert "volumeClaimGC" not in spec
    assert mounts(spec) == [{"name": "claim", "mountPath": "/data"}]


@pytest.mark.parametrize(
    ("volume", "exists", "ephemeral"),
    [
        (Volume("claim:/data"), True, False),
        (Volume("claim:/data"), False, True),
        (Volume("claim:/data", ephemeral=True), True, True),
        (Volume("claim:/data", ephemeral=False), False, False),
    ],
)
def test_a_missing_claim_becomes_ephemeral(volume: Volume, exists: bool, ephemeral: bool) -> None:
    """Unless the volume says outright what it is."""
    submission = Submission(workflow_name="op-x", claims={"claim": exists})
    spec = render(volume, submission=submission)
    assert ("volumeClaimTemplates" in spec, "volumes" in spec) == (ephemeral, not ephemeral)
    assert mounts(spec) == [{"name": "claim", "mountPath": "/data"}]


def test_the_client_is_asked_about_claims_once() -> None:
    """About those of which nobody has said what they are."""
    task = tasks.BashTask("c", "true", volume_mounts=["one:/x", "three:/y"])
    shared = ["one:/a", Volume("two:/b", ephemeral=True), "/c"]
    op = operations.PipelineOperation("op", (A, task), shared_directory=shared)
    assert op.claims == ("one", "three")


def test_several_directories() -> None:
    """The variable holds the first path; a claim and a path never share a name."""
    spec = render(["a-b:/one", "/a/b", "/a-b:rwx", "a-b:/two:ro"])
    first, second, third, fourth = mounts(spec)
    assert (first["mountPath"], first["name"]) == ("/one", "a-b")
    assert fourth == {"name": "a-b", "mountPath": "/two", "readOnly": True}
    made = [claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]]
    assert made == [second["name"], third["name"]]
    assert len({"a-b", *made}) == 3
    assert shared_variable(spec) == ["/one"]


def test_a_volume_of_one_task_is_mounted_there_alone() -> None:
    """Its labels and its affinity are that task's own, and complete."""
    task = tasks.BashTask("c", "true", volume_mounts="own:/own")
    context = PodExecutionContext("team", "x")
    spec = render("claim:/data", A, task, pod_context=context)
    found = pods(spec)
    assert [m["mountPath"] for m in found["a"]["script"]["volumeMounts"]] == ["/data"]
    assert [m["mountPath"] for m in found["c"]["script"]["volumeMounts"]] == ["/data", "/own"]
    assert "affinity" not in found["a"]
    assert required(found["c"]["affinity"]) == [
        ("usesvolume", ["claim"]),
        ("usesvolume-own", ["true"]),
    ]
    assert (
        "preferredDuringSchedulingIgnoredDuringExecution" in found["c"]["affinity"]["podAffinity"]
    )
    assert labels(found["a"]) == {"team": "x", "usesvolume": "claim", "usesvolume-claim": "true"}
    assert labels(found["c"]) == {**labels(found["a"]), "usesvolume-own": "true"}


def test_a_task_cannot_mount_where_the_operation_does() -> None:
    """The message names both volumes."""
    task = tasks.BashTask("c", "true", volume_mounts="own:/data")
    with pytest.raises(ConfigurationError, match="claim:/data, own:/data"):
        render("claim:/data", task)


def test_pods_that_write_to_a_claim_stay_on_its_node() -> None:
    """One label and one term for each claim."""
    spec = render(["one:/one", "two:/two", "three:/three:ro", "four:/four:rwx"])
    assert required(spec["affinity"]) == [("usesvolume", ["one"]), ("usesvolume-two", ["true"])]
    for template in pods(spec).values():
        assert labels(template) == {
            "usesvolume": "one",
            "usesvolume-one": "true",
            "usesvolume-two": "true",
        }
        assert "affinity" not in template


@pytest.mark.parametrize("shared", ["claim:/data:ro", "claim:/data:rwx"])
def test_other_pods_may_run_anywhere(shared: str) -> None:
    """Whoever only reads, or may write from several nodes."""
    spec = render(shared)
    assert "affinity" not in spec
    assert labels(pods(spec)["a"]) == {}


def test_long_claims_have_short_labels() -> None:
    """Kubernetes takes 63 characters; the end is a hash then."""
    claim = "c" * 60 + "." + "d" * 60
    spec = render(f"{claim}:/data")
    found = labels(pods(spec)["a"])
    assert {len(text) for item in found.items() for text in item} <= {10, 63, 4}
    assert required(spec["affinity"]) == [("usesvolume", [found["usesvolume"]])]
    assert spec["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim


def test_cloudharness_deployments_have_another_label() -> None:
    """The first claim's term accepts it too."""
    profile = Profile(usesvolume_namespace="prod")
    spec = render(["one:/one", "two:/two"], profile=profile)
    assert required(spec["affinity"]) == [
        ("usesvolume", ["one", "one-prod"]),
        ("usesvolume-two", ["true"]),
    ]


@pytest.mark.parametrize(("shared", "together"), [("/data", True), ("/data:rwx", False)])
def test_pods_that_share_an_ephemeral_volume_stay_together(shared: str, together: bool) -> None:
    """By the label that Argo gives to the pods of a workflow, once its name is known."""
    assert "affinity" not in render(shared)
    spec = render(shared, submission=Submission(workflow_name="op-x"))
    if together:
        assert required(spec["affinity"]) == [("workflows.argoproj.io/workflow", ["op-x"])]
    else:
        assert "affinity" not in spec


def test_contexts() -> None:
    """Labels on every template, required and preferred terms for the workflow."""
    contexts = (PodExecutionContext("a", "1", required=True), PodExecutionContext("b", "2"))
    spec = render(pod_context=contexts, on_exit_notify={"queue": "q", "image": "i:1"})
    assert {name for t in spec["templates"] for name in labels(t).items()} == {
        ("a", "1"),
        ("b", "2"),
    }
    assert all(labels(template) for template in spec["templates"])
    assert required(spec["affinity"]) == [("a", ["1"])]
    (preferred,) = spec["affinity"]["podAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    assert preferred == {
        "weight": 100,
        "podAffinityTerm": {
            "labelSelector": {
                "matchExpressions": [{"key": "b", "operator": "In", "values": ["2"]}]
            },
            "topologyKey": HOST,
        },
    }


@pytest.mark.parametrize(
    "contexts",
    [
        "a=b",
        7,
        (("a", "b"),),
        (PodExecutionContext("a", "1"), PodExecutionContext("a", "2")),
    ],
)
def test_wrong_contexts_are_refused(contexts: Any) -> None:
    """A pod has one value for a label."""
    with pytest.raises(ConfigurationError, match=r"PodExecutionContext|a=1"):
        render(pod_context=contexts)


@pytest.mark.parametrize(("key", "value"), [("a b", "c"), ("a", "b c"), ("", "x"), ("a", None)])
def test_wrong_labels_of_a_context_are_refused(key: Any, value: Any) -> None:
    """Kubernetes would refuse them."""
    with pytest.raises(ConfigurationError):
        PodExecutionContext(key, value)


def test_the_profile_reaches_every_pod() -> None:
    """Its account, secrets, tolerations, variables, volumes and mounts."""
    profile = Profile.cloudharness(
        {"registry": {"name": "r", "secret": "s"}, "env": [{"name": "CH_X", "value": "1"}]},
        environ={},
    )
    spec = render("claim:/data", profile=profile)
    assert spec["serviceAccountName"] == "argo-workflows"
    assert spec["imagePullSecrets"] == [{"name": "s"}]
    assert spec["tolerations"][0]["key"] == "cloudharness/temporary-job"
    assert [volume["name"] for volume in spec["volumes"]] == ["cloudharness-allvalues", "claim"]
    assert [mount["name"] for mount in mounts(spec)] == ["cloudharness-allvalues", "claim"]
    env = {each["name"]: each.get("value") for each in pods(spec)["a"]["script"]["env"]}
    assert (env["CH_X"], env["CH_WORKFLOW_NAME"]) == ("1", "{{workflow.name}}")


def test_contexts_may_come_from_any_iterable() -> None:
    """A generator, for example."""
    contexts = (PodExecutionContext(key, "v") for key in "ab")
    op = operations.SingleTaskOperation("op", A, pod_context=contexts)  # type: ignore[arg-type]
    assert [each.key for each in op.pod_context] == ["a", "b"]


def test_an_affinity_of_one_task_says_what_the_workflows_says() -> None:
    """Argo takes the affinity of a template in place of the workflow's, so they are merged."""
    own = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    everywhere = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    op = operations.PipelineOperation(
        "op",
        (
            attrs.evolve(A, template_overrides={"affinity": own}),
            attrs.evolve(B, volume_mounts="c:/c"),
        ),
        pod_context=PodExecutionContext("k", "v"),
        spec_overrides={"affinity": everywhere},
    )
    data = op.to_dict()["spec"]
    preferred = data["affinity"]["podAffinity"]
    a, b = (template["affinity"] for template in data["templates"][1:])
    assert a == {"podAffinity": preferred, **own, **everywhere}
    assert b["podAntiAffinity"] == everywhere["podAntiAffinity"]
    assert b["podAffinity"].items() > preferred.items()


def test_the_variable_spells_a_path_so_that_it_arrives_unchanged() -> None:
    """Kubernetes expands `$$` in variables, and not in mount paths."""
    op = operations.SingleTaskOperation("op", A, shared_directory="/a$$b")
    (template,) = op.to_dict()["spec"]["templates"]
    script = template["script"]
    assert {"name": "shared_directory", "value": "/a$$$$b"} in script["env"]
    assert [mount["mountPath"] for mount in script["volumeMounts"]] == ["/a$$b"]


def test_the_variables_of_a_profile_arrive_unchanged() -> None:
    """Only the workflow's name, which the profile of CloudHarness gives, is Argo's to fill in."""
    environ = {"CH_A": "{{workflow.name}} $(HOME) $$", "CH_B": "plain"}
    profile = attrs.evolve(
        Profile.cloudharness({"apps": {}}, environ=environ), runtime_image="runtime:1"
    )
    op = operations.PipelineOperation(
        "op", (A, attrs.evolve(B, env={"CH_B": "own"})), on_exit_notify={"queue": "q"}
    )
    _, a, b, handler = op.to_dict(profile)["spec"]["templates"]
    for template in (a, b, handler):
        env = (template.get("script") or template["container"])["env"]
        names = [each["name"] for each in env]
        assert len(names) == len({*names})
        assert names.index("AIOWF_LB") < names.index("CH_A")
        values = {each["name"]: each.get("value") for each in env}
        assert values["CH_A"] == "$(AIOWF_LB)$(AIOWF_LB)workflow.name}} $$(HOME) $$$$"
        assert values["CH_B"] == ("own" if template is b else "plain")
        assert values["CH_WORKFLOW_NAME"] == "{{workflow.name}}"


def test_a_profile_without_marks_costs_no_variable() -> None:
    """The left brace is spelt by a variable only where there is one."""
    (template,) = operations.SingleTaskOperation("op", A).to_dict(Profile(env={"X": "1"}))["spec"][
        "templates"
    ]
    assert [each["name"] for each in template["script"]["env"]] == [
        "AIOWF_WORKFLOW_NAME",
        "AIOWF_OPERATION_ID",
        "X",
        "AIOWF_TASK",
    ]
