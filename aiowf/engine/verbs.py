"""What can be done to a workflow that runs: suspend, resume, stop, terminate, set."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from aiowf.engine.nodes import Node
from aiowf.engine.normalise import member
from aiowf.engine.refusal import Refusal, internal, invalid
from aiowf.engine.run import WorkflowRun
from aiowf.engine.selectors import field_requirements

Body = Mapping[str, Any]
_SETTABLE = frozenset({"Succeeded", "Failed", "Error"})


def _suspend(run: WorkflowRun, _: Body) -> None:
    if run.finished is not None:
        raise invalid("timed out waiting for the condition: cannot suspend completed workflows")
    if not run.spec.get("suspend"):
        run.act(lambda: _set_suspended(run, suspended=True))


def _set_suspended(run: WorkflowRun, *, suspended: bool) -> None:
    spec = {key: value for key, value in run.spec.items() if key != "suspend"}
    run.spec = {**spec, "suspend": True} if suspended else spec


def _resume(run: WorkflowRun, body: Body) -> None:
    selector = text_of(body, "nodeFieldSelector")
    if run.finished is not None:
        return
    nodes = _suspended(run, selector)
    if selector:
        _required(nodes, selector)
    for node in nodes:
        _require_outputs(node)

    def resume() -> None:
        if not selector:
            _set_suspended(run, suspended=False)
        for node in nodes:
            _supply_defaults(node)
            run.settle(node, "Succeeded", node.message)

    run.act(resume)


def _stop(run: WorkflowRun, body: Body) -> None:
    selector, message = text_of(body, "nodeFieldSelector"), text_of(body, "message")
    if not selector:
        _shut_down(run, "Stop")
        return
    nodes = _required(_suspended(run, selector), selector)

    def stop() -> None:
        for node in nodes:
            run.settle(node, "Failed", message)

    run.act(stop)


def _terminate(run: WorkflowRun, _: Body) -> None:
    _shut_down(run, "Terminate")


def _shut_down(run: WorkflowRun, strategy: str) -> None:
    if run.finished is not None:
        raise internal(
            f'cannot shutdown a completed workflow: workflow: "{run.name}", '
            f'namespace: "{run.namespace}"'
        )
    run.shut_down(strategy)


def _set(run: WorkflowRun, body: Body) -> None:
    selector, message = text_of(body, "nodeFieldSelector"), text_of(body, "message")
    phase, outputs = text_of(body, "phase"), _outputs(text_of(body, "outputParameters"))
    if not selector:
        raise internal(
            "'set' currently only targets suspend nodes, use a node field selector to target them"
        )
    if phase and phase not in _SETTABLE:
        raise invalid(f"{phase} is an invalid phase to set to")
    nodes = _required(_suspended(run, selector), selector)
    for node in nodes:
        _check_expected(node, outputs)

    def change() -> None:
        for node in nodes:
            node.message = message or node.message
            for name, value in outputs.items():
                _supply(node, name, value)
            if phase:
                run.settle(node, phase, node.message)

    run.act(change)


def text_of(body: Body, name: str) -> str:
    """Return a member of a request that is a text, or "".

    Raises:
        Refusal: It is something else.
    """
    value = member(body, name)
    if value is not None and not isinstance(value, str):
        kind = {dict: "object", list: "array", bool: "bool"}.get(type(value), "number")
        raise invalid(
            f"json: cannot unmarshal {kind} into Go struct field "
            f"WorkflowSetRequest.{name} of type string"
        )
    return value or ""


def _outputs(text: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        outputs = orjson.loads(text)
    except ValueError as error:
        raise invalid(f"unable to parse output parameter set request: {error}") from None
    for value in outputs.values() if isinstance(outputs, dict) else [outputs]:
        if not isinstance(value, str):
            kind = {dict: "object", list: "array", bool: "bool"}.get(type(value), "number")
            raise invalid(
                "unable to parse output parameter set request: "
                f"json: cannot unmarshal {kind} into Go value of type string"
            )
    return dict(outputs)


def _suspended(run: WorkflowRun, selector: str) -> list[Node]:
    """The suspend nodes that wait, and that a field selector chooses."""
    return [n for n in choose(run, selector) if n.type == "Suspend" and not n.fulfilled]


def choose(run: WorkflowRun, selector: str) -> list[Node]:
    """Return the nodes that a field selector chooses.

    Raises:
        Refusal: It cannot be read.
    """
    try:
        requirements = field_requirements(selector)
    except Refusal as refusal:
        raise internal(refusal.message) from None
    return [node for node in run.nodes.values() if _chosen(node, requirements)]


def _chosen(node: Node, requirements: list[tuple[str, str, str]]) -> bool:
    facts = {
        "id": node.id,
        "name": node.name,
        "displayName": node.display_name,
        "templateName": node.template or "",
        "phase": node.phase,
    }
    for parameter in (node.inputs or {}).get("parameters") or ():
        facts[f"inputs.parameters.{parameter['name']}.value"] = parameter.get("value", "")
    return all((facts.get(name) == value) == (how == "=") for name, how, value in requirements)


def _required(nodes: list[Node], selector: str) -> list[Node]:
    if not nodes:
        raise internal(
            "currently, set only targets suspend nodes: "
            f"no suspend nodes matching nodeFieldSelector: {selector}"
        )
    return nodes


def _parameters(node: Node) -> list[dict[str, Any]]:
    return list((node.outputs or {}).get("parameters") or ())


def _require_outputs(node: Node) -> None:
    """Refuse to resume a node whose outputs are neither supplied nor have defaults."""
    for parameter in _parameters(node):
        source = parameter.get("valueFrom") or {}
        if "supplied" in source and source.get("default") is None:
            raise internal(
                f"raw output parameter '{parameter['name']}' has not been set and does not have "
                "a default value"
            )


def _supply_defaults(node: Node) -> None:
    for parameter in _parameters(node):
        if "value" not in parameter and parameter.get("valueFrom"):
            _supply(node, parameter["name"], parameter["valueFrom"].get("default", ""))


def _check_expected(node: Node, outputs: Mapping[str, str]) -> None:
    expected = {parameter["name"] for parameter in _parameters(node)}
    for name in outputs:
        if name not in expected:
            raise internal(f"node is not expecting output parameter '{name}'")


def _supply(node: Node, name: str, value: str) -> None:
    node.outputs = {
        "parameters": [
            _supplied(parameter, value) if parameter["name"] == name else parameter
            for parameter in _parameters(node)
        ]
    }


def _supplied(parameter: Mapping[str, Any], value: str) -> dict[str, Any]:
    kept = {key: item for key, item in parameter.items() if key != "valueFrom"}
    return {**kept, "value": value}


VERBS: Mapping[str, Callable[[WorkflowRun, Body], None]] = {
    "suspend": _suspend,
    "resume": _resume,
    "stop": _stop,
    "terminate": _terminate,
    "set": _set,
}
