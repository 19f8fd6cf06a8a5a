"""How a class of Argo's nouns is declared, and how its fields are called in JSON.

Argo's nouns have many fields, of which a workflow uses few. So a value keeps only what is set (its
`__dict__`), and everything else is None by the class. That makes values small, and their making,
comparing and serialising as fast as they are sparse; and nothing has to be compiled on import.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, TypeVar, dataclass_transform, get_type_hints

import attrs

# JSON that is carried as it is: dicts, lists and scalars as a JSON decoder gives them.
Raw = Mapping[str, Any]

EXTRA = "extra"  # the field for what the others cannot say: unknown fields, explicit nulls
_JSON_NAME = "json"
_KNOWN = "__fields__"  # attribute of a value class: the names of its fields
_NAMED = "__json_names__"  # likewise: what is not called in JSON as its name in camel case would be
_C = TypeVar("_C")
_V = TypeVar("_V")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(attrs.field,))
def value(cls: type[_C]) -> type[_C]:
    """Make a class of frozen values with keyword-only fields, all of them None by default."""
    made: Any = cls
    names = tuple(cls.__annotations__)
    declared = {name: vars(cls).get(name) for name in names}
    made.__attrs_attrs__ = _Attributes(declared)
    said = {name: getattr(field, "metadata", {}) for name, field in declared.items()}
    setattr(made, _NAMED, {name: each[_JSON_NAME] for name, each in said.items() if each})
    for name in names:
        setattr(made, name, None)  # what an instance does not hold itself
    setattr(made, _KNOWN, frozenset(names))
    made.__init__, made.__eq__, made.__hash__, made.__repr__ = _init, _equal, _hash, _show
    made.__setattr__ = made.__delattr__ = _frozen
    return cls


class _Attributes:
    """What attrs knows of a class, found out when it is first asked for: that is slow."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def __get__(self, instance: Any, cls: Any) -> Any:
        body = {
            **self._fields,
            "__annotations__": cls.__annotations__,
            "__module__": cls.__module__,
        }
        made: Any = attrs.define(
            type(cls.__name__, (), body), kw_only=True, init=False, slots=False
        )
        cls.__attrs_attrs__ = made.__attrs_attrs__
        return cls.__attrs_attrs__


def is_value(cls: Any) -> bool:
    """Return whether a class was made by `value`."""
    return hasattr(cls, _KNOWN)


def evolve(value: _V, /, **changes: Any) -> _V:
    """Return a copy of a value with some of its fields changed."""
    known: Any = value  # an instance of a class made by `value`
    if not changes.keys() <= known.__fields__:
        _refuse(type(known), changes)
    made: Any = object.__new__(type(known))
    said = {**known.__dict__, **changes}
    made.__dict__.update({name: item for name, item in said.items() if item is not None})
    changed: _V = made
    return changed


def named(name: str) -> Any:
    """Declare an optional field whose JSON name is not its own name in camel case."""
    return attrs.field(default=None, metadata={_JSON_NAME: name})


def described(cls: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield the name, the name in JSON and the type of each field of a class made by `value`."""
    named = getattr(cls, _NAMED)
    for name, kind in get_type_hints(cls, include_extras=True).items():
        yield name, named.get(name) or camel_case(name), kind


def camel_case(name: str) -> str:
    """Turn a field's snake case name into Argo's camel case: `on_exit` → `onExit`."""
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(part.title() for part in rest)


def _init(self: Any, **given: Any) -> None:
    if not given.keys() <= self.__fields__:
        _refuse(type(self), given)
    self.__dict__.update({name: item for name, item in given.items() if item is not None})


def _refuse(cls: type, given: Mapping[str, Any]) -> NoReturn:
    from aiowf.manifest.names import nearest

    known: frozenset[str] = getattr(cls, _KNOWN)
    name = next(name for name in given if name not in known)
    hint = nearest(name, known)
    raise TypeError(
        f"{cls.__name__}() got an unexpected keyword argument {name!r}" + (f"; {hint}" * bool(hint))
    )


def _frozen(self: Any, name: str, value: Any = None) -> NoReturn:
    raise attrs.exceptions.FrozenInstanceError


def _equal(self: Any, other: object) -> Any:
    return self.__dict__ == other.__dict__ if self.__class__ is other.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash((self.__class__, frozenset(self.__dict__.items())))


def _show(self: Any) -> str:
    items = ", ".join(f"{name}={item!r}" for name, item in self.__dict__.items())
    return f"{type(self).__name__}({items})"
