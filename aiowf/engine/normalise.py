"""A manifest as Argo's server takes it: decoded by Go, and encoded again.

Unknown fields are dropped, names match without case, numbers and booleans become strings where a
parameter's value stands, and structures that Go always writes appear, if empty.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from aiowf.engine.refusal import invalid
from aiowf.engine.substitution import parameters_as_text
from aiowf.manifest.spelling import field_names

# What Go writes although it is empty.
_ALWAYS: Mapping[str, Mapping[str, Any]] = {
    "WorkflowSpec": {"arguments": {}},
    "WorkflowStep": {"arguments": {}},
    "DAGTask": {"arguments": {}},
    "Template": {"inputs": {}, "outputs": {}, "metadata": {}},
    "Container": {"name": "", "resources": {}},
    "ScriptTemplate": {"name": "", "resources": {}},
}
# Read with the module: a server must not read files as it answers.
_SCHEMA = field_names()
# Fields of parameters that take any scalar and hold a string, or a list of such.
_ANY_STRING = {"Parameter": frozenset({"value", "default", "enum"}), "ValueFrom": {"default"}}
# An ordinary workflow has about 15; beyond 200 JSON of this depth cannot be written any more.
_MAX_DEPTH = 100
_KINDS = {list: "array", dict: "object", str: "string", bool: "bool"}


@cache
def _lower(definition: str) -> dict[str, str]:
    return {name.lower(): name for name in _SCHEMA[definition]}


def check_depth(data: Any) -> None:
    """Refuse JSON data in which objects and lists stand in one another too often to be told of.

    Raises:
        Refusal: They do.
    """
    level = [data]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise invalid("exceeded max depth")


def normalise(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """Return a workflow's JSON data as Argo would give it back.

    Raises:
        Refusal: An object or a list stands where something else belongs.
    """
    return _object(workflow, "Workflow", "workflow")


def member(data: Mapping[str, Any], name: str) -> Any:
    """Return a member of an object whose names match without case, or None."""
    if name in data:
        return data[name]
    return next((value for key, value in data.items() if key.lower() == name.lower()), None)


def _object(data: Any, definition: str, where: str) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise _wrong(data, definition, where)
    fields = _SCHEMA[definition]
    result: dict[str, Any] = {}
    for key, value in data.items():
        name = key if key in fields else _lower(definition).get(key.lower())
        if name is None or value is None or (name == "steps" and value == []):
            continue  # no steps are none: a template is of another kind, or of no kind
        if name in _ANY_STRING.get(definition, ()):
            result[name] = _any_string(value)
        else:
            result[name] = _value(value, fields[name], f"{where}.{name}")
    for name, empty in _ALWAYS.get(definition, {}).items():
        result.setdefault(name, empty)
    return result


def _any_string(value: Any) -> Any:
    if isinstance(value, list):
        return [parameters_as_text(item) for item in value]
    return parameters_as_text(value)


def _value(value: Any, form: str, where: str) -> Any:
    if form in ("", "[", "{"):
        if form == "{" and not isinstance(value, Mapping):
            raise _wrong(value, "map[string]string", where)
        if form == "[" and not isinstance(value, list):
            raise _wrong(value, "[]string", where)
        return value
    if form.startswith("["):
        if not isinstance(value, list):
            raise _wrong(value, f"[]{form[1:]}", where)
        return [_value(item, form[1:], f"{where}[{n}]") for n, item in enumerate(value)]
    if form.startswith("{"):
        if not isinstance(value, Mapping):
            raise _wrong(value, f"map[string]{form[1:]}", where)
        return {key: _value(item, form[1:], f"{where}.{key}") for key, item in value.items()}
    return _object(value, form, where)


def _wrong(value: Any, expected: str, where: str) -> Exception:
    kind = _KINDS.get(type(value), "number")
    return invalid(f"json: cannot unmarshal {kind} into Go struct field {where} of type {expected}")
