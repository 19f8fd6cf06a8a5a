"""Python values of any supported type to JSON text; the client's side uses it as well."""

from typing import Any

from .encode import encode

METHODS = "tolist", "isoformat", "total_seconds", "__fspath__"
BY_NAME = {
    "UUID": str,
    "Decimal": str,
    "Fraction": str,
    "Mapping": dict,
    "mappingproxy": dict,
    "set": list,
    "frozenset": list,
    "deque": list,
}


def plain(value: Any) -> Any:
    """Take one step from a value that JSON does not know to one that it does."""
    import base64
    import dataclasses
    import enum

    kind = type(value)
    if isinstance(value, enum.Enum):
        return value.value
    fields = getattr(kind, "__attrs_attrs__", None)
    if dataclasses.is_dataclass(kind):
        fields = dataclasses.fields(kind)
    if fields is not None:
        return {field.name: getattr(value, field.name) for field in fields}
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    for method in METHODS:
        if hasattr(kind, method):
            return getattr(value, method)()
    for base in kind.__mro__:
        if base.__name__ in BY_NAME:
            return BY_NAME[base.__name__](value)
    hint = "; return list(...) instead" if hasattr(kind, "__next__") else ""
    raise TypeError("%s is no JSON value%s" % (kind, hint))


def tidy(value: Any, key: bool = False) -> Any:
    """Make the value, or the key of a dict, plain down to its leaves."""
    import enum

    if not isinstance(value, enum.Enum):
        if value is None or isinstance(value, (str, int, float)):
            return value
        if isinstance(value, dict):
            return {tidy(k, True): tidy(item) for k, item in value.items()}
        if isinstance(value, (list, tuple)) and not key:
            return [tidy(item) for item in value]
    return tidy(plain(value), key)


def encode_any(value: Any) -> str:
    """Write the value as JSON text; a key that JSON does not know needs the slower way."""
    try:
        return encode(value, plain)
    except TypeError:
        return encode(tidy(value), plain)
