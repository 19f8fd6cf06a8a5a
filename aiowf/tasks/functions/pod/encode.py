"""Plain JSON text of values; `rich` knows the types that JSON does not.

To import `json` takes half as long as Python needs to start: what is simple does without.
"""

from typing import Any


def as_numbers(value: Any) -> Any:
    """Turn a numpy scalar or array into numbers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError("%s is no JSON value: annotate what is returned" % type(value))


def encode(value: Any, default: Any = as_numbers) -> str:
    """Write the value as JSON text; `default` takes what JSON does not know."""
    kind = type(value)
    if kind in (int, bool, type(None)) or (kind is float and value - value == 0):
        return str(value).lower().replace("none", "null")
    import json

    return json.dumps(value, default=default, ensure_ascii=False)
