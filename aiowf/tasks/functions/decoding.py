"""Annotations to decoders: which types JSON can carry, and the pod's expression that decodes each.

One table says how a type looks in JSON; both sides follow it.
"""

import collections.abc as abc
import dataclasses
import enum
import inspect
import types
import typing
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import attrs
from attrs import define, field

from aiowf.tasks.functions import origin
from aiowf.tasks.functions.hints import Unresolved
from aiowf.tasks.functions.literals import CannotTravel

SAME = "same"
Express = Callable[[Any], str]


class Unstructurable(Exception):
    """A type that JSON cannot carry."""


PLAIN: dict[Any, str] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "flag",
    None: "null",
    types.NoneType: "null",
}
"""JSON's own types, and the kind of JSON value that each is."""

_NOT_NULL = ("string", "number", "flag", "array", "object")
ANYTHING = frozenset({Any, object, inspect.Parameter.empty, typing.NoReturn, typing.Never})

SCALARS: dict[str, str] = {
    "builtins.bytes": "__import__('base64').b64decode",
    "builtins.bytearray": "lambda v: bytearray(__import__('base64').b64decode(v))",
    "datetime.datetime": "__import__('datetime').datetime.fromisoformat",
    "datetime.date": "__import__('datetime').date.fromisoformat",
    "datetime.time": "__import__('datetime').time.fromisoformat",
    "datetime.timedelta": "lambda v: __import__('datetime').timedelta(seconds=v)",
    "uuid.UUID": "__import__('uuid').UUID",
    "decimal.Decimal": "__import__('decimal').Decimal",
    "fractions.Fraction": "__import__('fractions').Fraction",
    "pathlib.Path": "__import__('pathlib').Path",
    "pathlib.PurePath": "__import__('pathlib').PurePath",
    "pathlib.PurePosixPath": "__import__('pathlib').PurePosixPath",
}
"""Types that travel as one string (a timedelta as a number), and the decoder of both sides.

By name, so that their modules need not be loaded.
"""


def scalar(kind: Any) -> str | None:
    """Return the decoder of a type that travels as one string or number, or None."""
    if not isinstance(kind, type):
        return None
    return SCALARS.get(f"{origin.top(kind.__module__)}.{kind.__qualname__}")


LISTS: dict[Any, str] = {
    list: "list",
    set: "set",
    frozenset: "frozenset",
    deque: "__import__('collections').deque",
    abc.Sequence: "list",
    abc.MutableSequence: "list",
    abc.Collection: "list",
    abc.Iterable: "list",
    abc.Set: "set",
    abc.MutableSet: "set",
}
DICTS = frozenset({dict, abc.Mapping, abc.MutableMapping})
_KEYS: dict[Any, str] = {
    str: SAME,
    Any: SAME,
    int: "int",
    float: "float",
    bool: "'true'.__eq__",
}


def unwrapped(kind: Any) -> Any:
    """Return the type inside of Annotated, NewType, Final and type aliases."""
    while True:
        if typing.get_origin(kind) in (
            typing.Annotated,
            typing.Final,
            typing.ClassVar,
            typing.Required,
            typing.NotRequired,
        ):
            kind = typing.get_args(kind)[0]
        elif isinstance(kind, typing.NewType):
            kind = kind.__supertype__
        elif type(kind).__name__ == "TypeAliasType":
            kind = kind.__value__
        elif isinstance(kind, TypeVar):
            kind = kind.__bound__ or Any
        else:
            return kind


def union_members(kind: Any) -> tuple[Any, ...] | None:
    """Return the members of a union and of the unions in it, or None if it is none."""
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return None
    members = map(unwrapped, typing.get_args(kind))
    return tuple(each for one in members for each in union_members(one) or (one,))


