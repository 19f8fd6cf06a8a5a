"""Notice that something which was taken from outside has changed since."""

import dataclasses
import weakref
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any

import attrs
from attrs import define, field


def _remembered(obj: Any) -> Callable[[], Any]:
    """Remember the object; weakly if it may hold the function that is watched."""
    if isinstance(obj, type | FunctionType | ModuleType):
        return weakref.ref(obj)
    return lambda: obj


@define
class Watch:
    """The names, closures and mutable values that a shipped function was made from."""

    _names: list[tuple[Mapping[str, Any], str, Callable[[], Any]]] = field(factory=list)
    _cells: list[tuple[Callable[[], Any], int, Callable[[], Any]]] = field(factory=list)
    _values: list[tuple[Any, Any]] = field(factory=list)

    def name(self, space: dict[str, Any], name: str, obj: Any) -> None:
        """Watch which object a global name has."""
        self._names.append((space, name, _remembered(obj)))

    def attribute(self, owner: type, name: str, obj: Any) -> None:
        """Watch which object an attribute of a class is, and what is in it."""
        self._names.append((vars(owner), name, _remembered(obj)))
        if isinstance(obj, list | dict | set):
            self.value(obj)

    def cell(self, function: FunctionType, index: int, obj: Any) -> None:
        """Watch which object a variable of a function's closure has."""
        self._cells.append((weakref.ref(function), index, _remembered(obj)))

    def value(self, obj: Any) -> None:
        """Watch what is in an object that can change."""
        self._values.append((obj, _shape(obj)))

    def is_unchanged(self) -> bool:
        """Tell whether everything is still as it was."""
        for space, name, remembered in self._names:
            if space.get(name) is not remembered():
                return False
        for reference, index, remembered in self._cells:
            function = reference()
            if function and function.__closure__[index].cell_contents is not remembered():
                return False
        return all(_shape(obj) == shape for obj, shape in self._values)


def _shape(obj: Any) -> Any:
    """Return what can be compared later: the contents, or the identity of what holds itself."""
    try:
        return _contents(obj)
    except RecursionError:
        return id(obj)


def _contents(obj: Any) -> Any:
    """Return the contents of containers and records, the identity of others."""
    kind = type(obj)
    if kind in (str, int, float, bool, bytes):
        return kind, obj
    if isinstance(obj, list | tuple):
        return kind, tuple(map(_contents, obj))
    if isinstance(obj, dict):
        return kind, tuple((_contents(key), _contents(value)) for key, value in obj.items())
    if isinstance(obj, set | frozenset):
        return kind, frozenset(map(_contents, obj))
    if dataclasses.is_dataclass(kind):
        return kind, tuple(_contents(getattr(obj, f.name, None)) for f in dataclasses.fields(kind))
    if attrs.has(kind):
        return kind, tuple(_contents(getattr(obj, f.name, None)) for f in attrs.fields(kind))
    return id(obj)
