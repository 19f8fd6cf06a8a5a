"""Options and environment variables of every task type."""

import inspect
import pickle
from datetime import timedelta
from typing import Any

import attrs
import pytest

from aiowf.errors import ConfigurationError
from aiowf.manifest import EnvVar, ResourceRequirements, Template, Volume, unstructure
from aiowf.operations import OnExitNotify, SingleTaskOperation
from aiowf.profile import Profile
from aiowf.tasks import (
    BashTask,
    CommandBasedTask,
    CustomTask,
    PythonTask,
    Resources,
    SendResultTask,
    Task,
    TaskOptions,
)
from aiowf.tasks import Volume as TaskVolume
from aiowf.tasks.options import OPTION_NAMES
from aiowf.tasks.rendering import TaskContext

IMAGE = "registry.example.com/tool:1"
CONTEXT = TaskContext(profile=Profile(runtime_image="runtime:1"))


def double(x: int = 1) -> int:
    return 2 * x


def make(kind: str, **options: Any) -> Task[Any]:
    """Make a task of a type, with the least that it needs."""
    options.setdefault("name", "one")
    if kind == "bash":
        return BashTask(source="true", **options)
    if kind == "python":
        return PythonTask(func=double, **options)
    if kind == "custom":
        return CustomTask(image_name=IMAGE, **options)
    if kind == "command":
        return CommandBasedTask(command="true", **options)
    return SendResultTask(**options)


KINDS = ("bash", "python", "custom", "command", "send")
every_kind = pytest.mark.parametrize("kind", KINDS)


def rendered(task: Task[Any]) -> dict[str, Any]:
    """Return the JSON of a task's template."""
    data: dict[str, Any] = unstructure(task.to_template(CONTEXT))
    return data


def container(task: Task[Any]) -> dict[str, Any]:
    """Return the JSON of a task's container, be it a script or not."""
    template = rendered(task)
    found: dict[str, Any] = template.get("script") or template["container"]
    return found


def variables(task: Task[Any]) -> dict[str, Any]:
    """Return the literal variables of a task's container."""
    return {each["name"]: each.get("value") for each in container(task)["env"]}


def test_the_options_are_frozen() -> None:
    """A keyword that is a variable today stays one: no task type has an option but these."""
    kinds = (BashTask, PythonTask, CustomTask, CommandBasedTask, SendResultTask)
    names = {name for kind in kinds for name in inspect.signature(kind).parameters}
    assert sorted(names - {"env_variables"}) == [
        "args",
        "command",
        "env",
        "func",
        "image",
        "image_name",
        "image_pull_policy",
        "kwargs",
        "name",
        "options",
        "requirements",
        "resources",
        "retry_limit",
        "source",
        "template_overrides",
        "volume_mounts",
    ]
    assert sorted(OPTION_NAMES) == sorted(names - {"env_variables"})


@pytest.mark.parametrize(
    ("given", "name"), [("My Task", "my-task"), ("a", "a"), ("x" * 63, "x" * 63), ("A1-b", "a1-b")]
)
def test_names_are_normalised(given: str, name: str) -> None:
    """Spaces become "-", capitals lower case."""
    assert make("bash", name=given).name == name


@pytest.mark.parametrize("given", ["", "x" * 64, "a_b", "-a", "a-", "ä", "a\n", 7])
def test_impossible_names_are_refused(given: Any) -> None:
    """What is no RFC 1123 label is refused when the task is built."""
    with pytest.raises(ConfigurationError):
        make("bash", name=given)


@every_kind
def test_keywords_become_variables(kind: str) -> None:
    """Each type of scalar is turned into text by str()."""
    task = make(kind, text="a b", whole=3, part=0.5, yes=True, FOO="x")
    found = variables(task)
    assert {name: found[name] for name in ("text", "whole", "part", "yes", "FOO")} == {
        "text": "a b",
        "whole": "3",
        "part": "0.5",
        "yes": "True",
        "FOO": "x",
    }


@every_kind
@pytest.mark.parametrize("value", [None, [], {}, b"x", object()])
def test_other_values_are_no_variables(kind: str, value: Any) -> None:
    """The message names the keyword."""
    with pytest.raises(ConfigurationError, match="threshold"):
        make(kind, threshold=value)


@every_kind
def test_a_variable_may_have_the_name_of_an_option(kind: str) -> None:
    """`env` takes the names that clash."""
    assert variables(make(kind, env={"resources": "wood", "name": 1}))["resources"] == "wood"