def record_fields(kind: Any) -> dict[str, tuple[str, Any]] | None:
    """Return (argument of __init__ or "", type) by field of a dataclass or attrs class."""
    cls = typing.get_origin(kind) or kind
    if not isinstance(cls, type):
        return None
    hints = typing.get_type_hints(cls, include_extras=True) if _has_fields(cls) else {}
    given = dict(zip(getattr(cls, "__parameters__", ()), typing.get_args(kind), strict=False))
    hints = {name: given.get(hint, hint) for name, hint in _hashable(hints).items()}
    if dataclasses.is_dataclass(cls):
        found = dataclasses.fields(cls)
        return {f.name: (f.name if f.init else "", hints.get(f.name, Any)) for f in found}
    if attrs.has(cls):
        return {
            f.name: ((f.alias or f.name) if f.init else "", hints.get(f.name, Any))
            for f in attrs.fields(cls)
        }
    return None


def _has_fields(cls: type) -> bool:
    return dataclasses.is_dataclass(cls) or attrs.has(cls)


def _hashable(hints: dict[str, Any]) -> dict[str, Any]:
    for name, hint in hints.items():
        try:
            hash(hint)
        except TypeError:
            hints[name] = unwrapped(hint)
    return hints


def json_kind(kind: Any) -> str | None:
    """Return the kind of JSON value that the type always is, or None if that varies."""
    kind = unwrapped(kind)
    outer = typing.get_origin(kind) or kind
    if outer in PLAIN:
        return PLAIN[outer]
    if scalar(outer):
        return "number" if outer.__name__ == "timedelta" else "string"
    values: list[Any] = []
    if outer is typing.Literal:
        values = list(typing.get_args(kind))
    elif isinstance(outer, type) and issubclass(outer, enum.Enum):
        values = [each.value for each in outer]
    if values:
        kinds = {PLAIN.get(type(value)) for value in values}
        return kinds.pop() if len(kinds) == 1 else None
    if outer in LISTS or outer is tuple or is_named_tuple(outer):
        return "array"
    if outer in DICTS or typing.is_typeddict(outer) or record_fields(kind) is not None:
        return "object"
    return None


def is_named_tuple(kind: Any) -> bool:
    """Tell whether the type is a tuple with names."""
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def by_kind(members: tuple[Any, ...]) -> dict[str, list[Any]]:
    """Group a union's members by their kinds of JSON value.

    Raises:
        Unstructurable: One of several beside None has no certain kind.
    """
    groups: dict[str, list[Any]] = {}
    kinds = [json_kind(member) for member in members]
    for member, kind in zip(members, kinds, strict=True):
        if kind is None and kinds.count("null") == len(kinds) - 1:
            groups.update({each: [member] for each in _NOT_NULL})
            continue
        if kind is None:
            raise Unstructurable(f"{name_of(member)} in a union cannot be told from the others")
        groups.setdefault(kind, []).append(member)
    return groups


def distinct_fields(records: list[Any]) -> dict[str, Any]:
    """Return for each record a field that no other of them has, as {field: record}.

    Raises:
        Unstructurable: One has none.
    """
    fields = [(kind, record_fields(kind) or {}) for kind in records]
    found: dict[str, Any] = {}
    for kind, mine in fields:
        theirs = {name for other, names in fields if other is not kind for name in names}
        unique = [name for name in mine if name not in theirs]
        if not unique:
            raise Unstructurable(f"{name_of(kind)} has no field that tells it from the others")
        found[unique[0]] = kind
    return found


def name_of(kind: Any) -> str:
    """Return the type as a reader would write it."""
    if isinstance(kind, Unresolved):
        return kind.text
    if isinstance(kind, type) and not typing.get_args(kind):
        module = kind.__module__
        return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
    return str(kind)


