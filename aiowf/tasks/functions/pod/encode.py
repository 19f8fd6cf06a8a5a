"""Plain JSON text of values; `rich` knows the types that JSON does not."""

import json
from typing import Any


def as_numbers(value: Any) -> Any:
    """Turn a numpy scalar or array into numbers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError("%s is no JSON value: annotate what is returned" % type(value))


def encode(value: Any) -> str:
    """Write the value as JSON text."""
    return json.dumps(value, default=as_numbers, ensure_ascii=False)
