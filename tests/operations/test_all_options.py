"""Whatever is said in whatever combination: what is built is valid."""

import json
from datetime import timedelta
from functools import reduce
from typing import Any

import orjson
from attrs import evolve
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from schema import validate

from aiowf import operations, tasks
from aiowf.client.forms import Forms, Terms, make_form
from aiowf.manifest import EnvVar, Workflow, dumps, structure, unstructure
from aiowf.manifest.checks import check_workflow
from aiowf.manifest.rendering import ReplyTarget, Submission
from aiowf.operations import OnExitNotify, PodExecutionContext, Volume
from aiowf.profile import Profile
from aiowf.tasks import Resources, TaskOptions

label = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,15}[a-z0-9])?", fullmatch=True)
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
tricky = text | st.sampled_from(["{{workflow.name}}", "$(HOME)", "$$", "{{{x}}}", "'\"\\\n"])
labels = st.dictionaries(label, label, max_size=3)
path = st.lists(label, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
mode = st.sampled_from(["", ":rw", ":ro", ":rwx"])
seconds = st.integers(1, 10**6) | st.builds(timedelta, seconds=st.integers(1, 10**6))
claim_volume = st.builds(lambda claim, path, mode: f"{claim}:{path}{mode}", label, path, mode)
some_volume = (
    claim_volume
    | st.builds(lambda path, mode: path + mode, path, mode)
    | st.builds(
        Volume,
        path,
        claim=label,
        mode=st.sampled_from(["rw", "ro", "rwx"]),
        ephemeral=st.sampled_from([None, True, False]),
        size=st.none() | st.integers(1, 100),
    )
)


def place(volume: Any) -> str:
    """Return the path of a volume, however it was written."""
    return (volume if isinstance(volume, Volume) else Volume(volume)).path


shared = (
    st.sampled_from([None, True, False])
    | some_volume
    | st.lists(some_volume, max_size=3, unique_by=place)
)
variables = st.dictionaries(
    st.from_regex(r"[A-Z][A-Z_]{0,10}", fullmatch=True),
    tricky | st.integers() | st.floats() | st.booleans(),
    max_size=3,
)
resources = (
    st.none()
    | st.builds(
        Resources,
        cpu=st.sampled_from([None, 1, 0.5, "500m"]),
        memory=st.sampled_from([None, "1Gi", 10**9]),
        gpu=st.sampled_from([None, 0, 2]),
    )
    | st.just({"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}})
)
task_options: Any = {
    "resources": resources,
    # Below a directory that the operations of this strategy do not share.
    "volume_mounts": st.lists(label, max_size=2, unique=True).map(
        lambda names: [f"{name}:/of-a-task/{name}" for name in names]
    ),
    "retry_limit": st.none() | st.integers(0, 5),
    "env": variables,
    "image_pull_policy": st.sampled_from(["Always", "IfNotPresent", "Never"]),
    "template_overrides": st.sampled_from(
        [None, {"daemon": False}, {"tolerations": [{"key": "a", "operator": "Exists"}]}]
    ),
    "options": st.none()
    | st.builds(
        TaskOptions, labels=labels, annotations=labels, active_deadline=st.none() | seconds
    ),
}
words = tricky.map(lambda word: [word]) | st.just("run 'a b'")


def compute(value: Any = None, *more: Any, key: Any = None) -> dict[str, float]:
    return {"a": 1.0}


python_task = st.builds(
    tasks.PythonTask,
    st.just("t"),
    st.just(compute),
    args=st.lists(st.recursive(tricky | st.floats() | st.none(), st.lists), max_size=2),
    kwargs=st.dictionaries(st.just("key"), st.booleans()),
    image=st.sampled_from([None, "python:3.12", "known"]),
    requirements=st.sampled_from([(), ("numpy>=2",)]),
    **task_options,
)
task: st.SearchStrategy[tasks.Task[Any]] = st.one_of(
    st.builds(tasks.BashTask, st.just("t"), tricky, **task_options),
    python_task,
    st.builds(
        tasks.CustomTask,
        st.just("t"),
        st.sampled_from(["known", "registry.example.com/tool:1"]),
        command=st.none() | words,
        args=st.none() | words,
        **task_options,
    ),
    st.builds(tasks.CommandBasedTask, st.just("t"), words, **task_options),
)


def numbered(given: list[tasks.Task[Any]], links: list[str]) -> list[tasks.Task[Any]]:
    """Give each task a name of its own, and let it take the value of the one before it."""
    import attrs

    made: list[tasks.Task[Any]] = []
    for n, (each, link) in enumerate(zip(given, links, strict=False)):
        extra: dict[str, Any] = {}
        before = made[-1] if made else None
        if before and link == "stdout":
            extra["TAKEN"] = before.stdout
        elif before and link == "output" and isinstance(before, tasks.PythonTask):
            extra["TAKEN"] = before.output
            if isinstance(each, tasks.PythonTask):
                extra["args"] = (before.output, before.stdout)
        made.append(attrs.evolve(each, name=f"task-{n}", **extra))
    return made


def calls(task: tasks.PythonTask[Any], count: int) -> list[tasks.PythonTask[Any]]:
    """Return tasks that differ in their arguments alone."""
    import attrs

    return [attrs.evolve(task, name=f"call-{n}", args=(n,), kwargs={}) for n in range(count)]


link = st.sampled_from(["", "stdout", "output"])
several = st.builds(
    numbered,
    st.lists(task, min_size=1, max_size=4),
    st.lists(link, min_size=4, max_size=4),
)
options: Any = {
    "pod_context": st.none()
    | st.builds(PodExecutionContext, label, label, st.booleans())
    | st.lists(
        st.builds(PodExecutionContext, label, label, st.booleans()),
        max_size=2,
        unique_by=lambda context: context.key,
    ),
    "shared_directory": shared,
    "shared_volume_size": st.integers(1, 1000),
    "ttl_strategy": st.none()
    | st.dictionaries(
        st.sampled_from(["secondsAfterCompletion", "secondsAfterSuccess", "secondsAfterFailure"]),
        st.integers(0, 10**6),
    ),
    "pod_gc": st.sampled_from(
        [
            None,
            "OnPodSuccess",
            {"strategy": "OnPodCompletion", "deleteDelayDuration": 3},
            {"deleteDelayDuration": "1m"},
        ]
    ),
    "on_exit_notify": st.none()
    | st.builds(OnExitNotify, label, st.none() | tricky, st.none() | st.just("known")),
    "labels": labels,
    "annotations": st.dictionaries(label, tricky.filter(lambda t: "{{" not in t), max_size=2),
    "parallelism": st.none() | st.integers(1, 9),
    "active_deadline": st.none() | seconds,
    "priority": st.none() | st.integers(-5, 5),
    "service_account": st.none() | label,
    "spec_overrides": st.sampled_from(
        [None, {"nodeSelector": {"disk": "ssd"}}, {"podGC": None}, {"archiveLogs": True}]
    ),
}
operation = st.one_of(
    st.builds(operations.SingleTaskOperation, label, task, **options),
    st.builds(operations.DistributedSyncOperation, label, task, **options),
    st.builds(operations.DistributedSyncOperationWithResults, label, task, **options),
    st.builds(operations.PipelineOperation, label, several, **options),
    st.builds(
        operations.ParallelOperation,
        label,
        st.lists(task, min_size=1, max_size=3).map(lambda given: numbered(given, [""] * 3)),
        **options,
    ),
    st.builds(operations.SimpleDagOperation, label, tasks=several, **options),
    st.builds(
        operations.MapOperation, label, st.builds(calls, python_task, st.integers(1, 3)), **options
    ),
)
profile = st.builds(
    Profile,
    base_image=st.just("base:1"),
    runtime_image=st.sampled_from(["runtime:1"]),
    service_account=st.none() | label,
    image_pull_secrets=st.lists(label, max_size=2, unique=True),
    env=st.dictionaries(st.from_regex(r"CH_[A-Z]{1,5}", fullmatch=True), label, max_size=2),
    images=st.just({"known": "registry.example.com/known:1"}),
    usesvolume_namespace=st.none() | label,
)
submission = st.none() | st.builds(
    Submission,
    workflow_name=label,
    claims=st.dictionaries(label, st.booleans(), max_size=3),
    reply=st.none()
    | st.builds(ReplyTarget, env=st.just((EnvVar(name="X", value="y"),)), notify=st.booleans()),
    deadline=st.none() | st.integers(1, 100),
)


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(op=operation, profile=profile, submission=submission)
def test_every_combination_of_options_is_valid(
    op: operations.ContainerizedOperation, profile: Profile, submission: Submission | None
) -> None:
    """By Argo's schema and by our own checks; and nothing is lost on the way to JSON and back."""
    workflow = op.to_workflow(profile, submission=submission)
    data = json.loads(dumps(workflow))
    validate(data)
    check_workflow(workflow)
    assert structure(data, Workflow) == structure(unstructure(workflow), Workflow)


def alike(task: type[tasks.Task[Any]], **own: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return pairs of tasks that differ in what is their own, and in the values of variables."""
    common = {**task_options, "template_overrides": st.none()}
    del common["env"]
    return st.builds(
        lambda common, names, one, other: tuple(
            task("t", **common, **mine, env=dict(zip(names, values, strict=False)))
            for mine, values in (one, other)
        ),
        st.fixed_dictionaries(common),
        st.lists(st.sampled_from("ABC"), max_size=2, unique=True),
        *[st.tuples(st.fixed_dictionaries(own), st.tuples(tricky, tricky))] * 2,
    )


pair = st.one_of(
    alike(tasks.BashTask, source=tricky),
    alike(tasks.PythonTask, func=st.just(compute), args=st.lists(tricky | st.none(), max_size=2)),
    alike(
        tasks.CustomTask,
        image_name=st.just("known"),
        command=st.none() | words,
        args=st.none() | words,
    ),
    alike(tasks.CommandBasedTask, command=words),
)
pairs = st.one_of(
    st.builds(
        lambda made, names, pair, options: [
            made(name, task, **options) for name, task in zip(names, pair, strict=True)
        ],
        st.sampled_from(
            [
                operations.SingleTaskOperation,
                operations.DistributedSyncOperation,
                operations.DistributedSyncOperationWithResults,
                operations.PipelineOperation,
            ]
        ),
        st.tuples(label, label) | label.map(lambda name: (name, name)),
        pair,
        st.fixed_dictionaries({**options, "spec_overrides": st.none()}),
    ),
    operation.map(lambda op: [op, op]),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(ops=pairs, profile=profile, submission=submission)
def test_a_form_gives_what_rendering_gives(
    ops: list[operations.ContainerizedOperation], profile: Profile, submission: Submission | None
) -> None:
    """What has the shape of another operation has its workflow as well, but for names and parts."""
    forms = Forms()
    for op, suffix in ((ops[0], "one0000000"), (ops[1], "two0000000")):
        found, key = op.shape, f"key-{suffix}"
        here = evolve(submission or Submission(workflow_name=""), workflow_name=op.name + suffix)
        shape, parts = found or (None, ())
        texts = [orjson.dumps(part) for part in parts]
        name = here.workflow_name
        rendered = make_form(op.to_workflow(profile, submission=here), name, key, terms=Terms())
        form = forms.find(shape, texts)
        if form is None:
            workflow = op.to_workflow(profile, submission=here)
            form = make_form(workflow, name, key, texts, terms=Terms())
            if shape is not None:
                forms.keep(shape, form)
        else:
            event("filled")
        tags, notes = {"session": "s"}, {"id": "17"}
        expected = json.loads(rendered.fill(name, key, (), tags=tags, notes=notes))
        assert expected == json.loads(form.fill(name, key, texts, tags=tags, notes=notes))


@settings(max_examples=50)
@given(source=tricky, payload=tricky)
def test_no_text_of_a_user_holds_a_substitution(source: str, payload: str) -> None:
    """The only double braces in a manifest are ours."""
    op = operations.DistributedSyncOperation(
        "op",
        tasks.CommandBasedTask("t", ["run", source], env={"FOO": source}),
        on_exit_notify={"queue": "q", "payload": payload},
    )
    manifest = op.to_json(Profile(runtime_image="runtime:1"))
    known = ["{{workflow.name}}", "{{workflow.status}}"]
    assert "{{" not in reduce(lambda left, each: left.replace(each, ""), known, manifest)
