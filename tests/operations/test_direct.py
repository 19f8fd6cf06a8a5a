"""Operations that run in the service itself."""

import asyncio
import threading
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest

from aiowf.errors import ConfigurationError
from aiowf.operations import (
    DataQueryOperation,
    DirectOperation,
    ManagedOperation,
    ResourceQueryOperation,
    SyncOperation,
)

WHO: ContextVar[str] = ContextVar("who")
every_class = pytest.mark.parametrize(
    "cls", [DirectOperation, ResourceQueryOperation, DataQueryOperation]
)


def plain(a: int, *, b: int = 1) -> tuple[int, str, bool]:
    return a + b, WHO.get(), threading.current_thread() is threading.main_thread()


async def coroutine(a: int, *, b: int = 1) -> tuple[int, str, bool]:
    await asyncio.sleep(0)
    return plain(a, b=b)


class Callable:
    """Something that can be called and awaited, and is no function."""

    async def __call__(self, a: int, *, b: int = 1) -> tuple[int, str, bool]:
        return await coroutine(a, b=b)


@every_class
async def test_a_plain_function_runs_in_a_thread(cls: Any) -> None:
    """With the caller's context variables; its value comes back."""
    WHO.set("me")
    assert await cls("query", plain).execute(3, b=4) == (7, "me", False)


@every_class
@pytest.mark.parametrize(
    "callback",
    [coroutine, Callable(), partial(coroutine, b=1)],
    ids=["function", "object", "partial"],
)
async def test_a_coroutine_function_is_awaited(cls: Any, callback: Any) -> None:
    """In the loop of the caller; its value comes back."""
    WHO.set("me")
    assert await cls("query", callback).execute(3) == (4, "me", True)


async def test_a_coroutine_that_a_plain_function_gives_is_awaited() -> None:
    """Nothing is left that was never awaited."""
    WHO.set("me")
    op: Any = DirectOperation("query", lambda a: coroutine(a))
    assert (await op.execute(3))[0] == 4


async def test_errors_come_back() -> None:
    """As they were raised."""

    def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await DirectOperation("query", fail).execute()


def test_direct_operations_are_values() -> None:
    """They are sync operations, equal by name and callback."""
    op = DirectOperation("query", plain)
    assert op == DirectOperation("query-", plain)
    assert op.name == "query-"
    assert isinstance(op, SyncOperation)
    assert isinstance(op, ManagedOperation)
    assert len({op, DirectOperation("query", plain)}) == 1


@pytest.mark.parametrize(("name", "callback"), [("a", None), ("", plain), (7, plain)])
def test_wrong_direct_operations_are_refused(name: Any, callback: Any) -> None:
    """They are refused when they are built."""
    with pytest.raises(ConfigurationError):
        DirectOperation(name, callback)
