# ruff: noqa
"""Every odd thing that a module may do."""

import functions_package
import functions_package.helpers
import functions_package.helpers as h
import concurrent.futures
from . import top
from .sub.deep import E, DEFAULT
from cattrs import Converter
import attrs
import typing as t
import attrs
import re, operator

K = t.TypeVar("K")
F_TYPED = t.TypedDict("F_TYPED", {"a": int})
HANDLERS = {"a": functions_package.top, "h": h.helper}
PATTERN = re.compile("{{x}}|$$")
GET = operator.itemgetter("a")


def registry(f):
    REG[f.__name__] = f
    return f


REG = {}


class Meta(type):
    def __new__(m, n, b, d):
        return super().__new__(m, n, b, {**d, "made": helper0()})


def helper0():
    return 1


class WithMeta(metaclass=Meta):
    def __init__(self):
        self.x = E.A

    @property
    def later(self):
        return User(self)


class User(WithMeta):
    def __init__(self, w):
        self.w = w


def f1(x: int) -> list:
    from .helpers import helper as hh
    import functions_package.sub.deep

    return [
        functions_package.helpers.helper(x),
        h.helper(x),
        top(),
        E.A.name,
        DEFAULT.name,
        HANDLERS["a"](),
        hh(x),
        functions_package.sub.deep.deepest(),
        PATTERN.pattern,
    ]


def f4(x):
    return [x, list(REG)]


def f5():
    return [
        WithMeta().later.made,
        concurrent.futures.ThreadPoolExecutor().submit(len, [1]).result(),
    ]


def f6():
    return GET({"a": 5})


def ours(f):
    made = Ours()
    made.__wrapped__ = f
    return made


class Ours:
    __module__ = "aiowf.somewhere"

    def __call__(self):
        raise AssertionError


ours.__module__ = "aiowf.somewhere"


def twice(f):
    def wrapper(x):
        return f(x) * 2

    return wrapper


@ours
@twice
def f2(x):
    return [x, callable(f2)]


@twice
@ours
def f3(x):
    return x


class Registered:
    def __init__(self, f):
        self.__wrapped__ = f

    def __call__(self, x):
        return ["called", self.__wrapped__(x)]


@Registered
def f16(x):
    return x


def f17():
    return [c().__class__.__name__ for c in (Plain, Frozen)] + [
        Frozen(2).twice(),
        F_TYPED({"a": 1})["a"],
    ]


class Plain:
    pass


@attrs.frozen(slots=True)
class Frozen(t.Generic[K]):
    n: "K" = 1

    def twice(self):
        return self.n * 2


@registry
def f7(n=3, *, k=(1, {"a": E.A}), neg=-1):
    return [n, k[1]["a"].name, neg]


class Tool:
    def run(self, x):
        return x

    def __call__(self, x):
        return x


@attrs.frozen
class Config:
    a: int = 1
    _b: str = "x"

    def go(self, x: int) -> int:
        return self.a + x


CONFIG = Config(5)


def f8():
    return [CONFIG.a, CONFIG._b, attrs.asdict(CONFIG)]


def f9(x: t.Sequence["Config"], *a: "Config") -> "list[Config]":
    return list(x) + list(a)


async def f10():
    async def inner():
        return 4

    return [y async for y in gen()] + [await inner()]


async def gen():
    yield 1


def f11():
    class Local(Config):
        pass

    return [Local(2).go(1), (lambda: CONFIG.a)()]


def f12(x=lambda y: y + CONFIG.a):
    return x(1)


from functools import cached_property, singledispatch, total_ordering, partial


@singledispatch
def sd(x):
    return "any"


@sd.register
def _(x: int):
    return "int"


def f13():
    return [sd(1), sd("a")]


@total_ordering
class Ord:
    def __init__(self, v):
        self.v = v

    def __lt__(self, o):
        return self.v < o.v

    def __eq__(self, o):
        return self.v == o.v

    @cached_property
    def double(self):
        return self.v * len(REG)


def f14():
    return [Ord(1) <= Ord(2), Ord(2).double]


def f15():
    return [g() for g in FUNCS]


FUNCS = [lambda i=5: i, lambda: RATE]
RATE = 2
