"""Operations as values, and the workflows that they become."""

import inspect
import json
import pickle
import sys
from datetime import timedelta
from functools import partial
from typing import Any, get_type_hints

import attrs
import pytest
import yaml

from aiowf import operations, tasks
from aiowf.errors import ConfigurationError
from aiowf.manifest import Workflow as WorkflowValue
from aiowf.manifest import WorkflowSpec, dumps, loads, structure, unstructure
from aiowf.manifest.rendering import ReplyTarget, Submission
from aiowf.profile import Profile

A = tasks.BashTask("a", "echo a")
B = tasks.BashTask("b", "echo b")
C = tasks.BashTask("c", "echo c")
SENDER = tasks.SendResultTask()
RUNTIME = Profile(runtime_image="runtime:1")


def spec(op: operations.ContainerizedOperation, profile: Profile = RUNTIME) -> dict[str, Any]:
    """Return the JSON of an operation's spec."""
    data: dict[str, Any] = op.to_dict(profile)["spec"]
    return data


def steps(op: operations.ContainerizedOperation) -> list[list[str]]:
    """Return the names of the steps of the entry template."""
    entry = next(t for t in spec(op)["templates"] if t["name"] == op.entrypoint)
    return [[step["template"] for step in group] for group in entry["steps"]]


@pytest.mark.parametrize(
    ("op", "entrypoint", "is_sync"),
    [
        (operations.SingleTaskOperation("op", A), "a", False),
        (operations.DistributedSyncOperation("op-", A), "a", True),
        (operations.DistributedSyncOperationWithResults("op", A), "op-pipeline", True),
        (operations.PipelineOperation("op", (A, B)), "op-pipeline", False),
        (operations.ParallelOperation("op", [A, B]), "op-parallel", False),
        (operations.SimpleDagOperation("op", A, (B, C)), "op-simpledag", False),
    ],
)
def test_names_and_entrypoints(
    op: operations.ContainerizedOperation, entrypoint: str, is_sync: bool
) -> None:
    """A name without a final "-" gets one; the entry template is named after it."""
    data = op.to_dict(RUNTIME)
    assert (data["apiVersion"], data["kind"]) == ("argoproj.io/v1alpha1", "Workflow")
    assert data["metadata"] == {"generateName": "op-"}
    assert (op.name, op.entrypoint, op.is_sync) == ("op-", entrypoint, is_sync)
    assert data["spec"]["entrypoint"] == entrypoint
    assert data["spec"]["templates"][0]["name"] == entrypoint


@pytest.mark.parametrize(
    ("op", "groups"),
    [
        (operations.PipelineOperation("op", (A, B)), [["a"], ["b"]]),
        (operations.ParallelOperation("op", (A, B)), [["a", "b"]]),
        (operations.SimpleDagOperation("op", A, (B, C)), [["a"], ["b", "c"]]),
        (operations.SimpleDagOperation("op", tasks=[A, [B]]), [["a"], ["b"]]),
        (operations.PipelineOperation("op", A), [["a"]]),
        (
            operations.DistributedSyncOperationWithResults("op", A),
            [["a"], ["send-result-event"]],
        ),
    ],
)
def test_steps(op: operations.ContainerizedOperation, groups: list[list[str]]) -> None:
    """Groups run one after the other, the tasks of a group beside each other."""
    assert steps(op) == groups


@pytest.mark.parametrize("name", ["", "Op", "a_b", "-a", "x" * 53, None, 7, "a.b"])
def test_impossible_names_are_refused(name: Any) -> None:
    """Workflow names begin with them, and pods' and templates' names too."""
    with pytest.raises(ConfigurationError):
        operations.SingleTaskOperation(name, A)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "no tasks"),
        ((A, A), "two tasks are called 'a'"),
        ((A, attrs.evolve(B, name="exit-handler")), "exit-handler"),
        ((A, attrs.evolve(B, name="op-parallel")), "op-parallel"),
        ([attrs.evolve(A, name=f"t{n}") for n in range(200)], "200 templates"),
        ((A, print), "PythonTask"),
        ("ab", "tasks"),
        (7, "tasks"),
        ((A, SENDER), "shared directory"),
    ],
)
def test_tasks_that_do_not_fit_are_refused(given: Any, message: str) -> None:
    """They are refused when the operation is built."""
    with pytest.raises(ConfigurationError, match=message):
        operations.ParallelOperation("op", given)


