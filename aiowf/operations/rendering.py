"""Operation → Workflow."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import attrs

from aiowf.manifest import (
    Affinity,
    Arguments,
    Container,
    EnvVar,
    EnvVarSource,
    Metadata,
    ObjectFieldSelector,
    ObjectMeta,
    Parameter,
    Template,
    VolumeClaimGC,
    Workflow,
    WorkflowSpec,
    WorkflowStep,
    constant,
)
from aiowf.manifest.fields import evolve
from aiowf.manifest.merge import deep_merge
from aiowf.manifest.rendering import Submission
from aiowf.operations.context import affinity, claim_labels, context_labels
from aiowf.operations.flow import Flow
from aiowf.operations.lifecycle import EXIT_HANDLER, OnExitNotify, pod_gc_of
from aiowf.operations.storage import Storage, make_storage
from aiowf.profile import Profile
from aiowf.tasks.containers import SendResultTask
from aiowf.tasks.frozen import EMPTY, plain, thaw
from aiowf.tasks.functions import reply_client
from aiowf.tasks.rendering import LEFT_BRACE_VARIABLE, TaskContext, literal_env
from aiowf.tasks.runtime import RUNTIME_COMMAND, runtime_image
from aiowf.tasks.task import Task
from aiowf.wire.inert import env_value
from aiowf.wire.labels import (
    ENV_OPERATION_ID,
    ENV_REPLY_CLIENT,
    ENV_REPLY_TOPIC,
    ENV_SHARED_DIRECTORY,
    ENV_WORKFLOW_NAME,
    OPERATION_ID,
    OUTPUT_FILES,
    PARAMETER_REPLY_CLIENT,
)

if TYPE_CHECKING:
    from aiowf.operations.containerized import ContainerizedOperation

API_VERSION = "argoproj.io/v1alpha1"
_OF_EVERY_CONTAINER = (
    constant(EnvVar(name=ENV_WORKFLOW_NAME, value="{{workflow.name}}")),
    constant(
        EnvVar(
            name=ENV_OPERATION_ID,
            value_from=EnvVarSource(
                field_ref=ObjectFieldSelector(field_path=f"metadata.labels['{OPERATION_ID}']")
            ),
        )
    ),
)
_UNKNOWN = Submission(workflow_name="")
# The code is in the workflow once, as a parameter: templates have little room.
_VALUE_ENV = (
    EnvVar(name=ENV_REPLY_CLIENT, value=f"{{{{workflow.parameters.{PARAMETER_REPLY_CLIENT}}}}}"),
)


def render(
    op: ContainerizedOperation, flow: Flow, profile: Profile, submission: Submission | None
) -> Workflow:
    """Render the workflow of an operation; see `ContainerizedOperation.to_workflow`."""
    known = submission or _UNKNOWN
    storage = make_storage(op.volumes, size=op.shared_volume_size, claims=known.claims)
    placement = _Placement(op, storage, profile, known)
    context = _context(op, flow, profile, known, storage, placement)
    with_template = op.groups if op.shared_template is None else (op.groups[0][:1],)
    templates = [
        task.to_template(_context_of(task, context, storage, placement))
        for group in with_template
        for task in group
    ]
    if op.entrypoint != templates[0].name:
        templates.insert(0, _entry_template(op, flow))
    handler = _exit_handler(op.on_exit_notify, profile, known, context.labels)
    if handler is not None:
        templates.append(handler)
    return Workflow(
        api_version=API_VERSION,
        kind="Workflow",
        metadata=ObjectMeta(
            name=known.workflow_name or None,
            generate_name=None if known.workflow_name else op.name,
            labels=plain(op.labels),
            annotations=plain(op.annotations),
        ),
        spec=_spec(op, profile, known, storage, placement, tuple(templates)),
    )


class _Placement:
    """Labels and affinity of pods, by the claims that they write to."""

    def __init__(
        self, op: ContainerizedOperation, storage: Storage, profile: Profile, known: Submission
    ) -> None:
        self._contexts = op.pod_context
        self._context_labels = context_labels(op.pod_context)
        self._namespace = profile.usesvolume_namespace
        self._together = known.workflow_name if storage.one_node else ""
        self._overrides = op.spec_overrides.get("affinity")
        self.shared_claims = storage.written_claims(op.shared_directory)

    def labels(self, claims: tuple[str, ...]) -> dict[str, str] | None:
        """Return the labels of a pod that writes to these claims."""
        if not claims:
            return self._context_labels or None
        return {**self._context_labels, **claim_labels(claims)}

    def affinity(self, claims: tuple[str, ...]) -> Affinity | None:
        """Return the affinity of a pod that writes to these claims."""
        if not claims and not self._contexts and not self._together:
            return None
        return affinity(
            self._contexts,
            claims,
            namespace=self._namespace,
            workflow_name=self._together or None,
        )

    def of_template(self, claims: tuple[str, ...]) -> Affinity | None:
        """Return the affinity that stands in place of the workflow's: what that one says, too."""
        own = self.affinity(claims)
        if self._overrides is None:
            return own
        overrides: Mapping[str, Any] = thaw(self._overrides)
        return deep_merge(own or Affinity(), overrides, "spec_overrides.affinity")


