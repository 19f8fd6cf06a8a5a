"""Rare cases: types that JSON cannot carry, hidden values, sources that have changed."""

import asyncio
import collections.abc
import dataclasses
import datetime as dt
import enum
import functools
import json
import linecache
import sys
import types
import typing
import uuid
from pathlib import Path
from typing import Any, Final, Literal

import attrs
import functions_sample as sample
import pytest
import typing_extensions
from functions_sample import Colour, Node

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import decode_value, ship
from aiowf.tasks.functions.decoding import Planner, Unstructurable
from aiowf.tasks.functions.literals import CannotTravel
from aiowf.tasks.functions.watch import Watch
from aiowf.wire.values import large_value

T = typing.TypeVar("T", bound=dt.date)


@dataclasses.dataclass
class Circle:
    radius: float
    at: dt.date


@dataclasses.dataclass
class Wheel:
    radius: float
    at: dt.date


@dataclasses.dataclass
class Marked:
    at: typing.Annotated[dt.date, {"unhashable": 1}]
    total: int = dataclasses.field(init=False, default=0)


@dataclasses.dataclass
class Unfinished:
    at: "Nowhere"  # type: ignore[name-defined]  # noqa: F821


@attrs.define
class Counted:
    total: int = attrs.field(init=False, default=0)


class Level(enum.IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (dict[Literal["a"], int], "same"),
        (dict[uuid.UUID, int], "table(__import__('uuid').UUID, same)"),
        (collections.abc.Mapping[str, dt.date], "table(same, __import__('datetime').date"),
        (Level | str, "either(number=to_Level_0)"),
        (Final[dt.date], "__import__('datetime').date.fromisoformat"),
        (T, "__import__('datetime').date.fromisoformat"),
        (typing_extensions.TypeAliasType("Day", dt.date), "__import__('datetime').date"),
        (Literal[1] | dt.date, "either(string=__import__('datetime').date.fromisoformat)"),
        (list[Marked], "many(list, to_Marked_0)"),
    ],
)
def test_decoders(kind: Any, expected: str) -> None:
    """Each type has the decoder that its JSON needs."""
    assert Planner(lambda cls: cls.__name__).plan(kind).startswith(expected)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (dt.date | Any, "Any in a union cannot be told"),
        (dt.date | Literal[1, "a"], "in a union cannot be told"),
        (dt.date | Colour, "Colour in a union cannot be told"),
        (Circle | Wheel, "Circle has no field that tells it from the others"),
        (dict[Circle, int], "Circle cannot be the key"),
        (dict[Literal[1], int], "cannot be the key"),
        ([int], r"\[<class 'int'>\]"),
        (collections.abc.Callable[[], int], "Callable"),
        (Unfinished, "Nowhere"),
        (types.SimpleNamespace, "SimpleNamespace"),
    ],
)
def test_types_that_json_cannot_carry(kind: Any, message: str) -> None:
    """The error names the type."""
    with pytest.raises(Unstructurable, match=message):
        Planner(lambda cls: cls.__name__).plan(kind)


def test_classes_that_cannot_travel() -> None:
    """A class without an expression cannot be an annotation either."""

    def express(cls: Any) -> str:
        raise CannotTravel("lost")

    with pytest.raises(Unstructurable, match="Circle: it is lost"):
        Planner(express).plan(Circle)


def test_values_of_unions() -> None:
    """The kind of a value, or its fields, say which member it is."""
    kind = list[Circle | Node | dt.date | None]
    text = '[{"at": "2024-01-01", "radius": 1}, {"name": "x"}, "2024-01-02", null]'
    first, *others = decode_value(text, kind)
    assert first == Circle(1.0, dt.date(2024, 1, 1))
    assert others == [Node("x"), dt.date(2024, 1, 2), None]
    assert decode_value('{"x": 1}', Circle | Node | dt.date) == {"x": 1}
    assert decode_value('["a"]', list[int | str]) == ["a"]
    with pytest.raises(ConfigurationError, match=r"not of the type .*Circle"):
        decode_value("[[]]", kind)


def test_bare_generics_and_large_values() -> None:
    """Generics without arguments hold anything; markers are read from text and bytes."""
    assert decode_value('{"a": 1}', typing.Dict) == {"a": 1}  # noqa: UP006
    assert decode_value('{"a": [1]}', dict[str, object]) == {"a": [1]}
    marker = json.dumps({"aiowf.dev/value": "0" * 64, "size": 3})
    large = large_value(marker.encode())
    assert large == large_value(marker)
    assert large is not None
    assert large.size == 3
    assert large_value('{"aiowf.dev/value": null}') is None
    assert large_value("x" * 300) is None


