"""A Python function as a script that needs nothing but itself."""

import contextlib
import functools
import inspect
import typing
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from attrs import field, frozen

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import origin
from aiowf.tasks.functions.decoding import SAME, Planner, Unstructurable, name_of
from aiowf.tasks.functions.gathering import Gatherer, without_aiowf
from aiowf.tasks.functions.hints import Unresolved, resolved_hints
from aiowf.tasks.functions.literals import CannotTravel
from aiowf.tasks.functions.pod.embedding import embedded
from aiowf.tasks.functions.watch import Watch
from aiowf.tasks.reference import Reference
from aiowf.wire import inert

_EMPTY = inspect.Parameter.empty


@frozen
class Input:
    """An earlier task's value among the arguments."""

    path: tuple[int | str, ...]
    """Where it stands: 0 for args or 1 for kwargs, then index or key, and so on."""
    name: str
    """Name of the input parameter, and of its file below `<base>/in`."""
    reference: Reference
    form: Literal["json", "text"] = "json"
    """What the file holds: JSON, as tasks of ours write it, or raw text."""


@frozen(eq=False)
class ShippedFunction:
    """A function with everything it needs, ready to become a script.

    Attributes:
        name: The function's name.
        signature: Its parameters.
        return_annotation: The type of its value; Any where there is none.
        imports: Top-level names of the third-party modules that it imports, sorted.
        hints: The resolved annotations by parameter name.
    """

    name: str
    signature: inspect.Signature | None
    return_annotation: Any
    imports: tuple[str, ...]
    hints: dict[str, Any]
    is_simple: frozenset[str]
    """Parameters whose values arrive as JSON has them."""
    refused: dict[str, str]
    """Parameters that cannot get a value, with their types."""
    _body: str = field(alias="body")
    _expression: str = field(alias="expression")
    _structure: str = field(alias="structure")
    _sections: tuple[str, ...] = field(alias="sections")
    _watch: Watch = field(alias="watch")
    _func: Callable[[], Any] = field(alias="func")
    _texts: dict[tuple[bool, bool], tuple[str, str]] = field(factory=dict, init=False)

    @property
    def func(self) -> Callable[..., Any]:
        """The function itself; held weakly here, as the cache must not keep it."""
        found: Callable[..., Any] | None = self._func()
        if found is None:
            raise ReferenceError(f"the function {self.name} is gone")
        return found

    def script(
        self,
        arguments: str = "[[], {}]",
        *,
        requirements: Sequence[str] = (),
        inputs: Iterable[Input] = (),
        raw_return: bool = False,
        capture_stdout: bool = False,
        raw_stdout: bool = False,
    ) -> str:
        """Return the source of a script that calls the function and writes its value.

        Args:
            arguments: JSON text, from `bind`.
            requirements: What pip installs before anything else runs.
            inputs: The values of earlier tasks, from `bind`.
            raw_return: Also write `<base>/return-env`, for a variable of a later task.
            capture_stdout: Also write `<base>/stdout`: what the task printed, as JSON text.
            raw_stdout: Also write `<base>/stdout-env`, for a variable of a later task.
        """
        given = [(i.path, i.name, i.form, i.reference.task) for i in inputs]
        shape = (bool(given), raw_return or raw_stdout)
        try:
            head, body = self._texts[shape]
        except KeyError:
            head, body = self._texts[shape] = self._parts(*shape)
        options = f", inputs={given!r}" if given else ""
        if self._structure:
            options += f", structure={self._structure}"
        if raw_return:
            options += ", env=True"
        tail = f"run({self._expression}, {inert.python_code(repr(arguments))}{options})\n"
        if not requirements and not capture_stdout:
            return f"{head}{body}{tail}"
        if capture_stdout:
            head = f"{head}{embedded('tee')}finish = tee()\n"
            tail = f"{tail}finish({raw_stdout})\n"
        if requirements:
            names = inert.python_code(repr(list(requirements)))
            head = f"{head}{embedded('install')}install({names})\n"
        return f"{head}{body}{tail}"

    def _parts(self, has_inputs: bool, has_env: bool) -> tuple[str, str]:
        sections = [*self._sections]
        sections += ["inputs"] if has_inputs else []
        sections += ["env"] if has_env else []
        return f"# {self.name}\n{embedded(*sections)}begin()\n", self._body


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
    if known and known[0]() is function and known[1]._watch.is_unchanged():
        return known[1]
    shipped = _shipped(without_aiowf(function), function)
    key = id(function)
    with contextlib.suppress(TypeError):
        _cache[key] = weakref.ref(function, lambda _: _cache.pop(key, None)), shipped
    return shipped


