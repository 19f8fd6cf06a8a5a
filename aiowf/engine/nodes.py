"""The nodes of a running workflow, and how Argo writes them."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field

from aiowf.engine.clock import timestamp

if TYPE_CHECKING:
    from aiowf.engine.frames import Frame
    from aiowf.engine.pods import PodRun

HOST = "embedded"

# Phases after which a node does not change any more.
FULFILLED = frozenset({"Succeeded", "Failed", "Error", "Skipped", "Omitted"})
UNSUCCESSFUL = frozenset({"Failed", "Error"})
# Phases in which a template has really run to an end.
COMPLETED = frozenset({"Succeeded", "Failed", "Error"})
# Types that count in the progress of a workflow.
_COUNTED = frozenset({"Pod", "Suspend"})


@define(eq=False, kw_only=True)
class Node:
    """One node: a pod, a pause, a group of steps, ….

    Attributes:
        id: Its id.
        name: Its full name, such as `wf[0].a(1)`.
        display_name: The last part of it.
        type: Pod, Steps, StepGroup, DAG, TaskGroup, Retry, Suspend or Skipped.
        template: Name of its template; None for groups, and where there is a reference.
        reference: The templateRef that names its template, or None.
        scope: Where its template is looked up: "", or "namespaced/…" or "cluster/…".
        inside: Where the templates of what is inside of it are looked up.
        boundary: Id of the Steps or DAG node around it, or "".
        flag: Argo's nodeFlag, where it writes one.
        on_exit: Whether it belongs to an exit handler, which runs on after a stop.
        depth: How many templates are around it, its own included.
        owner: Who is told when the node is fulfilled.
    """

    id: str
    name: str
    display_name: str
    type: str
    template: str | None
    boundary: str
    owner: "Frame | None"
    started: float
    reference: Mapping[str, Any] | None = None
    scope: str = ""
    inside: str = ""
    flag: dict[str, bool] | None = None
    on_exit: bool = False
    depth: int = 0
    # Changes at most once into one of FULFILLED, together with `finished`.
    phase: str = "Running"
    message: str = ""
    finished: float | None = None
    # Each id once, in order of connection.
    children: dict[str, None] = field(factory=dict)
    outbound: tuple[str, ...] = ()
    inputs: Mapping[str, Any] | None = None
    outputs: dict[str, Any] | None = None
    # Of a Pod node from its creation on.
    pod: "PodRun | None" = None
    # What runs the children of a Steps, DAG, TaskGroup or Retry node.
    frame: "Frame | None" = None

    @property
    def fulfilled(self) -> bool:
        """Whether the node will not change any more."""
        return self.phase in FULFILLED

    @property
    def counted(self) -> bool:
        """Whether the node counts in the progress of its workflow."""
        return self.type in _COUNTED

    def child(self, node: "Node") -> None:
        """Connect a child; once is enough."""
        self.children[node.id] = None


def outbound_of(nodes: Mapping[str, Node], node: Node) -> tuple[str, ...]:
    """Return the ids of the nodes with which a node ends, to which its successors are connected."""
    if node.type in ("Pod", "Suspend", "Skipped"):
        return (node.id,)
    if node.type == "TaskGroup":
        if not node.children:
            return (node.id,)
        return _flat(nodes, node.children)
    if node.type == "Retry" and node.children:
        return (list(node.children)[-1],)
    return _flat(nodes, node.outbound)


def _flat(nodes: Mapping[str, Node], ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(end for one in ids for end in outbound_of(nodes, nodes[one]))


def render_nodes(nodes: Mapping[str, Node], scope: str) -> dict[str, Any]:
    """Return `status.nodes`; `scope` is what Argo calls the workflow's own templates."""
    return {node.id: _render(node, nodes, scope) for node in nodes.values()}


def _render(node: Node, nodes: Mapping[str, Node], scope: str) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": node.id,
        "name": node.name,
        "displayName": node.display_name,
        "type": node.type,
    }
    if node.template is not None:
        data["templateName"] = node.template
    if node.reference is not None:
        data["templateRef"] = node.reference
    data["templateScope"] = node.scope or scope
    data["phase"] = node.phase
    if node.boundary:
        data["boundaryID"] = node.boundary
    if node.message:
        data["message"] = node.message
    data["startedAt"] = timestamp(node.started)
    data["finishedAt"] = timestamp(node.finished)
    _measures(data, node, nodes)
    if node.flag is not None:
        data["nodeFlag"] = node.flag
    if node.inputs:
        data["inputs"] = node.inputs
    if node.outputs:
        data["outputs"] = node.outputs
    if node.children:
        data["children"] = list(node.children)
    if node.outbound:
        data["outboundNodes"] = list(node.outbound)
    if node.type == "Pod":
        if node.pod is not None and node.pod.scheduled:
            data["hostNodeName"] = HOST
        data["taskResultSynced"] = node.phase != "Running"
    return data


def _measures(data: dict[str, Any], node: Node, nodes: Mapping[str, Node]) -> None:
    """Add progress and resources: a node's own, and those of all below a group."""
    if node.counted:
        data["progress"] = f"{int(node.phase == 'Succeeded')}/1"
        seconds = pod_seconds(node)
        if seconds is not None:
            data["resourcesDuration"] = resources(seconds)
        return
    done, count, spent = _below(node, nodes)
    if count:
        data["progress"] = f"{done}/{count}"
    if spent is not None:
        data["resourcesDuration"] = resources(spent)


def _below(node: Node, nodes: Mapping[str, Node]) -> tuple[int, int, float | None]:
    done = count = 0
    spent: float | None = None
    seen = set(node.children)
    todo = list(node.children)
    while todo:
        child = nodes[todo.pop()]
        if child.counted:
            count += 1
            done += child.phase == "Succeeded"
            seconds = pod_seconds(child)
            if seconds is not None:
                spent = (spent or 0.0) + seconds
        fresh = child.children.keys() - seen
        seen |= fresh
        todo.extend(fresh)
    return done, count, spent


def pod_seconds(node: Node) -> float | None:
    """Return how long the process of a finished pod ran, if it did."""
    if node.pod is None or node.pod.started is None or node.finished is None:
        return None
    return node.finished - node.pod.started


def resources(seconds: float) -> dict[str, int]:
    """Return `resourcesDuration` for the requests that Argo assumes: 0.1 CPU and 100 MiB."""
    return {"cpu": int(seconds * 0.1), "memory": int(seconds)}
