"""A workflow as the API shows it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiowf.engine.clock import timestamp
from aiowf.engine.fields import Fields, with_empty_status
from aiowf.engine.nodes import render_nodes, resources

if TYPE_CHECKING:
    from aiowf.engine.run import WorkflowRun

_POD_NAMES = {"workflows.argoproj.io/pod-name-format": "v2"}


def render_head(run: "WorkflowRun") -> dict[str, Any]:
    """Return metadata and status without nodes; nothing in it changes later."""
    metadata = {**run.metadata, "resourceVersion": str(run.version), "generation": run.generation}
    if run.labels:
        metadata["labels"] = run.labels
    status: dict[str, Any] = {
        "startedAt": timestamp(run.started),
        "finishedAt": timestamp(run.finished),
    }
    if run.stored:
        status["storedTemplates"] = run.stored
    if run.started is None:
        return {"metadata": metadata, "status": status}
    metadata["annotations"] = {**_POD_NAMES, **(run.metadata.get("annotations") or {})}
    if run.phase:
        status["phase"] = run.phase
    status["progress"] = f"{run.table.succeeded}/{run.table.count}"
    if run.message:
        status["message"] = run.message
    if run.exported:
        status["outputs"] = {
            "parameters": [{"name": name, "value": run.exported[name]} for name in run.exported]
        }
    conditions = _conditions(run)
    if conditions:
        status["conditions"] = conditions
    if run.table.spent is not None:
        status["resourcesDuration"] = resources(run.table.spent)
    if run.claims:
        status["persistentVolumeClaims"] = [dict(claim) for claim in run.claims]
    if run.given is not None:
        status["storedWorkflowTemplateSpec"] = run.spec
    status["artifactRepositoryRef"] = {"default": True, "artifactRepository": {}}
    status["artifactGCStatus"] = {"notSpecified": True}
    return {"metadata": metadata, "status": status}


def _conditions(run: "WorkflowRun") -> list[dict[str, str]]:
    conditions = []
    if run.revisited:
        conditions.append({"type": "PodRunning", "status": str(run.table.running_pods > 0)})
    if run.finished is not None:
        conditions.append({"type": "Completed", "status": "True"})
    elif run.retried:
        conditions.append({"type": "Completed", "status": "False"})
    return conditions


def shown_spec(run: "WorkflowRun") -> Mapping[str, Any]:
    """Return the specification as it was submitted, and changed since."""
    if run.given is None:
        return run.spec
    return {**run.given, **{k: run.spec[k] for k in ("suspend", "shutdown") if k in run.spec}}


def render(
    run: "WorkflowRun",
    head: Mapping[str, Any] | None = None,
    fields: Fields | None = None,
    prefix: str = "",
) -> dict[str, Any]:
    """Return a workflow as JSON data.

    Args:
        run: The workflow.
        head: Its metadata and status at some moment; now, if None.
        fields: What is wanted; parts that are not are not rendered at all.
        prefix: Where the workflow stands in the answer, such as "result.object.".
    """
    head = head or render_head(run)
    status = head["status"]
    if run.nodes and (fields is None or fields.wants(f"{prefix}status.nodes")):
        nodes = render_nodes(run.nodes, "local/" if run.given is not None else f"local/{run.name}")
        status = {**status, "nodes": nodes}
    if fields is None or fields.wants(f"{prefix}spec"):
        return {"metadata": head["metadata"], "spec": shown_spec(run), "status": status}
    return {"metadata": head["metadata"], "status": status}


def pruned(run: "WorkflowRun", fields: Fields | None, prefix: str = "") -> dict[str, Any]:
    """Return a workflow for an answer that is no stream."""
    data = render(run, None, fields, prefix)
    if fields is None:
        return data
    return with_empty_status(fields.prune(data, prefix.rstrip(".")))
