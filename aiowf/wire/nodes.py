"""Reading the status of a workflow: the verdict, the node that failed, what is pending, outputs."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping

from attrs import frozen

from aiowf.manifest import NodeStatus, Workflow, dumps
from aiowf.manifest.fields import Raw
from aiowf.wire.events import FINAL_PHASES
from aiowf.wire.labels import PARAMETER_TASK

# Reasons for which a container will never start unless somebody changes something.
CANNOT_START = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RegistryUnavailable",
    }
)
_TASKS = frozenset({"Pod", "Retry"})
_FAILED = frozenset({"Failed", "Error"})
_GROUPS = frozenset({"StepGroup", "TaskGroup"})
_MAX_POD_NAME = 253
_HASH_LENGTH = 10
_CHILD = re.compile(r"child '([^']+)' (?:failed|errored)")
_REASON = re.compile(r"([A-Z][A-Za-z]+)(?:: |$)")


def fnv1a32(text: str) -> int:
    """Return the 32-bit FNV-1a hash of a text in UTF-8."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def node_id(workflow_name: str, node_name: str) -> str:
    """Return the id of a node; the root, whose name is the workflow's, has it as its id too."""
    if node_name == workflow_name:
        return workflow_name
    return f"{workflow_name}-{fnv1a32(node_name)}"


def pod_name(workflow_name: str, template_name: str, node_name: str) -> str:
    """Return the name of a node's pod (Argo's format v2, the default since 3.4)."""
    if node_name == workflow_name:
        return workflow_name
    prefix = f"{workflow_name}-{template_name}" if template_name else workflow_name
    return f"{prefix[: _MAX_POD_NAME - 1 - _HASH_LENGTH]}-{fnv1a32(node_name)}"


@frozen
class Verdict:
    """How a workflow ended.

    Attributes:
        phase: "Succeeded", "Failed" or "Error": the entry node's.
        message: Why, or "".
        node: The node that failed, or None.
        warnings: What went wrong beside: in exit handlers and hooks.
    """

    phase: str
    message: str
    node: NodeStatus | None
    warnings: tuple[str, ...]


@frozen
class PendingNode:
    """A pod that does not start.

    Attributes:
        node: Display name of the node.
        reason: Kubernetes' word for it, such as "ErrImagePull"; "" if none was told.
        message: The whole message.
    """

    node: str
    reason: str
    message: str

    @property
    def can_never_start(self) -> bool:
        """Return whether waiting is in vain until image or configuration are corrected."""
        return self.reason in CANNOT_START


def nodes_of(workflow: Workflow) -> Mapping[str, NodeStatus]:
    """Return the nodes of a workflow by id."""
    nodes = (workflow.status.nodes if workflow.status else None) or {}
    if any(node is None for node in nodes.values()):  # a null, which says nothing of a node
        return {id: node for id, node in nodes.items() if node is not None}
    return nodes


def verdict(workflow: Workflow) -> Verdict:
    """Return how a workflow with a final phase ended.

    An exit handler or hook that failed makes Argo call the workflow failed, although the work was
    done; so the entry node decides. Without one (the workflow was wrong), or with one that was cut
    off, the workflow's own phase does.
    """
    status = workflow.status
    phase = (status.phase if status else None) or ""
    message = (status.message if status else None) or ""
    nodes = nodes_of(workflow)
    entry = nodes.get(_name(workflow))
    warnings = tuple(_warning(node) for node in nodes.values() if _is_hook(node) and _failed(node))
    if entry is None or entry.phase not in FINAL_PHASES:
        return Verdict(phase, message, None, warnings)
    if entry.phase == "Succeeded":
        if phase != "Succeeded" and not warnings and message:
            warnings = (message,)
        return Verdict("Succeeded", "", None, warnings)
    node = failed_node(nodes, entry)
    said = node.message or entry.message or message
    if message.startswith(f"{said}: "):
        said = message  # it says more than the node
    if message.startswith("Stopped with strategy") and message not in said:
        said = f"{message}; {said}" if said else message
    return Verdict(entry.phase, said, node, warnings)


