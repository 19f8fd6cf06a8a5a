"""What steps and tasks may refer to, and what a steps or DAG template gives."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from attrs import define, field

from aiowf.engine.clock import timestamp
from aiowf.engine.expressions import evaluate
from aiowf.engine.functions import ExpressionError, to_json, to_text
from aiowf.engine.nodes import Node
from aiowf.engine.plan import Bound, ExecutionError
from aiowf.engine.substitution import substitute

if TYPE_CHECKING:
    from aiowf.engine.run import WorkflowRun


@define(eq=False)
class Scope:
    """The outputs of the steps or tasks so far, by the names that `{{…}}` gives them.

    Attributes:
        prefix: "steps" or "tasks".
        values: `steps.a.outputs.result` and so on → value.
    """

    prefix: str
    values: dict[str, str] = field(factory=dict)

    def add(self, name: str, node: Node) -> None:
        """Add what one node is known by."""
        prefix = f"{self.prefix}.{name}"
        known = {
            "id": node.id,
            "status": node.phase,
            "startedAt": timestamp(node.started),
            "finishedAt": timestamp(node.finished),
            **_outputs_of(node),
        }
        for key, value in known.items():
            if value is not None:
                self.values[f"{prefix}.{key}"] = value

    def add_all(self, name: str, nodes: Sequence[Node]) -> None:
        """Add the outputs of a loop's nodes: lists, as JSON."""
        prefix = f"{self.prefix}.{name}.outputs"
        outputs = [node.outputs for node in nodes if node.outputs and node.phase == "Succeeded"]
        results = [one["result"] for one in outputs if one.get("result") is not None]
        if results:
            self.values[f"{prefix}.result"] = to_json([_item(result) for result in results])
        rows = [
            {parameter["name"]: parameter.get("value") for parameter in one["parameters"]}
            for one in outputs
            if one.get("parameters")
        ]
        self.values[f"{prefix}.parameters"] = to_json(rows)
        for key in dict.fromkeys(key for row in rows for key in row):
            self.values[f"{prefix}.parameters.{key}"] = to_json(
                _column([row[key] or "" for row in rows if key in row])
            )


def _item(text: str) -> Any:
    """Return the data of a result that is JSON; any other stays a text."""
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _column(texts: list[str]) -> list[Any]:
    """Return one parameter of a loop: as data where every value is an object or a list."""
    items = [_item(text) for text in texts]
    return items if all(isinstance(item, (dict, list)) for item in items) else texts


def _outputs_of(node: Node) -> dict[str, str | None]:
    outputs = node.outputs or {}
    known: dict[str, str | None] = {
        "outputs.result": outputs.get("result"),
        "exitCode": outputs.get("exitCode"),
        "outputs.exitCode": outputs.get("exitCode"),
    }
    for parameter in outputs.get("parameters") or ():
        known[f"outputs.parameters.{parameter['name']}"] = parameter.get("value")
    return known


def template_outputs(bound: Bound, run: "WorkflowRun", scope: Scope) -> dict[str, Any] | None:
    """Return the outputs of a steps or DAG template, taken from its children and its inputs.

    Raises:
        ExecutionError: A source has no value, and no default.
    """
    declared = (bound.data.get("outputs") or {}).get("parameters") or ()
    parameters: list[dict[str, Any]] = []
    for parameter in declared:
        value = _value(parameter, {**run.variables, **bound.values, **scope.values})
        kept = {key: item for key, item in parameter.items() if key != "valueFrom"}
        parameters.append({**kept, "value": value})
    if not parameters:
        return None
    run.export(parameters)
    return {"parameters": parameters}


def _value(parameter: Mapping[str, Any], variables: Mapping[str, str]) -> str:
    source = parameter.get("valueFrom") or {}
    if source.get("expression"):
        try:
            return to_text(evaluate(source["expression"], variables))
        except ExpressionError as error:
            if source.get("default") is None:
                raise ExecutionError(f"unable to resolve references: {error}") from None
            return str(source["default"])
    reference = source.get("parameter") or ""
    value = substitute(reference, variables)
    if "{{" not in value:
        return value
    if source.get("default") is not None:
        return str(source["default"])
    name = reference.strip("{} ")
    raise ExecutionError(f"unable to resolve references: Unable to resolve: {{{{{name}}}}}")
