# ruff: noqa
"""What modules of libraries do at their top, and functions that need it."""

import enum
import ipaddress
import re
import string
import struct
from collections import namedtuple
from dataclasses import dataclass
from typing import Any, ClassVar

import functions_sample_other as other
from functions_sample_other import *
from functions_sample_other import OTHERS_LOCK

try:
    from nowhere_at_all import speedup
except ImportError:
    speedup = None

try:
    import nowhere_at_all as nowhere
except ImportError:
    nowhere = None


def optional_imports() -> list[bool]:
    return [speedup is None, nowhere is None]


_Base = namedtuple("Point", "x y")


class Point(_Base):
    __slots__ = ()

    def total(self) -> int:
        return self.x + self.y


class Size(namedtuple("Size", "w h")):
    def area(self) -> int:
        return self.w * self.h


def named_tuples() -> list[int]:
    return [Point(1, 2).total(), Point(1, 2)._replace(x=5).x, Size(2, 3).area(), _Base(7, 8).y]


keyed = dict.fromkeys
GREETING = string.Template("hello $who")
HEAD = struct.Struct("<I")
NETWORK = ipaddress.ip_network("10.0.0.0/30")


def constants_of_the_library() -> list[Any]:
    hello = GREETING.substitute(who="you")
    return [keyed("ab"), hello, HEAD.pack(1).hex(), NETWORK.num_addresses, SPACE.one]


def names_of_a_star() -> list[Any]:
    return [str(Names), same_name(), Far(3).x]


def locked() -> bool:
    with OTHERS_LOCK:
        return True


def locked_there() -> bool:
    with other.OTHERS_LOCK:
        return True


def misspelt() -> str:
    return other.same_nam()  # type: ignore[attr-defined]


digits = re.compile(r"\d+").findall
upper = "abc".upper


def methods_of_values() -> list[Any]:
    return [digits("a12b3"), upper()]


def item(name: str) -> Any:
    def get(self: Any) -> Any:
        return self.items[name]

    return property(get)


class Model:
    def __init__(self, **items: Any) -> None:
        self.items = items

    def _constant(value: int) -> Any:  # type: ignore[misc]
        def get(self: Any) -> int:
            return value

        return get

    a = item("a")
    one = _constant(1)
    two = _constant(2)


def made_methods() -> list[Any]:
    model = Model(a=3)
    return [model.a, model.one(), model.two()]


class Walker:
    def go(self) -> str:
        return Network.address.__name__


class Address(Walker):
    pass


class Network(Walker):
    address = Address


def circle_of_classes() -> list[str]:
    return [Address().go(), Network().go()]


class Settings:
    debug = False
    seen: list[int] = []
    handlers: dict[str, Any] = {}
    client: Any = None

    @classmethod
    def handles(cls, function: Any) -> Any:
        cls.handlers[function.__name__] = function
        return function


@Settings.handles
def handler() -> str:
    return "handled"


def describe(self: Settings) -> str:
    return f"debug={self.debug}"


Settings.debug = True
Settings.describe = describe
Settings.client = object()


def class_attributes() -> list[Any]:
    handled = Settings.handlers["handler"]()
    return [Settings.debug, Settings().describe(), Settings.seen, handled]


@dataclass
class Counted:
    name: str
    count: ClassVar[int] = 0
    seen: ClassVar[dict[str, int]] = {}
    circle: ClassVar[dict[str, Any]] = {}

    def __post_init__(self) -> None:
        Counted.count += 1
        Counted.seen[self.name] = Counted.count


Counted("first")
Counted.circle["whole"] = Counted.circle


def counted() -> list[Any]:
    return [Counted("second").name, Counted.count, Counted.seen]


class Doubled(enum.Enum):
    def __new__(cls, value: int) -> "Doubled":
        made = object.__new__(cls)
        made._value_ = 2 * value
        return made

    ONE = 1


class Planet(enum.Enum):
    def __init__(self, mass: int) -> None:
        self._value_ = mass + 1

    EARTH = 1


def made_values() -> list[Any]:
    return [Doubled.ONE.value, Doubled(2).name, Planet.EARTH._value_]


class Plugin:
    names: list[str] = []

    def __init_subclass__(cls) -> None:
        Plugin.names.append(cls.__name__)


class Reader(Plugin):
    pass


def plugins() -> list[Any]:
    return [Reader.__name__, Plugin.names]
