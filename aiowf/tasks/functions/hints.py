"""Resolve a function's annotations on the client, those for type checkers included."""

import importlib
import inspect
import typing
from types import FunctionType
from typing import Any

from aiowf.tasks.functions.source import source_file


class Unresolved:
    """An annotation whose names cannot be found; it matters only if its type is needed."""

    def __init__(self, text: str) -> None:
        self.text = text


def resolved_hints(function: Any) -> dict[str, Any]:
    """Return the annotations by parameter name, that of the result under "return"."""
    inner = inspect.unwrap(function)
    while hasattr(inner, "func") and hasattr(inner, "keywords"):
        inner = inspect.unwrap(inner.func)
    if not isinstance(inner, FunctionType):
        inner = getattr(inner, "__func__", inner)
    try:
        return typing.get_type_hints(inner, include_extras=True)
    except Exception:  # an annotation is an expression of the user's: it can raise anything
        written = getattr(inner, "__annotations__", {})
    return {name: _resolved(hint, inner) for name, hint in written.items()}


def _resolved(hint: Any, function: FunctionType) -> Any:
    if not isinstance(hint, str):
        return hint
    names = _Lookup(function)
    for _ in range(2):
        try:
            # The user's own annotation, evaluated as typing.get_type_hints does it.
            return eval(hint, function.__globals__, names)
        except Exception:
            continue
    return Unresolved(hint)


class _Lookup(dict[str, Any]):
    """Finds what a module imports for type checkers only."""

    def __init__(self, function: FunctionType) -> None:
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
        super().__init__({name: cell.cell_contents for name, cell in cells})
        self._function = function

    def __missing__(self, name: str) -> Any:
        space = self._function.__globals__
        file = source_file(self._function.__code__.co_filename, space)
        if name in space or file is None:
            raise KeyError(name)
        for found in file.imported(name, space.get("__package__") or None):
            module = importlib.import_module(found.module)
            return getattr(module, found.attribute) if found.attribute else module
        raise KeyError(name)
