"""Templates of one workflow, prepared to be run many times."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from attrs import define, field, frozen

from aiowf.engine.substitution import Variables, substitute, substitute_json
from aiowf.manifest import Container, ScriptTemplate, structure

KINDS = ("container", "script", "steps", "dag", "suspend")
# In JSON: steps.a.outputs.result, steps['a'].outputs.result
_RESULT = re.compile(r"""(?:steps|tasks)[\\.\['"]+([-A-Za-z0-9_]+)[\\'"\]]*\.outputs\.result""")
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
        scope: Where the names in it are looked up: "" in the workflow, "namespaced/…" or
            "cluster/…" in a template that is stored.
    """

    name: str
    data: Mapping[str, Any]
    kind: str
    scope: str
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
        if not inputs and not self._text:
            return Bound(self, self.data, {})
        text = orjson.dumps({**self.data, "inputs": inputs}).decode() if inputs else self._text
        text = substitute_json(text, variables)
        values = {
            f"inputs.parameters.{parameter['name']}": substitute(parameter["value"], variables)
            for parameter in inputs.get("parameters") or ()
        }
        for artifact in inputs.get("artifacts") or ():
            values[f"inputs.artifacts.{artifact['name']}.path"] = artifact.get("path") or ""
        for parameter in (self.data.get("outputs") or {}).get("parameters") or ():
            if path := (parameter.get("valueFrom") or {}).get("path"):
                values[f"outputs.parameters.{parameter['name']}.path"] = path
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
            text = self._text or orjson.dumps(self.data).decode()
            self._results = frozenset(_RESULT.findall(text))
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
        values: `inputs.parameters.…` → value, `outputs.parameters.….path` → path.
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
    """All templates of a workflow by key (see key_of)."""

    _by_key: dict[str, Plan] = field(factory=dict)

    @classmethod
    def of(
        cls, templates: Sequence[Mapping[str, Any]], stored: Mapping[str, Mapping[str, Any]]
    ) -> "Plans":
        """Prepare the templates of a specification, and those that it takes from elsewhere."""
        plans = {data["name"]: _plan(data, "") for data in templates}
        for key, data in stored.items():
            plans[key] = _plan(data, key.rpartition("/")[0])
        return cls(plans)

    def __getitem__(self, key: str) -> Plan:
        try:
            return self._by_key[key]
        except KeyError:
            raise ExecutionError(f"template {key} not found") from None


def key_of(caller: Mapping[str, Any], scope: str) -> str:
    """Return the key of the template that a step or task names.

    Args:
        caller: The step or task, or the like.
        scope: Where it stands itself.

    Returns:
        The name of one of the workflow's own templates, else "<scope>/<name>".
    """
    reference = caller.get("templateRef") or {}
    if reference.get("name"):
        kind = "cluster" if reference.get("clusterScope") else "namespaced"
        return f"{kind}/{reference['name']}/{reference.get('template', '')}"
    name = caller.get("template") or ""
    return f"{scope}/{name}" if scope else name


def named_by(step: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the status of a node tells of the template that a step names."""
    if step.get("templateRef"):
        return {"template": None, "reference": step["templateRef"]}
    return {"template": step["template"].rpartition("/")[2], "reference": None}


def _plan(data: Mapping[str, Any], scope: str) -> Plan:
    """Prepare one template: its steps or tasks name templates by key."""
    kind = next(kind for kind in KINDS if data.get(kind) is not None)
    text = orjson.dumps(data)
    if kind in ("steps", "dag") and (scope or b"templateRef" in text):
        data = orjson.loads(text)
        groups = data["steps"] if kind == "steps" else [data["dag"].get("tasks") or ()]
        for step in (step for group in groups for step in group):
            step["template"] = key_of(step, scope)
        text = orjson.dumps(data)
    return Plan(data["name"], data, kind, scope, text.decode() if b"{{" in text else "")