def test_empty_groups_are_refused() -> None:
    """A group of a simple DAG has a task."""
    with pytest.raises(ConfigurationError, match="group"):
        operations.SimpleDagOperation("op", A, ())


def test_groups_do_not_nest() -> None:
    """A group within a group is refused where it stands, with what to write instead."""
    with pytest.raises(
        ConfigurationError, match=r"tasks\[1\]\[0\]: .* a tuple of 1\n.* next group"
    ):
        operations.SimpleDagOperation("op", A, ((B,), SENDER))
    with pytest.raises(ConfigurationError, match=r"tasks\[1\]: .* a tuple of 1\n.* SimpleDag"):
        operations.PipelineOperation("op", (A, (B,)))


def test_as_many_tasks_as_argo_takes() -> None:
    """With the entrypoint and an exit handler there are 200 templates."""
    many = [attrs.evolve(A, name=f"t{n}") for n in range(199)]
    assert len(spec(operations.ParallelOperation("op", many))["templates"]) == 200
    notify = {"queue": "q"}
    op = operations.ParallelOperation("op", many[1:], on_exit_notify=notify)
    assert len(spec(op)["templates"]) == 200
    with pytest.raises(ConfigurationError, match="200 templates"):
        operations.ParallelOperation("op", many, on_exit_notify=notify)


@pytest.mark.parametrize(
    "make",
    [
        partial(operations.PipelineOperation, "op", (A,)),
        partial(operations.SimpleDagOperation, "op", A),
        partial(operations.DistributedSyncOperationWithResults, "op", A),
    ],
)
@pytest.mark.parametrize("error", [ConfigurationError, TypeError])
def test_a_misspelt_option_is_an_error(make: Any, error: type[Exception]) -> None:
    """It is both: a wrong value of ours, and a wrong call as with every Python function."""
    with pytest.raises(error, match=r'lables: .*\ndid you mean "labels"') as caught:
        make(lables={})
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    "make", [operations.SingleTaskOperation, operations.DistributedSyncOperation]
)
async def test_a_misspelt_option_of_execute_is_an_error(make: Any) -> None:
    """It says the nearest right one before anything is sent."""
    with pytest.raises(ConfigurationError, match=r'time_out: .*execute.*\ndid you mean "timeout"'):
        await make("op", A).execute(time_out=3)


@pytest.mark.parametrize(
    "make", [operations.SingleTaskOperation, operations.DistributedSyncOperation]
)
def test_execute_is_a_coroutine_function(make: Any) -> None:
    """Web frameworks and schedulers ask before they call it."""
    assert inspect.iscoroutinefunction(make("op", A).execute)


def test_the_options_are_said_to_type_checkers() -> None:
    """Those that SimpleDagOperation takes are those that every operation has."""
    said = get_type_hints(operations.OperationOptions)
    common = {"name", *(each.name for each in attrs.fields(operations.ContainerizedOperation))}
    assert common - {"name", "_flow"} == said.keys()


def test_a_class_of_ones_own_may_take_options_of_its_own() -> None:
    """What it hands on to the constructor of its base is checked all the same."""

    class Reading(operations.SingleTaskOperation[None]):
        def __init__(self, name: str, *, path: str, **options: Any) -> None:
            super().__init__(name, tasks.BashTask("read", f"cat {path}"), **options)

    assert Reading("op", path="/x", priority=3).priority == 3
    with pytest.raises(ConfigurationError, match='did you mean "priority"'):
        Reading("op", path="/x", priorty=3)


@pytest.mark.parametrize(
    "make",
    [
        lambda **options: operations.SingleTaskOperation("op", A, **options),
        lambda **options: operations.DistributedSyncOperation("op", A, **options),
        lambda **options: operations.DistributedSyncOperationWithResults("op", A, **options),
        lambda **options: operations.PipelineOperation("op", (A, B), **options),
        lambda **options: operations.ParallelOperation("op", (A, B), **options),
        lambda **options: operations.SimpleDagOperation("op", A, (B, C), **options),
    ],
)
def test_operations_are_values(make: Any) -> None:
    """Equal by what they say, hashable, evolvable, picklable, never changed."""
    options = {
        "labels": {"a": "b"},
        "shared_directory": "claim:/data",
        "spec_overrides": {"nodeSelector": {"disk": "ssd"}},
        "pod_gc": {"labelSelector": {"matchLabels": {"a": "b"}}},
    }
    one, two = make(**options), make(**options)
    assert one == two
    assert len({one, two}) == 1
    assert one != make()
    assert attrs.evolve(one) == one
    assert attrs.evolve(one, name="other").name == "other-"
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.labels = {}
    assert one.to_json(RUNTIME) == two.to_json(RUNTIME)


