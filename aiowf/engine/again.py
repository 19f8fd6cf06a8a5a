"""Running a finished workflow again: by retry in its place, by resubmit as a new one."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiowf.engine.controller import Controller
from aiowf.engine.normalise import member
from aiowf.engine.refusal import Refusal, internal, invalid
from aiowf.engine.rendering import shown_spec
from aiowf.engine.replay import plan_replay
from aiowf.engine.run import WorkflowRun
from aiowf.engine.verbs import Body, choose, text_of
from aiowf.wire import labels

_RESUBMITTED_FROM = "workflows.argoproj.io/resubmitted-from-workflow"
# What is known of the old workflow, and is not true of the new one.
_OWN_LABELS = frozenset({labels.ARGO_PHASE, labels.ARGO_COMPLETED})


def retry(controller: Controller, run: WorkflowRun, body: Body) -> WorkflowRun:
    """Run what failed of a workflow once more.

    Raises:
        Refusal: It runs, or it succeeded and nothing says what to run again.
    """
    selector = text_of(body, "nodeFieldSelector")
    restart = bool(member(body, "restartSuccessful")) and bool(selector)
    if run.phase == "Succeeded" and not restart:
        raise invalid(
            "To retry a succeeded workflow, set the options restartSuccessful and nodeFieldSelector"
        )
    if run.phase not in ("Failed", "Error", "Succeeded"):
        raise invalid(f"Cannot retry a workflow in phase {run.phase}")
    arguments = with_parameters(run.spec.get("arguments") or {}, parameters_of(body))
    restarted = {node.id for node in choose(run, selector)} if restart else set()
    controller.retry(run, plan_replay(run.nodes, restarted), arguments)
    return run


def resubmitted(run: WorkflowRun, body: Body) -> dict[str, Any]:
    """Return a new workflow like an old one.

    Raises:
        Refusal: Nodes of the old one are to be taken over.
    """
    if member(body, "memoized"):
        raise Refusal(12, "memoized: the embedded engine resubmits all of a workflow or nothing")
    spec = {key: value for key, value in shown_spec(run).items() if key != "shutdown"}
    spec["arguments"] = with_parameters(spec.get("arguments") or {}, parameters_of(body))
    kept = {key: value for key, value in run.labels.items() if key not in _OWN_LABELS}
    metadata: dict[str, Any] = {
        "generateName": run.metadata.get("generateName") or f"{run.name}-",
        "labels": {**kept, _RESUBMITTED_FROM: run.name},
    }
    for key in ("annotations", "ownerReferences"):
        if run.metadata.get(key):
            metadata[key] = run.metadata[key]
    return {"metadata": metadata, "spec": spec}


def parameters_of(body: Body) -> dict[str, str]:
    """Return `parameters`, a list of texts NAME=VALUE, of a request.

    Raises:
        Refusal: One of them is something else.
    """
    found: dict[str, str] = {}
    listed = member(body, "parameters") or ()
    if not isinstance(listed, Iterable) or isinstance(listed, (str, Mapping)):
        raise invalid("json: cannot unmarshal parameters into Go value of type []string")
    for one in listed:
        name, equals, value = str(one).partition("=")
        if not equals:
            raise internal(f"expected parameter of the form: NAME=VALUE. Received: {one}")
        found[name] = value
    return found


def with_parameters(arguments: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Return Argo's Arguments with values for parameters, those that it has not named included."""
    if not values:
        return dict(arguments)
    left = dict(values)
    parameters = [
        {**parameter, "value": left.pop(parameter["name"])}
        if parameter["name"] in left
        else parameter
        for parameter in arguments.get("parameters") or ()
    ]
    parameters += [{"name": name, "value": value} for name, value in left.items()]
    return {**arguments, "parameters": parameters}
