"""The tree of a workflow's nodes, and the lines that a terminal shows of it."""

from typing import Any

import pytest

from aiowf.display.progress import lines, still
from aiowf.display.text import width_of
from aiowf.display.tree import Row, fit, parse_time, rows_of
from aiowf.manifest import Workflow, structure

T = "2026-11-23T10:00:{:02d}Z"


def node(id: str, type: str = "Pod", **more: Any) -> dict[str, Any]:
    """A node as Argo tells it."""
    return {"id": id, "name": id, "displayName": id, "type": type, "phase": "Succeeded", **more}


def workflow(*nodes: dict[str, Any], **status: Any) -> Workflow:
    """A workflow with these nodes."""
    told = {"nodes": {each["id"]: each for each in nodes}, **status}
    return structure({"metadata": {"name": "wf"}, "status": told}, Workflow)


def shape(value: Workflow) -> list[tuple[int, str]]:
    """Depth and label of each row."""
    return [(row.depth, row.label) for row in rows_of(value)]


def test_groups_are_left_out_and_children_stand_below_their_template() -> None:
    """Steps groups are order, not work; the exit handler comes last; items count as numbers."""
    value = workflow(
        node("wf.onExit", startedAt=T.format(0)),
        node("wf", "Steps", startedAt=T.format(1)),
        node("wf[0]", "StepGroup", boundaryID="wf"),
        node("item(10)", boundaryID="wf", startedAt=T.format(2)),
        node("item(9)", boundaryID="wf", startedAt=T.format(2)),
        node("sub", "DAG", boundaryID="wf", startedAt=T.format(3)),
        node("deep", boundaryID="sub", startedAt=T.format(4)),
    )
    expected = [
        (0, "wf"),
        (1, "item(9)"),
        (1, "item(10)"),
        (1, "sub"),
        (2, "deep"),
        (0, "wf.onExit"),
    ]
    assert expected == shape(value)
    assert [False, True, True, False, True, True] == [row.is_work for row in rows_of(value)]


def test_one_attempt_is_its_task_and_several_stand_below_it() -> None:
    """A single attempt lends its phase and message: there the reason of what is pending stands."""
    attempt = node("a(0)", phase="Pending", message="ErrImagePull: x", nodeFlag={"retried": True})
    value = workflow(node("a", "Retry", phase="Running", children=["a(0)"]), attempt)
    (row,) = rows_of(value)
    assert ("a", "Pending", "ErrImagePull: x") == (row.label, row.phase, row.message)
    value = workflow(
        node("a", "Retry", children=["a(0)", "a(1)"]),
        node("a(0)", phase="Failed", nodeFlag={"retried": True}),
        node("a(1)", nodeFlag={"retried": True}),
    )
    assert [(0, "a"), (1, "a(0)"), (1, "a(1)")] == shape(value)


def test_before_there_are_nodes_the_workflow_is_shown() -> None:
    """Pending without a word, or with what Argo says."""
    assert [("wf", "Pending", "")] == [
        (row.label, row.phase, row.message) for row in rows_of(workflow())
    ]
    assert "no" == rows_of(workflow(phase="Error", message="no"))[0].message


def test_nodes_in_a_circle_are_shown_all_the_same() -> None:
    """A server that talks nonsense does not hang the terminal."""
    value = workflow(
        node("a", boundaryID="b"), node("b", boundaryID="a"), node("c", boundaryID="c")
    )
    assert {"a", "b", "c"} == {label for _, label in shape(value)}


def test_what_matters_is_shown_where_there_is_no_room() -> None:
    """Failures, what runs and what waits come before what is done; the rest is counted."""
    rows = [Row(key=str(n), depth=1, label=str(n), phase="Succeeded") for n in range(300)]
    rows[7] = Row(key="7", depth=1, label="7", phase="Failed")
    rows[200] = Row(key="200", depth=1, label="200", phase="Running")
    top = Row(key="top", depth=0, label="top", phase="Running", is_work=False)
    shown, rest = fit([top, *rows], 5)
    assert ["top", "7", "200", "299"] == [row.label for row in shown]
    assert "… and 297 more: 297 Succeeded" == rest
    assert ([top], "") == fit([top], 5)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_fit_their_terminal(width: int) -> None:
    """Long names and messages are cut, wide characters counted, escapes shown."""
    rows = [
        Row(key="a", depth=0, label="short", phase="Running"),
        Row(key="b", depth=1, label="name-" * 30, phase="Pending", message="Unschedulable: " * 30),
        Row(key="c", depth=2, label="宽" * 30, phase="Failed", message="\x1b[2J 宽" * 30),
        Row(key="d", depth=2, label="x", phase="Unheard"),
    ]
    drawn = [line.plain for line in lines(rows, width, spent=lambda row: "2h5m")]
    assert all(width_of(line) <= width for line in drawn)
    assert not any("\x1b" in line for line in drawn)
    assert "? x" in drawn[3]
    assert all("2h5m" in line for line in drawn)


def test_a_still_picture_has_the_servers_times() -> None:
    """The duration is from begin to end; what waits has none; the reason stands behind."""
    times = {"startedAt": T.format(1), "finishedAt": T.format(13)}
    value = workflow(
        node("wf", "DAG", **times),
        node("b", phase="Pending", message="no room", boundaryID="wf", startedAt=T.format(2)),
    )
    first, second = [line.plain for line in still(value, 80)]
    assert first.split() == ["✓", "wf", "12s"]
    assert second.split() == ["○", "b", "no", "room"]


def test_times_that_are_none() -> None:
    """Absent, empty and broken times are no time; one without a zone is UTC."""
    assert [None, None, None] == [parse_time(text) for text in (None, "", "soon")]
    found = parse_time("2026-01-01T00:00:00")
    assert found is not None
    assert found.tzinfo is not None
