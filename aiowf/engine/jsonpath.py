"""JSONPath, as much of it as expressions commonly use: `$.a['b'][0][1:3][*]..c[?(@.d > 1)]`."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from aiowf.engine.functions import ExpressionError

# Whether an element has what a filter wants.
Matches = Callable[[str, Any], bool]
# So many elements a step may lead to; those of `$..*..*..*` have no end to speak of.
_MOST = 100_000
_STEP = re.compile(
    r"""(?P<deep>\.\.)?(?:
      \.?(?P<name>[A-Za-z_][-\w]*|\*)
    | \[\s*\?\((?P<filter>.*?)\)\s*\]
    | \[\s*(?P<slice>-?\d*\s*:\s*-?\d*)\s*\]
    | \[\s*(?P<all>\*)\s*\]
    | \[\s*(?P<keys>(?:'[^']*'|"[^"]*"|-?\d+)(?:\s*,\s*(?:'[^']*'|"[^"]*"|-?\d+))*)\s*\]
    )""",
    re.VERBOSE,
)
_KEY = re.compile(r"'([^']*)'|\"([^\"]*)\"|(-?\d+)")


def query(path: str, data: Any, matches: Matches) -> Any:
    """Return what a path leads to: one value, or a list if it may lead to several.

    Args:
        path: The path; it begins with "$".
        data: JSON data.
        matches: Evaluates a filter over an element.

    Raises:
        ExpressionError: The path cannot be read, leads to too many, or one value is asked for that
            is not there.
    """
    path = path.strip()
    if not path.startswith("$"):
        raise ExpressionError(f"jsonpath: {path!r} does not begin with '$'")
    at, found, is_one = 1, [data], True
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise ExpressionError(f"jsonpath: cannot read {path[at:]!r}")
        at = step.end()
        items = _limited(part for item in found for part in _below(item)) if step["deep"] else found
        keys = _keys(step)
        is_one = is_one and not step["deep"] and keys is not None and len(keys) == 1
        found = _limited(part for item in items for part in _taken(item, step, keys, matches))
        if is_one and not found:
            raise ExpressionError(f"jsonpath: nothing is at {path[:at]!r}")
    return found[0] if is_one else found


def _limited(items: Iterable[Any]) -> list[Any]:
    some = list(islice(items, _MOST + 1))
    if len(some) > _MOST:
        raise ExpressionError(f"jsonpath: more than {_MOST} elements")
    return some


def _keys(step: re.Match[str]) -> list[str | int] | None:
    """Return the names and numbers that a step asks for; None: whatever there is."""
    if step["keys"]:
        return [
            int(number) if number else one or two for one, two, number in _KEY.findall(step["keys"])
        ]
    return [step["name"]] if step["name"] not in (None, "*") else None


def _taken(
    item: Any, step: re.Match[str], keys: list[str | int] | None, matches: Matches
) -> list[Any]:
    children = list(item.values()) if isinstance(item, dict) else item
    if not isinstance(children, list):
        return []
    if keys is not None:
        return [part for key in keys for part in _at(item, key)]
    if step["filter"]:
        return [child for child in children if matches(step["filter"], child)]
    if step["slice"]:
        first, _, last = step["slice"].partition(":")
        return children[int(first) if first.strip() else None : int(last) if last.strip() else None]
    return children


def _at(item: Any, key: str | int) -> list[Any]:
    if isinstance(key, str):
        return [item[key]] if isinstance(item, dict) and key in item else []
    return [item[key]] if isinstance(item, list) and -len(item) <= key < len(item) else []


def _below(item: Any) -> Iterator[Any]:
    yield item
    children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    for child in children:
        yield from _below(child)