@every_kind
@pytest.mark.parametrize(
    ("keyword", "meant"),
    [
        ("resource", "resources"),
        ("volume_mount", "volume_mounts"),
        ("retrylimit", "retry_limit"),
        ("retryLimit", "retry_limit"),
        ("imagePullPolicy", "image_pull_policy"),
        ("template_override", "template_overrides"),
        ("requirement", "requirements"),
    ],
)
def test_misspelt_options_are_refused(kind: str, keyword: str, meant: str) -> None:
    """An option that vanished into the environment would never be missed."""
    with pytest.raises(ConfigurationError, match=f'did you mean "{meant}"'):
        make(kind, **{keyword: "x"})


@pytest.mark.parametrize(
    ("kind", "keyword"),
    [("bash", "image"), ("custom", "requirements"), ("command", "kwargs"), ("send", "command")],
)
def test_options_of_other_types_are_refused(kind: str, keyword: str) -> None:
    """The message says how a variable of that name is given."""
    with pytest.raises(ConfigurationError, match=f"env={{'{keyword}'"):
        make(kind, **{keyword: "x"})


@pytest.mark.parametrize("keyword", ["IMAGE", "message", "input_path", "x1", "arg1", "data", "n"])
def test_ordinary_variables_are_not_taken_for_options(keyword: str) -> None:
    """Capitals, numbers and other words are variables."""
    assert variables(make("bash", **{keyword: "x"}))[keyword] == "x"


@pytest.mark.parametrize("name", ["a b", "1st", "", "a=b", "AIOWF_TASK"])
def test_impossible_variables_are_refused(name: str) -> None:
    """Kubernetes would refuse them, or they are aiowf's own."""
    with pytest.raises(ConfigurationError):
        make("bash", env={name: "x"})


@pytest.mark.parametrize(
    ("text", "message"), [("a\0b", "NUL"), ("\ud800", "UTF-8"), ("ä" * 60_000, "120000 bytes")]
)
def test_a_text_that_cannot_travel_is_refused(text: str, message: str) -> None:
    """Wherever it stands: no operating system could pass it."""
    for build in (
        lambda: make("bash", FOO=text),
        lambda: CommandBasedTask("a", ["echo", text]),
        lambda: OnExitNotify("queue", text),
    ):
        with pytest.raises(ConfigurationError, match=message):
            build()


def test_a_long_script_can_travel() -> None:
    """It is no string of the environment."""
    assert container(BashTask("a", "true #" + "ä" * 60_000))["command"] == ["bash"]
    with pytest.raises(ConfigurationError, match="UTF-8"):
        BashTask("a", "echo \ud800")


def test_literal_text_of_variables_stays_literal() -> None:
    """Neither Argo nor Kubernetes finds anything to substitute."""
    task = make("bash", FOO="{{workflow.name}} $(HOME) $$ {{{")
    env = container(task)["env"]
    assert env[0] == {"name": "AIOWF_LB", "value": "{"}
    lb = "$(AIOWF_LB)"
    assert variables(task)["FOO"] == f"{lb}{lb}workflow.name}}}} $$(HOME) $$$$ {lb}{lb}{{"


def test_a_task_knows_its_own_variables_before_the_profiles() -> None:
    """A variable of the task takes the place of one of the same name."""
    context = attrs.evolve(CONTEXT, env=(EnvVar(name="FOO", value="profile"),))
    env = make("bash", FOO="task").to_template(context).script
    assert env is not None
    assert [each.value for each in env.env or () if each.name == "FOO"] == ["task"]


@every_kind
@pytest.mark.parametrize(
    "resources",
    [
        {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": 2}},
        ResourceRequirements(requests={"cpu": "500m", "memory": "1Gi"}, limits={"cpu": 2}),
        Resources(requests={"cpu": "500m", "memory": "1Gi"}, limits={"cpu": 2}),
    ],
)
def test_resources_reach_every_type(kind: str, resources: Any) -> None:
    """Kubernetes' mapping, its value and ours say the same."""
    assert container(make(kind, resources=resources))["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"cpu": "2"},
    }


def test_short_resources() -> None:
    """cpu and memory are requested and the limit; a GPU is a limit."""
    task = make("bash", resources=Resources(cpu=0.5, memory="1Gi", gpu=1))
    assert container(task)["resources"] == {
        "requests": {"cpu": "0.5", "memory": "1Gi"},
        "limits": {"cpu": "0.5", "memory": "1Gi", "nvidia.com/gpu": "1"},
    }


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"request": {"cpu": 1}}, "requests"),
        ({"limits": {"memory": "1GB"}}, "1G"),
        ({"limits": 3}, "mapping"),
        ("1Gi", "resources"),
    ],
)
def test_wrong_resources_are_refused(resources: Any, message: str) -> None:
    """The message says what would be right."""
    with pytest.raises(ConfigurationError, match=message):
        make("bash", resources=resources)


