"""Templates: the units of work of a workflow.

Every class is frozen, takes keywords only and names its fields as Argo does, in snake case. None
means that the field is absent. `extra` holds what a typed field cannot say: unknown fields, and
explicit nulls.
"""

from collections.abc import Mapping
from typing import Any

from aiowf.manifest.fields import (
    Raw,
    value,
)
from aiowf.manifest.flow import (
    Arguments,
    Inputs,
    Outputs,
)
from aiowf.manifest.kubernetes import (
    Affinity,
    Container,
    EnvFromSource,
    EnvVar,
    ResourceRequirements,
    Toleration,
    Volume,
    VolumeMount,
)

# Field → Argo's name of the kinds of a template, of which there must be one.
KINDS = {
    "container": "container",
    "container_set": "containerSet",
    "dag": "dag",
    "data": "data",
    "http": "http",
    "plugin": "plugin",
    "resource": "resource",
    "script": "script",
    "steps": "steps",
    "suspend": "suspend",
}


@value
class ExecutorConfig:
    """The service account of Argo's own containers.

    Source: `io.argoproj.workflow.v1alpha1.ExecutorConfig`.
    """

    service_account_name: str | None = None
    extra: Raw | None = None


@value
class Metadata:
    """Labels and annotations of the pods of a template.

    Source: `io.argoproj.workflow.v1alpha1.Metadata`.
    """

    annotations: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    extra: Raw | None = None


@value
class ScriptTemplate:
    """A container that runs a source text (`io.argoproj.workflow.v1alpha1.ScriptTemplate`)."""

    args: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    env_from: tuple[EnvFromSource, ...] | None = None
    image: str | None = None
    image_pull_policy: str | None = None
    lifecycle: Raw | None = None
    liveness_probe: Raw | None = None
    name: str | None = None
    ports: tuple[Raw, ...] | None = None
    readiness_probe: Raw | None = None
    resize_policy: tuple[Raw, ...] | None = None
    resources: ResourceRequirements | None = None
    restart_policy: str | None = None
    restart_policy_rules: tuple[Raw, ...] | None = None
    security_context: Raw | None = None
    source: str | None = None
    startup_probe: Raw | None = None
    stdin: bool | None = None
    stdin_once: bool | None = None
    termination_message_path: str | None = None
    termination_message_policy: str | None = None
    tty: bool | None = None
    volume_devices: tuple[Raw, ...] | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None
    working_dir: str | None = None
    extra: Raw | None = None


@value
class UserContainer:
    """An init container or a sidecar (`io.argoproj.workflow.v1alpha1.UserContainer`)."""

    args: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    env_from: tuple[EnvFromSource, ...] | None = None
    image: str | None = None
    image_pull_policy: str | None = None
    lifecycle: Raw | None = None
    liveness_probe: Raw | None = None
    mirror_volume_mounts: bool | None = None
    name: str | None = None
    ports: tuple[Raw, ...] | None = None
    readiness_probe: Raw | None = None
    resize_policy: tuple[Raw, ...] | None = None
    resources: ResourceRequirements | None = None
    restart_policy: str | None = None
    restart_policy_rules: tuple[Raw, ...] | None = None
    security_context: Raw | None = None
    startup_probe: Raw | None = None
    stdin: bool | None = None
    stdin_once: bool | None = None
    termination_message_path: str | None = None
    termination_message_policy: str | None = None
    tty: bool | None = None
    volume_devices: tuple[Raw, ...] | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None
    working_dir: str | None = None
    extra: Raw | None = None


