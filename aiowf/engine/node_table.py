"""All nodes of one workflow, and what is counted of them."""

from typing import TYPE_CHECKING, Any

from attrs import define, field

from aiowf.engine import naming
from aiowf.engine.clock import Clock
from aiowf.engine.nodes import Node, pod_seconds
from aiowf.engine.replay import Replay, remains

if TYPE_CHECKING:
    from aiowf.engine.frames import Frame


@define(eq=False)
class NodeTable:
    """The nodes of a workflow by id, in the order of their creation.

    Attributes:
        workflow: The workflow's name.
        clock: Tells the time.
    """

    workflow: str
    clock: Clock
    by_id: dict[str, Node] = field(factory=dict)
    # Of all counted nodes: how many there are, and how many succeeded.
    count: int = 0
    succeeded: int = 0
    # Pod nodes that are not fulfilled; what the workflow's parallelism limits.
    active_pods: int = 0
    # Pods whose process has started and not ended; from the end of the workflow on, as it was then.
    running_pods: int = 0
    # Seconds of all finished pods.
    spent: float | None = None
    # Of the run before a retry: what is kept of it and not met again yet.
    replay: Replay = field(factory=Replay)

    def clear(self) -> None:
        """Forget all nodes; those that are kept come back by `take`."""
        self.by_id = {}
        self.count = self.succeeded = self.active_pods = self.running_pods = 0

    def rewind(self, replay: Replay, now: float) -> list[Node]:
        """Show the nodes as they are before another run; return those that are not kept."""
        left = [node for one, node in self.by_id.items() if one not in replay.kept]
        self.by_id = remains(self.by_id, replay, now)
        self.replay, self.spent = replay, None
        return left

    def named(self, name: str) -> Node:
        """Return the node of a name."""
        return self.by_id[naming.node_id(self.workflow, name)]

    def add(self, name: str, display_name: str, kind: str, **more: Any) -> Node:
        """Add a node of a type; `more` are further attributes of it."""
        node_id = naming.node_id(self.workflow, name)
        before = self.replay.times.get(node_id)
        node = Node(
            id=node_id,
            name=name,
            display_name=display_name,
            type=kind,
            started=self.clock.time() if before is None else before.started,
            **more,
        )
        self.by_id[node.id] = node
        self.count += node.counted
        return node

    def add_group(
        self, name: str, display_name: str, kind: str, boundary: Node, owner: "Frame"
    ) -> Node:
        """Add a StepGroup or a TaskGroup."""
        return self.add(
            name,
            display_name,
            kind,
            template=None,
            scope=boundary.inside,
            boundary=boundary.id,
            owner=owner,
            flag={},
            on_exit=boundary.on_exit,
        )

    def mark(self, node: Node, phase: str, message: str = "") -> None:
        """End a node."""
        node.phase = phase
        node.message = message
        before = self.replay.times.get(node.id)
        is_kept = before is not None and before.phase == phase
        node.finished = before.finished if before and is_kept else self.clock.time()
        if node.counted and phase == "Succeeded":
            self.succeeded += 1
        if node.pod is not None:
            self.active_pods -= 1

    def take(self, name: str) -> list[Node]:
        """Put a node of the run before a retry into its place, with all that is inside of it.

        Returns:
            These nodes, the one of that name first; none if it is not kept.
        """
        taken = self.replay.take(naming.node_id(self.workflow, name))
        for node in taken:
            self.by_id[node.id] = node
            self.count += node.counted
            self.succeeded += node.counted and node.phase == "Succeeded"
            self.spend(pod_seconds(node))
        return taken

    def spend(self, seconds: float | None) -> None:
        """Add the seconds of a finished pod; None if its process did not start."""
        if seconds is not None:
            self.spent = (self.spent or 0.0) + seconds

    def holds(self, node: Node) -> bool:
        """Return whether a node is still the workflow's: a retry makes new ones."""
        return self.by_id.get(node.id) is node
