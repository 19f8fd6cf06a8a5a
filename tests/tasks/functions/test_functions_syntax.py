"""Source is parsed whatever the garbage collector finds meanwhile."""

import ast
import gc
import weakref
from collections.abc import Iterator

import pytest

from aiowf.tasks.functions.syntax import parse

SOURCE = "\n".join(f"def f{n}(x):\n    return [x + {n}, (x, {n})]" for n in range(200))


class _Garbage:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collected() -> Iterator[list[None]]:
    """Return what grows whenever garbage is collected, which happens often, and parses too."""
    found: list[None] = []
    threshold = gc.get_threshold()
    gc.set_threshold(50)
    yield found
    gc.set_threshold(*threshold)


def test_parsing_is_not_disturbed_by_a_collection(collected: list[None]) -> None:
    """Garbage whose end parses source, as printing a traceback does, is collected afterwards."""

    def parse_and_count(_: object) -> None:
        ast.parse("x = 1")
        collected.append(None)

    def deep(depth: int) -> ast.Module:
        return deep(depth - 1) if depth else parse(SOURCE)

    references = []
    for _ in range(5):
        references.append(weakref.ref(_Garbage(), parse_and_count))
        assert 200 == len(deep(20).body)
    assert gc.isenabled()
    gc.collect()
    assert len(references) == len(collected)


def test_the_collector_stays_off_where_it_was() -> None:
    """Who has switched the collector off finds it off."""
    gc.disable()
    try:
        assert isinstance(parse("1 + 1", "eval").body, ast.BinOp)
        assert not gc.isenabled()
    finally:
        gc.enable()
    with pytest.raises(SyntaxError):
        parse("1 +")
    assert gc.isenabled()
