"""The status of a workflow is read as a user means it."""

import json
from pathlib import Path
from typing import Any

import pytest

from aiowf.manifest import NodeStatus, Outputs, Workflow, structure
from aiowf.wire.nodes import (
    archived_logs,
    exit_code,
    fnv1a32,
    node_id,
    output_parameters,
    pending_nodes,
    pod_name,
    pod_tasks,
    task_ends,
    task_node,
    verdict,
)

DATA = Path(__file__).parent.parent / "data" / "argo"
STATUSES: dict[str, Any] = json.loads((DATA / "http-statuses.json").read_text())


def recorded(case: str) -> Workflow:
    """Return a workflow whose status a real controller wrote."""
    return structure(STATUSES[case], Workflow)


def workflow(phase: str, message: str = "", **nodes: dict[str, Any]) -> Workflow:
    """Return a workflow named w with nodes; each has its key as id and name."""
    data = {key: {"id": key, "name": key, "type": "Pod", **node} for key, node in nodes.items()}
    status = {"phase": phase, "message": message, "nodes": data}
    return structure({"metadata": {"name": "w"}, "status": status}, Workflow)


def test_node_ids_are_argos() -> None:
    """Every node of every recorded workflow has the id that its name gives."""
    seen = {
        (node["id"], node_id(status["metadata"]["name"], node["name"]))
        for status in STATUSES.values()
        for node in status["status"]["nodes"].values()
    }
    assert {given for given, _ in seen} == {made for _, made in seen}
    assert all(given == made for given, made in seen)


def test_pod_names_are_argos() -> None:
    """Names as seen in logs; a long one keeps its hash; the root's is the workflow's."""
    assert pod_name("lg-2", "f", "lg-2[0].a") == "lg-2-f-3394571182"
    assert pod_name("lg-2", "g", "lg-2[0].b") == "lg-2-g-3377793563"
    assert pod_name("lg-1", "main", "lg-1") == "lg-1"
    assert pod_name("w", "", "w[0].a") == f"w-{fnv1a32('w[0].a')}"
    long = pod_name("w" * 63, "t" * 200, "x")
    assert long == ("w" * 63 + "-" + "t" * 200)[:242] + f"-{fnv1a32('x')}"


@pytest.mark.parametrize(
    ("case", "phase", "message", "node", "code", "warnings"),
    [
        ("on-exit-success", "Succeeded", "", None, None, ()),
        ("continue-on-failed", "Succeeded", "", None, None, ()),
        ("failed-step", "Failed", "main: Error (exit code 7)", "s-fail[1].bad", 7, ()),
        ("retry-strategy", "Failed", "main: Error (exit code 1)", "s-retry(2)", 1, ()),
        ("dag-omitted", "Failed", "main: Error (exit code 1)", "s-omit.a", 1, ()),
        ("suspend-node-stopped", "Failed", "refused by hand", "act-4[1].gate", None, ()),
        ("deadline-workflow", "Failed", "Step exceeded its deadline", "s-dead", None, ()),
        ("killed-by-signal", "Failed", "main: Error (exit code 137)", "s-kill", 137, ()),
        (
            "undefined-volume",
            "Error",
            "volume 'nope' not found in workflow spec",
            "s-novol",
            None,
            (),
        ),
        ("on-exit-of-a-failure", "Failed", "main: Error (exit code 2)", "s-exitf", 2, ()),
        (
            "on-exit-fails",
            "Succeeded",
            "",
            None,
            None,
            ("s-exitx.onExit Failed: main: Error (exit code 4)",),
        ),
        (
            "terminated",
            "Failed",
            "Stopped with strategy 'Terminate'; main: Error (exit code 143)",
            "act-2",
            143,
            (),
        ),
    ],
)
def test_recorded_verdicts(
    case: str,
    phase: str,
    message: str,
    node: str | None,
    code: int | None,
    warnings: tuple[str, ...],
) -> None:
    """The entry node decides; the failed node is where it began; exit handlers only warn."""
    found = verdict(recorded(case))
    assert (found.phase, found.message, found.warnings) == (phase, message, warnings)
    assert (found.node.name if found.node else None) == node
    assert (exit_code(found.node) if found.node else None) == code


def test_without_nodes_the_workflow_itself_tells() -> None:
    """A workflow that was wrong has no entry node; a cut-off one has an unfinished one."""
    assert verdict(workflow("Error", "bad spec")).message == "bad spec"
    more = verdict(
        workflow("Error", "pod deleted: why", w={"phase": "Error", "message": "pod deleted"})
    )
    assert more.message == "pod deleted: why"
    cut_off = verdict(workflow("Failed", "stopped", w={"phase": "Running"}))
    assert (cut_off.phase, cut_off.message) == ("Failed", "stopped")
    assert verdict(structure({}, Workflow)).phase == ""


def test_a_failure_after_the_work_is_a_warning() -> None:
    """The work was done, and yet the workflow failed: its message warns."""
    found = verdict(workflow("Failed", "too late", w={"phase": "Succeeded"}))
    assert (found.phase, found.warnings) == ("Succeeded", ("too late",))