def _context(
    op: ContainerizedOperation,
    flow: Flow,
    profile: Profile,
    known: Submission,
    storage: Storage,
    placement: _Placement,
) -> TaskContext:
    """Return what all tasks of the operation have in common."""
    env = (*_OF_EVERY_CONTAINER, *literal_env(profile))
    if op.shared_directory:
        path = env_value(op.shared_directory[0].path)
        env = (*env, EnvVar(name=ENV_SHARED_DIRECTORY, value=path))
    return TaskContext(
        profile=profile,
        runtime_image=known.runtime_image,
        env=env,
        reply_env=known.reply.env if known.reply else (),
        value_env=_VALUE_ENV if known.reply and known.reply.values else (),
        mounts=(*profile.mounts, *storage.mounts(op.shared_directory)),
        labels=placement.labels(placement.shared_claims),
        wanted=_wanted(op, flow, known),
        texts=flow.texts,
        shared=op.shared_template,
    )


def _wanted(
    op: ContainerizedOperation, flow: Flow, known: Submission
) -> Mapping[str, frozenset[str]]:
    """Return the outputs that somebody takes: other tasks, or a client without a reply channel."""
    if known.reply is None or not known.reply.by_parameter:
        return flow.wanted
    senders = [task for group in op.groups for task in group if isinstance(task, SendResultTask)]
    return {**flow.wanted, **{task.name: frozenset({OUTPUT_FILES}) for task in senders}}


def _context_of(
    task: Task[Any], context: TaskContext, storage: Storage, placement: _Placement
) -> TaskContext:
    """Return the context of a task that has volumes or affinity of its own, or the common one."""
    own_affinity = task.template_overrides.get("affinity") is not None
    if not task.volume_mounts and not own_affinity:
        return context
    own = storage.written_claims(task.volume_mounts)
    claims = tuple(dict.fromkeys((*placement.shared_claims, *own)))
    differs = own_affinity or claims != placement.shared_claims
    return attrs.evolve(
        context,
        mounts=(*context.mounts, *storage.mounts(task.volume_mounts)),
        labels=placement.labels(claims),
        # The affinity of a template stands in place of the workflow's: it has to say all of it.
        affinity=placement.of_template(claims) if differs else None,
    )


def _entry_template(op: ContainerizedOperation, flow: Flow) -> Template:
    return Template(
        name=op.entrypoint,
        metadata=Metadata(labels=context_labels(op.pod_context)) if op.pod_context else None,
        steps=tuple(
            tuple(
                [
                    _step(task.name, flow.arguments.get(task.name), op.shared_template)
                    for task in group
                ]
            )
            for group in op.groups
        ),
    )


