"""A Python function as a script that needs nothing but itself."""

import contextlib
import functools
import inspect
import re
import typing
import weakref
from collections.abc import Callable
from typing import Any

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import origin
from aiowf.tasks.functions.decoding import (
    PLAIN,
    SAME,
    Planner,
    Unstructurable,
    is_among,
    name_of,
    union_members,
)
from aiowf.tasks.functions.hints import Unresolved, resolved_hints
from aiowf.tasks.functions.literals import CannotTravel
from aiowf.tasks.functions.script import ShippedFunction
from aiowf.wire import inert

_EMPTY = inspect.Parameter.empty
_SMALL = (bool, int, float, None, type(None))
_COMBINATORS = frozenset(
    {"same", "many", "row", "table", "record", "member", "either", "by_field", "structured"}
)
_STATEMENTS = frozenset({"module", "load", "nest", "link"})
"""Functions of the pod's code by which decoders are made, and the user's modules."""

_cache: dict[int, tuple[weakref.ref[Any], ShippedFunction]] = {}


def ship(function: Callable[..., Any]) -> ShippedFunction:
    """Gather everything that a function needs.

    A function seen before costs nothing, unless a global, a closure or a constant that it uses has
    changed since.

    Args:
        function: A function, a lambda, a functools.partial, or whatever can be imported or written
            as an expression.

    Raises:
        ConfigurationError: Something it needs cannot travel; the error names it and its line.
    """
    known = _cache.get(id(function))
    if known and known[0]() is function and known[1].watch.is_unchanged():
        return known[1]
    shipped = _shipped(origin.without_aiowf(function))
    key = id(function)
    with contextlib.suppress(TypeError):
        _cache[key] = weakref.ref(function, lambda _: _cache.pop(key, None)), shipped
    return shipped


def _shipped(function: Callable[..., Any]) -> ShippedFunction:
    # Half of the package's modules are needed by those only who build a PythonTask.
    from aiowf.tasks.functions.gathering import Gatherer

    inner = _innermost(function)
    name, where = _described(function, inner)
    _refuse_generators(function, inner, name, where)
    gatherer = Gatherer(origin.own_packages(_module_of(function, inner)))
    planner = Planner(gatherer.express)
    try:
        expression = gatherer.express(function)
        hints = resolved_hints(function)
        signature = _signature(function)
        structure, simple, refused = _decoders(signature, hints, planner)
        annotation = _returned(hints)
        is_rich = _is_rich(annotation, planner)
    except CannotTravel as error:
        raise ConfigurationError(
            f"{name} cannot travel to the pod: it is {error}",
            where=where,
            hint="pass a function that makes what it needs itself",
        ) from None
    except Unstructurable as error:
        raise ConfigurationError(
            f"the value of {name} cannot travel as JSON: {error}",
            where=where,
            hint="return plain values, dataclasses, or write a file",
        ) from None
    decoders = planner.statements if structure else []
    statements = gatherer.statements
    used = _STATEMENTS.intersection(one.partition("(")[0] for one in statements)
    if structure:
        used |= _COMBINATORS.intersection(re.findall(r"\w+", "\n".join([*decoders, structure])))
    return ShippedFunction(
        name=name,
        signature=signature,
        return_annotation=annotation,
        imports=tuple(sorted(gatherer.imports)),
        hints=hints,
        is_simple=simple,
        refused=refused,
        plain_counts=_plain_counts(signature, simple - refused.keys()),
        watch=gatherer.watch,
        statements="".join(f"{one}\n" for one in (*statements, *decoders)),
        expression=inert.python_code(expression),
        structure=structure,
        is_rich=is_rich,
        is_small=all(one in _SMALL for one in union_members(annotation) or (annotation,)),
        pod_names=frozenset(used),
    )


def _innermost(function: Any) -> Any:
    return inspect.unwrap(function.func if isinstance(function, functools.partial) else function)


def _described(function: Any, inner: Any) -> tuple[str, str | None]:
    """Return the name for messages, and the place in the user's file."""
    name = getattr(inner, "__name__", None) or type(function).__name__
    code = getattr(inner, "__code__", None)
    return name, f"{code.co_filename}:{code.co_firstlineno}" if code else None


def _module_of(function: Any, inner: Any) -> str:
    if isinstance(function, type):
        return function.__module__
    space = getattr(inner, "__globals__", None) or {}
    return space.get("__name__") or getattr(inner, "__module__", None) or "builtins"


def _refuse_generators(function: Any, inner: Any, name: str, where: str | None) -> None:
    for each in (function, inner) if inner is not function else (function,):
        if inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each):
            raise ConfigurationError(
                f"{name} is a generator function: its values cannot be sent one by one",
                where=where,
                hint="return a list instead",
            )


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _plain_counts(signature: inspect.Signature | None, simple: frozenset[str]) -> range:
    """Return how many positional arguments do without a closer look at the signature."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = signature.parameters.values() if signature else ()
    if any(each.kind not in kinds or each.name not in simple for each in parameters):
        return range(0)
    required = sum(each.default is _EMPTY for each in parameters)
    return range(required, len(parameters) + 1) if signature else range(0)


def _returned(hints: dict[str, Any]) -> Any:
    hint = hints.get("return", Any)
    name = getattr(typing.get_origin(hint), "__name__", "")
    args = typing.get_args(hint)
    return args[-1] if name in ("Coroutine", "Awaitable") and args else hint


def _is_rich(annotation: Any, planner: Planner) -> bool:
    """Tell whether the value may need more than JSON's own types."""
    if is_among(annotation, PLAIN):
        return False
    mine = Planner(planner.express)
    if mine.plan(annotation) != SAME:
        return True
    text = name_of(annotation)
    is_open = any(mark in text for mark in ("Any", "dict", "list", "object", "Sequence", "Mapping"))
    return isinstance(annotation, Unresolved) or (is_open and "[" not in text) or "Any" in text


def _decoders(
    signature: inspect.Signature | None, hints: dict[str, Any], planner: Planner
) -> tuple[str, frozenset[str], dict[str, str]]:
    """Return the decoder of the arguments, or "" where JSON's own types do.

    With it come the parameters whose values arrive as they are, and those that can get none.
    """
    places: list[str] = []
    names: dict[str, str] = {}
    rest = others = SAME
    simple: set[str] = set()
    refused: dict[str, str] = {}
    for name, parameter in signature.parameters.items() if signature else ():
        try:
            plan = planner.plan(hints.get(name, _EMPTY))
        except Unstructurable as error:
            plan, refused[name] = SAME, str(error)
        if plan == SAME:
            simple.add(name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = plan
        elif parameter.kind is parameter.VAR_KEYWORD:
            others = plan
        else:
            if parameter.kind is not parameter.KEYWORD_ONLY:
                places.append(plan)
            if parameter.kind is not parameter.POSITIONAL_ONLY and plan != SAME:
                names[name] = plan
    if all(plan == SAME for plan in (*places, *names.values(), rest, others)):
        return "", frozenset(simple), refused
    named = ", ".join(f"{name!r}: {plan}" for name, plan in names.items())
    text = f"structured([{', '.join(places)}], {rest}, {{{named}}}, {others})"
    return text, frozenset(simple), refused
