"""Values ↔ Argo's JSON, without loss.

A field that is None is absent in JSON. What the typed fields cannot say (unknown fields, explicit
nulls) is kept in `extra` and comes back where it was. Raw parts are copied as they are: what is
done to the JSON data afterwards changes no value.
"""

from collections.abc import Callable, Mapping
from functools import partial, reduce
from operator import or_
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import attrs
import orjson
from cattrs import Converter

from aiowf.errors import ConfigurationError
from aiowf.manifest.fields import EXTRA, Raw, described, is_value

T = TypeVar("T")
# What makes a field's value of JSON data, as cattrs calls it.
_Read = Callable[[Any, Any], Any]
# And what makes JSON data of it; None: it stays as it is.
_Write = Callable[[Any], Any]

_SCALARS = frozenset({str, int, float, bool})
_LEAVES = _SCALARS | {NoneType}
# What may stand where a scalar is expected. bool is an int for Python, and not for Argo.
_ACCEPTED: Mapping[Any, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    bool: (bool,),
    float: (int, float),
}


def make_converter() -> Converter:
    """Make a converter between manifest values and Argo's JSON."""
    made = Converter()
    configure_converter(made)
    return made


def configure_converter(made: Converter) -> None:
    """Teach a converter the rules of manifest values."""
    made.register_structure_hook_factory(is_value, lambda cls: _value_reader(cls, made))
    made.register_unstructure_hook_factory(
        is_value, lambda cls: _value_writer(cls, made, {}, _copied)
    )


def structure(data: Any, cls: type[T]) -> T:
    """Make a value from JSON data (dicts, lists and scalars).

    Raises:
        ConfigurationError: The data does not have the form of `cls`; the message says where.
    """
    try:
        return converter.structure(data, cls)
    except ConfigurationError as error:
        where = (error.where or "").removeprefix(".").removeprefix("spec.")
        raise ConfigurationError(
            f"{error.message} (in a {cls.__name__})", where=where or None, hint=error.hint
        ) from None


def loads(text: bytes | str, cls: type[T]) -> T:
    """Make a value from JSON text.

    Raises:
        ConfigurationError: The text is not JSON, or does not have the form of `cls`.
    """
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"this is not JSON: {error}") from None
    return structure(data, cls)


def unstructure(value: Any) -> Any:
    """Return a value as JSON data."""
    return converter.unstructure(value)


def dumps(value: Any, *, indent: bool = False) -> bytes:
    """Return a value, or JSON data that may hold values, as JSON text in UTF-8."""
    return orjson.dumps(
        (_dumper if is_value(type(value)) else converter).unstructure(value),
        default=converter.unstructure,
        option=orjson.OPT_INDENT_2 if indent else None,
    )


def constant(value: T) -> T:
    """Have a value that stands in many manifests made into JSON data only once, for `dumps`."""
    _constants[id(value)] = _Constant(value)
    return value


@attrs.define
class _Constant:
    """A value, held so that its id stays its own, and its data as soon as somebody wants it."""

    value: Any
    data: Any = None


def _value_reader(cls: Any, made: Converter) -> _Read:
    """Return what makes a value of a class; its fields' readers come at the first use."""
    fields: dict[str, tuple[str, _Read, Any]] = {}

    def read_value(data: Any, _: Any) -> Any:
        if data.__class__ is not dict and not isinstance(data, Mapping):
            raise _misfit("an object", data)
        if not fields:
            fields.update(_readers(cls, made))
        given, extra, key = {}, {}, ""
        try:
            for key, item in data.items():
                known = fields.get(key)
                if known is None or item is None:
                    extra[key] = _copied(item)
                else:
                    name, read, kind = known
                    given[name] = read(item, kind)
        except ConfigurationError as error:
            error.where = f".{key}{error.where or ''}"
            raise
        if extra:
            given[EXTRA] = extra
        return cls(**given)

    return read_value


def _readers(cls: Any, made: Converter) -> Mapping[str, tuple[str, _Read, Any]]:
    """Return JSON name → the field's name, its reader and its type."""
    fields = [(key, name, _without_none(kind)) for name, key, kind in described(cls)]
    return {key: (name, _reader(kind, made), kind) for key, name, kind in fields if name != EXTRA}


