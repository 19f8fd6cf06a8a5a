"""Tasks → Argo's templates: what does not depend on the type of the task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
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
    constant,
)
from aiowf.manifest.fields import evolve
from aiowf.manifest.merge import deep_merge
from aiowf.profile import Profile
from aiowf.profile.profile import WORKFLOW_NAME_VARIABLE
from aiowf.tasks.frozen import EMPTY, thaw
from aiowf.tasks.options import NO_OPTIONS, TaskOptions, retry_strategy
from aiowf.tasks.reference import Reference
from aiowf.wire.inert import LEFT_BRACE, env_value
from aiowf.wire.labels import ENV_TASK, PARAMETER_CALL, PARAMETER_TASK, POD_DIRECTORY

if TYPE_CHECKING:
    from aiowf.tasks.task import Task

LEFT_BRACE_VARIABLE = EnvVar(name=LEFT_BRACE, value="{")
_SHARED_INPUTS = Inputs(parameters=(Parameter(name=PARAMETER_TASK), Parameter(name=PARAMETER_CALL)))
_SHARED_TASK = EnvVar(name=ENV_TASK, value=f"{{{{inputs.parameters.{PARAMETER_TASK}}}}}")


@frozen(kw_only=True, slots=False)
class TaskContext:
    """What an operation gives to its tasks when they become templates.

    Attributes:
        profile: Names → images.
        runtime_image: Image of `aiowf.runtime`, or None where nobody named one.
        env: Variables of every container; a task's own take their place.
        reply_env: Variables of the containers that may send replies.
        value_env: Variables of the scripts that may send, or take, what is too large for a
            parameter.
        mounts: Mounts of every container.
        labels: Labels of every pod.
        affinity: Affinity of the template, where it differs from the workflow's.
        wanted: Task name → the outputs of it that other tasks take.
        texts: Task name → those of its inputs that hold raw text, not JSON.
        shared: Name of the one template of tasks that differ in their arguments alone: the name
            and the arguments of a task are parameters of it. None: a template for this task.
    """

    profile: Profile
    runtime_image: str | None = None
    env: tuple[EnvVar, ...] = ()
    reply_env: tuple[EnvVar, ...] = ()
    value_env: tuple[EnvVar, ...] = ()
    mounts: tuple[VolumeMount, ...] = ()
    labels: Mapping[str, str] | None = None
    affinity: Affinity | None = None
    wanted: Mapping[str, frozenset[str]] = field(factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(factory=dict)
    shared: str | None = None


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


def literal_env(profile: Profile) -> tuple[EnvVar, ...]:
    """Return the variables of a profile, so that their values arrive unchanged."""
    env = tuple(map(_literal, profile.env))
    return env if env == profile.env else (LEFT_BRACE_VARIABLE, *env)


def _literal(variable: EnvVar) -> EnvVar:
    if variable.value is None or variable == WORKFLOW_NAME_VARIABLE:
        return variable
    return evolve(variable, value=env_value(variable.value))


def render(task: Task[Any], context: TaskContext) -> Template:
    """Return the template of a task; what is common to all types is added to what its type says."""
    inputs = task.inputs
    parts: dict[str, Any] = {
        "env": _environment(task, context, inputs),
        "image_pull_policy": task.image_pull_policy,
    }
    if task.resources is not None:
        parts["resources"] = task.resources.to_requirements()
    if context.mounts:
        parts["volume_mounts"] = context.mounts
    template = Template(
        name=context.shared or task.name,
        inputs=_SHARED_INPUTS if context.shared else _inputs(inputs) if inputs else None,
        outputs=_outputs(task, context),
        metadata=_metadata(task.options, context.labels),
        affinity=context.affinity,
        retry_strategy=retry_strategy(task.retry_limit),
        active_deadline_seconds=task.options.active_deadline,
        **task.body(context, parts),
    )
    if task.template_overrides is not EMPTY:
        overrides: Mapping[str, Any] = thaw(task.template_overrides)
        template = deep_merge(template, overrides, f"{task.name}.template_overrides")
    return template


def _metadata(options: TaskOptions, labels: Mapping[str, str] | None) -> Metadata | None:
    if options is not NO_OPTIONS:
        labels = {**(labels or {}), **options.labels}
        annotations = dict(options.annotations)
        if annotations:
            return Metadata(labels=labels or None, annotations=annotations)
    return Metadata(labels=labels) if labels else None


@lru_cache(4096)
def _task_variable(name: str) -> EnvVar:
    return EnvVar(name=ENV_TASK, value=name)


def _environment(
    task: Task[Any], context: TaskContext, inputs: tuple[Input, ...]
) -> tuple[EnvVar, ...]:
    name = _SHARED_TASK if context.shared else _task_variable(task.name)
    given = (*context.env, *context.reply_env) if task.replies else context.env
    if not task.needs_left_brace:
        return (*given, name)
    own = task.env
    return (
        LEFT_BRACE_VARIABLE,
        *(each for each in given if each.name not in own and each is not LEFT_BRACE_VARIABLE),
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
    return _outputs_called(names) if names else None


@cache
def _outputs_called(names: tuple[str, ...]) -> Outputs:
    """Return output parameters; there are four names, and they mean the same everywhere."""
    return constant(
        Outputs(
            parameters=tuple(
                Parameter(
                    name=name, value_from=ValueFrom(path=f"{POD_DIRECTORY}/{name}", default="")
                )
                for name in names
            )
        )
    )