def test_renderings_agree() -> None:
    """JSON, YAML, data, and the converter's own."""
    op = operations.PipelineOperation("op", (A, B), shared_directory=True)
    data = op.to_dict()
    assert json.loads(op.to_json()) == data
    assert json.loads(op.to_json(indent=True)) == data
    assert yaml.safe_load(op.to_yaml()) == data
    assert unstructure(op) == data
    assert json.loads(dumps(op)) == data
    assert json.loads(dumps({"workflow": op})) == {"workflow": data}
    assert loads(op.to_json(), WorkflowValue) == structure(data, WorkflowValue)


def test_yaml_needs_pyyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which extra has it."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ConfigurationError, match=r"aiowf\[yaml\]"):
        operations.SingleTaskOperation("op", A).to_yaml()


def test_scalars_of_the_spec() -> None:
    """Options that are fields of the spec, or of the metadata."""
    op = operations.PipelineOperation(
        "op",
        (A,),
        labels={"team": "a"},
        annotations={"note": "b c"},
        parallelism=2,
        active_deadline=timedelta(minutes=1),
        priority=3,
        service_account="robot",
    )
    data = op.to_dict()
    assert data["metadata"] == {
        "generateName": "op-",
        "labels": {"team": "a"},
        "annotations": {"note": "b c"},
    }
    found = {
        name: data["spec"][name]
        for name in ("parallelism", "activeDeadlineSeconds", "priority", "serviceAccountName")
    }
    assert found == {
        "parallelism": 2,
        "activeDeadlineSeconds": 60,
        "priority": 3,
        "serviceAccountName": "robot",
    }


@pytest.mark.parametrize(
    "options",
    [
        {"labels": {"a b": "c"}},
        {"annotations": {"a": 1}},
        {"parallelism": 0},
        {"parallelism": True},
        {"active_deadline": -1},
        {"priority": 1.5},
        {"service_account": "A B"},
        {"shared_volume_size": 0},
        {"shared_volume_size": "10Mi"},
        {"spec_overrides": {"node_selector": {}}},
        {"spec_overrides": 7},
        {"shared_directory": 7},
        {"shared_directory": ("/a", "/a")},
    ],
)
def test_wrong_options_are_refused(options: Any) -> None:
    """They are refused when the operation is built."""
    with pytest.raises(ConfigurationError):
        operations.PipelineOperation("op", (A,), **options)


@pytest.mark.parametrize(
    "overrides", [{"nodeSelector": {"a": "b"}}, WorkflowSpec(node_selector={"a": "b"})]
)
def test_spec_overrides_are_merged(overrides: Any) -> None:
    """What they do not say stays as it was; a null removes."""
    op = operations.PipelineOperation("op", (A,), spec_overrides=overrides)
    assert spec(op)["nodeSelector"] == {"a": "b"}
    assert spec(op)["entrypoint"] == "op-pipeline"
    none = operations.PipelineOperation("op", (A,), spec_overrides={"podGC": None})
    assert "podGC" not in spec(none)


def test_at_submission_the_name_is_known() -> None:
    """And the timeout of the caller, unless the user's own deadline is sooner."""
    submission = Submission(workflow_name="op-x", deadline=30)
    for given, deadline in ((None, 30), (60, 30), (10, 10)):
        op = operations.SingleTaskOperation("op", A, active_deadline=given)
        workflow = op.to_workflow(submission=submission)
        assert workflow.metadata is not None
        assert workflow.spec is not None
        assert (workflow.metadata.name, workflow.metadata.generate_name) == ("op-x", None)
        assert workflow.spec.active_deadline_seconds == deadline