def failed_node(nodes: Mapping[str, NodeStatus], entry: NodeStatus) -> NodeStatus:
    """Return the node in which the failure of a node began: the last attempt, not the Retry node.

    A parent names the child that failed it, or else the child that failed first is taken.
    """
    node, seen = entry, {entry.id}
    while True:
        below = _failed_child(nodes, node)
        if below is None or below.id in seen:
            return node
        seen.add(below.id)
        node = below


def exit_code(node: NodeStatus) -> int | None:
    """Return the exit code of a node's main container, or None."""
    code = node.outputs.exit_code if node.outputs else None
    try:
        return None if code is None else int(code)
    except ValueError:
        return None


def pending_nodes(workflow: Workflow) -> tuple[PendingNode, ...]:
    """Return the pods that have not started and say why; those that can never start come first."""
    pending = [
        PendingNode(node.display_name or node.name or "", _reason(node.message), node.message)
        for node in nodes_of(workflow).values()
        if node.phase == "Pending" and node.message
    ]
    return tuple(sorted(pending, key=lambda each: not each.can_never_start))


def task_node(workflow: Workflow, task: str) -> NodeStatus | None:
    """Return the node that holds the outputs of a task.

    Args:
        workflow: The workflow with its status.
        task: Name of the task: of its template, or of the step.
    """
    return task_nodes(workflow, {task}).get(task)


def task_nodes(workflow: Workflow, tasks: Container[str]) -> Mapping[str, NodeStatus]:
    """Return the nodes that hold the outputs of tasks, by the names of the tasks, in one walk."""
    found: dict[str, NodeStatus] = {}
    for node in nodes_of(workflow).values():
        if node.type in _GROUPS:
            continue
        for name in {node.template_name, node.display_name}:
            if name and name in tasks and (name not in found or _rank(node) > _rank(found[name])):
                found[name] = node
    return found


def task_ends(workflow_name: str, nodes: Mapping[str, Raw]) -> Iterator[tuple[str, Raw]]:
    """Yield the tasks that have ended, each with its node: a pod's, or that of all its attempts.

    Args:
        workflow_name: Name of the workflow.
        nodes: Its nodes as the server tells them, by id.
    """
    attempts = {
        child
        for node in nodes.values()
        if node.get("type") == "Retry"
        for child in children_of(node)
    }
    for key, node in nodes.items():
        if node.get("phase") not in FINAL_PHASES or node.get("type") not in _TASKS:
            continue
        if key not in attempts and not str(node.get("name")).endswith(".onExit"):
            name = node.get("templateName" if key == workflow_name else "displayName")
            yield str(name), node


def children_of(node: Raw) -> tuple[str, ...]:
    """Return the ids of the children of a node as the server tells it."""
    children = node.get("children")
    return tuple(map(str, children)) if isinstance(children, list) else ()


def output_parameters(node: NodeStatus) -> Mapping[str, str]:
    """Return the output parameters of a node that have a value, as text."""
    parameters = (node.outputs.parameters if node.outputs else None) or ()
    return {
        each.name: str(each.value)
        for each in parameters
        if each is not None and each.name and each.value is not None
    }


def task_names(workflow: Workflow) -> frozenset[str] | None:
    """Return the names by which tasks of a workflow can be meant, or None while nobody knows all.

    Args:
        workflow: The workflow with its spec and its nodes.
    """
    spec = workflow.spec
    ended = (workflow.status.phase if workflow.status else None) in FINAL_PHASES
    if spec is None or (not ended and b'emplateRef"' in dumps(spec)):
        return None  # what it runs stands in a WorkflowTemplate
    names = {template.name for template in spec.templates or () if template is not None}
    for node in nodes_of(workflow).values():
        names |= {node.template_name, node.display_name}
    return frozenset(name for name in names if name)