def test_the_first_task_that_failed_is_told() -> None:
    """Where the parent names no child, the one that failed first counts; hooks never do."""
    inner = {"phase": "Failed", "boundaryID": "w"}
    found = verdict(
        workflow(
            "Failed",
            w={"phase": "Failed", "type": "DAG"},
            late={**inner, "finishedAt": "2026-01-01T00:00:02Z"},
            early={**inner, "finishedAt": "2026-01-01T00:00:01Z"},
            hook={**inner, "finishedAt": "2026-01-01T00:00:00Z", "nodeFlag": {"hooked": True}},
        )
    )
    assert found.node is not None
    assert found.node.name == "early"


def test_a_circle_of_children_is_left() -> None:
    """Nodes that name each other do not hold the reader."""
    found = verdict(
        workflow(
            "Failed",
            w={"phase": "Failed", "message": "child 'a' failed"},
            a={"phase": "Failed", "message": "child 'w' failed"},
        )
    )
    assert found.node is not None
    assert found.node.name == "a"


def test_a_retry_without_attempts_failed_itself() -> None:
    """A Retry node that has no failed attempt is the failed node."""
    found = verdict(workflow("Failed", w={"phase": "Failed", "type": "Retry", "children": ["x"]}))
    assert found.node is not None
    assert found.node.name == "w"


def test_stopped_without_words_is_told_in_argos_words() -> None:
    """The workflow's message stands alone where the node has none."""
    found = verdict(workflow("Failed", "Stopped with strategy 'Stop'", w={"phase": "Failed"}))
    assert found.message == "Stopped with strategy 'Stop'"


@pytest.mark.parametrize("code", ["x", None])
def test_an_exit_code_that_is_none(code: str | None) -> None:
    """What is no number is no exit code."""
    assert exit_code(NodeStatus(outputs=Outputs(exit_code=code))) is None
    assert exit_code(NodeStatus()) is None


def test_pods_that_cannot_start_are_told_with_their_reason() -> None:
    """Image and configuration errors come first; messages without a reason are told too."""
    assert pending_nodes(recorded("pending-pods"))[0].reason == "CreateContainerConfigError"
    image = pending_nodes(recorded("pending-image"))[0]
    assert (image.node, image.reason, image.can_never_start) == ("pd-2", "ErrImagePull", True)
    both = workflow(
        "Running",
        a={"phase": "Pending", "message": "Unschedulable: 0/1 nodes are available"},
        b={"phase": "Pending", "message": "ImagePullBackOff"},
        c={"phase": "Pending", "message": "waiting for a lock"},
        d={"phase": "Pending"},
    )
    assert [(each.node, each.reason) for each in pending_nodes(both)] == [
        ("b", "ImagePullBackOff"),
        ("a", "Unschedulable"),
        ("c", ""),
    ]


def test_outputs_of_a_task_are_found() -> None:
    """They are found by template or step; of a retried task, on its Retry node."""
    found = task_node(recorded("output-parameter"), "gen")
    assert found is not None
    assert output_parameters(found) == {"x": "hi"}
    retried = task_node(recorded("retry-then-success"), "main")
    assert retried is not None
    assert retried.type == "Retry"
    assert task_node(recorded("output-parameter"), "nobody") is None
    assert output_parameters(NodeStatus()) == {}


@pytest.mark.parametrize(
    ("case", "ends"),
    [
        ("failed-step", {"ok": "Succeeded", "bad": "Failed"}),
        ("retry-then-success", {"main": "Succeeded"}),
        ("on-exit-fails", {"main": "Succeeded"}),
        ("output-parameter", {"gen": "Succeeded", "use": "Succeeded"}),
    ],
)
def test_tasks_end_once(case: str, ends: dict[str, str]) -> None:
    """Attempts, groups and exit handlers are no tasks; a root is known by its template."""
    status = STATUSES[case]
    found = task_ends(status["metadata"]["name"], status["status"]["nodes"])
    assert {task: node["phase"] for task, node in found} == ends


def test_calls_that_share_a_template_are_told_apart_in_logs() -> None:
    """The task of a pod is what its parameter says."""
    parameters = {"parameters": [{"name": "task", "value": "sim-7"}]}
    pod = {"type": "Pod", "templateName": "sim-task", "inputs": parameters}
    assert {*pod_tasks(workflow("Running", pod=pod)).values()} == {"sim-7"}


def test_pods_are_known_by_both_their_names() -> None:
    """The task of a pod is found by name format v1 and v2."""
    tasks = pod_tasks(recorded("failed-step"))
    assert tasks == {
        "s-fail-2541377361": "bad",
        "s-fail-bad-2541377361": "bad",
        "s-fail-3006532607": "ok",
        "s-fail-ok-3006532607": "ok",
    }


def test_archived_logs_are_found_in_the_order_of_the_pods() -> None:
    """Only pods with the artifact main-logs have one."""
    logs = {"outputs": {"artifacts": [{"name": "main-logs"}]}}
    found = archived_logs(
        workflow(
            "Succeeded",
            b={**logs, "startedAt": "2026-01-01T00:00:02Z", "templateName": "second"},
            a={**logs, "startedAt": "2026-01-01T00:00:01Z", "templateName": "first"},
            c={"outputs": {"artifacts": [{"name": "other"}]}},
            d={},
        )
    )
    assert [(node, task) for node, _, task in found] == [("a", "first"), ("b", "second")]