def _step(name: str, arguments: Arguments | None, template: str | None) -> WorkflowStep:
    if template is not None:
        return WorkflowStep(name=name, template=template, arguments=arguments)
    return (
        _plain_step(name) if arguments is None else evolve(_plain_step(name), arguments=arguments)
    )


@lru_cache(4096)
def _plain_step(name: str) -> WorkflowStep:
    return WorkflowStep(name=name, template=name)


def _exit_handler(
    notify: OnExitNotify | None,
    profile: Profile,
    known: Submission,
    labels: Mapping[str, str] | None,
) -> Template | None:
    """Return the template that tells of the end: the user's notice and ours go out from one."""
    reply = known.reply
    if notify is None and not (reply and reply.notify):
        return None
    target = () if reply is None else reply.env
    if reply and not reply.notify:
        target = tuple(variable for variable in target if variable.name != ENV_REPLY_TOPIC)
    given = (each for each in literal_env(profile) if each is not LEFT_BRACE_VARIABLE)
    env = [LEFT_BRACE_VARIABLE, *_OF_EVERY_CONTAINER, *given, *target]
    env.append(EnvVar(name="workflow_result", value="{{workflow.status}}"))
    if notify and notify.queue is not None:
        env.append(EnvVar(name="queue_name", value=env_value(notify.queue)))
    if notify and notify.payload is not None:
        env.append(EnvVar(name="payload", value=env_value(notify.payload)))
    container = Container(env=tuple(env), volume_mounts=profile.mounts or None)
    if notify and notify.image:
        image = profile.image(notify.image, "on_exit_notify.image")
        container = evolve(container, image=image)
    else:
        image = runtime_image(profile, known.runtime_image, "the exit notice")
        container = evolve(container, image=image, command=RUNTIME_COMMAND, args=("notify",))
    return Template(
        name=EXIT_HANDLER,
        container=container,
        metadata=Metadata(labels=labels) if labels else None,
    )


def _spec(
    op: ContainerizedOperation,
    profile: Profile,
    known: Submission,
    storage: Storage,
    placement: _Placement,
    templates: tuple[Template, ...],
) -> WorkflowSpec:
    claim_templates = storage.claim_templates
    spec = WorkflowSpec(
        arguments=_reply_client(templates),
        entrypoint=op.entrypoint,
        templates=templates,
        on_exit=EXIT_HANDLER if templates[-1].name == EXIT_HANDLER else None,
        service_account_name=op.service_account or profile.service_account,
        image_pull_secrets=profile.image_pull_secrets or None,
        tolerations=profile.tolerations or None,
        affinity=placement.affinity(placement.shared_claims),
        volumes=(*profile.volumes, *storage.volumes) or None,
        volume_claim_templates=claim_templates or None,
        volume_claim_gc=_CLAIM_GC if claim_templates else None,
        ttl_strategy=op.ttl_strategy,
        pod_gc=pod_gc_of(op.pod_gc, op.ttl_strategy),
        parallelism=op.parallelism,
        priority=op.priority,
        active_deadline_seconds=_sooner(op.active_deadline, known.deadline),
    )
    if op.spec_overrides is not EMPTY:
        overrides: Mapping[str, Any] = thaw(op.spec_overrides)
        spec = deep_merge(spec, overrides, "spec_overrides")
    return spec


def _reply_client(templates: tuple[Template, ...]) -> Arguments | None:
    """Return what scripts need in order to send large values, if there are such scripts."""
    scripts = (template.script for template in templates if template.script)
    if not any(_VALUE_ENV[0] in (script.env or ()) for script in scripts):
        return None
    code = reply_client()
    return Arguments(parameters=(Parameter(name=PARAMETER_REPLY_CLIENT, value=code),))


def _sooner(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else min(one, other)


_CLAIM_GC = VolumeClaimGC(strategy="OnWorkflowCompletion")