def work_names(workflow: Workflow) -> tuple[str, ...]:
    """Return the names of the tasks that do the work: no steps, no graph, and no exit handler."""
    spec = workflow.spec
    templates = [each for each in (spec and spec.templates) or () if each is not None]
    names = [each.name for each in templates if each.steps is None and each.dag is None]
    names += [node.template_name for node in _pod_nodes(workflow)]
    on_exit = spec.on_exit if spec else None
    return tuple(dict.fromkeys(name for name in names if name and name != on_exit))


def pod_tasks(workflow: Workflow) -> Mapping[str, str]:
    """Return pod name → name of the task that runs in it, in both formats of pod names."""
    return {pod: _task(node) for node in _pod_nodes(workflow) for pod in _pod_names(workflow, node)}


def archived_logs(workflow: Workflow) -> tuple[tuple[str, tuple[str, ...], str], ...]:
    """Return node id, possible pod names and task of each pod whose log is archived, in order."""
    return tuple(
        (node.id or "", _pod_names(workflow, node), _task(node))
        for node in sorted(_pod_nodes(workflow), key=lambda node: node.started_at or "")
        if any(
            each is not None and each.name == "main-logs"
            for each in (node.outputs and node.outputs.artifacts) or ()
        )
    )


def _pod_nodes(workflow: Workflow) -> Iterable[NodeStatus]:
    return (node for node in nodes_of(workflow).values() if node.type == "Pod")


def _pod_names(workflow: Workflow, node: NodeStatus) -> tuple[str, ...]:
    name = pod_name(_name(workflow), node.template_name or "", node.name or "")
    return (node.id or "", name)  # format v1, and v2


def _task(node: NodeStatus) -> str:
    for each in (node.inputs.parameters if node.inputs else None) or ():
        if each is not None and each.name == PARAMETER_TASK and each.value is not None:
            return str(each.value)  # its template is that of several tasks
    return node.template_name or node.display_name or node.name or ""


def _name(workflow: Workflow) -> str:
    return (workflow.metadata.name if workflow.metadata else None) or ""


def _failed(node: NodeStatus) -> bool:
    return node.phase in _FAILED


def _is_hook(node: NodeStatus) -> bool:
    if node.node_flag and node.node_flag.hooked:
        return True
    return not node.boundary_id and (node.name or "").endswith(".onExit")


def _warning(node: NodeStatus) -> str:
    return f"{node.display_name or node.name} {node.phase}: {node.message or 'no message'}"


def _failed_child(nodes: Mapping[str, NodeStatus], node: NodeStatus) -> NodeStatus | None:
    if node.type == "Retry":
        attempts = [nodes[child] for child in node.children or () if child in nodes]
        return attempts[-1] if attempts and _failed(attempts[-1]) else None
    named = _CHILD.search(node.message or "")
    if named and named[1] in nodes:
        return nodes[named[1]]
    return _first_to_fail(
        each
        for each in nodes.values()
        if each.boundary_id == node.id
        and _failed(each)
        and each.type not in _GROUPS
        and not _is_hook(each)
        and not (each.node_flag and each.node_flag.retried)
    )


def _first_to_fail(nodes: Iterable[NodeStatus]) -> NodeStatus | None:
    return min(nodes, key=lambda node: (node.finished_at or "9", node.name or ""), default=None)


def _rank(node: NodeStatus) -> tuple[bool, bool, bool, str]:
    # A Retry node carries the outputs of its successful attempt.
    is_whole = not (node.node_flag and node.node_flag.retried)
    has_outputs = bool(node.outputs and (node.outputs.parameters or node.outputs.result))
    return is_whole, node.phase == "Succeeded", has_outputs, node.started_at or ""


def _reason(message: str | None) -> str:
    found = _REASON.match(message or "")
    return found[1] if found else ""
