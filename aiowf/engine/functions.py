"""The functions that expressions may call: some of expr's own, some of sprig's, and Argo's.

None of them reaches Python, the machine or the network. What they take and give are JSON's types.
"""

import base64
import binascii
import hashlib
import json
import math
import re
import textwrap
import time
from collections.abc import Callable, Mapping
from typing import Any

from aiowf.engine.patterns import search

_INTEGER = re.compile(r"[+-]?\d+")
_LONGEST = 1_000_000  # characters that a function adds to what it is given


class ExpressionError(ValueError):
    """An expression cannot be read, or cannot be evaluated."""


def to_text(value: Any) -> str:
    """Return a value as Go prints it into a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "<nil>"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else to_json(value) if _is_tree(value) else str(value)


def _is_tree(value: Any) -> bool:
    return isinstance(value, (list, dict))


def to_json(value: Any) -> str:
    """Return a value as compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def to_go_json(value: Any) -> str:
    """Return a value as Go's own encoder writes it: keys in order, and nothing that HTML reads."""
    text = json.dumps(_whole(value), separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _whole(value: Any) -> Any:
    """Return data with whole numbers as such: Go writes no ".0"."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return {key: _whole(item) for key, item in value.items()} if isinstance(value, dict) else value


def from_json(text: Any) -> Any:
    """Return the data of a JSON text."""
    return json.loads(_string(text))


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ExpressionError(f"{to_text(value)} is no text")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ExpressionError(f"{to_text(value)} is no list")
    return value


def _int(value: Any) -> int:
    """Return a number cut to a whole one, or the number that a text is, as expr does."""
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value):
            raise ExpressionError(f"invalid operation: int({value})")
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ExpressionError(f"invalid operation: int({to_text(value)})")
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ExpressionError(f"invalid operation: float({to_text(value)})")
    return float(value)


def _lenient(value: Any) -> int:
    """Return a number as sprig takes it: what is none is 0."""
    if isinstance(value, (bool, int, float)):
        return int(value)
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else 0


def _numbers(values: tuple[Any, ...]) -> list[Any]:
    """Return the numbers that are given one by one, or as a list."""
    return _list(values[0]) if len(values) == 1 and isinstance(values[0], list) else list(values)


def _check_length(length: int) -> None:
    if length > _LONGEST:
        raise ExpressionError(f"a text of more than {_LONGEST} characters")


def _repeat(text: str, count: int) -> str:
    _check_length(len(_string(text)) * count)
    return text * count


def _replaced(text: str, old: str, new: str) -> str:
    _check_length(_string(text).count(old) * len(new))
    return text.replace(old, new)


def _indented(count: int, text: str) -> str:
    _check_length((_string(text).count("\n") + 1) * count)
    return textwrap.indent(text, " " * count, lambda _: True)


def _divide(left: Any, right: Any) -> int:
    divisor = _lenient(right)
    if not divisor:
        raise ExpressionError("division by zero")
    number = _lenient(left)
    return abs(number) // abs(divisor) * (1 if (number < 0) == (divisor < 0) else -1)


def _modulo(left: Any, right: Any) -> int:
    divisor = _lenient(right)
    if not divisor:
        raise ExpressionError("division by zero")
    return int(math.fmod(_lenient(left), divisor))


def _rounded(value: Any, places: int = 0) -> float:
    """Round as Go and sprig do: a half goes away from zero."""
    scale = float(10 ** min(places, 15))
    number = _float(value) * scale
    return math.copysign(math.floor(abs(number) + 0.5), number) / scale


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(_string(text), validate=True).decode()
    except binascii.Error as error:
        raise ExpressionError(f"illegal base64 data: {error}") from None


def _encoded(text: str) -> str:
    return base64.b64encode(_string(text).encode()).decode()


_EMPTY: tuple[Any, ...] = ("", 0, False, None, [], {})
_LAYOUT = re.compile(r"2006|01|02|15|04|05|06|Jan(?:uary)?|Mon(?:day)?|MST|Z07:00|-0700")
_DATE = {
    "2006": "%Y",
    "06": "%y",
    "01": "%m",
    "02": "%d",
    "15": "%H",
    "04": "%M",
    "05": "%S",
    "January": "%B",
    "Jan": "%b",
    "Monday": "%A",
    "Mon": "%a",
    "MST": "UTC",
    "Z07:00": "Z",
    "-0700": "+0000",
}


def _date(layout: str, moment: Any) -> str:
    """Return a moment as Go's layout says, in UTC; for sprig a text is no moment, but means now."""
    is_moment = isinstance(moment, int) and not isinstance(moment, bool)
    parts = time.gmtime(moment if is_moment else None)
    return _LAYOUT.sub(lambda match: time.strftime(_DATE[match[0]], parts), layout)


def _first(items: Any, at: int = 0) -> Any:
    return _list(items)[at] if _list(items) else None


def _unique(items: list[Any]) -> list[Any]:
    found: list[Any] = []
    for item in _list(items):
        if item not in found:
            found.append(item)
    return found


def _joined(items: list[Any], separator: str = "") -> str:
    _check_length(len(_list(items)) * len(_string(separator)))
    return separator.join(to_text(item) for item in _list(items))


_COMMON: dict[str, Callable[..., Any]] = {
    "trim": lambda text: _string(text).strip(),
    "upper": lambda text: _string(text).upper(),
    "lower": lambda text: _string(text).lower(),
    "ceil": lambda value: float(math.ceil(_float(value))),
    "floor": lambda value: float(math.floor(_float(value))),
    "round": _rounded,
    "first": _first,
    "last": lambda items: _first(items, -1),
    "reverse": lambda items: _list(items)[::-1],
    "uniq": _unique,
    "keys": lambda data: sorted(data.keys()),
    "values": lambda data: [data[key] for key in sorted(data)],
}
_EXPR: dict[str, Callable[..., Any]] = {
    "int": _int,
    "float": _float,
    "string": to_text,
    "len": len,
    "abs": abs,
    "max": lambda *values: max(_numbers(values)),
    "min": lambda *values: min(_numbers(values)),
    "sum": lambda values: sum(_list(values)),
    "mean": lambda values: sum(_list(values)) / len(values),
    "toJSON": lambda value: json.dumps(_whole(value), indent=2, ensure_ascii=False, sort_keys=True),
    "fromJSON": from_json,
    "toBase64": _encoded,
    "fromBase64": _decoded,
    "split": lambda text, separator: _split(text, separator),
    "join": _joined,
    "replace": _replaced,
    "repeat": _repeat,
    "indexOf": lambda text, part: _string(text).find(part),
    "lastIndexOf": lambda text, part: _string(text).rfind(part),
    "hasPrefix": lambda text, part: _string(text).startswith(part),
    "hasSuffix": lambda text, part: _string(text).endswith(part),
    "trimPrefix": lambda text, part=" ": _string(text).removeprefix(part),
    "trimSuffix": lambda text, part=" ": _string(text).removesuffix(part),
    "take": lambda items, count: _list(items)[:count],
    "sort": lambda items: sorted(_list(items)),
    "concat": lambda *lists: [item for one in lists for item in _list(one)],
    "flatten": lambda items: [
        part for one in _list(items) for part in (one if isinstance(one, list) else [one])
    ],
}
_SPRIG: dict[str, Callable[..., Any]] = {
    "trimAll": lambda characters, text: _string(text).strip(characters),
    "trimPrefix": lambda part, text: _string(text).removeprefix(part),
    "trimSuffix": lambda part, text: _string(text).removesuffix(part),
    "title": lambda text: re.sub(r"(?<!\S)\S", lambda match: match[0].upper(), text),
    "repeat": lambda count, text: _repeat(text, _lenient(count)),
    "substr": lambda start, end, text: _string(text)[max(start, 0) : end if end >= 0 else None],
    "trunc": lambda count, text: _string(text)[:count] if count >= 0 else _string(text)[count:],
    "nospace": lambda text: "".join(_string(text).split()),
    "contains": lambda part, text: _string(part) in _string(text),
    "hasPrefix": lambda part, text: _string(text).startswith(part),
    "hasSuffix": lambda part, text: _string(text).endswith(part),
    "replace": lambda old, new, text: _replaced(text, old, new),
    "quote": lambda *values: " ".join(json.dumps(to_text(v), ensure_ascii=False) for v in values),
    "squote": lambda *values: " ".join(f"'{to_text(value)}'" for value in values),
    "regexMatch": search,
    "splitList": lambda separator, text: _split(text, separator),
    "join": lambda separator, items: _joined(items, separator),
    "indent": _indented,
    "toString": to_text,
    "atoi": _lenient,
    "int": _lenient,
    "int64": _lenient,
    "float64": lambda value: _float(value),
    "add": lambda *values: sum(_lenient(value) for value in values),
    "add1": lambda value: _lenient(value) + 1,
    "sub": lambda left, right: _lenient(left) - _lenient(right),
    "mul": lambda *values: math.prod(_lenient(value) for value in values),
    "div": _divide,
    "mod": _modulo,
    "max": lambda *values: max(_lenient(value) for value in values),
    "min": lambda *values: min(_lenient(value) for value in values),
    "default": lambda default, value=None: default if value in _EMPTY else value,
    "empty": lambda value: value in _EMPTY,
    "coalesce": lambda *values: next((value for value in values if value not in _EMPTY), None),
    "ternary": lambda yes, no, test: yes if test else no,
    "b64enc": _encoded,
    "b64dec": _decoded,
    "sha1sum": lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(),
    "sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "list": lambda *values: list(values),
    "rest": lambda items: _list(items)[1:],
    "initial": lambda items: _list(items)[:-1],
    "has": lambda item, items: item in _list(items),
    "toJson": to_go_json,
    "fromJson": from_json,
    "date": _date,
}


def _split(text: str, separator: str) -> list[str]:
    return _string(text).split(separator) if separator else list(text)


# Name → function; what expr calls with a closure is the matter of the parser.
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **_COMMON,
    **_EXPR,
    **{f"sprig.{name}": function for name, function in {**_COMMON, **_SPRIG}.items()},
    "asInt": _int,
    "asFloat": _float,
    "toJson": to_go_json,
}
