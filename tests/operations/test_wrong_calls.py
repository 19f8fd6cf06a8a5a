"""Calls that a beginner gets wrong are refused with what was meant."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import aiowf
from aiowf import operations, tasks
from aiowf.client.run import Run
from aiowf.replies.files import Files


def total(x: Any) -> Any:
    """Give back the argument."""
    return x


@aiowf.task
def double(x: int) -> int:
    """Double a number."""
    return 2 * x


A = tasks.PythonTask("a", total, args=(1,))
B = tasks.BashTask("b", "true")
PIPELINE: Any = operations.PipelineOperation
SINGLE: Any = operations.DistributedSyncOperationWithResults
DIRECT: Any = operations.DirectOperation
PYTHON: Any = tasks.PythonTask
BASH: Any = tasks.BashTask
CONNECT: Any = aiowf.connect
DOUBLE: Any = double


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: PYTHON("a", total, (3,)), "args=(3,)"),
        (lambda: PYTHON("a", total, [3, 4]), "args=(3, 4)"),
        (lambda: PYTHON("a", total, 3), "args=(3,)"),
        (lambda: PYTHON("a", total, 3, 4), "args=(3, 4)"),
        (lambda: PYTHON("c", total, args=(A,)), "a.output?"),
        (lambda: PYTHON("c", total, kwargs={"x": [B]}), "b.stdout?"),
        (lambda: BASH("c", "true", X=A), "a.output?"),
        (lambda: SINGLE("x-", (A, B)), "(a, b, SendResultTask()), shared_directory=True"),
        (lambda: SINGLE("x-", A, B), "it takes one task"),
        (lambda: SINGLE("x-", double), "double.task(name, …)"),
        (lambda: SINGLE("x-", total), "PythonTask(name, function)"),
        (lambda: PIPELINE("x-", A, B), "PipelineOperation(name, (a, b))"),
        (lambda: DIRECT("x-", total, 3), "options are given by name"),
        (lambda: CONNECT("local", image={}), 'did you mean "images"?'),
        (lambda: asyncio.run(DOUBLE.run(1, timeout=3)), "async with asyncio.timeout(…)"),
        (lambda: asyncio.run(DOUBLE.gather([3], max_activ=3)), 'did you mean "max_active"?'),
        (lambda: DOUBLE.map([3], orderd=True), 'did you mean "ordered"?'),
        (lambda: DOUBLE.map([3], check=False), "return_exceptions=True"),
        (lambda: DOUBLE.map([3], label={}), 'did you mean "labels"?'),
    ],
)
def test_a_wrong_call_names_the_right_one(call: Callable[[], Any], hint: str) -> None:
    """The hint says what was meant."""
    with pytest.raises(aiowf.ConfigurationError) as caught:
        call()
    assert hint in (caught.value.hint or "")


def test_a_tuple_of_tasks_is_not_told_in_full() -> None:
    """What is wrong is said in a few words, none of them cut off."""
    with pytest.raises(aiowf.ConfigurationError, match="expected a task, not a tuple of 2\n"):
        SINGLE("x-", (A, B))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"ordered": True}, "ordered: gather has no such option"),
        ({"labels": 3}, "labels"),
        ({"on_cancel": "x"}, '"terminate" or "leave"'),
        ({"timeout": 0}, "seconds above 0"),
        ({"pending_timeout": "1"}, "pending_timeout='1'"),
        ({"id": ""}, "not empty"),
    ],
)
async def test_an_option_of_all_items_is_no_fault_of_one(
    options: dict[str, Any], match: str
) -> None:
    """It is refused before any client is opened."""
    with pytest.raises(aiowf.ConfigurationError, match=match):
        await DOUBLE.gather([3], return_exceptions=True, **options)


def test_map_is_no_plain_iterable() -> None:
    """`for` over what `map` gives says that it is `async for`."""
    with pytest.raises(TypeError, match=r"async for item, value in f\.map"):
        list(DOUBLE.map([1]))


async def test_map_is_not_awaited() -> None:
    """`await` says it too."""
    with pytest.raises(TypeError, match=r"async for item, value in f\.map"):
        await DOUBLE.map([1])


def test_map_is_no_coroutine() -> None:
    """`asyncio.run` shows what it was given, and that says it."""
    with pytest.raises((TypeError, ValueError), match=r"async for item, value in f\.map"):
        asyncio.run(DOUBLE.map([1]))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("value", "did you mean `(await run).value`?"),
        ("get", "did you mean `await run`, which waits"),
        ("cancel", "did you mean `await run.stop()`"),
        ("odd", "a Run has no 'odd'"),
    ],
)
def test_what_a_run_has_not(name: str, text: str) -> None:
    """Futures and results have it: the error names what a Run has."""
    run: Any = Run(None, "name", "space")  # type: ignore[arg-type]
    with pytest.raises(AttributeError) as caught:
        getattr(run, name)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("files", "path", "text"),
    [
        ({"foo.txt": b""}, "fo.txt", 'did you mean "foo.txt"?'),
        ({"out/foo.txt": b""}, "foo.txt", 'did you mean "out/foo.txt"?'),
        ({"foo.txt": b""}, "/mnt/shared/foo.txt", 'did you mean "foo.txt"?'),
        ({f"{n}{n}": b"" for n in range(9)}, "foo", 'among 9, such as "00", "11", "22"'),
        ({}, "foo", "none came back"),
    ],
)
def test_a_file_that_did_not_come(files: dict[str, bytes], path: str, text: str) -> None:
    """The nearest path is named."""
    with pytest.raises(KeyError) as caught:
        Files(files)[path]
    assert text in caught.value.args[0]