@define
class Planner:
    """Writes the pod's decoders for types; each class once, so that classes may be recursive."""

    express: Express
    """Gives the expression of a class in the pod."""
    statements: list[str] = field(factory=list)
    _names: dict[Any, str] = field(factory=dict)

    def plan(self, kind: Any) -> str:
        """Return the expression of a decoder; "same" for a type that JSON has itself.

        Raises:
            Unstructurable: JSON cannot carry the type.
        """
        if is_among(kind, PLAIN):
            return SAME
        kind = unwrapped(kind)
        outer = typing.get_origin(kind) or kind
        if isinstance(kind, Unresolved) or is_among(outer, ANYTHING):
            return SAME
        if is_among(outer, PLAIN) or outer is typing.Literal:
            return SAME
        members = union_members(kind)
        if members:
            return self._union(members)
        return scalar(outer) or self._collection(kind, outer) or self._class(kind, outer)

    def _union(self, members: tuple[Any, ...]) -> str:
        if all(self.plan(member) == SAME for member in members):
            return SAME
        plans = []
        for kind, group in by_kind(members).items():
            inner = [self.plan(member) for member in group]
            if len(group) > 1 and set(inner) != {SAME}:
                named = {n: self.plan(k) for n, k in distinct_fields(group).items()}
                inner = [f"by_field({', '.join(f'{n}={p}' for n, p in named.items())})"]
            if inner[0] != SAME:
                plans.append(f"{kind}={inner[0]}")
        return f"either({', '.join(plans)})"

    def _collection(self, kind: Any, outer: Any) -> str | None:
        args = typing.get_args(kind)
        if outer is tuple:
            if not args:
                return "tuple"
            if args[-1] is Ellipsis:
                return f"many(tuple, {self.plan(args[0])})"
            return f"row(lambda v: tuple(v), {', '.join(map(self.plan, args))})"
        if is_among(outer, LISTS):
            make, item = LISTS[outer], self.plan(args[0]) if args else SAME
            if item == SAME:
                return SAME if make == "list" else make
            return f"many({make}, {item})"
        if is_among(outer, DICTS):
            key, item = (self._key(args[0]), self.plan(args[1])) if args else (SAME, SAME)
            return SAME if key == item == SAME else f"table({key}, {item})"
        return None

    def _key(self, kind: Any) -> str:
        kind = unwrapped(kind)
        if kind in _KEYS:
            return _KEYS[kind]
        if typing.get_origin(kind) is typing.Literal and json_kind(kind) == "string":
            return SAME
        if scalar(kind) and json_kind(kind) == "string":
            return self.plan(kind)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return self.plan(kind)
        raise Unstructurable(f"{name_of(kind)} cannot be the key of a JSON object")

    def _class(self, kind: Any, cls: Any) -> str:
        if not isinstance(cls, type):
            raise Unstructurable(name_of(kind))
        if kind in self._names:
            return self._names[kind]
        try:
            if issubclass(cls, enum.Enum):
                return self._name(kind, f"member({self.express(cls)})")
            if is_named_tuple(cls):
                hints = typing.get_type_hints(cls, include_extras=True)
                items = [self.plan(hints.get(name, Any)) for name in cls._fields]  # type: ignore[attr-defined]
                maker = f"lambda v: {self.express(cls)}(*v)"
                return self._name(kind, f"row({maker}, {', '.join(items)})")
            if typing.is_typeddict(cls):
                return self._fields(
                    kind,
                    "dict",
                    {n: (n, h) for n, h in typing.get_type_hints(cls, include_extras=True).items()},
                )
            fields = record_fields(kind)
            if fields is not None:
                return self._fields(kind, self.express(cls), fields)
        except CannotTravel as error:
            raise Unstructurable(f"{name_of(kind)}: it is {error}") from None
        except NameError as error:
            raise Unstructurable(f"{name_of(kind)}: {error}") from None
        raise Unstructurable(name_of(kind))

    def _name(self, kind: Any, plan: str) -> str:
        name = self._names.setdefault(kind, f"to_{kind.__name__}_{len(self._names)}")
        self.statements.append(f"{name} = {plan}")
        return name

    def _fields(self, kind: Any, make: str, fields: dict[str, tuple[str, Any]]) -> str:
        simple = getattr(kind, "__name__", "record")
        self._names[kind] = f"to_{simple}_{len(self._names)}"
        items = [f"{n!r}: ({arg!r}, {self.plan(hint)})" for n, (arg, hint) in fields.items()]
        return self._name(kind, f"record({make}, lambda: {{{', '.join(items)}}})")


def is_among(kind: Any, table: Any) -> bool:
    """Tell whether the table has the type; types with unhashable parts are in none."""
    try:
        return kind in table
    except TypeError:
        return False