def test_wrong_gpus_are_refused() -> None:
    """There are no half GPUs."""
    with pytest.raises(ConfigurationError, match="GPUs"):
        Resources(gpu=0.5)  # type: ignore[arg-type]


@every_kind
def test_by_default_a_task_is_retried_for_what_it_cannot_help(kind: str) -> None:
    """Ten retries, with growing waits, of lost nodes, evictions and kills."""
    assert rendered(make(kind))["retryStrategy"] == {
        "limit": 10,
        "retryPolicy": "Always",
        "expression": "asInt(lastRetry.exitCode) in [-1, 137, 143]",
        "backoff": {"duration": "1s", "factor": 2, "cap": "1m"},
    }


@every_kind
def test_a_number_of_retries_is_for_any_failure(kind: str) -> None:
    """There is no condition then."""
    strategy = rendered(make(kind, retry_limit=3))["retryStrategy"]
    assert (strategy["limit"], strategy["retryPolicy"], strategy.get("expression")) == (
        3,
        "Always",
        None,
    )


@every_kind
def test_zero_means_no_retries(kind: str) -> None:
    """Argo is not told to retry at all."""
    assert "retryStrategy" not in rendered(make(kind, retry_limit=0))


@pytest.mark.parametrize("limit", [-1, 1.5, "3", True])
def test_wrong_retry_limits_are_refused(limit: Any) -> None:
    """A limit is a whole number."""
    with pytest.raises(ConfigurationError, match="retry_limit"):
        make("bash", retry_limit=limit)


@every_kind
@pytest.mark.parametrize("policy", ["Always", "IfNotPresent", "Never"])
def test_the_pull_policy_reaches_every_type(kind: str, policy: str) -> None:
    """It stands in the container."""
    assert container(make(kind, image_pull_policy=policy))["imagePullPolicy"] == policy


def test_a_wrong_pull_policy_is_refused() -> None:
    """The message names the right ones."""
    with pytest.raises(ConfigurationError, match="IfNotPresent"):
        make("bash", image_pull_policy="ifnotpresent")


@every_kind
def test_overrides_are_merged(kind: str) -> None:
    """A mapping in Argo's own names is merged at any depth, lists by their key."""
    body = "container" if kind in ("custom", "command", "send") else "script"
    overrides = {
        "activeDeadlineSeconds": 5,
        body: {"env": [{"name": "ADDED", "value": "1"}], "workingDir": "/tmp"},
    }
    task = make(kind, template_overrides=overrides, FOO="kept")
    template = rendered(task)
    assert template["activeDeadlineSeconds"] == 5
    assert template[body]["workingDir"] == "/tmp"
    assert (variables(task)["FOO"], variables(task)["ADDED"]) == ("kept", "1")


def test_a_template_may_override() -> None:
    """What it does not say is left alone."""
    task = make("bash", template_overrides=Template(volumes=(Volume(name="v", empty_dir=None),)))
    assert rendered(task)["volumes"] == [{"name": "v"}]
    assert container(task)["source"] == "true"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"script": {"working_dir": "/"}}, "workingDir"),
        ({"activeDeadlineSecond": 3}, "activeDeadlineSeconds"),
        ({"name": "other"}, "name"),
        (["x"], "mapping"),
    ],
)
def test_wrong_overrides_are_refused(overrides: Any, message: str) -> None:
    """They are refused when the task is built, with the nearest right name."""
    with pytest.raises(ConfigurationError, match=message):
        make("bash", template_overrides=overrides)


@every_kind
def test_further_options(kind: str) -> None:
    """Labels, annotations and a deadline of the pods."""
    options = TaskOptions(
        labels={"team": "a"}, annotations={"note": "b c"}, active_deadline=timedelta(seconds=1.2)
    )
    template = rendered(make(kind, options=options))
    assert template["metadata"] == {"labels": {"team": "a"}, "annotations": {"note": "b c"}}
    assert template["activeDeadlineSeconds"] == 2


@pytest.mark.parametrize(
    "options",
    [
        {"labels": {"a b": "c"}},
        {"labels": {"a": "b c"}},
        {"labels": "a=b"},
        {"annotations": {"a": 1}},
        {"active_deadline": 0},
        {"active_deadline": True},
        {"active_deadline": "1m"},
    ],
)
def test_wrong_further_options_are_refused(options: Any) -> None:
    """Kubernetes would refuse them."""
    with pytest.raises(ConfigurationError):
        TaskOptions(**options)


