"""Values to JSON text and back, on the client's side."""

import enum
import json
import typing
from collections.abc import Callable
from functools import cache
from inspect import isabstract
from typing import Any

import cattrs
from cattrs.errors import BaseValidationError
from cattrs.v import transform_error

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import decoding
from aiowf.tasks.functions.hints import Unresolved
from aiowf.tasks.functions.pod import rich, structure
from aiowf.tasks.functions.pod.replies import MARK, escaped
from aiowf.wire import inert


def encode_value(value: Any) -> str:
    """Write the value as inert JSON text, in Python's dialect (NaN, Infinity).

    Raises:
        TypeError: The value is of a type that JSON cannot carry.
    """
    return inert.json_text(rich.encode_any(escaped(value)))


def decode_value(text: str | bytes, annotation: Any = Any) -> Any:
    """Read a value and give it the type of the annotation.

    Args:
        text: JSON, as a task's script writes it.
        annotation: A type; plain JSON values come back for Any, a missing or an unresolved one.

    Raises:
        ConfigurationError: The value is not of that type.
    """
    value = json.loads(text)
    if isinstance(value, dict) and MARK in value:
        if value[MARK] is not None:
            raise ConfigurationError("the value travels by the replies; it is not in the text")
        value = value["value"]
    if isinstance(annotation, Unresolved) or decoding.is_among(annotation, decoding.ANYTHING):
        return value
    try:
        return _converter().structure(value, annotation)
    except (BaseValidationError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        told = transform_error(error) if isinstance(error, BaseValidationError) else [str(error)]
        raise ConfigurationError(
            f"the value is not of the type {decoding.name_of(annotation)}: {'; '.join(told)}",
            hint="correct the annotation, or what is returned or passed",
        ) from error


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    for kind in (str, int, float, bool, type(None)):
        converter.register_structure_hook(kind, _plain)
    converter.register_structure_hook_func(
        lambda t: decoding.is_among(t, decoding.ANYTHING), lambda value, _: value
    )
    converter.register_structure_hook(bytes, _scalar(bytes))  # else cattrs' own one comes first
    converter.register_structure_hook_factory(lambda t: bool(decoding.scalar(t)), _scalar)
    converter.register_structure_hook(enum.Enum, lambda value, kind: structure.member(kind)(value))
    converter.register_structure_hook_factory(
        decoding.is_named_tuple, lambda t: _named_tuple(t, converter)
    )
    converter.register_structure_hook_factory(
        lambda t: decoding.union_members(t) is not None,
        lambda t: _union(t, converter),
    )
    converter.register_structure_hook_factory(
        lambda t: decoding.is_among(typing.get_origin(t) or t, decoding.DICTS),
        lambda t: _dict(t, converter),
    )
    converter.register_structure_hook_factory(
        lambda t: hasattr(t, "__metadata__"),  # Annotated[…]
        lambda t: lambda value, _: converter.structure(value, decoding.unwrapped(t)),
    )
    converter.register_structure_hook_factory(
        lambda t: decoding.is_among(typing.get_origin(t) or t, _ABSTRACT),
        lambda t: _abstract(t, converter),
    )
    return converter


_ABSTRACT = {kind: make for kind, make in decoding.LISTS.items() if isabstract(kind)}
_CONCRETE: dict[str, Any] = {"list": list, "set": set}


def _abstract(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    concrete = _CONCRETE[_ABSTRACT[typing.get_origin(kind) or kind]]
    whole = concrete[typing.get_args(kind) or (Any,)]
    return lambda value, _: converter.structure(value, whole)


def _scalar(kind: type) -> Callable[[Any, Any], Any]:
    decode = eval(decoding.scalar(kind) or "")  # an expression of our own table
    return lambda value, _: decode(value)


def _plain(value: Any, kind: Any) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    expected = type(None) if kind is None else kind
    if issubclass(expected, enum.Enum):
        return structure.member(expected)(value)
    if not isinstance(value, expected):
        raise TypeError(f"expected {expected.__name__}, not {type(value).__name__}")
    return value


def _named_tuple(kind: Any, converter: cattrs.Converter) -> Any:
    hints = typing.get_type_hints(kind, include_extras=True)
    types = [hints.get(name, Any) for name in kind._fields]
    return lambda value, _: kind(*map(converter.structure, value, types))


def _dict(kind: Any, converter: cattrs.Converter) -> Any:
    key, item = map(decoding.unwrapped, typing.get_args(kind) or (Any, Any))

    def read_key(text: str) -> Any:
        if key is bool:
            return text == "true"
        if key in (int, float):
            return key(text)
        return converter.structure(text, key)

    return lambda value, _: {
        read_key(k): converter.structure(each, item) for k, each in dict(value).items()
    }


def _union(kind: Any, converter: cattrs.Converter) -> Any:
    members = decoding.union_members(kind) or ()
    plan = decoding.Planner(lambda cls: "").plan(kind)
    groups = decoding.by_kind(members) if plan != decoding.SAME else {}

    def decode(value: Any, _: Any) -> Any:
        group = groups.get(structure.kind_of(value))
        if not groups:
            return value
        if group is None:
            raise TypeError(f"expected {decoding.name_of(kind)}, not {type(value).__name__}")
        if len(group) == 1:
            return converter.structure(value, group[0])
        if isinstance(value, dict):
            for name, record in decoding.distinct_fields(group).items():
                if name in value:
                    return converter.structure(value, record)
        return value

    return decode
