"""Operations become the requests that Argo's specification names."""

import json
from pathlib import Path

import pytest

from aiowf.errors import ConfigurationError
from aiowf.wire.requests import OPERATIONS, Request, list_query, make_request

DATA = Path(__file__).parent.parent / "data" / "argo"

# Operations of Argo's specification that are not here, and why.
LEFT_OUT = {
    "EventSourceService_": "Argo Events, another product behind the same server",
    "SensorService_": "Argo Events",
    "SyncService_": "administration of locks",
    "InfoService_CollectEvent": "statistics of the user interface",
    "WorkflowService_PodLogs": "deprecated; WorkflowLogs takes podName",
}


def test_every_operation_is_here_or_left_out_with_a_reason() -> None:
    """Methods and paths are those of the specification, and none is missing unnoticed."""
    specified = {
        name: (method, path)
        for name, method, path in json.loads((DATA / "http-operations.json").read_text())
    }
    left_out = {name for name in specified if name.startswith(tuple(LEFT_OUT))}
    assert {name: specified[name] for name in specified.keys() - left_out} == OPERATIONS


def test_a_request_is_spelt_as_the_server_reads_it() -> None:
    """Values are percent-encoded in path and query, sequences joined, booleans in lower case."""
    made = make_request(
        "WorkflowService_WatchWorkflows",
        {"namespace": "a b/c"},
        {
            **list_query(label_selector="k=v w", limit=5, bookmarks=True),
            "fields": ("result.type", "error"),
            "nothing": None,
        },
    )
    assert made.target == (
        "/api/v1/workflow-events/a%20b%2Fc?listOptions.labelSelector=k%3Dv%20w"
        "&listOptions.limit=5&listOptions.allowWatchBookmarks=true&fields=result.type,error"
    )


def test_the_youngest_workflow_can_be_asked_for() -> None:
    """The name @latest stays as it is."""
    path = {"namespace": "argo", "name": "@latest"}
    assert make_request("WorkflowService_GetWorkflow", path).target == (
        "/api/v1/workflows/argo/@latest"
    )


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_be_another_path_is_refused(name: str) -> None:
    """Such a name would reach another operation."""
    with pytest.raises(ConfigurationError, match="cannot be a name"):
        make_request("WorkflowService_GetWorkflow", {"namespace": "argo", "name": name})


def test_all_namespaces_can_be_listed_but_not_written_to() -> None:
    """An empty namespace means all, and only to a list or a watch."""
    listed = make_request("WorkflowService_ListWorkflows", {"namespace": ""})
    assert listed.path == "/api/v1/workflows/"
    with pytest.raises(ConfigurationError):
        make_request("WorkflowService_CreateWorkflow", {"namespace": ""})


@pytest.mark.parametrize(
    ("operation", "method", "is_read", "carries_manifest"),
    [
        ("WorkflowService_GetWorkflow", "GET", True, False),
        ("WorkflowService_CreateWorkflow", "POST", False, True),
        ("CronWorkflowService_LintCronWorkflow", "POST", False, True),
        ("WorkflowService_ResubmitWorkflow", "PUT", False, False),
    ],
)
def test_what_may_be_repeated_and_what_is_checked(
    operation: str, method: str, is_read: bool, carries_manifest: bool
) -> None:
    """Only GETs are repeated; only some requests can be refused for their manifest."""
    request = Request(operation, method, "/x")
    assert (request.is_read, request.carries_manifest) == (is_read, carries_manifest)


def test_a_body_is_not_shown() -> None:
    """A body may hold secrets of the user's workflow."""
    assert "secret" not in repr(Request("x", "POST", "/x", body=b"secret"))


@pytest.mark.parametrize(
    "target", ["/a b", "/a\r\nX-Evil: 1", "/a\n", "/\0", "/ä", "/\ud800", "/a#b", "a", ""]
)
def test_a_target_that_would_be_more_than_a_line_is_refused(target: str) -> None:
    """What is written into the first line of a request must not end it, nor begin another."""
    with pytest.raises(ConfigurationError, match="first line"):
        Request("x", "GET", target)


@pytest.mark.parametrize(("method", "query"), [("GET", "a=b c"), ("GET", "a\r\n"), ("GET /", "")])
def test_neither_method_nor_query_makes_another_line(method: str, query: str) -> None:
    """They stand in the first line of a request, too."""
    with pytest.raises(ConfigurationError, match="first line"):
        Request("x", method, "/w", query)
