"""Functions of a package, with the odd things that modules do."""

import collections
import datetime as dt
import decimal
import enum
import fractions
import functools
import io
import json
import logging
import operator
import re
import threading
import types
import uuid
import zoneinfo
from pathlib import Path, PurePosixPath
from typing import Any

import functions_package.main as package
import pytest

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import origin, ship


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("f1", (7,)),
        ("f4", (7,)),
        ("f5", ()),
        ("f6", ()),
        ("f7", ()),
        ("f8", ()),
        ("f9", ([package.Config(1)], package.Config(2))),
        ("f11", ()),
        ("f12", ()),
        ("f13", ()),
        ("f14", ()),
        ("f15", ()),
        ("f16", (1,)),
        ("f17", ()),
    ],
)
def test_same_value_as_here(pod: Any, name: str, args: tuple[Any, ...]) -> None:
    """A call in the pod gives what the call here gives."""
    function = getattr(package, name)
    assert pod(function, *args).value == function(*args)


def test_async_generators_inside(pod: Any) -> None:
    """A coroutine function may use async generators of its module."""
    assert pod(package.f10).value == [1, 4]


def test_our_decorators_are_left_out(pod: Any) -> None:
    """What aiowf's decorators wrap is what runs, above and below other decorators."""
    assert pod(package.f2, 1).value == [1, True] * 2
    assert "@ours" not in ship(package.f2).script()
    assert pod(package.f3, 2).value == 4


def test_methods_travel_with_their_objects(pod: Any) -> None:
    """A method of a record travels, one of any other object does not."""
    assert pod(package.CONFIG.go, 1).value == 6
    for function in (package.Tool().run, package.Tool()):
        with pytest.raises(ConfigurationError, match=r"an instance of functions_package"):
            ship(function)


class Flags(enum.Flag):
    A = 1
    B = 2


VALUES = [
    (1, -2.5, 1j, None, True, ..., NotImplemented, float("-inf"), type(None)),
    [b"\x00", bytearray(b"x"), "{{x}} $$ \ud800"],
    {frozenset(), frozenset({1}), ()},
    dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC),
    dt.datetime(2024, 1, 2, 3, tzinfo=zoneinfo.ZoneInfo("Europe/Zurich")),
    [dt.date(2024, 1, 1), dt.time(1), dt.timedelta(1, 2, 3), dt.timezone(dt.timedelta(hours=1))],
    [decimal.Decimal("1.10"), fractions.Fraction(1, 3), uuid.UUID(int=1)],
    [Path("a/b"), PurePosixPath("c"), range(1, 5, 2), slice(1, None)],
    [re.compile("a{2}", re.IGNORECASE), re.compile(b"x")],
    [collections.deque([1], 3), collections.Counter("aab"), collections.OrderedDict(a=1)],
    [collections.defaultdict(list, {"a": [1]}), types.MappingProxyType({"a": 1})],
    [Flags.A, Flags.A | Flags.B, {Flags.B: len}, str.upper, logging.getLogger("x")],
    [package.CONFIG, logging.getLogger(), types.SimpleNamespace, int, types.FunctionType],
]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_constants(pod: Any, value: Any) -> None:
    """A constant of each kind has the value in the pod that it has here."""

    def shown() -> str:
        return repr(value)

    assert pod(shown).value == repr(value)


def test_getters(pod: Any) -> None:
    """Getters of the operator module travel as well."""
    get, attribute = operator.itemgetter(0, 1), operator.attrgetter("real")
    assert pod(lambda: [get("ab"), attribute(1)]).value == [["a", "b"], 1]


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (Path, ("pathlib", "Path")),
        (io.StringIO, ("io", "StringIO")),
        (functools.lru_cache(len), None),
        (json.JSONDecodeError, ("json.decoder", "JSONDecodeError")),
    ],
)
def test_public_names(obj: Any, expected: Any) -> None:
    """What a private module of this Python defines is imported from where others have it too."""
    assert origin.located(obj) == expected


def test_values_that_hold_themselves() -> None:
    """A cycle of plain values cannot be written down."""
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(ConfigurationError, match=r"cycle cannot travel.*contains itself"):
        ship(lambda: cycle)


def test_own_module_as_a_value() -> None:
    """A module of the user's own travels by the names taken of it, not whole."""
    whole = package
    with pytest.raises(ConfigurationError, match=r"your own module functions_package.main"):
        ship(lambda: whole)
    with pytest.raises(ConfigurationError, match=r"package has no attribute not_there"):
        ship(lambda: package.not_there)  # type: ignore[attr-defined]


def test_concurrent_shipping() -> None:
    """Threads may ship the same functions at once."""
    from concurrent.futures import ThreadPoolExecutor

    from aiowf.tasks.functions import shipping

    functions = [getattr(package, f"f{n}") for n in (1, 5, 7, 8, 11, 14)] * 5
    shipping._cache.clear()
    ready = threading.Barrier(4)

    def work(part: int) -> list[str]:
        ready.wait(10)
        return [ship(function).script() for function in functions]

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(work, range(4)))
    assert all(result == results[0] for result in results)
