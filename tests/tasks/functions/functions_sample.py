# ruff: noqa
"""Functions of a module, as a service would have them."""

from __future__ import annotations

import collections.abc as abc_alias
import dataclasses
import enum
import functools
import json as j
import logging
import os.path
import threading
import typing
import xml.etree.ElementTree
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal as Dec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import functions_sample_other
from attrs import define
from functions_sample_other import same_name as other_same_name

if TYPE_CHECKING:
    from functions_sample_other import Far
    from nowhere_at_all import Missing

RATE = 0.5
TABLE = {"a": [1, 2], "nested": {"{{x}}": ("$$", b"\x00$(HOME)")}}
NAMES = frozenset({"x"})
EMPTY = object()
LOCK = threading.Lock()
logger = logging.getLogger(__name__)
Point = namedtuple("Point", "x y")
T = typing.TypeVar("T")
square = lambda x: x * x
ORIGIN = Point(0, 0)
counter = 0


def same_name() -> str:
    return "sample"


def both_names() -> list[str]:
    return [same_name(), other_same_name(), functions_sample_other.same_name()]


def constants() -> list[Any]:
    return [RATE, TABLE["nested"]["{{x}}"][0], sorted(NAMES), ORIGIN.x, j.dumps({"a": 1})]


def imports() -> list[Any]:
    import os as system
    from textwrap import dedent as undent

    element = xml.etree.ElementTree.fromstring("<a b='1'/>")
    return [
        os.path.join("a", "b"),
        isinstance([], abc_alias.Sequence),
        str(Dec("1.5")),
        element.get("b"),
        system.sep,
        undent(" x"),
        Path("p").name,
    ]


def defaults(a: int, b: list[int] = [RATE, 2], /, *rest: int, c: Any = EMPTY, **more: int) -> Any:
    return [a, b, rest, c is EMPTY, more]


def wrapped(times: int) -> Any:
    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return [function(*args, **kwargs) for _ in range(times)]

        return wrapper

    return decorate


def unwrapped(function: Any) -> Any:
    def wrapper(*args: Any) -> Any:
        return [function(*args)]

    return wrapper


@wrapped(2)
@unwrapped
def stacked(x: int):
    return x + 1


@functools.lru_cache(maxsize=4)
def cached(x: int) -> int:
    return x * 2


@contextmanager
def managed() -> Iterator[int]:
    yield 7


def decorated_helpers(x: int) -> Any:
    with managed() as seven:
        return [cached(x), cached(x), seven, cached.cache_info().hits]


def registered(function: Any) -> Any:
    function.calls = 1
    return function


@registered
def with_attribute() -> int:
    return with_attribute.calls


async def sleeper(x: int) -> int:
    import asyncio

    await asyncio.sleep(0)
    return x + 1


@wrapped(1)
def sync_over(x: int) -> Any:
    return x


def even(n: int) -> bool:
    return n == 0 or odd(n - 1)


def odd(n: int) -> bool:
    return n != 0 and even(n - 1)


def factorial(n: int) -> int:
    return 1 if n < 2 else n * factorial(n - 1)


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


class Mood(enum.Flag):
    GOOD = 1
    BAD = 2


@dataclasses.dataclass
class Node:
    name: str
    colour: Colour = Colour.RED
    children: list[Node] = dataclasses.field(default_factory=list)
    total: typing.ClassVar[int] = 3

    def depth(self) -> int:
        return 1 + max((child.depth() for child in self.children), default=0)


@define
class Settings:
    when: datetime
    _secret: bytes
    node: Node | None = None


class Pair(NamedTuple):
    left: int
    right: datetime


class Row(typing.TypedDict, total=False):
    at: datetime
    n: int


class Base(typing.Generic[T]):
    kind = "base"

    @classmethod
    def make(cls, kind: str) -> Base[T]:
        made = cls()
        made.kind = kind + cls.suffix()
        return made

    @staticmethod
    def suffix() -> str:
        return "!"

    class Inner:
        depth = RATE


class Derived(Base[int]):
    def again(self) -> str:
        return super().suffix() + self.kind


def uses_classes(x: int) -> list[Any]:
    return [Derived.make("k").kind, Derived().again(), Base.Inner.depth * x, Point(1, 2).y]


def tree(node: Node) -> Node:
    assert isinstance(node.children[0].colour, Colour)
    return Node("root", Colour.BLUE, [node, *node.children])


def settings(given: Settings) -> Settings:
    assert isinstance(given.when, datetime)
    return Settings(given.when, given._secret + b"\xff", given.node)


def records(pair: Pair, row: Row, moods: dict[Mood, int]) -> tuple[Pair, Row, list[Colour]]:
    assert (row["at"], moods[Mood.BAD]) == (pair.right, 5)
    return Pair(pair.left + 1, pair.right), {"at": pair.right}, list(Colour)


def only_for_checkers(a: Far, b: Missing | None = None) -> str:
    return f"{a.x}{b}"


def unresolved(b: Missing) -> Missing:
    return b


def locked() -> None:
    with LOCK:
        pass


def holds_lock(locks: Any = [LOCK]) -> Any:
    return locks


def logs() -> str:
    logger.warning("seen")
    return logger.name


def writes_global() -> int:
    global counter, brand_new
    counter += 1
    brand_new = 5
    return counter + brand_new


def shadows(RATE: int) -> list[Any]:
    LOCK = 1
    squares = [LOCK + logger for logger in range(2)]
    if (big := RATE) > 1:
        squares.append(big)
    return squares


def uses_later() -> int:
    return later()


def later() -> int:
    return 11


def dunder() -> list[str]:
    return [__name__, os.path.basename(__file__)]


def lambdas(x: int) -> list[float]:
    return [square(x), *map(lambda n: n + RATE, [1]), sorted([3, 1], key=lambda n: -n)[0]]


def fstrings(x: int) -> list[str]:
    return [
        f"{{x}} {RATE!r:>{x}} $$ $(HOME) {x:{'>' + '4'}}",
        "{{workflow.name}} {{{",
        "''' \\n\"\"\"",
    ]


def raises(x: int) -> None:
    try:
        deeper(x)
    except ZeroDivisionError as error:
        raise ValueError("no such luck") from error


def deeper(x: int) -> float:
    return 1 / x


def generates() -> Iterator[int]:
    yield 1


def gives_generator() -> Any:
    return (n for n in range(2))


def nothing():
    pass


def undefined() -> int:
    return not_there


def guarded() -> list[Any]:
    found = []
    try:
        found.append(not_there)
    except (KeyError, NameError):
        found.append("missing")
    try:
        found.append(nor_there)
    except:
        found.append("missing")
    return found


def badly_guarded() -> Any:
    try:
        return never_there
    except KeyError:
        return None


FACTORS = [
    lambda x, n=n, *, f=lambda y: y + RATE, é="é": [
        x * n,
        f(x),
        é,
    ]
    for n in (2, 3)
]


if RATE:

    def in_block(x: int) -> int:
        text = """Keep

        this text.
        """
        return x + len(text)

    def in_block_plain(x: int) -> int:
        return x + 1


def one_line(x): return x  # fmt: skip


def redefined() -> int:
    return 1


first_redefined = redefined


def redefined() -> int:
    return 2


@typing.runtime_checkable
class Walks(typing.Protocol[T]):
    def walk(self) -> T: ...


class Dog(Walks[int]):
    def walk(self) -> int:
        return 4


def protocols() -> list[Any]:
    return [isinstance(Dog(), Walks), Dog().walk(), isinstance(3, Walks)]


def rows_made() -> Row:
    return Row(n=1)