def _without_none(kind: Any) -> Any:
    """Return `X` of `X | None`."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    return reduce(or_, (arg for arg in get_args(kind) if arg is not NoneType))


def _reader(kind: Any, made: Converter) -> _Read:
    if kind is Any:
        return _read_any
    if kind == Raw:
        return _read_raw
    if get_origin(kind) is tuple:
        return _tuple_reader(get_args(kind)[0], made)
    if get_origin(kind) is Mapping:
        return _mapping_reader(get_args(kind)[1], made)
    scalars = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if set(scalars) <= _SCALARS:
        return _scalar_reader(scalars)
    read: _Read = made.get_structure_hook(kind)
    return read


def _scalar_reader(scalars: tuple[Any, ...]) -> _Read:
    accepted = frozenset(kind for scalar in scalars for kind in _ACCEPTED[scalar])
    names = " or ".join(scalar.__name__ for scalar in scalars)

    def read_scalar(data: Any, _: Any) -> Any:
        if data.__class__ not in accepted:
            raise _misfit(names, data)
        return data

    return read_scalar


def _read_raw(data: Any, _: Any) -> Any:
    if not isinstance(data, Mapping):
        raise _misfit("an object", data)
    return _copied(data)


def _read_any(data: Any, _: Any) -> Any:
    return _copied(data)


def _tuple_reader(kind: Any, made: Converter) -> _Read:
    read = _reader(kind, made)

    def read_tuple(data: Any, _: Any) -> Any:
        if not isinstance(data, (list, tuple)):
            raise _misfit("a list", data)
        items: list[Any] = []
        try:
            for item in data:
                items.append(None if item is None else read(item, kind))
        except ConfigurationError as error:
            error.where = f"[{len(items)}]{error.where or ''}"
            raise
        return tuple(items)

    return read_tuple


def _mapping_reader(kind: Any, made: Converter) -> _Read:
    read = _reader(kind, made)

    def read_mapping(data: Any, _: Any) -> Any:
        if not isinstance(data, Mapping):
            raise _misfit("an object", data)
        items: dict[str, Any] = {}
        key = ""
        try:
            for key, item in data.items():
                items[key] = None if item is None else read(item, kind)
        except ConfigurationError as error:
            error.where = f".{key}{error.where or ''}"
            raise
        return items

    return read_mapping


def _misfit(expected: str, data: Any) -> ConfigurationError:
    return ConfigurationError(f"expected {expected}, not {data!r:.60}")


def _value_writer(
    cls: Any,
    made: Converter,
    constants: Mapping[int, _Constant],
    copied: _Write | None,
) -> _Write:
    """Return what makes JSON data of a value; its fields' writers come at the first use.

    Args:
        cls: The class of the values.
        made: What writes the values in them.
        constants: What is written once, by id.
        copied: What copies raw parts.
    """
    fields: dict[str, tuple[str, _Write | None]] = {}

    def write_value(value: Any) -> Any:
        constant = constants.get(id(value))
        if constant is not None and constant.data is not None:
            return constant.data
        if value.__class__ is not cls:
            return made.unstructure(value)
        if not fields:
            fields.update(_writers(cls, made, copied))
        data = {}
        said = value.__dict__
        for name in said:
            key, write = fields[name]
            data[key] = said[name] if write is None else write(said[name])
        if EXTRA in said:
            data |= data.pop(EXTRA)
        if constant is not None:
            constant.data = data
        return data

    return write_value


def _writers(
    cls: Any, made: Converter, copied: _Write | None
) -> Mapping[str, tuple[str, _Write | None]]:
    """Return the field's name → its JSON name and its writer."""
    return {
        name: (key, _writer(_without_none(kind), made, copied))
        for name, key, kind in described(cls)
    }


def _writer(kind: Any, made: Converter, copied: _Write | None) -> _Write | None:
    if kind is Any or (kind == Raw and copied is not None):
        return copied
    origin, args = get_origin(kind), get_args(kind)
    if origin is tuple:
        write = _writer(args[0], made, copied)
        return list if write is None else partial(_write_items, write)
    if origin is Mapping:
        write = _writer(args[1], made, copied)
        return dict if write is None else partial(_write_mapping, write)
    return made.get_unstructure_hook(kind) if is_value(kind) else None


def _write_items(write: _Write, items: Any) -> list[Any]:
    return [None if item is None else write(item) for item in items]


def _write_mapping(write: _Write, items: Any) -> dict[str, Any]:
    return {key: None if item is None else write(item) for key, item in items.items()}


def _copied(data: Any) -> Any:
    """Return JSON data of which no part is the given one's."""
    kind = data.__class__
    if kind in _LEAVES:
        return data
    if kind is list:
        return [item if item.__class__ in _LEAVES else _copied(item) for item in data]
    if kind is dict or isinstance(data, Mapping):
        return {
            key: item if item.__class__ in _LEAVES else _copied(item) for key, item in data.items()
        }
    return data


# Configured once; other rooms may register hooks of their own values here.
converter = make_converter()

_constants: dict[int, _Constant] = {}  # what `constant` was given, by id
# Writes data that is only read: that of a constant is one object wherever it stands.
_dumper = Converter()
_dumper.register_unstructure_hook_factory(
    is_value, lambda cls: _value_writer(cls, _dumper, _constants, None)
)
