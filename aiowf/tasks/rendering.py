"""Tasks → Argo's templates: what does not depend on the type of the task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from aiowf.manifest import (
    Affinity,
    Artifact,
    EnvVar,
    Inputs,
    Metadata,
    Outputs,
    Parameter,
    RawArtifact,
    Template,
    ValueFrom,
    VolumeMount,
)
from aiowf.manifest.merge import deep_merge
from aiowf.profile import Profile
from aiowf.tasks.frozen import thaw
from aiowf.tasks.options import retry_strategy
from aiowf.tasks.reference import Reference
from aiowf.wire.inert import LEFT_BRACE, env_value
from aiowf.wire.labels import ENV_TASK, POD_DIRECTORY

if TYPE_CHECKING:
    from aiowf.tasks.task import Task

_LEFT_BRACE = EnvVar(name=LEFT_BRACE, value="{")


@frozen(kw_only=True)
class TaskContext:
    """What an operation gives to its tasks when they become templates.

    Attributes:
        profile: Names → images.
        runtime_image: Image of `aiowf.runtime`, or None where nobody named one.
        env: Variables of every container; a task's own take their place.
        reply_env: Variables of the containers that may send replies.
        mounts: Mounts of every container.
        labels: Labels of every pod.
        affinity: Affinity of the template, where it differs from the workflow's.
        wanted: Task name → the outputs of it that other tasks take.
        texts: Task name → those of its inputs that hold raw text, not JSON.
    """

    profile: Profile
    runtime_image: str | None = None
    env: tuple[EnvVar, ...] = ()
    reply_env: tuple[EnvVar, ...] = ()
    mounts: tuple[VolumeMount, ...] = ()
    labels: Mapping[str, str] | None = None
    affinity: Affinity | None = None
    wanted: Mapping[str, frozenset[str]] = field(factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(factory=dict)


@frozen
class Input:
    """A value of an earlier task that a task takes.

    Attributes:
        name: Name of the template's input parameter.
        reference: Whose value it is.
        raw: Whether it stands in a variable or an argument of the container, as text; else it is a
            file of JSON.
    """

    name: str
    reference: Reference
    raw: bool

    @staticmethod
    def of_texts(values: Iterable[Any]) -> tuple[Input, ...]:
        """Return one input for each reference that stands among texts."""
        references = dict.fromkeys(value for value in values if isinstance(value, Reference))
        return tuple(Input(f"env-{n}", reference, True) for n, reference in enumerate(references))


def text_of(value: str | Reference, inputs: Iterable[Input]) -> str:
    """Return what stands in the manifest for a text, so that it arrives unchanged."""
    if isinstance(value, str):
        return env_value(value)
    name = next(each.name for each in inputs if each.raw and each.reference == value)
    return f"{{{{inputs.parameters.{name}}}}}"


def render(task: Task[Any], context: TaskContext) -> Template:
    """Return the template of a task; what is common to all types is added to what its type says."""
    inputs = task.inputs
    parts = {
        "env": _environment(task, context, inputs),
        "image_pull_policy": task.image_pull_policy,
        "resources": task.resources and task.resources.to_requirements(),
        "volume_mounts": context.mounts or None,
    }
    body = task.body(context, parts)
    options = task.options
    labels = context.labels
    if options.labels:
        labels = {**(labels or {}), **options.labels}
    metadata = None
    if labels or options.annotations:
        metadata = Metadata(labels=labels or None, annotations=dict(options.annotations) or None)
    template = Template(
        name=task.name,
        inputs=_inputs(inputs) if inputs else None,
        outputs=_outputs(task, context),
        metadata=metadata,
        affinity=context.affinity,
        retry_strategy=retry_strategy(task.retry_limit),
        active_deadline_seconds=options.active_deadline,
        **body,
    )
    if task.template_overrides:
        overrides: Mapping[str, Any] = thaw(task.template_overrides)
        template = deep_merge(template, overrides, f"{task.name}.template_overrides")
    return template


def _environment(
    task: Task[Any], context: TaskContext, inputs: tuple[Input, ...]
) -> tuple[EnvVar, ...]:
    name = EnvVar(name=ENV_TASK, value=task.name)
    given = (*context.env, *context.reply_env) if task.replies else context.env
    if not task.needs_left_brace:
        return (*given, name)
    own = task.env
    return (
        _LEFT_BRACE,
        *(variable for variable in given if variable.name not in own),
        name,
        *(EnvVar(name=key, value=text_of(value, inputs)) for key, value in own.items()),
    )


def _inputs(inputs: tuple[Input, ...]) -> Inputs:
    files = tuple(
        Artifact(
            name=each.name,
            path=f"{POD_DIRECTORY}/in/{each.name}",
            raw=RawArtifact(data=f"{{{{inputs.parameters.{each.name}}}}}"),
        )
        for each in inputs
        if not each.raw
    )
    return Inputs(
        parameters=tuple(Parameter(name=each.name) for each in inputs), artifacts=files or None
    )


def _outputs(task: Task[Any], context: TaskContext) -> Outputs | None:
    wanted = context.wanted.get(task.name)
    names = task.always_produces
    if wanted:
        names = (*names, *sorted(wanted - {*names}))
    return Outputs(parameters=tuple(_output(name) for name in names)) if names else None


def _output(name: str) -> Parameter:
    return _OUTPUTS.get(name) or _OUTPUTS.setdefault(
        name,
        Parameter(name=name, value_from=ValueFrom(path=f"{POD_DIRECTORY}/{name}", default="")),
    )


# Output parameters by name: there are four, and they are the same everywhere.
_OUTPUTS: dict[str, Parameter] = {}
