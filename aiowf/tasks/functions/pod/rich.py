"""Python values of any supported type to JSON text; the client's side uses it as well."""

import base64
import dataclasses
import enum
import json
import os
from typing import Any


def plain(value: Any) -> Any:
    """Take one step from a value that JSON does not know to one that it does."""
    kind = type(value)
    names = {base.__name__ for base in kind.__mro__}
    if isinstance(value, enum.Enum):
        return value.value
    if hasattr(kind, "tolist"):
        return value.tolist()
    if dataclasses.is_dataclass(kind):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}
    if hasattr(kind, "__attrs_attrs__"):
        return {field.name: getattr(value, field.name) for field in kind.__attrs_attrs__}
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if hasattr(kind, "isoformat"):
        return value.isoformat()
    if hasattr(kind, "total_seconds"):
        return value.total_seconds()
    if hasattr(kind, "__fspath__"):
        return os.fspath(value)
    if names & {"UUID", "Decimal", "Fraction"}:
        return str(value)
    if names & {"Mapping", "mappingproxy"}:
        return dict(value)
    if names & {"set", "frozenset", "deque"}:
        return list(value)
    hint = "; return list(...) instead" if hasattr(kind, "__next__") else ""
    raise TypeError("%s is no JSON value%s" % (kind, hint))


def tidy(value: Any, key: bool = False) -> Any:
    """Make the value, or the key of a dict, plain down to its leaves."""
    if not isinstance(value, enum.Enum):
        if value is None or isinstance(value, (str, int, float)):
            return value
        if isinstance(value, dict):
            return {tidy(k, True): tidy(item) for k, item in value.items()}
        if isinstance(value, (list, tuple)) and not key:
            return [tidy(item) for item in value]
    return tidy(plain(value), key)


def encode(value: Any) -> str:
    """Write the value as JSON text; a key that JSON does not know needs the slower way."""
    try:
        return json.dumps(value, default=plain, ensure_ascii=False)
    except TypeError:
        pass
    return json.dumps(tidy(value), ensure_ascii=False)
