"""The arguments of a call as JSON text, checked against the function's signature."""

import copy
import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import attrs
from attrs import frozen

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions.decoding import name_of
from aiowf.tasks.functions.pod import rich
from aiowf.tasks.functions.script import Input, ShippedFunction
from aiowf.tasks.functions.values import decode_value
from aiowf.tasks.reference import Reference
from aiowf.wire import inert


@frozen
class BoundCall:
    """The arguments of one call, ready to be put into a script."""

    arguments: str
    """Inert JSON text: `[args, kwargs]`, with null where a reference stands."""
    inputs: tuple[Input, ...] = ()
    """The references among them."""

    def with_text(self, *names: str) -> "BoundCall":
        """Return the call with these inputs read as raw text instead of JSON."""
        inputs = (attrs.evolve(i, form="text") if i.name in names else i for i in self.inputs)
        return attrs.evolve(self, inputs=tuple(inputs))


class _NotPlain(Exception):
    """A value is none of JSON's own."""


def _refuse(value: Any) -> Any:
    raise _NotPlain


_encode_plain = json.JSONEncoder(default=_refuse, ensure_ascii=False).encode


_UNCHANGING = frozenset({str, bytes, int, float, bool, type(None), Reference})


def kept(value: Any) -> Any:
    """Return an argument as it is now: what may change later is copied, where it can be."""
    if type(value) in _UNCHANGING:
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # a class's own way to be copied can raise anything
        return value


def input_name(reference: Reference) -> str:
    """Return the name of the input parameter that brings a reference's value."""
    return f"{reference.kind}-{reference.task}"


def bind(
    shipped: ShippedFunction, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
) -> BoundCall:
    """Check a call and write its arguments as JSON text.

    Raises:
        ConfigurationError: The function does not take these arguments, or one cannot travel.
    """
    given = (args, kwargs or {})
    if not kwargs and len(args) in shipped.plain_counts:
        text = _as_plain(given)
        if text is not None:
            return BoundCall(text)
    bound: inspect.BoundArguments | None = None
    if shipped.signature is not None:
        try:
            bound = shipped.signature.bind(*args, **(kwargs or {}))
        except TypeError as error:
            raise ConfigurationError(
                f"{shipped.name}{shipped.signature} does not take these arguments: {error}"
            ) from None
    if not shipped.refused and (bound is None or shipped.is_simple.issuperset(bound.arguments)):
        text = _as_plain(given)
        if text is not None:
            return BoundCall(text)
    return _bound_with_care(shipped, bound, given)


def _as_plain(given: Any) -> str | None:
    """Return the arguments as JSON text, or None if that takes more than JSON's own types."""
    try:
        return inert.json_text(_encode_plain(given))
    except (_NotPlain, TypeError, ValueError):
        return None


def _bound_with_care(
    shipped: ShippedFunction,
    bound: inspect.BoundArguments | None,
    given: tuple[Sequence[Any], Mapping[str, Any]],
) -> BoundCall:
    found: list[Input] = []
    args, kwargs = ([*given[0]], dict(given[1]))
    try:
        plain = [_without_references(value, (i,), found) for i, value in enumerate([args, kwargs])]
    except RecursionError:
        raise ConfigurationError(
            f"an argument of {shipped.name} contains itself, or is nested too deep for JSON",
            hint="pass plain values, dataclasses, or a file of the shared directory",
        ) from None
    if bound is not None:
        _check(shipped, bound)
    try:
        text = rich.encode_any(plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"an argument of {shipped.name} cannot travel as JSON: {error}",
            hint="pass plain values, dataclasses, or a file of the shared directory",
        ) from None
    return BoundCall(inert.json_text(text), tuple(found))


def _check(shipped: ShippedFunction, bound: inspect.BoundArguments) -> None:
    """Check each argument by its parameter's annotation."""
    for name, value in bound.arguments.items():
        found: list[Input] = []
        where = f"the argument {name} of {shipped.name}"
        annotation = shipped.hints.get(name, Any)
        if name in shipped.refused:
            raise ConfigurationError(
                f"{where} cannot travel as JSON: its type is {shipped.refused[name]}",
                hint="annotate it with a type that JSON can carry, or make it inside the function",
            )
        plain = _without_references(value, (), found)
        try:
            text = rich.encode_any(plain)
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigurationError(
                f"{where} cannot travel as JSON: {error}",
                hint="pass plain values, dataclasses, or a file of the shared directory",
            ) from None
        if name in shipped.is_simple:
            _check_plain(where, plain, annotation)
        elif not found:
            _check_typed(shipped, bound, name, text, where)


def _check_plain(where: str, value: Any, annotation: Any) -> None:
    try:
        json.dumps(value, default=_only_numbers)
    except (TypeError, ValueError) as error:
        is_known = annotation not in (Any, inspect.Parameter.empty)
        so_far = f"is annotated with {name_of(annotation)}" if is_known else "has no annotation"
        raise ConfigurationError(
            f"{where} holds {error}, and {so_far}: it would arrive as something else",
            hint="annotate the parameter with the type of what is passed",
        ) from None


def _only_numbers(value: Any) -> Any:
    if hasattr(type(value), "tolist"):
        return value.tolist()
    raise TypeError(f"a {name_of(type(value))}")


def _check_typed(
    shipped: ShippedFunction, bound: inspect.BoundArguments, name: str, text: str, where: str
) -> None:
    kind = bound.signature.parameters[name].kind
    annotation = shipped.hints[name]
    value = json.loads(text)
    each = [value]
    if kind is inspect.Parameter.VAR_POSITIONAL:
        each = value
    elif kind is inspect.Parameter.VAR_KEYWORD:
        each = list(value.values())
    for one in each:
        try:
            decode_value(json.dumps(one), annotation)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"{where}: {error.message}", hint="pass a value of the type, or annotate another"
            ) from None


def _without_references(value: Any, path: tuple[int | str, ...], found: list[Input]) -> Any:
    """Return the value with None for each reference in its lists, tuples and dicts."""
    if isinstance(value, Reference):
        found.append(Input(path, input_name(value), value))
        return None
    if type(value) in (list, tuple):
        return [_without_references(one, (*path, i), found) for i, one in enumerate(value)]
    if type(value) is dict:
        return {
            key: _without_references(one, (*path, _key(key)), found)
            for key, one in value.items()
            if not _is_reference_key(key)
        }
    if hasattr(type(value), "to_template"):
        output = "output" if hasattr(type(value), "output") else "stdout"
        raise ConfigurationError(
            f"the task {value.name!r} itself stands among the arguments",
            hint=f"did you mean its value, {value.name}.{output}?",
        )
    hidden: list[Input] = []
    for part in _parts(value):
        _without_references(part, (), hidden)
    if hidden:
        raise ConfigurationError(
            f"a task's value stands in a {name_of(type(value))}",
            hint="it may stand in lists, tuples and dicts",
        )
    return value


def _parts(value: Any) -> Iterable[Any]:
    """Return what a value consists of that is none of JSON's own containers."""
    if isinstance(value, str | bytes | int | float | None):
        return ()
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, tuple | list | set | frozenset):
        return value
    kind = type(value)
    of_class = fields(kind) if is_dataclass(kind) else getattr(kind, "__attrs_attrs__", ())
    return [getattr(value, each.name) for each in of_class]


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(next(iter(json.loads(rich.encode_any({key: 0})))))


def _is_reference_key(key: Any) -> bool:
    if isinstance(key, Reference):
        raise ConfigurationError(
            f"the value of {key.task} is the key of a dict", hint="it may be a dict's value"
        )
    return False
