"""What type checkers know of functions that are tasks: checked by mypy and pyright, never run."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any, assert_type

import aiowf
from aiowf import operations, tasks


@aiowf.task
def simulate(seed: int, *, scale: float = 1.0) -> float:
    return seed * scale


@aiowf.task(requirements=("numpy>=2",), resources=tasks.Resources(cpu=1), image=None, FOO=1)
async def label(n: int, text: str) -> str:
    return text * n


assert_type(simulate(3), float)
assert_type(simulate.__name__, str)
assert_type(simulate.task("a", 3), tasks.PythonTask[float])
assert_type(label.task("b", simulate.task("a", 3).output, "x"), tasks.PythonTask[str])
simulate("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
map_op = operations.MapOperation("all", [simulate.task(f"n-{n}", n) for n in range(3)])


async def numbers() -> AsyncIterator[int]:
    yield 1


async def main() -> None:
    """Call, run and spread."""
    assert_type(await label(3, "x"), str)
    awaitable: Awaitable[float] = simulate.run(3, scale=2.0)
    assert_type(await awaitable, float)
    assert_type(await label.run(3, "x"), str)
    simulate.run("x")  # type: ignore[arg-type, unused-coroutine]  # pyright: ignore
    async for item, value in simulate.map([1, 2], max_active=8, ordered=True):
        assert_type(item, int)
        assert_type(value, float)
    async for item, value in simulate.map(numbers()):
        assert_type(item, int)
        assert_type(value, float)
    found = simulate.map([1], id="x", timeout=9, on_cancel="leave", labels={"a": "b"}, priority=1)
    async for item, value in found:
        assert_type((item, value), tuple[int, float])
    simulate.map([1], labels=1)  # type: ignore[call-overload]  # pyright: ignore
    async for item, outcome in simulate.map(range(9), return_exceptions=True):
        assert_type(item, int)
        assert_type(outcome, float | aiowf.ItemFailedError)
    async for pair, text in label.map([1, 2], "ab"):
        assert_type(pair, Any)
        assert_type(text, str)
    assert_type(await simulate.gather(range(9)), list[float])
    assert_type(
        await label.gather([1], ["a"], return_exceptions=True), list[str | aiowf.ItemFailedError]
    )
