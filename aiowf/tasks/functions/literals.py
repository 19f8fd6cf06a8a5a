"""Values as expressions of Python source, which make an equal value in the pod."""

import dataclasses
import enum
import pathlib
import types
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from aiowf.errors import ConfigurationError

Express = Callable[[Any], str]
"""Gives the expression of a part of a value; raises CannotTravel."""


class CannotTravel(Exception):
    """A value has no expression; the text says what it is."""

    def as_configuration_error(self, name: str, where: str) -> ConfigurationError:
        """Return the error for a variable that has the value."""
        return ConfigurationError(
            f"{name} cannot travel to the pod: it is {self}",
            where=where,
            hint="make it inside the function, or pass what it is made from as an argument",
        )


ATOMS = (type(None), bool, int, str, bytes, types.EllipsisType, types.NotImplementedType)
MUTABLE = (list, dict, set, bytearray, deque)


def literal(value: Any, express: Express) -> str | None:
    """Return the expression of a value of a type known here, else None."""
    kind = type(value)
    if kind in ATOMS:
        return repr(value)
    if kind in (float, complex):
        text = repr(value)
        return f"{kind.__name__}({text!r})" if "n" in text else text
    if value is type(None):
        return "type(None)"
    maker = _CONTAINERS.get(kind) or _STANDARD.get(f"{kind.__module__}.{kind.__qualname__}")
    if maker:
        return maker(value, express)
    if isinstance(value, enum.Enum):
        name = value.name
        owner = express(kind)
        if name and name in kind.__members__:
            return f"{owner}[{name!r}]"
        return f"{owner}({express(value.value)})"
    if isinstance(value, pathlib.PurePath):
        pure = "Path" if isinstance(value, pathlib.Path) else kind.__name__
        return f"__import__('pathlib').{pure}({str(value)!r})"
    if any(f"{base.__module__}.{base.__name__}" == "logging.Logger" for base in kind.__mro__):
        return f"__import__('logging').getLogger({value.name!r})"
    return _instance(value, express)


def _listed(values: Iterable[Any], express: Express) -> str:
    return ", ".join(map(express, values))


def _tuple(value: tuple[Any, ...], express: Express) -> str:
    return f"({_listed(value, express)}{',' * (len(value) == 1)})"


def _set(value: Iterable[Any], express: Express) -> str:
    return f"{{{', '.join(sorted(map(express, value)))}}}" if value else "set()"


def _dict(value: dict[Any, Any], express: Express) -> str:
    return "{" + ", ".join(f"{express(k)}: {express(v)}" for k, v in value.items()) + "}"


_CONTAINERS: dict[type, Callable[[Any, Express], str]] = {
    list: lambda v, e: f"[{_listed(v, e)}]",
    tuple: _tuple,
    set: _set,
    dict: _dict,
    frozenset: lambda v, e: f"frozenset({_set(v, e) if v else ''})",
    bytearray: lambda v, e: repr(v),
}


def _module_repr(value: Any, express: Express) -> str:
    module = type(value).__module__
    text = repr(value).removeprefix(f"{module}.")
    return f"__import__({module!r}).{text}"


def _called(module: str, name: str, *args: Any) -> Callable[[Any, Express], str]:
    def make(value: Any, express: Express) -> str:
        return f"__import__({module!r}).{name}({_listed([get(value) for get in args], express)})"

    return make


def _moment(value: Any, express: Express) -> str:
    zone = value.tzinfo
    text = _module_repr(value.replace(tzinfo=None), express)
    return f"{text}.replace(tzinfo={express(zone)})" if zone else text


def _partial(value: Any, express: Express) -> str:
    given = [express(one) for one in (value.func, *value.args)]
    given += [f"{name}={express(one)}" for name, one in value.keywords.items()]
    return f"__import__('functools').partial({', '.join(given)})"


def _called_again(value: Any, express: Express) -> str:
    kind, args = value.__reduce__()
    return f"__import__({kind.__module__!r}).{kind.__name__}({_listed(args, express)})"


_STANDARD: dict[str, Callable[[Any, Express], str]] = {
    "datetime.date": _module_repr,
    "datetime.timedelta": _module_repr,
    "datetime.datetime": _moment,
    "datetime.time": _moment,
    "datetime.timezone": lambda v, e: f"__import__('datetime').timezone({e(v.utcoffset(None))})",
    "zoneinfo.ZoneInfo": _called("zoneinfo", "ZoneInfo", lambda v: v.key),
    "decimal.Decimal": _called("decimal", "Decimal", str),
    "fractions.Fraction": _called("fractions", "Fraction", str),
    "uuid.UUID": _called("uuid", "UUID", str),
    "re.Pattern": _called("re", "compile", lambda v: v.pattern, lambda v: int(v.flags)),
    "builtins.range": lambda v, e: repr(v),
    "builtins.slice": lambda v, e: f"slice({_listed((v.start, v.stop, v.step), e)})",
    "builtins.object": lambda v, e: "object()",
    "functools.partial": _partial,
    "operator.itemgetter": _called_again,
    "operator.attrgetter": _called_again,
    "builtins.mappingproxy": _called("types", "MappingProxyType", dict),
    "collections.OrderedDict": _called("collections", "OrderedDict", dict),
    "collections.Counter": _called("collections", "Counter", dict),
    "collections.deque": _called("collections", "deque", list, lambda v: v.maxlen),
    "collections.defaultdict": _called(
        "collections", "defaultdict", lambda v: v.default_factory, dict
    ),
    "types.SimpleNamespace": lambda v, e: f"__import__('types').SimpleNamespace(**{e(vars(v))})",
    "string.Template": _called("string", "Template", lambda v: v.template),
    "_struct.Struct": _called("struct", "Struct", lambda v: v.format),
    **{
        f"ipaddress.IPv{version}{what}": _called("ipaddress", f"IPv{version}{what}", str)
        for version in (4, 6)
        for what in ("Address", "Interface", "Network")
    },
}
"""By the name of the type, so that its module need not be loaded."""


def _instance(value: Any, express: Express) -> str | None:
    """Express what its class can build again out of its fields."""
    kind = type(value)
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return f"{express(kind)}({_listed(value, express)})"
    fields: list[tuple[str, str]] = []
    if dataclasses.is_dataclass(kind):
        if not all(f.init for f in dataclasses.fields(kind)):
            return None
        fields = [(f.name, f.name) for f in dataclasses.fields(kind)]
    elif hasattr(kind, "__attrs_attrs__"):
        if not all(f.init for f in kind.__attrs_attrs__):
            return None
        fields = [(f.name, f.alias) for f in kind.__attrs_attrs__]
    else:
        return None
    given = [f"{argument}={express(getattr(value, name))}" for name, argument in fields]
    return f"{express(kind)}({', '.join(given)})"
