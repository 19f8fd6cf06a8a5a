"""Rebuild functions and classes that were made inside of others, or whose name is another's now."""

from typing import Any

from .loading import load, module


def nest(
    name: str, file: str, line: int, text: str, symbol: str, target: str, cells: dict[str, Any]
) -> None:
    """Run a definition with the values of its closure; keep it in its module as `target`."""
    indent = text[: len(text) - len(text.lstrip())]
    space = module(name).__dict__
    scope: dict[str, Any] = {}
    code = "\n" * (line - 1) + text
    if cells or indent:
        head = "def make(%s):\n" % ",".join(cells)
        code = "\n" * (line - 2) + head + text + indent + "return " + symbol
    load(name, file, line, text, code, scope)
    space[target] = scope["make"](**cells) if "make" in scope else scope[symbol]


def link(function: Any, **cells: Any) -> None:
    """Set variables of a closure that were not there yet when it was made."""
    names = dict(zip(function.__code__.co_freevars, function.__closure__))
    for name, value in cells.items():
        names[name].cell_contents = value
