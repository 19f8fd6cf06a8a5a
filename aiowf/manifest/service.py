"""What is stored beside workflows, and what an Argo Server is asked and answers.

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
from aiowf.manifest.kubernetes import (
    ListMeta,
    ObjectMeta,
)
from aiowf.manifest.workflow import (
    Condition,
    Workflow,
    WorkflowSpec,
)


@value
class WorkflowList:
    """A page of workflows (`io.argoproj.workflow.v1alpha1.WorkflowList`)."""

    api_version: str | None = None
    items: tuple[Workflow, ...] | None = None
    kind: str | None = None
    metadata: ListMeta | None = None
    extra: Raw | None = None


@value
class WorkflowTemplate:
    """A stored specification (`io.argoproj.workflow.v1alpha1.WorkflowTemplate`)."""

    api_version: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: WorkflowSpec | None = None
    extra: Raw | None = None


@value
class ClusterWorkflowTemplate:
    """A stored specification for all namespaces.

    Source: `io.argoproj.workflow.v1alpha1.ClusterWorkflowTemplate`.
    """

    api_version: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: WorkflowSpec | None = None
    extra: Raw | None = None


@value
class CronWorkflowSpec:
    """A schedule and what it starts (`io.argoproj.workflow.v1alpha1.CronWorkflowSpec`)."""

    concurrency_policy: str | None = None
    failed_jobs_history_limit: int | None = None
    schedules: tuple[str, ...] | None = None
    starting_deadline_seconds: int | None = None
    stop_strategy: Raw | None = None
    successful_jobs_history_limit: int | None = None
    suspend: bool | None = None
    timezone: str | None = None
    when: str | None = None
    workflow_metadata: ObjectMeta | None = None
    workflow_spec: WorkflowSpec | None = None
    extra: Raw | None = None


@value
class CronWorkflowStatus:
    """What a schedule has started (`io.argoproj.workflow.v1alpha1.CronWorkflowStatus`)."""

    active: tuple[Raw, ...] | None = None
    conditions: tuple[Condition, ...] | None = None
    failed: int | None = None
    last_scheduled_time: str | None = None
    phase: str | None = None
    succeeded: int | None = None
    extra: Raw | None = None


@value
class CronWorkflow:
    """A workflow that starts by the clock (`io.argoproj.workflow.v1alpha1.CronWorkflow`)."""

    api_version: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: CronWorkflowSpec | None = None
    status: CronWorkflowStatus | None = None
    extra: Raw | None = None


@value
class SubmitOpts:
    """Options of a submission from a template (`io.argoproj.workflow.v1alpha1.SubmitOpts`)."""

    annotations: str | None = None
    artifacts: tuple[str, ...] | None = None
    dry_run: bool | None = None
    entry_point: str | None = None
    generate_name: str | None = None
    labels: str | None = None
    name: str | None = None
    owner_reference: Raw | None = None
    parameters: tuple[str, ...] | None = None
    pod_priority_class_name: str | None = None
    priority: int | None = None
    server_dry_run: bool | None = None
    service_account: str | None = None
    extra: Raw | None = None


@value
class WorkflowCreateRequest:
    """Body of the creation of a workflow.

    Source: `io.argoproj.workflow.v1alpha1.WorkflowCreateRequest`.
    """

    create_options: Raw | None = None
    instance_id: str | None = named("instanceID")
    namespace: str | None = None
    server_dry_run: bool | None = None
    workflow: Workflow | None = None
    extra: Raw | None = None


@value
class WorkflowSubmitRequest:
    """Body of a submission from a template.

    Source: `io.argoproj.workflow.v1alpha1.WorkflowSubmitRequest`.
    """

    namespace: str | None = None
    resource_kind: str | None = None
    resource_name: str | None = None
    submit_options: SubmitOpts | None = None
    extra: Raw | None = None


@value
class WorkflowLintRequest:
    """Body of a lint request (`io.argoproj.workflow.v1alpha1.WorkflowLintRequest`)."""

    namespace: str | None = None
    workflow: Workflow | None = None
    extra: Raw | None = None


@value
class LogEntry:
    """One line of a log and its pod (`io.argoproj.workflow.v1alpha1.LogEntry`)."""

    content: str | None = None
    pod_name: str | None = None
    extra: Raw | None = None


@value
class WorkflowWatchEvent:
    """One change of a workflow (`io.argoproj.workflow.v1alpha1.WorkflowWatchEvent`)."""

    object: Workflow | None = None
    type: str | None = None
    extra: Raw | None = None


@value
class InfoResponse:
    """What a server says of its configuration (`io.argoproj.workflow.v1alpha1.InfoResponse`)."""

    columns: tuple[Raw, ...] | None = None
    links: tuple[Raw, ...] | None = None
    managed_namespace: str | None = None
    modals: Mapping[str, bool] | None = None
    nav_color: str | None = None
    extra: Raw | None = None


@value
class Version:
    """Version of a server (`io.argoproj.workflow.v1alpha1.Version`)."""

    build_date: str | None = None
    compiler: str | None = None
    git_commit: str | None = None
    git_tag: str | None = None
    git_tree_state: str | None = None
    go_version: str | None = None
    platform: str | None = None
    version: str | None = None
    extra: Raw | None = None


@value
class GetUserInfoResponse:
    """Whom a server takes the caller for (`io.argoproj.workflow.v1alpha1.GetUserInfoResponse`)."""

    email: str | None = None
    email_verified: bool | None = None
    groups: tuple[str, ...] | None = None
    issuer: str | None = None
    name: str | None = None
    service_account_name: str | None = None
    service_account_namespace: str | None = None
    subject: str | None = None
    extra: Raw | None = None
