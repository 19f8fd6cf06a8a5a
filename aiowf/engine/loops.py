"""withItems, withParam and withSequence: one step or task becomes many."""

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from aiowf.engine.functions import to_json, to_text
from aiowf.engine.plan import ExecutionError
from aiowf.engine.substitution import substitute_json

LOOPS = ("withItems", "withParam", "withSequence")
_FORMAT = re.compile(r"%(-?)(0?)(\d{0,3})([dxXo])")
# More would fit into no status: etcd takes 1.5 MB, and a node some 400 bytes.
MAX_ITEMS = 10_000


def is_loop(step: Mapping[str, Any]) -> bool:
    """Return whether a step or task is a loop (an empty list of items is one too)."""
    return any(step.get(key) is not None for key in LOOPS)


def expand(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the steps that a step stands for: itself, or one for each item of its loop.

    Raises:
        ExecutionError: The items cannot be read.
    """
    if not is_loop(step):
        return [step]
    text = orjson.dumps({key: step[key] for key in step if key not in LOOPS}).decode()
    expanded: list[Mapping[str, Any]] = []
    for number, item in enumerate(_items(step)):
        one = orjson.loads(substitute_json(text, _item_variables(item)))
        one["name"] = f"{step['name']}({number}:{_label(item)})"
        expanded.append(one)
    return expanded


def _items(step: Mapping[str, Any]) -> list[Any]:
    if step.get("withItems") is not None:
        return list(step["withItems"])
    if step.get("withParam") is not None:
        return _param_items(step["withParam"])
    return [to_text(item) for item in _sequence(step["withSequence"])]


def _param_items(text: str) -> list[Any]:
    try:
        items = orjson.loads(text)
    except ValueError:
        items = None
    if isinstance(items, list):
        return items
    raise ExecutionError(
        f"withParam value could not be parsed as a JSON list: {text}: {_go_reason(text)}"
    )


def _go_reason(text: str) -> str:
    """Say what is wrong with a JSON text as Go does, in the commonest cases."""
    stripped = text.lstrip()
    for word in ("null", "true", "false"):
        if stripped[:1] == word[0]:
            for at in range(1, len(word)):
                if stripped[at : at + 1] != word[at]:
                    found = stripped[at : at + 1]
                    return f"invalid character '{found}' in literal {word} (expecting '{word[at]}')"
    if not stripped:
        return "unexpected end of JSON input"
    try:
        value = json.loads(text)
    except ValueError:
        return f"invalid character '{stripped[0]}' looking for beginning of value"
    kind = {dict: "object", str: "string", bool: "bool"}.get(type(value), "number")
    return f"json: cannot unmarshal {kind} into Go value of type []v1alpha1.Item"


def _sequence(sequence: Mapping[str, Any]) -> list[str]:
    try:
        start = int(sequence.get("start") or 0)
        if sequence.get("count") not in (None, ""):
            numbers = range(start, start + int(sequence["count"]))
        else:
            end = int(sequence.get("end") or 0)
            numbers = range(start, end + 1) if end >= start else range(start, end - 1, -1)
    except ValueError as error:
        raise ExecutionError(str(error)) from None
    count = (numbers.stop - numbers.start) * numbers.step  # len() fails beyond 2**63
    if count > MAX_ITEMS:
        raise ExecutionError(f"withSequence has {count} items, more than {MAX_ITEMS}")
    form = sequence.get("format") or "%d"
    return [_formatted(form, number) for number in numbers]


def _formatted(form: str, number: int) -> str:
    return _FORMAT.sub(lambda match: match[0] % number, form, count=1)


def _item_variables(item: Any) -> dict[str, str]:
    variables = {"item": to_text(item)}
    if isinstance(item, dict):
        variables.update({f"item.{key}": to_text(value) for key, value in item.items()})
    return variables


def _label(item: Any) -> str:
    """What stands behind the number in the name of a loop's node."""
    if isinstance(item, dict):
        return ",".join(f"{key}:{to_text(item[key])}" for key in sorted(item))
    return to_json(item) if isinstance(item, list) else to_text(item)
