"""The nodes of a workflow as the rows of a tree, as people think of them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from attrs import evolve, frozen

from aiowf.manifest import NodeStatus, Workflow
from aiowf.wire.events import FINAL_PHASES
from aiowf.wire.nodes import nodes_of

# Phase of a node → sign and colour.
SIGNS: Mapping[str, tuple[str, str]] = {
    "Succeeded": ("✓", "green"),
    "Failed": ("✗", "red"),
    "Error": ("✗", "red"),
    "Running": ("●", "cyan"),
    "Pending": ("○", "yellow"),
    "Skipped": ("–", "dim"),
    "Omitted": ("–", "dim"),
}
# Types of nodes that stand for the order of work alone: nobody named them.
_ORDER = frozenset({"StepGroup", "TaskGroup"})
# Types of nodes that stand for work, and not for what holds it together.
_WORK = frozenset({"Pod", "Retry", "Suspend", "HTTP", "Plugin", "Container", "Skipped"})
_DIGITS = re.compile(r"(\d+)")
# Phase → how much it is worth to be seen where there is no room for all; others come last.
_RANKS: Mapping[str, int] = {"Failed": 0, "Error": 0, "Running": 1, "Pending": 2}
_LAST = 9


@frozen(kw_only=True)
class Row:
    """One line of a tree.

    Attributes:
        key: What tells it from the others.
        depth: How many rows it stands below.
        label: Name of the node, as its author knows it.
        phase: Its phase.
        message: Why it is so, or "".
        started: When it began, or None.
        finished: When it ended, or None.
        is_work: Whether it is work, and not a group of it.
    """

    key: str
    depth: int
    label: str
    phase: str
    message: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    is_work: bool = True

    @property
    def is_over(self) -> bool:
        """Return whether nothing more happens here."""
        return self.phase in FINAL_PHASES or self.phase in ("Skipped", "Omitted")


def rows_of(workflow: Workflow) -> list[Row]:
    """Return the tree of a workflow: its entry first, and an exit handler behind it.

    Groups of steps are left out, and so is the one attempt of a task that could be tried again.
    """
    nodes = nodes_of(workflow)
    if not nodes:
        return [_row_of_workflow(workflow)]
    above = _parents(nodes)
    below: dict[str | None, list[NodeStatus]] = {}
    for id, node in nodes.items():
        if node.type not in _ORDER:
            below.setdefault(above.get(id), []).append(node)
    return list(_walk(below, None, 0))


def fit(rows: Sequence[Row], height: int) -> tuple[list[Row], str]:
    """Choose rows for a screen that has not room for all.

    Returns:
        At most so many rows, in their order: what failed, runs or waits rather than what is done;
        and what is said of the others, "" if there are none.
    """
    if len(rows) <= height:
        return list(rows), ""
    ranks = [(_rank(row), -index) for index, row in enumerate(rows)]
    shown = {-index for _, index in sorted(ranks)[: max(height - 1, 1)]}
    left = [row.phase for index, row in enumerate(rows) if index not in shown]
    counts = ", ".join(f"{left.count(phase)} {phase}" for phase in dict.fromkeys(left))
    return [rows[index] for index in sorted(shown)], f"… and {len(left)} more: {counts}"


def parse_time(text: str | None) -> datetime | None:
    """Return a time as Kubernetes writes it, or None if it is none."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def _rank(row: Row) -> int:
    return -1 if row.depth == 0 and not row.is_work else _RANKS.get(row.phase, _LAST)


def _row_of_workflow(workflow: Workflow) -> Row:
    name = (workflow.metadata.name if workflow.metadata else None) or ""
    status = workflow.status
    return Row(
        key=name,
        depth=0,
        label=name,
        phase=(status.phase if status else None) or "Pending",
        message=(status.message if status else None) or "",
        started=parse_time(status.started_at if status else None),
        finished=parse_time(status.finished_at if status else None),
    )


def _parents(nodes: Mapping[str, NodeStatus]) -> dict[str, str | None]:
    """Return node → the node below which it is shown: its template's, or that of its attempts."""
    attempts = {
        child: id
        for id, node in nodes.items()
        if node.type == "Retry"
        for child in node.children or ()
        if child in nodes and _is_attempt(nodes[child])
    }
    above: dict[str, str | None] = {}
    for id, node in nodes.items():
        parent = attempts.get(id) or node.boundary_id
        above[id] = parent if parent in nodes and parent != id else None
    for id in above:  # a workflow that names its nodes in a circle is shown all the same
        seen, at = {id}, above[id]
        while at is not None:
            if at in seen:
                above[at] = None
            seen.add(at)
            at = above[at]
    return above


def _is_attempt(node: NodeStatus) -> bool:
    return bool(node.node_flag and node.node_flag.retried)


def _walk(
    below: Mapping[str | None, Iterable[NodeStatus]], parent: str | None, depth: int
) -> Iterator[Row]:
    for node in sorted(below.get(parent, ()), key=_order):
        inside = list(below.get(node.id, ()))
        if node.type == "Retry" and len(inside) == 1:
            # The attempt knows why; what can be tried again only says that it is not, or runs.
            (attempt,) = inside
            row = _row(node, depth)
            phase = row.phase if row.is_over else attempt.phase or row.phase
            yield evolve(row, phase=phase, message=attempt.message or row.message)
        else:
            yield _row(node, depth)
            yield from _walk(below, node.id, depth + 1)


def _order(node: NodeStatus) -> tuple[bool, str, list[str]]:
    # Numbers in a name count as numbers: item 10 comes behind item 9.
    parts = [part.zfill(12) for part in _DIGITS.split(node.name or "")]
    return (node.name or "").endswith(".onExit"), node.started_at or "9", parts


def _row(node: NodeStatus, depth: int) -> Row:
    return Row(
        key=node.id or node.name or "",
        depth=depth,
        label=node.display_name or node.name or "",
        phase=node.phase or "Pending",
        message=node.message or "",
        started=parse_time(node.started_at),
        finished=parse_time(node.finished_at),
        is_work=node.type in _WORK,
    )
