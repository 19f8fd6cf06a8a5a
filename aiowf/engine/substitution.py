"""`{{…}}`, as Argo substitutes it: plainly, repeatedly, and leaving alone what it does not know.

What happens to literal text follows Argo's own behaviour: a tag runs from "{{" to the next "}}";
blanks around a name do not count; an unknown tag stays as it is, but the part of it behind a
further "{{" is tried too, so that `{{ a {{workflow.name}}` is substituted.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from aiowf.engine.expressions import evaluate
from aiowf.engine.functions import ExpressionError, to_go_json, to_text

Variables = Mapping[str, str]
_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _as_is(text: str) -> str:
    return text


def substitute(text: str, variables: Variables) -> str:
    """Substitute the tags of a plain text."""
    return _pass(text, variables, _as_is) if "{{" in text else text


def substitute_json(text: str, variables: Variables) -> str:
    """Substitute the tags inside the strings of a JSON text; it stays JSON."""
    return _pass(text, variables, _escaped) if "{{" in text else text


def _pass(text: str, variables: Variables, escape: Callable[[str], str]) -> str:
    def replace(match: re.Match[str]) -> str:
        tag = match[1]
        if tag.startswith("="):
            return _expression(tag[1:], match[0], variables, escape)
        value = variables.get(tag.strip())
        if value is not None:
            return escape(value)
        inner = tag.rfind("{{")
        if inner > 0:
            value = variables.get(tag[inner + 2 :])
            if value is not None:
                return "{{" + tag[:inner] + escape(value)
        return match[0]

    return _TAG.sub(replace, text)


def _expression(source: str, whole: str, variables: Variables, escape: Callable[[str], str]) -> str:
    """Evaluate `{{=…}}`; one that names something unknown stays, for a later pass."""
    if escape is _escaped:
        try:
            source = json.loads(f'"{source}"')
        except ValueError:
            return whole
    try:
        value = evaluate(source, variables)
    except ExpressionError:
        return whole
    if value is None:
        return whole
    return escape(to_go_json(value) if isinstance(value, (list, dict)) else to_text(value))


def expressions_in(text: str) -> list[str]:
    """Return the sources of all `{{=…}}` in a plain text."""
    return [tag[1:] for tag in _TAG.findall(text) if tag.startswith("=")]


def tags_in(text: str) -> list[str]:
    """Return the names in all plain tags of a text."""
    return [tag.strip() for tag in _TAG.findall(text) if not tag.startswith("=")]


def parameters_as_text(value: Any) -> str:
    """Return a parameter's value as the string that Argo makes of it (3 → "3", True → "true")."""
    return value if isinstance(value, str) else to_text(value)
