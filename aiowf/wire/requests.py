"""Argo's operations as requests: which method, which path, which query, which body."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlencode

from attrs import field, frozen

from aiowf.errors import ConfigurationError

QueryValue = str | int | bool | Iterable[str] | None

# The name of every operation (`operationId` of Argo's swagger.json) → method and path.
OPERATIONS: Mapping[str, tuple[str, str]] = {
    "WorkflowService_ListWorkflows": ("GET", "/api/v1/workflows/{namespace}"),
    "WorkflowService_CreateWorkflow": ("POST", "/api/v1/workflows/{namespace}"),
    "WorkflowService_LintWorkflow": ("POST", "/api/v1/workflows/{namespace}/lint"),
    "WorkflowService_SubmitWorkflow": ("POST", "/api/v1/workflows/{namespace}/submit"),
    "WorkflowService_GetWorkflow": ("GET", "/api/v1/workflows/{namespace}/{name}"),
    "WorkflowService_DeleteWorkflow": ("DELETE", "/api/v1/workflows/{namespace}/{name}"),
    "WorkflowService_WorkflowLogs": ("GET", "/api/v1/workflows/{namespace}/{name}/log"),
    "WorkflowService_ResubmitWorkflow": ("PUT", "/api/v1/workflows/{namespace}/{name}/resubmit"),
    "WorkflowService_ResumeWorkflow": ("PUT", "/api/v1/workflows/{namespace}/{name}/resume"),
    "WorkflowService_RetryWorkflow": ("PUT", "/api/v1/workflows/{namespace}/{name}/retry"),
    "WorkflowService_SetWorkflow": ("PUT", "/api/v1/workflows/{namespace}/{name}/set"),
    "WorkflowService_StopWorkflow": ("PUT", "/api/v1/workflows/{namespace}/{name}/stop"),
    "WorkflowService_SuspendWorkflow": ("PUT", "/api/v1/workflows/{namespace}/{name}/suspend"),
    "WorkflowService_TerminateWorkflow": (
        "PUT",
        "/api/v1/workflows/{namespace}/{name}/terminate",
    ),
    "WorkflowService_WatchWorkflows": ("GET", "/api/v1/workflow-events/{namespace}"),
    "WorkflowService_WatchEvents": ("GET", "/api/v1/stream/events/{namespace}"),
    "WorkflowTemplateService_ListWorkflowTemplates": (
        "GET",
        "/api/v1/workflow-templates/{namespace}",
    ),
    "WorkflowTemplateService_CreateWorkflowTemplate": (
        "POST",
        "/api/v1/workflow-templates/{namespace}",
    ),
    "WorkflowTemplateService_LintWorkflowTemplate": (
        "POST",
        "/api/v1/workflow-templates/{namespace}/lint",
    ),
    "WorkflowTemplateService_GetWorkflowTemplate": (
        "GET",
        "/api/v1/workflow-templates/{namespace}/{name}",
    ),
    "WorkflowTemplateService_UpdateWorkflowTemplate": (
        "PUT",
        "/api/v1/workflow-templates/{namespace}/{name}",
    ),
    "WorkflowTemplateService_DeleteWorkflowTemplate": (
        "DELETE",
        "/api/v1/workflow-templates/{namespace}/{name}",
    ),
    "ClusterWorkflowTemplateService_ListClusterWorkflowTemplates": (
        "GET",
        "/api/v1/cluster-workflow-templates",
    ),
    "ClusterWorkflowTemplateService_CreateClusterWorkflowTemplate": (
        "POST",
        "/api/v1/cluster-workflow-templates",
    ),
    "ClusterWorkflowTemplateService_LintClusterWorkflowTemplate": (
        "POST",
        "/api/v1/cluster-workflow-templates/lint",
    ),
    "ClusterWorkflowTemplateService_GetClusterWorkflowTemplate": (
        "GET",
        "/api/v1/cluster-workflow-templates/{name}",
    ),
    "ClusterWorkflowTemplateService_UpdateClusterWorkflowTemplate": (
        "PUT",
        "/api/v1/cluster-workflow-templates/{name}",
    ),
    "ClusterWorkflowTemplateService_DeleteClusterWorkflowTemplate": (
        "DELETE",
        "/api/v1/cluster-workflow-templates/{name}",
    ),
    "CronWorkflowService_ListCronWorkflows": ("GET", "/api/v1/cron-workflows/{namespace}"),
    "CronWorkflowService_CreateCronWorkflow": ("POST", "/api/v1/cron-workflows/{namespace}"),
    "CronWorkflowService_LintCronWorkflow": ("POST", "/api/v1/cron-workflows/{namespace}/lint"),
    "CronWorkflowService_GetCronWorkflow": ("GET", "/api/v1/cron-workflows/{namespace}/{name}"),
    "CronWorkflowService_UpdateCronWorkflow": (
        "PUT",
        "/api/v1/cron-workflows/{namespace}/{name}",
    ),
    "CronWorkflowService_DeleteCronWorkflow": (
        "DELETE",
        "/api/v1/cron-workflows/{namespace}/{name}",
    ),
    "CronWorkflowService_ResumeCronWorkflow": (
        "PUT",
        "/api/v1/cron-workflows/{namespace}/{name}/resume",
    ),
    "CronWorkflowService_SuspendCronWorkflow": (
        "PUT",
        "/api/v1/cron-workflows/{namespace}/{name}/suspend",
    ),
    "ArchivedWorkflowService_ListArchivedWorkflows": ("GET", "/api/v1/archived-workflows"),
    "ArchivedWorkflowService_ListArchivedWorkflowLabelKeys": (
        "GET",
        "/api/v1/archived-workflows-label-keys",
    ),
    "ArchivedWorkflowService_ListArchivedWorkflowLabelValues": (
        "GET",
        "/api/v1/archived-workflows-label-values",
    ),
    "ArchivedWorkflowService_GetArchivedWorkflow": ("GET", "/api/v1/archived-workflows/{uid}"),
    "ArchivedWorkflowService_DeleteArchivedWorkflow": (
        "DELETE",
        "/api/v1/archived-workflows/{uid}",
    ),
    "ArchivedWorkflowService_ResubmitArchivedWorkflow": (
        "PUT",
        "/api/v1/archived-workflows/{uid}/resubmit",
    ),
    "ArchivedWorkflowService_RetryArchivedWorkflow": (
        "PUT",
        "/api/v1/archived-workflows/{uid}/retry",
    ),
    "EventService_ReceiveEvent": ("POST", "/api/v1/events/{namespace}/{discriminator}"),
    "EventService_ListWorkflowEventBindings": (
        "GET",
        "/api/v1/workflow-event-bindings/{namespace}",
    ),
    "InfoService_GetInfo": ("GET", "/api/v1/info"),
    "InfoService_GetVersion": ("GET", "/api/v1/version"),
    "InfoService_GetUserInfo": ("GET", "/api/v1/userinfo"),
    "ArtifactService_GetOutputArtifact": (
        "GET",
        "/artifacts/{namespace}/{name}/{nodeId}/{artifactName}",
    ),
    "ArtifactService_GetOutputArtifactByUID": (
        "GET",
        "/artifacts-by-uid/{uid}/{nodeId}/{artifactName}",
    ),
    "ArtifactService_GetInputArtifact": (
        "GET",
        "/input-artifacts/{namespace}/{name}/{nodeId}/{artifactName}",
    ),
    "ArtifactService_GetInputArtifactByUID": (
        "GET",
        "/input-artifacts-by-uid/{uid}/{nodeId}/{artifactName}",
    ),
    "ArtifactService_GetArtifactFile": (
        "GET",
        "/artifact-files/{namespace}/{idDiscriminator}/{id}/{nodeId}"
        "/{artifactDiscriminator}/{artifactName}",
    ),
}

# Values that stand in a path as they are: almost all.
_PLAIN = re.compile(r"[a-z0-9][a-z0-9.-]*").fullmatch
# A method and a target as they go over the line: what else it held would be taken for more lines.
_LINE = re.compile(r"[A-Z]+ /[!\"$-~]*").fullmatch
# An empty namespace means all of them, and only these operations can be asked that.
_ALL_NAMESPACES = ("_List", "_Watch")


@frozen
class Request:
    """A request to an Argo Server, apart from where the server is and who asks.

    Attributes:
        operation: Name of the operation, a key of `OPERATIONS`.
        method: HTTP method.
        path: Path, percent-encoded, beginning with "/".
        query: Query, percent-encoded, without "?"; "" for none.
        body: JSON in UTF-8, or None.

    Raises:
        ConfigurationError: Method or target cannot stand in the first line of a request.
    """

    operation: str
    method: str
    path: str
    query: str = ""
    body: bytes | None = field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        line = f"{self.method} {self.target}"
        if not _LINE(line):
            raise ConfigurationError(
                f"{line!r:.200} cannot stand in the first line of a request: method and path, with "
                "nothing but printable ASCII",
                hint="urllib.parse.quote writes any text so.",
            )

    @property
    def target(self) -> str:
        """Return path and query as they stand in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def is_read(self) -> bool:
        """Return whether asking twice does no harm."""
        return self.method == "GET"

    @property
    def carries_manifest(self) -> bool:
        """Return whether the server checks a manifest to answer this."""
        _, _, verb = self.operation.partition("_")
        return verb.startswith(("Create", "Lint", "Update", "Submit"))


