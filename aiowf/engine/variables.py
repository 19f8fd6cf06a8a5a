"""The names that `{{workflow.…}}` knows."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aiowf.engine.clock import timestamp
from aiowf.engine.functions import to_json
from aiowf.engine.nodes import UNSUCCESSFUL

if TYPE_CHECKING:
    from aiowf.engine.run import WorkflowRun

# strftime's directives for which Argo offers a variable.
_DIRECTIVES = "aAbBcdHIjmMpSUwWxXyYZ"


def global_variables(
    metadata: Mapping[str, Any], labels: Mapping[str, str], spec: Mapping[str, Any]
) -> dict[str, str]:
    """Return what is known of a workflow when it starts."""
    created: str = metadata["creationTimestamp"]
    variables = {
        "workflow.name": metadata["name"],
        "workflow.namespace": metadata["namespace"],
        "workflow.uid": metadata["uid"],
        "workflow.mainEntrypoint": spec["entrypoint"],
        "workflow.serviceAccountName": spec.get("serviceAccountName") or "default",
        "workflow.status": "Running",
        "workflow.creationTimestamp": created,
        "workflow.creationTimestamp.RFC3339": created,
    }
    moment = datetime.fromisoformat(created)
    variables["workflow.creationTimestamp.s"] = str(int(moment.timestamp()))
    if "creationTimestamp." in str(spec):
        for directive in _DIRECTIVES:
            variables[f"workflow.creationTimestamp.{directive}"] = moment.strftime(f"%{directive}")
    if spec.get("priority") is not None:
        variables["workflow.priority"] = str(spec["priority"])
    parameters = (spec.get("arguments") or {}).get("parameters") or ()
    if parameters:
        variables["workflow.parameters"] = to_json(list(parameters))
    for parameter in parameters:
        value = parameter.get("value", parameter.get("default"))
        if value is not None:
            variables[f"workflow.parameters.{parameter['name']}"] = value
    for key, value in labels.items():
        variables[f"workflow.labels.{key}"] = value
    for key, value in (metadata.get("annotations") or {}).items():
        variables[f"workflow.annotations.{key}"] = value
    return variables


def failures(run: "WorkflowRun") -> str:
    """Return the failed pods as a quoted JSON string, as an exit handler gets them."""
    failed = [
        {
            "displayName": node.display_name,
            "message": node.message,
            "templateName": node.template or "",
            "phase": node.phase,
            "podName": node.pod.pod.name if node.pod else "",
            "finishedAt": timestamp(node.finished),
        }
        for node in run.nodes.values()
        if node.phase in UNSUCCESSFUL and node.type == "Pod"
    ]
    return to_json(to_json(failed))