def _shipped(function: Callable[..., Any], given: Callable[..., Any]) -> ShippedFunction:
    name, where = _described(function)
    inner = inspect.unwrap(function.func if isinstance(function, functools.partial) else function)
    space = getattr(inner, "__globals__", None) or {}
    module = space.get("__name__") or getattr(inner, "__module__", None) or "builtins"
    for each in (function, inner):
        if inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each):
            raise ConfigurationError(
                f"{name} is a generator function: its values cannot be sent one by one",
                where=where,
                hint="return a list instead",
            )
    if isinstance(function, type):
        module = function.__module__
    gatherer = Gatherer(origin.own_packages(module))
    try:
        expression = gatherer.express(function)
        hints = resolved_hints(function)
        signature = _signature(function)
        planner = Planner(gatherer.express)
        structure, simple, refused = _decoders(signature, hints, planner)
        annotation = _returned(hints)
        try:
            is_rich = _is_rich(annotation, planner)
        except Unstructurable as error:
            raise ConfigurationError(
                f"the value of {name} cannot travel as JSON: {error}",
                where=where,
                hint="return plain values, dataclasses, or write a file",
            ) from None
    except CannotTravel as error:
        raise ConfigurationError(
            f"{name} cannot travel to the pod: it is {error}",
            where=where,
            hint="pass a function that makes what it needs itself",
        ) from None
    body = [*gatherer.statements, *(planner.statements if structure else ())]
    needs_tidy = "member(" in "".join(body)
    sections = ["rich" if is_rich or needs_tidy else "encode", "output", "loading"]
    sections += sorted(gatherer.sections)
    sections += ["structure"] if structure else []
    return ShippedFunction(
        name=name,
        signature=signature,
        return_annotation=annotation,
        imports=tuple(sorted(gatherer.imports)),
        hints=hints,
        is_simple=simple,
        refused=refused,
        body="".join(f"{one}\n" for one in body),
        expression=inert.python_code(expression),
        structure=structure,
        sections=(*sections, "runner"),
        watch=gatherer.watch,
        func=_weakly(given),
    )


def _weakly(function: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(function)
    except TypeError:
        return lambda: function


def _described(function: Any) -> tuple[str, str | None]:
    """Return the name for messages, and the place in the user's file."""
    inner = inspect.unwrap(function.func if isinstance(function, functools.partial) else function)
    name = getattr(inner, "__name__", None) or type(function).__name__
    code = getattr(inner, "__code__", None)
    return name, f"{code.co_filename}:{code.co_firstlineno}" if code else None


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _returned(hints: dict[str, Any]) -> Any:
    hint = hints.get("return", Any)
    name = getattr(typing.get_origin(hint), "__name__", "")
    args = typing.get_args(hint)
    return args[-1] if name in ("Coroutine", "Awaitable") and args else hint


def _is_rich(annotation: Any, planner: Planner) -> bool:
    """Tell whether the value may need more than JSON's own types."""
    mine = Planner(planner.express)
    if mine.plan(annotation) != SAME:
        return True
    text = name_of(annotation)
    is_open = any(mark in text for mark in ("Any", "dict", "list", "object", "Sequence", "Mapping"))
    return isinstance(annotation, Unresolved) or (is_open and "[" not in text) or "Any" in text


def _decoders(
    signature: inspect.Signature | None, hints: dict[str, Any], planner: Planner
) -> tuple[str, frozenset[str], dict[str, str]]:
    """Return the expression that decodes the arguments, or "" where JSON's own types do."""
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