def test_what_the_pods_know() -> None:
    """The workflow's name is not taken from a pod's own, which has another form."""
    env = spec(operations.SingleTaskOperation("op", A, shared_directory="claim:/data:ro"))
    variables = {each["name"]: each for each in env["templates"][0]["script"]["env"]}
    assert variables["AIOWF_WORKFLOW_NAME"]["value"] == "{{workflow.name}}"
    assert variables["AIOWF_TASK"]["value"] == "a"
    assert variables["AIOWF_OPERATION_ID"]["valueFrom"] == {
        "fieldRef": {"fieldPath": "metadata.labels['aiowf.dev/operation-id']"}
    }
    assert variables["shared_directory"]["value"] == "/data"


def test_results_come_from_the_shared_directory() -> None:
    """There is one without being asked for, or the one that was asked for."""
    op = operations.DistributedSyncOperationWithResults("op", A)
    assert op.wants_files
    assert [volume.path for volume in op.shared_directory] == ["/mnt/shared"]
    other = operations.DistributedSyncOperationWithResults("op", A, shared_directory="claim:/d")
    assert [str(volume) for volume in other.shared_directory] == ["claim:/d"]
    reply = ReplyTarget(env=(), notify=True)
    submission = Submission(workflow_name="op-x", reply=reply, runtime_image="engine:1")
    workflow = op.to_workflow(submission=submission)
    assert workflow.spec is not None
    images = [t.container.image for t in workflow.spec.templates or () if t.container]
    assert images == ["engine:1", "engine:1"]


def test_without_a_runtime_image_results_cannot_be_sent() -> None:
    """The error says how one is built."""
    op = operations.DistributedSyncOperationWithResults("op", A)
    with pytest.raises(ConfigurationError, match="docker build"):
        op.to_workflow()


def test_a_pipeline_may_send_results_too() -> None:
    """The sender is a task like any other."""
    op = operations.PipelineOperation("op", (A, SENDER), shared_directory=True)
    assert op.wants_files
    assert not operations.PipelineOperation("op", (A,), shared_directory=True).wants_files


def one() -> int:
    return 1


def two() -> float:
    return 2.5


def test_decoders_are_in_order_of_execution() -> None:
    """The last is the one that gives `result.value`."""
    op = operations.SimpleDagOperation(
        "op", tasks.PythonTask("x", one), (A, tasks.PythonTask("y", two))
    )
    assert {name: decode("7") for name, decode in op.decoders.items()} == {"x": 7, "y": 7.0}
    assert list(op.decoders) == ["x", "y"]


async def test_an_operation_hands_itself_to_a_client() -> None:
    """With everything that the caller said."""
    seen: list[Any] = []

    class Client:
        async def execute(self, op: Any, **options: Any) -> str:
            seen.append((op, options))
            return "run"

    client: Any = Client()
    for op in (
        operations.DistributedSyncOperation("op", A),
        operations.PipelineOperation("op", (A,)),
    ):
        assert await op.execute(client=client, id="7", timeout=3, check=False) == "run"  # type: ignore[comparison-overlap]
        assert seen.pop() == (
            op,
            {
                "id": "7",
                "timeout": 3,
                "pending_timeout": None,
                "on_cancel": "stop",
                "check": False,
            },
        )


async def test_without_a_client_the_current_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked up when the operation is executed."""

    class Client:
        async def execute(self, op: Any, **options: Any) -> Any:
            return op.name

    async def current() -> Any:
        return Client()

    monkeypatch.setattr("aiowf.client.current.current_client", current)
    assert await operations.SingleTaskOperation("op", A).execute() == "op-"  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("client", ["local", 3, False])
async def test_what_is_no_client_is_refused(client: Any) -> None:
    """The hint says where clients come from."""
    with pytest.raises(ConfigurationError, match=r"client: expected a Client.*\n.*aiowf\.connect"):
        await operations.DistributedSyncOperation("op", A).execute(client=client)


@pytest.mark.parametrize(
    "cls",
    [
        operations.ManagedOperation,
        operations.ContainerizedOperation,
        operations.SyncOperation,
        operations.AsyncOperation,
        operations.CompositeOperation,
    ],
)
def test_the_bases_are_abstract(cls: Any) -> None:
    """Only operations that say what runs can be made."""
    with pytest.raises(TypeError, match="abstract"):
        cls("op")
