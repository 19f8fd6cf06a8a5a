"""A workflow as a record that outlives the engine, and back."""

from collections.abc import Mapping
from typing import Any

from attrs import fields

from aiowf.engine.nodes import FULFILLED, Node
from aiowf.engine.pod import Pod
from aiowf.engine.pods import PodRun
from aiowf.engine.run import Host, WorkflowRun
from aiowf.manifest import Container
from aiowf.wire import labels

_POD_DELETED = "pod deleted"
_INTERRUPTED = (
    f"{_POD_DELETED}: the engine was stopped while the workflow ran; retry runs what is left"
)
_RUN = (
    *("metadata", "spec", "labels", "given", "stored", "version", "generation", "phase", "message"),
    *("started", "finished", "revisited", "exported", "claims", "shutdown", "retried"),
)
_TABLE = ("count", "succeeded", "spent")
_NODE = tuple(
    one.name
    for one in fields(Node)
    if one.name not in ("owner", "frame", "pod", "children", "depth")
)


def record_of(run: WorkflowRun) -> dict[str, Any]:
    """Return all that is worth keeping of a workflow, as JSON data."""
    record = {name: getattr(run, name) for name in _RUN}
    record |= {name: getattr(run.table, name) for name in _TABLE}
    record["nodes"] = [_node_record(node) for node in run.nodes.values()]
    return record


def _node_record(node: Node) -> dict[str, Any]:
    record: dict[str, Any] = {name: getattr(node, name) for name in _NODE}
    record["children"] = list(node.children)
    if node.pod is not None:
        pod = node.pod.pod
        record["pod"] = {
            "name": pod.name,
            "template": pod.template_name,
            "labels": dict(pod.labels),
            "started": node.pod.started,
        }
    return record


def run_of(host: Host, record: Mapping[str, Any]) -> WorkflowRun:
    """Return a workflow from its record.

    Raises:
        KeyError, TypeError: It is no such record.
    """
    run = WorkflowRun(host, **{name: record[name] for name in _RUN})
    for name in _TABLE:
        setattr(run.table, name, record[name])
    for one in record["nodes"]:
        node = Node(owner=None, **{name: one[name] for name in _NODE})
        node.outbound = tuple(node.outbound)
        node.children = dict.fromkeys(one["children"])
        if "pod" in one:
            node.pod = _pod_of(run, node, one["pod"])
        run.nodes[node.id] = node
    return run


def _pod_of(run: WorkflowRun, node: Node, record: Mapping[str, Any]) -> PodRun:
    """Return what is known of a pod whose process and log are gone."""
    pod = Pod(
        name=record["name"],
        namespace=run.namespace,
        workflow_name=run.name,
        workflow_uid=run.metadata["uid"],
        node_id=node.id,
        template_name=record["template"],
        container=Container(),
        labels=record["labels"],
    )
    return PodRun(pod, None, (), capture_stdout=False, started=record["started"], ended=True)


def interrupt(run: WorkflowRun, now: float) -> None:
    """End a workflow whose engine was stopped while it ran."""
    for node in run.nodes.values():
        if node.phase not in FULFILLED:
            node.phase, node.finished = "Error", now
            node.message = _POD_DELETED if node.type == "Pod" else node.message
    run.phase, run.message = "Error", _INTERRUPTED
    run.started, run.finished = run.started or now, now
    run.labels = {**run.labels, labels.ARGO_COMPLETED: "true", labels.ARGO_PHASE: "Error"}
