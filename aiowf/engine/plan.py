"""Templates of one workflow, prepared to be run many times."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from attrs import define, field, frozen

from aiowf.engine.substitution import Variables, substitute, substitute_json
from aiowf.manifest import Container, ScriptTemplate, structure

KINDS = ("container", "script", "steps", "dag", "suspend")
_RESULT = re.compile(r"(?:steps|tasks)\.([-A-Za-z0-9_]+)\.outputs\.result")
POD_KINDS = frozenset({"container", "script"})


class ExecutionError(Exception):
    """A template cannot be run; its workflow, or the group around it, ends in Error."""


@define(eq=False)
class Plan:
    """A template.

    Attributes:
        name: Its name.
        data: The template as JSON data, never changed.
        kind: Which of KINDS it is.
    """

    name: str
    data: Mapping[str, Any]
    kind: str
    # The template as JSON text if there is something to substitute in it, else "".
    _text: str
    _container: Container | ScriptTemplate | None = None
    # Names of the steps and tasks whose standard output the template refers to.
    _results: frozenset[str] | None = None

    @property
    def runs_a_pod(self) -> bool:
        """Whether the template becomes a pod."""
        return self.kind in POD_KINDS

    def bind(self, arguments: Mapping[str, Any], variables: Variables) -> "Bound":
        """Resolve the template for one execution, in two passes: variables, then its inputs.

        Args:
            arguments: What the caller passes, as Argo's Arguments in JSON.
            variables: Everything else that `{{…}}` may name.

        Raises:
            ExecutionError: An input is not supplied.
        """
        inputs = _supplied(self.data.get("inputs") or {}, arguments)
        if not inputs:
            if not self._text:
                return Bound(self, self.data, {})
            text = substitute_json(self._text, variables)
            return Bound(self, orjson.loads(text), {})
        text = orjson.dumps({**self.data, "inputs": inputs}).decode()
        text = substitute_json(text, variables)
        values = {
            f"inputs.parameters.{parameter['name']}": substitute(parameter["value"], variables)
            for parameter in inputs.get("parameters") or ()
        }
        for artifact in inputs.get("artifacts") or ():
            values[f"inputs.artifacts.{artifact['name']}.path"] = artifact.get("path") or ""
        text = substitute_json(text, values)
        return Bound(self, orjson.loads(text), values)

    def retry_strategy(
        self, arguments: Mapping[str, Any], strategy: Mapping[str, Any], variables: Variables
    ) -> Mapping[str, Any]:
        """Resolve a retryStrategy, the template's or its specification's, for one execution.

        Raises:
            ExecutionError: An input is not supplied.
        """
        text = orjson.dumps(strategy).decode()
        if "{{" not in text:
            return strategy
        values = self.bind(arguments, variables).values
        resolved: Mapping[str, Any] = orjson.loads(substitute_json(text, {**variables, **values}))
        return resolved

    def refers_to_result_of(self, name: str) -> bool:
        """Return whether the template refers to the standard output of a step or task."""
        if self._results is None:
            self._results = frozenset(_RESULT.findall(self._text))
        return name in self._results

    def container(self, data: Mapping[str, Any]) -> Container | ScriptTemplate:
        """Return the container of a resolved template."""
        if data is not self.data:
            return self._structured(data)
        if self._container is None:
            self._container = self._structured(data)
        return self._container

    def _structured(self, data: Mapping[str, Any]) -> Container | ScriptTemplate:
        if self.kind == "script":
            return structure(data["script"], ScriptTemplate)
        return structure(data["container"], Container)


@frozen
class Bound:
    """A template with its inputs.

    Attributes:
        plan: The template.
        data: The template as JSON data, resolved.
        values: `inputs.parameters.…` → value.
    """

    plan: Plan
    data: Mapping[str, Any]
    values: Mapping[str, str]

    def for_pod(self, variables: Variables) -> Mapping[str, Any]:
        """Return the template after the last pass, which only pods get: everything once more."""
        if self.data is self.plan.data:
            return self.data
        text = orjson.dumps(self.data).decode()
        if "{{" not in text:
            return self.data
        resolved: Mapping[str, Any] = orjson.loads(
            substitute_json(text, {**variables, **self.values})
        )
        return resolved

    @property
    def inputs(self) -> Mapping[str, Any] | None:
        """What the status of a node tells of its inputs."""
        return self.data.get("inputs") or None


def _supplied(declared: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the declared inputs with the values that are passed, or their defaults."""
    result: dict[str, Any] = {}
    if declared.get("parameters"):
        passed = {p["name"]: p.get("value") for p in arguments.get("parameters") or ()}
        result["parameters"] = [
            {**parameter, "value": _value(parameter, passed.get(parameter["name"]))}
            for parameter in declared["parameters"]
        ]
    if declared.get("artifacts"):
        given = {a["name"]: a for a in arguments.get("artifacts") or ()}
        result["artifacts"] = [
            _artifact(artifact, given.get(artifact["name"])) for artifact in declared["artifacts"]
        ]
    return result


def _value(parameter: Mapping[str, Any], passed: str | None) -> str:
    for value in (passed, parameter.get("value"), parameter.get("default")):
        if value is not None:
            return str(value)
    raise ExecutionError(f"inputs.parameters.{parameter['name']} was not supplied")


def _artifact(artifact: Mapping[str, Any], passed: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if passed is not None and passed.get("raw"):
        return {**artifact, "raw": passed["raw"]}
    if artifact.get("raw") or artifact.get("optional"):
        return artifact
    raise ExecutionError(f"inputs.artifacts.{artifact['name']} was not supplied")


@define(eq=False)
class Plans:
    """All templates of a workflow by name."""

    _by_name: dict[str, Plan] = field(factory=dict)

    @classmethod
    def of(cls, templates: Sequence[Mapping[str, Any]]) -> "Plans":
        """Prepare the templates of a specification."""
        return cls({data["name"]: make_plan(data) for data in templates})

    def __getitem__(self, name: str) -> Plan:
        try:
            return self._by_name[name]
        except KeyError:
            raise ExecutionError(f"template {name} not found") from None


def make_plan(data: Mapping[str, Any]) -> Plan:
    """Prepare one template."""
    kind = next(kind for kind in KINDS if data.get(kind) is not None)
    text = orjson.dumps(data).decode()
    return Plan(data["name"], data, kind, text if "{{" in text else "")