def load_source(text: str, name: str, **given: Any) -> dict[str, Any]:
    """Run source as the module of a file that is known to linecache only."""
    file = f"/nowhere/{name}.py"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": "__main__", "__file__": file, **given}
    exec(compile(text, file, "exec"), namespace)
    return namespace


def test_names_that_no_statement_binds(pod: Any) -> None:
    """What was put into a module from outside travels like what it says itself."""
    text = "def f():\n    return [m.dumps(1), str(ANY), HERE]\n"
    space = load_source(text, "injected", m=json, ANY=Any, HERE=dt.date(2024, 1, 1).year)
    assert pod(space["f"]).value == ["1", "typing.Any", 2024]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (types.ModuleType("ghost"), "the module ghost, which cannot be imported"),
        (list[int], "whose definition is not found"),
        (sample, "your own module functions_sample, used as a value"),
        (Marked(dt.date(2024, 1, 1)), "an instance of .*Marked"),
        (Counted(), "an instance of .*Counted"),
        (type("Hidden", (), {"__module__": "json"}), "the class Hidden, which cannot be imported"),
        (functools.partial(len, object.__new__(asyncio.Lock)), "an instance of asyncio"),
    ],
)
def test_globals_that_cannot_travel(value: Any, message: str) -> None:
    """The error says what the variable is."""
    space = load_source("def f():\n    return GIVEN\n", "given", GIVEN=value)
    with pytest.raises(ConfigurationError, match=f"GIVEN cannot travel.*{message}"):
        ship(space["f"])


def test_class_without_source() -> None:
    """A class that no statement defines is refused."""
    hidden = type("Hidden", (), {"__module__": sample.__name__, "x": property(lambda self: 1)})
    with pytest.raises(ConfigurationError, match="there is no source of the class Hidden"):
        ship(lambda: hidden)


def test_functions_that_cannot_be_imported() -> None:
    """A function of an installed module must stand in it under its name."""
    made = types.FunctionType(json.dumps.__code__, vars(json), "lost")
    with pytest.raises(ConfigurationError, match=r"made cannot travel.*which cannot be imported"):
        ship(lambda: made)


def test_functions_that_somebody_else_wrapped() -> None:
    """What an installed decorator made elsewhere cannot be made again."""
    made = functools.cache(sample.same_name)
    with pytest.raises(ConfigurationError, match=r"made cannot travel.*same_name in a decorator"):
        ship(lambda: made)


def test_classes_inside_of_classes(pod: Any) -> None:
    """They come along with the class around them."""
    inner = sample.Base.Inner
    assert pod(lambda: inner.depth).value == 0.5


def test_decorated_functions_inside_of_others(pod: Any, python: str) -> None:
    """What a decorator from elsewhere made of a nested function is made again."""
    step = 2

    @functools.cache
    def doubled(x: int) -> int:
        return x * step

    @functools.cache
    @sample.registered
    def both(x: int) -> int:
        return doubled(x) + 1

    assert pod(lambda: [doubled(2), both(3)], python=python).value == [4, 7]


def test_what_refers_to_itself(pod: Any, python: str) -> None:
    """A nested function may call itself, and a nested class name itself."""

    def factorial(n: int) -> int:
        return 1 if n < 2 else n * factorial(n - 1)

    class Tree:
        def __init__(self, depth: int) -> None:
            self.child = Tree(depth - 1) if depth else None

    again = lambda n: again(n - 1) if n else "done"  # noqa: E731

    def uses() -> list[Any]:
        return [factorial(5), Tree(1).child.child, again(3)]  # type: ignore[union-attr]

    assert pod(factorial, 4, python=python).value == 24
    assert pod(uses, python=python).value == [120, None, "done"]


LAMBDAS = [
    *[lambda x: (x) if x else (0), lambda x: not x and 3, lambda x: -(1 + 2), lambda x: None],
    lambda x: [(lambda y: y + x)(1), (lambda: x)()],
    (lambda x: lambda: [x, RATE])(7),
]
RATE = 0.5