def make_request(
    operation: str,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, QueryValue] | None = None,
    body: bytes | None = None,
) -> Request:
    """Make the request of an operation.

    Args:
        operation: A key of `OPERATIONS`.
        path: The values of the path's parameters.
        query: The query's parameters; None leaves one out, a sequence is joined by commas.
        body: JSON in UTF-8.

    Raises:
        ConfigurationError: A value cannot stand in a path.
    """
    method, place = OPERATIONS[operation]
    if path:
        place = place.format_map(
            {name: _segment(operation, name, text) for name, text in path.items()}
        )
    return Request(operation, method, place, _query(query) if query else "", body)


def list_query(
    *,
    label_selector: str | None = None,
    field_selector: str | None = None,
    limit: int | None = None,
    offset: str | None = None,
    resource_version: str | None = None,
    bookmarks: bool | None = None,
    timeout_seconds: int | None = None,
) -> dict[str, QueryValue]:
    """Return Kubernetes' list options as Argo's query parameters."""
    options: dict[str, QueryValue] = {
        "labelSelector": label_selector,
        "fieldSelector": field_selector,
        "limit": limit,
        "continue": offset,
        "resourceVersion": resource_version,
        "allowWatchBookmarks": bookmarks,
        "timeoutSeconds": timeout_seconds,
    }
    return {f"listOptions.{name}": item for name, item in options.items() if item is not None}


def _segment(operation: str, name: str, text: str) -> str:
    if _PLAIN(text):
        return text
    if text == "" and name == "namespace" and any(word in operation for word in _ALL_NAMESPACES):
        return ""
    if text in ("", ".", ".."):
        raise ConfigurationError(f"{text!r} cannot be a {name}", where=name)
    return quote(text, safe="@:")


def _query(query: Mapping[str, QueryValue]) -> str:
    pairs = [(name, _text(item)) for name, item in query.items() if item is not None]
    return urlencode(pairs, quote_via=quote, safe="/,:")


def _text(item: QueryValue) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str | int):
        return str(item)
    return ",".join(item or ())
