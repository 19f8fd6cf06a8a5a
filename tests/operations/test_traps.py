"""What other libraries of this kind got wrong, one test for each trap."""

import json
from functools import wraps
from typing import Any

import pytest

from aiowf import operations, tasks
from aiowf.errors import ConfigurationError
from aiowf.operations import PodExecutionContext
from aiowf.profile import Profile

A = tasks.BashTask("a", "echo a")
B = tasks.BashTask("b", "echo b")
RUNTIME = Profile(runtime_image="runtime:1")


def spec(op: operations.ContainerizedOperation) -> dict[str, Any]:
    """Return the JSON of an operation's spec."""
    found: dict[str, Any] = op.to_dict(RUNTIME)["spec"]
    return found


def pods(op: operations.ContainerizedOperation) -> list[dict[str, Any]]:
    """Return the templates of an operation that make pods."""
    return [template for template in spec(op)["templates"] if "steps" not in template]


def body(template: dict[str, Any]) -> dict[str, Any]:
    """Return a template's container, be it a script or not."""
    found: dict[str, Any] = template.get("script") or template["container"]
    return found


def test_read_only_is_spelt_as_kubernetes_spells_it() -> None:
    """`readonly` would be dropped silently, and the volume writable."""
    (template,) = pods(operations.SingleTaskOperation("op", A, shared_directory="c:/data:ro"))
    assert body(template)["volumeMounts"] == [{"name": "c", "mountPath": "/data", "readOnly": True}]


def test_a_read_only_volume_forces_no_affinity() -> None:
    """Any number of nodes may read."""
    op = operations.PipelineOperation("op", (A, B), shared_directory="c:/data:ro")
    assert "affinity" not in spec(op)
    assert [template.get("metadata") for template in pods(op)] == [None, None]


def test_the_variable_holds_the_path_alone() -> None:
    """Neither the claim nor the mode is part of a directory's name."""
    op = operations.PipelineOperation("op", (A, B), shared_directory="c:/data:ro")
    for template in pods(op):
        env = {each["name"]: each.get("value") for each in body(template)["env"]}
        assert env["shared_directory"] == "/data"


@pytest.mark.parametrize(
    "cls",
    [
        operations.SingleTaskOperation,
        operations.DistributedSyncOperation,
        operations.DistributedSyncOperationWithResults,
    ],
)
def test_a_single_task_may_have_an_ephemeral_directory(cls: Any) -> None:
    """It is an option of every operation."""
    op = cls("op", A, shared_directory="/data")
    assert len(spec(op)["volumeClaimTemplates"]) == 1
    assert {m["mountPath"] for t in pods(op) for m in body(t)["volumeMounts"]} == {"/data"}