@pytest.mark.parametrize("number", range(5))
def test_lambdas(pod: Any, number: int) -> None:
    """Each of several lambdas of one line is the one that travels."""
    assert pod(LAMBDAS[number], 2).value == LAMBDAS[number](2)


def test_lambdas_inside_of_lambdas(pod: Any) -> None:
    """The inner one is meant if it is the inner one that is given."""
    assert pod(LAMBDAS[5]).value == [7, 0.5]


def test_attributes_of_functions_that_cannot_travel(pod: Any) -> None:
    """They are left out, with all that was gathered for them."""

    def noted() -> list[str]:
        return sorted(vars(noted))

    noted.lost = [Circle, sample.LOCK]  # type: ignore[attr-defined]
    noted.kept = [1]  # type: ignore[attr-defined]
    assert pod(noted).value == ["kept"]
    assert "class Circle" not in ship(noted).script()


def test_annotations_that_cannot_travel(pod: Any) -> None:
    """A class's annotation that the pod cannot have is left alone."""
    text = (
        "from __future__ import annotations\nimport json\n"
        "class Holder:\n    lock: LOCK\n    other: json.JSONDecoder\n    wrong: 'not a type'\n"
        "def f():\n    return Holder.__name__\n"
    )
    space = load_source(text, "annotated", LOCK=sample.LOCK)
    module = types.ModuleType("annotated")
    vars(module).update(space, __name__="annotated")
    space["Holder"].__module__ = "annotated"
    space["__name__"] = "annotated"
    sys.modules["annotated"] = module
    try:
        assert pod(space["f"]).value == "Holder"
    finally:
        del sys.modules["annotated"]


def test_hints_of_which_some_are_unresolved() -> None:
    """The others are taken as they are."""

    def f(a: "Nowhere", b: int) -> "dt.date":  # type: ignore[name-defined]  # noqa: F821
        return dt.date(2024, a, b)

    shipped = ship(f)
    assert (shipped.hints["b"], shipped.return_annotation) == (int, dt.date)
    assert shipped.hints["a"].text == "Nowhere"


@pytest.mark.filterwarnings("ignore:can't resolve package:ImportWarning")
def test_relative_import_that_failed(pod: Any) -> None:
    """An import statement that did not give the name its value is not run again."""
    text = (
        "import os, re\n"
        "try:\n    from . import other\nexcept ImportError:\n    other = 1\n"
        "def f():\n    return [other, re.escape('.'), os.path.basename('a/b')]\n"
    )
    assert pod(load_source(text, "relative", __package__=None)["f"]).value == [1, "\\.", "b"]


def test_variable_without_a_value() -> None:
    """A variable of the closure that is set later is an error now."""

    def early() -> int:
        return late

    with pytest.raises(ConfigurationError, match="late has no value yet where early"):
        ship(early)
    late = 1
    assert ship(early).name == "early"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("f = lambda x: x + 1\n", "f = 1\n"),
        ("def f(x):\n    return x\n", "def f(y):\n    return y\n"),
        ("def f(x):\n    return x\n", "def g(x):\n    return x\n"),
        ("def f(x):\n    return x\n", "def f(x:\n"),
    ],
)
def test_source_that_has_changed(tmp_path: Path, before: str, after: str) -> None:
    """A function whose text is no longer there is refused."""
    file = tmp_path / "changing.py"
    space: dict[str, Any] = {"__name__": "__main__", "__file__": str(file)}
    exec(compile(before, str(file), "exec"), space)
    file.write_text(after)
    with pytest.raises(ConfigurationError, match=r"the file has changed|there is no source"):
        ship(space["f"])


def test_watch_of_closures_and_values() -> None:
    """A closure's variable, a set and a record are seen to change."""
    step = 1

    def f() -> int:
        return step

    seen, record = {1}, Circle(1.0, dt.date(2024, 1, 1))
    watch = Watch()
    watch.cell(f, 0, step)
    watch.value(seen)
    watch.value(record)
    assert watch.is_unchanged()
    record.radius = 2.0
    assert not watch.is_unchanged()
    record.radius = 1.0
    seen.add(2)
    assert not watch.is_unchanged()
    seen.remove(2)
    step = 2
    assert not watch.is_unchanged()


def test_modules_with_several_names(pod: Any) -> None:
    """A module that the system calls otherwise is imported by its common name."""
    text = "import os.path as p\nfrom os import path as q\ndef f():\n    return p.sep + q.sep\n"
    assert pod(load_source(text, "paths")["f"]).value == "//"
