"""What a workflow keeps when it is run again: its successful nodes, which are not run twice.

A retry starts the entrypoint anew. Whenever it comes to a node that is kept, that node takes its
old place at once, with all that is inside of it; everything else runs.
"""

from collections.abc import Iterable, Mapping

from attrs import define, evolve, field

from aiowf.engine.nodes import Node

# Types of nodes that have nothing inside.
_LEAVES = frozenset({"Pod", "Suspend", "Skipped"})
# Types of nodes that are made anew by what is around them; only their times are kept.
_GROUPS = frozenset({"StepGroup", "TaskGroup", "Skipped"})


@define(eq=False)
class Replay:
    """What is kept of the nodes of an earlier run.

    Attributes:
        kept: Nodes by id; each is taken once, when the new run has come to it.
        times: Groups and skipped nodes whose times are kept.
    """

    kept: dict[str, Node] = field(factory=dict)
    times: Mapping[str, Node] = field(factory=dict)
    # Id → ids of all that is inside of it.
    _inside: Mapping[str, list[str]] = field(factory=dict)

    def take(self, node_id: str) -> list[Node]:
        """Return a kept node and all that is inside of it, connected to nothing else; or []."""
        if node_id not in self.kept:
            return []
        inside = dict.fromkeys(self._inside.get(node_id, ()))
        taken = [self.kept.pop(one) for one in (node_id, *inside) if one in self.kept]
        for node in taken:
            node.children = {child: None for child in node.children if child in inside}
        return taken


def plan_replay(nodes: Mapping[str, Node], restarted: Iterable[str]) -> Replay:
    """Decide what is kept of a finished workflow.

    Whatever failed runs again, and so does what came after it; that it was allowed to fail does not
    matter. Failed attempts of a node that succeeded in the end are part of that node.

    Args:
        nodes: Its nodes by id.
        restarted: Ids of nodes that are to run again although they succeeded.
    """
    around = _surroundings(nodes)
    restarted = set(restarted)
    again = restarted | {
        one
        for one, node in nodes.items()
        if node.type in _LEAVES
        and node.phase not in ("Succeeded", "Skipped")
        and not any(_is_good_retry(nodes[outer]) for outer in around[one])
    }
    lost = _with_descendants(nodes, again)
    lost |= {outer for one in lost if nodes[one].type in _LEAVES for outer in around[one]}
    good = {
        one
        for one, node in nodes.items()
        if one not in lost and not node.on_exit and node.type not in _GROUPS
        if node.phase == "Succeeded"
    }
    kept = {
        one: node
        for one, node in nodes.items()
        if one in good or any(outer in good for outer in around[one])
    }
    times = {
        one: node
        for one, node in nodes.items()
        if node.type in _GROUPS and one not in lost and not lost.intersection(node.children)
    }
    inside: dict[str, list[str]] = {}
    for one, outers in around.items():
        for outer in outers:
            inside.setdefault(outer, []).append(one)
    return Replay(kept, times, inside)


def remains(nodes: Mapping[str, Node], replay: Replay, now: float) -> dict[str, Node]:
    """Return the nodes as they are seen before the new run has begun: none that runs again."""
    seen = {**replay.times, **replay.kept}
    for one, node in nodes.items():
        if one not in seen and node.type not in _LEAVES and not node.on_exit:
            seen[one] = evolve(
                node, phase="Running", message="", started=now, finished=None, outbound=()
            )
    for node in seen.values():
        node.children = {child: None for child in node.children if child in seen}
    return {one: seen[one] for one in nodes if one in seen}


def _is_good_retry(node: Node) -> bool:
    return node.type == "Retry" and node.phase == "Succeeded"


def _surroundings(nodes: Mapping[str, Node]) -> dict[str, tuple[str, ...]]:
    """Return the ids of the Steps, DAG and Retry nodes around each node."""
    retries = {
        attempt: node.id
        for node in nodes.values()
        if node.type == "Retry"
        for attempt in node.children
    }
    found: dict[str, tuple[str, ...]] = {}
    for one in nodes:
        chain: list[str] = []
        outer = retries.get(one) or nodes[one].boundary
        while outer in nodes:
            chain.append(outer)
            outer = retries.get(outer) or nodes[outer].boundary
        found[one] = tuple(chain)
    return found


def _with_descendants(nodes: Mapping[str, Node], ids: Iterable[str]) -> set[str]:
    found: set[str] = set()
    todo = list(ids)
    while todo:
        one = todo.pop()
        if one not in found and one in nodes:
            found.add(one)
            todo.extend(nodes[one].children)
    return found