def test_two_claims_have_two_labels() -> None:
    """With one label for both no pod could ever satisfy both terms."""
    op = operations.PipelineOperation("op", (A, B), shared_directory=["one:/one", "two:/two"])
    terms = spec(op)["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    keys = [term["labelSelector"]["matchExpressions"][0]["key"] for term in terms]
    assert keys == ["usesvolume", "usesvolume-two"]
    for template in pods(op):
        labels = template["metadata"]["labels"]
        for term in terms:
            (expression,) = term["labelSelector"]["matchExpressions"]
            assert labels[expression["key"]] in expression["values"]


def test_no_template_shadows_the_affinity_of_the_workflow() -> None:
    """Even an empty affinity of a template takes the workflow's from its pods."""
    op = operations.PipelineOperation(
        "op", (A, B), pod_context=PodExecutionContext("a", "b", required=True)
    )
    assert [template for template in spec(op)["templates"] if "affinity" in template] == []
    assert "affinity" in spec(op)


def answer(n: int = 1) -> int:
    return 42 * n


@pytest.mark.parametrize("cls", [tasks.PythonTask, tasks.BashTask])
def test_inlined_tasks_have_resources_and_retries(cls: Any) -> None:
    """As any other task has."""
    what = answer if cls is tasks.PythonTask else "true"
    task = cls("t", what, resources={"limits": {"cpu": "1"}}, retry_limit=4)
    (template,) = pods(operations.SingleTaskOperation("op", task))
    assert body(template)["resources"] == {"limits": {"cpu": "1"}}
    assert template["retryStrategy"]["limit"] == 4


def test_overrides_in_snake_case_are_refused() -> None:
    """Argo would drop them silently; the hint is Argo's own spelling."""
    with pytest.raises(ConfigurationError, match="activeDeadlineSeconds"):
        tasks.BashTask("a", "true", template_overrides={"active_deadline_seconds": 3})


def test_misspelt_options_do_not_vanish() -> None:
    """Nor do they become variables of the pod."""
    with pytest.raises(ConfigurationError, match="retry_limit"):
        tasks.BashTask("a", "true", retry_limits=3)
    with pytest.raises(TypeError, match="shared_dir"):
        operations.PipelineOperation("op", (A,), shared_dir="/x")  # type: ignore[call-arg]


def test_the_delay_of_the_pods_end_is_text() -> None:
    """Argo takes no number there."""
    op = operations.PipelineOperation("op", (A,), pod_gc={"deleteDelayDuration": 600})
    assert spec(op)["podGC"] == {"deleteDelayDuration": "600s"}


def test_a_partial_time_to_live_is_enough() -> None:
    """What is not said is not asked for."""
    op = operations.PipelineOperation("op", (A,), ttl_strategy={"secondsAfterFailure": 5})
    assert spec(op)["ttlStrategy"] == {"secondsAfterFailure": 5}


def test_a_pod_knows_its_workflows_name() -> None:
    """It is not guessed from the name of the pod, whose form is Argo's affair."""
    (template,) = pods(operations.SingleTaskOperation("op", A))
    env = {each["name"]: each for each in body(template)["env"]}
    assert env["AIOWF_WORKFLOW_NAME"] == {
        "name": "AIOWF_WORKFLOW_NAME",
        "value": "{{workflow.name}}",
    }
    assert "metadata.name'" not in json.dumps(template)


def test_no_shell_cuts_the_payload_of_a_notice() -> None:
    """It is a variable, and the command a list of words."""
    payload = '{"text": "it\'s; \\"quoted\\" & $HOME"}'
    op = operations.SingleTaskOperation("op", A, on_exit_notify={"queue": "q", "payload": payload})
    handler = pods(op)[-1]["container"]
    assert handler["command"] + handler["args"] == ["python", "-m", "aiowf.runtime", "notify"]
    env = {each["name"]: each.get("value") for each in handler["env"]}
    assert env["payload"].replace("$$", "$") == payload


def test_functions_have_arguments_and_values() -> None:
    """And what they use from outside travels with them."""
    task = tasks.PythonTask("t", answer, args=(2,))
    (template,) = pods(operations.SingleTaskOperation("op", task))
    assert "[[2], {}]" in template["script"]["source"]
    assert template["outputs"]["parameters"][0]["name"] == "return"
    open_file = open(__file__)  # noqa: SIM115
    with open_file, pytest.raises(ConfigurationError, match="open_file"):
        tasks.PythonTask("t", lambda: open_file.read())


def decorator(func: Any) -> Any:
    @wraps(func)
    def wrapper(*args: Any) -> Any:
        return func(*args) + 1

    return wrapper


@decorator
def decorated(n: int) -> int:
    return n


def test_lambdas_and_decorated_functions_travel() -> None:
    """With the decorator, and without the rest of the line."""
    tasks.PythonTask("t", lambda: 3)
    task = tasks.PythonTask("t", decorated, args=(1,))
    (template,) = pods(operations.SingleTaskOperation("op", task))
    assert "def decorator" in template["script"]["source"]


def test_tasks_are_not_changed_by_operations() -> None:
    """One value may stand in several, at the same time."""
    before = repr(A), hash(A)
    one = operations.PipelineOperation("op", (A, B), shared_directory="/one")
    two = operations.ParallelOperation("op", (A, B), shared_directory="c:/two", labels={"a": "b"})
    first = spec(one)
    spec(two)
    assert (repr(A), hash(A)) == before
    assert spec(one) == first


async def test_a_direct_operation_gives_its_callbacks_value() -> None:
    """It is the point of calling it."""
    assert await operations.DirectOperation("q", answer).execute(2) == 84
