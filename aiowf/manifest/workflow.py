"""A workflow: its specification and its status.

Every class is frozen, takes keywords only and names its fields as Argo does, in snake case. None
means that the field is absent. `extra` holds what a typed field cannot say: unknown fields, and
explicit nulls.
"""

from collections.abc import Mapping

from aiowf.manifest.fields import (
    Raw,
    named,
    value,
)
from aiowf.manifest.flow import (
    Arguments,
    Inputs,
    Outputs,
)
from aiowf.manifest.kubernetes import (
    Affinity,
    LabelSelector,
    LocalObjectReference,
    ObjectMeta,
    PersistentVolumeClaim,
    ResourceRequirements,
    Toleration,
    Volume,
)
from aiowf.manifest.template import (
    ExecutorConfig,
    LifecycleHook,
    Metadata,
    RetryStrategy,
    Template,
    TemplateRef,
    WorkflowTemplateRef,
)


@value
class TTLStrategy:
    """Seconds after which a finished workflow is deleted.

    Source: `io.argoproj.workflow.v1alpha1.TTLStrategy`.
    """

    seconds_after_completion: int | None = None
    seconds_after_failure: int | None = None
    seconds_after_success: int | None = None
    extra: Raw | None = None


@value
class PodGC:
    """When the pods of a workflow are deleted (`io.argoproj.workflow.v1alpha1.PodGC`)."""

    delete_delay_duration: str | None = None
    label_selector: LabelSelector | None = None
    strategy: str | None = None
    extra: Raw | None = None


@value
class VolumeClaimGC:
    """When the claims of a workflow are deleted (`io.argoproj.workflow.v1alpha1.VolumeClaimGC`)."""

    strategy: str | None = None
    extra: Raw | None = None


@value
class LabelValueFrom:
    """An expression that computes a label (`io.argoproj.workflow.v1alpha1.LabelValueFrom`)."""

    expression: str | None = None
    extra: Raw | None = None


@value
class WorkflowMetadata:
    """Labels and annotations for a workflow made from a template.

    Source: `io.argoproj.workflow.v1alpha1.WorkflowMetadata`.
    """

    annotations: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    labels_from: Mapping[str, LabelValueFrom] | None = None
    extra: Raw | None = None


@value
class WorkflowSpec:
    """What a workflow does (`io.argoproj.workflow.v1alpha1.WorkflowSpec`)."""

    active_deadline_seconds: int | None = None
    affinity: Affinity | None = None
    archive_logs: bool | None = None
    arguments: Arguments | None = None
    artifact_gc: Raw | None = named("artifactGC")
    artifact_repository_ref: Raw | None = None
    automount_service_account_token: bool | None = None
    dns_config: Raw | None = None
    dns_policy: str | None = None
    entrypoint: str | None = None
    executor: ExecutorConfig | None = None
    executor_plugins: tuple[Raw, ...] | None = None
    hooks: Mapping[str, LifecycleHook] | None = None
    host_aliases: tuple[Raw, ...] | None = None
    host_network: bool | None = None
    image_pull_secrets: tuple[LocalObjectReference, ...] | None = None
    metrics: Raw | None = None
    node_selector: Mapping[str, str] | None = None
    on_exit: str | None = None
    parallelism: int | None = None
    pod_disruption_budget: Raw | None = None
    pod_gc: PodGC | None = named("podGC")
    pod_metadata: Metadata | None = None
    pod_priority_class_name: str | None = None
    pod_resources: ResourceRequirements | None = None
    pod_spec_patch: str | None = None
    priority: int | None = None
    resource_claims: tuple[Raw, ...] | None = None
    retry_strategy: RetryStrategy | None = None
    scheduler_name: str | None = None
    security_context: Raw | None = None
    service_account_name: str | None = None
    shutdown: str | None = None
    suspend: bool | None = None
    synchronization: Raw | None = None
    template_defaults: Template | None = None
    templates: tuple[Template, ...] | None = None
    tolerations: tuple[Toleration, ...] | None = None
    ttl_strategy: TTLStrategy | None = None
    volume_claim_gc: VolumeClaimGC | None = named("volumeClaimGC")
    volume_claim_templates: tuple[PersistentVolumeClaim, ...] | None = None
    volumes: tuple[Volume, ...] | None = None
    workflow_metadata: WorkflowMetadata | None = None
    workflow_template_ref: WorkflowTemplateRef | None = None
    extra: Raw | None = None


@value
class Condition:
    """One observation about an object (`io.argoproj.workflow.v1alpha1.Condition`)."""

    message: str | None = None
    status: str | None = None
    type: str | None = None
    extra: Raw | None = None


@value
class NodeFlag:
    """Whether a node is a hook or a retry (`io.argoproj.workflow.v1alpha1.NodeFlag`)."""

    hooked: bool | None = None
    retried: bool | None = None
    extra: Raw | None = None


@value
class NodeStatus:
    """State of one node: a pod, a group of steps, a retry, ….

    Source: `io.argoproj.workflow.v1alpha1.NodeStatus`.
    """

    boundary_id: str | None = named("boundaryID")
    children: tuple[str, ...] | None = None
    daemoned: bool | None = None
    display_name: str | None = None
    estimated_duration: int | None = None
    failed_pod_restarts: int | None = None
    finished_at: str | None = None
    host_node_name: str | None = None
    id: str | None = None
    inputs: Inputs | None = None
    memoization_status: Raw | None = None
    message: str | None = None
    name: str | None = None
    node_flag: NodeFlag | None = None
    outbound_nodes: tuple[str, ...] | None = None
    outputs: Outputs | None = None
    phase: str | None = None
    pod_ip: str | None = named("podIP")
    progress: str | None = None
    resources_duration: Mapping[str, int] | None = None
    restarting_pod_uid: str | None = named("restartingPodUID")
    started_at: str | None = None
    synchronization_status: Raw | None = None
    task_result_synced: bool | None = None
    template_name: str | None = None
    template_ref: TemplateRef | None = None
    template_scope: str | None = None
    type: str | None = None
    extra: Raw | None = None


@value
class WorkflowStatus:
    """State of a workflow and of all its nodes (`io.argoproj.workflow.v1alpha1.WorkflowStatus`)."""

    artifact_gc_status: Raw | None = named("artifactGCStatus")
    artifact_repository_ref: Raw | None = None
    compressed_nodes: str | None = None
    conditions: tuple[Condition, ...] | None = None
    estimated_duration: int | None = None
    finished_at: str | None = None
    message: str | None = None
    nodes: Mapping[str, NodeStatus] | None = None
    offload_node_status_version: str | None = None
    outputs: Outputs | None = None
    persistent_volume_claims: tuple[Volume, ...] | None = None
    phase: str | None = None
    progress: str | None = None
    resources_duration: Mapping[str, int] | None = None
    started_at: str | None = None
    stored_templates: Mapping[str, Template] | None = None
    stored_workflow_template_spec: WorkflowSpec | None = None
    synchronization: Raw | None = None
    task_results_completion_status: Mapping[str, bool] | None = None
    extra: Raw | None = None


@value
class Workflow:
    """A workflow: what it is called, what it does, how it fares.

    Source: `io.argoproj.workflow.v1alpha1.Workflow`.
    """

    api_version: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: WorkflowSpec | None = None
    status: WorkflowStatus | None = None
    extra: Raw | None = None