def test_what_argo_would_substitute_in_an_annotation_is_refused() -> None:
    """There is no escape; who wants Argo to substitute can say so in the overrides."""
    text = "{{workflow.name}}"
    with pytest.raises(ConfigurationError, match="template_overrides") as caught:
        TaskOptions(annotations={"other": "{x}", "note": text})
    assert "annotations.note" == caught.value.where
    wanted = {"metadata": {"annotations": {"note": text}}}
    assert wanted["metadata"] == rendered(make("bash", template_overrides=wanted))["metadata"]


def test_options_is_task_options() -> None:
    """A mapping is none."""
    with pytest.raises(ConfigurationError, match="TaskOptions"):
        make("bash", options={"labels": {}})


@every_kind
def test_tasks_are_values(kind: str) -> None:
    """Equal by what they say, hashable, and never changed."""
    options: dict[str, Any] = {
        "resources": {"limits": {"cpu": 1}},
        "volume_mounts": ["claim:/data:ro"],
        "template_overrides": {"tolerations": [{"key": "a", "operator": "Exists"}]},
        "options": TaskOptions(labels={"a": "b"}),
        "FOO": 1,
    }
    one, two = make(kind, **options), make(kind, **options)
    assert one == two
    assert len({one, two}) == 1
    assert one != make(kind, **{**options, "FOO": 2})
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.name = "other"  # type: ignore[misc]


@every_kind
def test_evolve_makes_variants(kind: str) -> None:
    """What is not named stays as it was; new keywords are added to the variables."""
    task = make(kind, FOO="1", volume_mounts="claim:/data", retry_limit=2, resources={})
    assert attrs.evolve(task) == task
    other = attrs.evolve(task, name="other", BAR="2")
    assert (other.name, dict(other.env), other.retry_limit) == (
        "other",
        {"FOO": "1", "BAR": "2"},
        2,
    )
    assert dict(attrs.evolve(task, env={"BAZ": 1}).env) == {"BAZ": "1"}


@every_kind
def test_tasks_are_picklable(kind: str) -> None:
    """They come back equal."""
    task = make(kind, FOO="1", volume_mounts="claim:/data", template_overrides={"daemon": False})
    assert pickle.loads(pickle.dumps(task)) == task


def test_the_given_mappings_are_copied() -> None:
    """Whoever keeps and changes them does not change the task."""
    env = {"FOO": "1"}
    overrides = {"tolerations": [{"key": "a"}]}
    task = make("bash", env=env, template_overrides=overrides)
    before = rendered(task)
    env["FOO"] = "2"
    overrides["tolerations"].append({"key": "b"})
    assert rendered(task) == before


def test_tasks_are_abstract() -> None:
    """Only types that say what runs can be made."""
    with pytest.raises(TypeError):
        Task("a")  # type: ignore[abstract]


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_volumes_of_one_task(kind: str) -> None:
    """They are mounted in that task alone, read-only where that was said."""
    task = make(kind, volume_mounts=["claim:/data:ro", TaskVolume("/other", claim="two")])
    workflow = unstructure(SingleTaskOperation("op", task).to_workflow())
    template = workflow["spec"]["templates"][0]
    body = template.get("script") or template["container"]
    assert body["volumeMounts"] == [
        {"name": "claim", "mountPath": "/data", "readOnly": True},
        {"name": "two", "mountPath": "/other"},
    ]


@pytest.mark.parametrize(
    "mounts",
    [
        "/data",
        "claim",
        "claim:data",
        "claim:/data:rx",
        "claim:/a:ro:x",
        "Claim:/data",
        "claim:/",
        "claim:/a//b",
        "claim:/a/../b",
        ["claim:/a", "other:/a"],
        [7],
        7,
    ],
)
def test_wrong_volumes_are_refused(mounts: Any) -> None:
    """They are refused when the task is built."""
    with pytest.raises(ConfigurationError):
        make("bash", volume_mounts=mounts)


@pytest.mark.parametrize(
    "volume",
    [
        {"path": "a:/b", "claim": "c"},
        {"path": "/b:ro", "mode": "rw"},
        {"path": "/b", "ephemeral": False},
        {"path": "/b", "ephemeral": "no"},
        {"path": "/b", "size": 0},
        {"path": 7},
    ],
)
def test_contradictions_in_a_volume_are_refused(volume: Any) -> None:
    """A volume says each thing once."""
    with pytest.raises(ConfigurationError):
        TaskVolume(**volume)


def test_volumes_read_back() -> None:
    """The text and the fields say the same."""
    assert TaskVolume("claim:/data:ro") == TaskVolume("/data", claim="claim", mode="ro")
    assert str(TaskVolume("claim:/data:ro")) == "claim:/data"
    assert attrs.evolve(TaskVolume("claim:/data"), mode="ro") == TaskVolume("claim:/data:ro")
