"""What steps and tasks may refer to, and what a steps or DAG template gives."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define, field

from aiowf.engine.clock import timestamp
from aiowf.engine.expressions import ExpressionError, evaluate, to_json, to_text
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
        ran = [node for node in nodes if node.type != "Skipped"]
        results = [(node.outputs or {}).get("result") for node in ran]
        if any(result is not None for result in results):
            self.values[f"{prefix}.result"] = to_json([result or "" for result in results])
        rows = [
            {p["name"]: p.get("value") for p in (node.outputs or {}).get("parameters") or ()}
            for node in ran
        ]
        self.values[f"{prefix}.parameters"] = to_json(rows)
        for key in dict.fromkeys(key for row in rows for key in row):
            column = [row.get(key) or "" for row in rows]
            self.values[f"{prefix}.parameters.{key}"] = to_json(column)


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