@value
class ContainerNode:
    """One container of a container set (`io.argoproj.workflow.v1alpha1.ContainerNode`)."""

    args: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    dependencies: tuple[str, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    env_from: tuple[EnvFromSource, ...] | None = None
    image: str | None = None
    image_pull_policy: str | None = None
    lifecycle: Raw | None = None
    liveness_probe: Raw | None = None
    name: str | None = None
    ports: tuple[Raw, ...] | None = None
    readiness_probe: Raw | None = None
    resize_policy: tuple[Raw, ...] | None = None
    resources: ResourceRequirements | None = None
    restart_policy: str | None = None
    restart_policy_rules: tuple[Raw, ...] | None = None
    security_context: Raw | None = None
    startup_probe: Raw | None = None
    stdin: bool | None = None
    stdin_once: bool | None = None
    termination_message_path: str | None = None
    termination_message_policy: str | None = None
    tty: bool | None = None
    volume_devices: tuple[Raw, ...] | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None
    working_dir: str | None = None
    extra: Raw | None = None


@value
class ContainerSetTemplate:
    """Several containers in one pod (`io.argoproj.workflow.v1alpha1.ContainerSetTemplate`)."""

    containers: tuple[ContainerNode, ...] | None = None
    retry_strategy: Raw | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None
    extra: Raw | None = None


@value
class TemplateRef:
    """A template of a WorkflowTemplate (`io.argoproj.workflow.v1alpha1.TemplateRef`)."""

    cluster_scope: bool | None = None
    name: str | None = None
    template: str | None = None
    extra: Raw | None = None


@value
class WorkflowTemplateRef:
    """A WorkflowTemplate that is the whole specification.

    Source: `io.argoproj.workflow.v1alpha1.WorkflowTemplateRef`.
    """

    cluster_scope: bool | None = None
    name: str | None = None
    extra: Raw | None = None


@value
class ContinueOn:
    """Whether the workflow goes on after a failure (`io.argoproj.workflow.v1alpha1.ContinueOn`)."""

    error: bool | None = None
    failed: bool | None = None
    extra: Raw | None = None


@value
class LifecycleHook:
    """A template that runs when an expression becomes true.

    Source: `io.argoproj.workflow.v1alpha1.LifecycleHook`.
    """

    arguments: Arguments | None = None
    expression: str | None = None
    template: str | None = None
    template_ref: TemplateRef | None = None
    extra: Raw | None = None


@value
class Sequence:
    """A range of numbers to loop over (`io.argoproj.workflow.v1alpha1.Sequence`)."""

    count: int | str | None = None
    end: int | str | None = None
    format: str | None = None
    start: int | str | None = None
    extra: Raw | None = None


@value
class WorkflowStep:
    """A step: a name and the template it runs (`io.argoproj.workflow.v1alpha1.WorkflowStep`)."""

    arguments: Arguments | None = None
    continue_on: ContinueOn | None = None
    hooks: Mapping[str, LifecycleHook] | None = None
    inline: "Template | None" = None
    name: str | None = None
    on_exit: str | None = None
    template: str | None = None
    template_ref: TemplateRef | None = None
    when: str | None = None
    with_items: tuple[Any, ...] | None = None
    with_param: str | None = None
    with_sequence: Sequence | None = None
    extra: Raw | None = None


@value
class DAGTask:
    """A task of a DAG: a step with dependencies (`io.argoproj.workflow.v1alpha1.DAGTask`)."""

    arguments: Arguments | None = None
    continue_on: ContinueOn | None = None
    dependencies: tuple[str, ...] | None = None
    depends: str | None = None
    hooks: Mapping[str, LifecycleHook] | None = None
    inline: "Template | None" = None
    name: str | None = None
    on_exit: str | None = None
    template: str | None = None
    template_ref: TemplateRef | None = None
    when: str | None = None
    with_items: tuple[Any, ...] | None = None
    with_param: str | None = None
    with_sequence: Sequence | None = None
    extra: Raw | None = None


@value
class DAGTemplate:
    """Tasks and their dependencies (`io.argoproj.workflow.v1alpha1.DAGTemplate`)."""

    fail_fast: bool | None = None
    target: str | None = None
    tasks: tuple[DAGTask, ...] | None = None
    extra: Raw | None = None


@value
class SuspendTemplate:
    """A pause, until resumed or for a duration.

    Source: `io.argoproj.workflow.v1alpha1.SuspendTemplate`.
    """

    duration: str | None = None
    extra: Raw | None = None


@value
class Backoff:
    """The growing wait between retries (`io.argoproj.workflow.v1alpha1.Backoff`)."""

    cap: str | None = None
    duration: str | None = None
    factor: int | str | None = None
    max_duration: str | None = None
    extra: Raw | None = None


@value
class RetryStrategy:
    """How often, and after which failures, a node is tried again.

    Source: `io.argoproj.workflow.v1alpha1.RetryStrategy`.
    """

    affinity: Raw | None = None
    backoff: Backoff | None = None
    expression: str | None = None
    limit: int | str | None = None
    retry_policy: str | None = None
    extra: Raw | None = None


@value
class Template:
    """One unit of work: exactly one of container, script, steps, dag, suspend, ….

    Source: `io.argoproj.workflow.v1alpha1.Template`.
    """

    active_deadline_seconds: int | str | None = None
    affinity: Affinity | None = None
    annotations: Mapping[str, str] | None = None
    archive_location: Raw | None = None
    automount_service_account_token: bool | None = None
    container: Container | None = None
    container_set: ContainerSetTemplate | None = None
    daemon: bool | None = None
    dag: DAGTemplate | None = None
    data: Raw | None = None
    executor: ExecutorConfig | None = None
    fail_fast: bool | None = None
    host_aliases: tuple[Raw, ...] | None = None
    http: Raw | None = None
    init_containers: tuple[UserContainer, ...] | None = None
    inputs: Inputs | None = None
    memoize: Raw | None = None
    metadata: Metadata | None = None
    metrics: Raw | None = None
    name: str | None = None
    node_selector: Mapping[str, str] | None = None
    outputs: Outputs | None = None
    parallelism: int | None = None
    pending_timeout: str | None = None
    plugin: Raw | None = None
    pod_resources: ResourceRequirements | None = None
    pod_spec_patch: str | None = None
    priority_class_name: str | None = None
    resource: Raw | None = None
    resource_claims: tuple[Raw, ...] | None = None
    retry_strategy: RetryStrategy | None = None
    scheduler_name: str | None = None
    script: ScriptTemplate | None = None
    security_context: Raw | None = None
    service_account_name: str | None = None
    sidecars: tuple[UserContainer, ...] | None = None
    steps: tuple[tuple[WorkflowStep, ...], ...] | None = None
    suspend: SuspendTemplate | None = None
    synchronization: Raw | None = None
    timeout: str | None = None
    tolerations: tuple[Toleration, ...] | None = None
    volumes: tuple[Volume, ...] | None = None
    extra: Raw | None = None
