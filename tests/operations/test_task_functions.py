"""`@aiowf.task`: a function stays what it was, and becomes a task when it is asked to."""

import inspect
import pickle
import sys
import threading
from typing import Any

import pytest

import aiowf
from aiowf import operations
from aiowf.errors import ConfigurationError
from aiowf.operations import spread


@aiowf.task
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@aiowf.task(retry_limit=0, env={"image": "x"}, GREETING="hello")
async def greet(name: str) -> str:
    import os

    return f"{os.environ.get('GREETING', 'bye')} {name}"


@aiowf.task
def factorial(n: int) -> int:
    return n * factorial(n - 1) if n > 1 else 1


@aiowf.task()
def factorials(*numbers: int) -> list[int]:
    return [factorial(n) for n in numbers]


async def test_a_task_is_called_as_before() -> None:
    """It has the function's name, text, signature and value, and is pickled by its name."""
    assert add(1, b=2) == 3
    assert await greet("you") == "bye you"
    assert (add.__name__, add.__doc__) == ("add", "Add two numbers.")
    assert str(inspect.signature(add)) == "(a: int, b: int = 1) -> int"
    assert pickle.loads(pickle.dumps(add)) is add
    assert repr(add) == f"<task {__name__}.add>"


def test_a_task_of_an_async_function_is_known_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """From Python 3.12 on, where callable objects can be marked so; it marks as that does."""

    def mark(func: Any) -> Any:
        func._is_coroutine_mark = "marked"
        return func

    if sys.version_info >= (3, 12):
        assert inspect.iscoroutinefunction(greet)
    async_task, plain_task = greet.func, add.func
    with monkeypatch.context() as patch:
        patch.setattr(inspect, "markcoroutinefunction", mark, raising=False)
        patch.setattr(sys, "version_info", (3, 12))
        marked, plain = aiowf.task(async_task), aiowf.task(plain_task)
    assert vars(marked)["_is_coroutine_mark"] == "marked"
    assert "_is_coroutine_mark" not in vars(plain)


def test_a_task_of_a_function_has_its_options() -> None:
    """`.task` makes a PythonTask, with the options that were given to the decorator."""
    task = greet.task("Greet one", "you")
    assert (task.name, task.args, task.retry_limit) == ("greet-one", ("you",), 0)
    assert task.env == {"image": "x", "GREETING": "hello"}
    with pytest.raises(ConfigurationError, match="does not take these arguments"):
        greet.task("greet")


@pytest.mark.parametrize("function", [add, factorial, factorials])
def test_decorated_functions_travel_without_their_decorator(function: Any) -> None:
    """Recursive ones too, and those that others use."""
    op = operations.SingleTaskOperation("op", function.task("t", 3))
    source = op.to_dict()["spec"]["templates"][0]["script"]["source"]
    assert "import aiowf" not in source
    assert "aiowf.task" not in source


class Service:
    """It has a method, from which no task can be made."""

    def work(self) -> None: ...


def broken(items: Any) -> Any:
    yield items


@pytest.mark.parametrize(
    ("func", "options", "match"),
    [
        (Service.work, {}, "Service.work is a method"),
        (staticmethod(print), {}, "is no function"),
        ("numpy>=2", {}, "is no function.*\n.*options are named"),
        (broken, {"requirements": "-r x"}, "nothing that pip could install"),
        (broken, {"retry_limt": 1}, "retry_limit"),
        (broken, {"name": "a/b"}, "is not valid"),
        (broken, {"args": (1,)}, "args is no option of a task"),
    ],
)
def test_what_cannot_be_a_task_is_refused_at_once(func: Any, options: Any, match: str) -> None:
    """Methods, what is no function, and options that make no sense."""
    with pytest.raises(ConfigurationError, match=match):
        aiowf.task(**options)(func) if options else aiowf.task(func)


def test_names_of_workflows_leave_room_for_numbers() -> None:
    """The name comes from the function's; a long one is shortened."""

    @aiowf.task
    def _a_function_with_a_name_of_more_than_fifty_characters_in_it() -> None: ...

    name = _a_function_with_a_name_of_more_than_fifty_characters_in_it.name
    assert len(name) == 50
    assert name.startswith("a-function-with-a-name-of")
    operations.MapOperation(name, [add.task(f"{name}-{10**6}", 1)])


@pytest.mark.parametrize("max_active", [0, -1, 1.5, True])
async def test_bounds_are_whole_numbers(max_active: Any) -> None:
    """A bound that makes no sense is refused before anything is read."""
    with pytest.raises(ConfigurationError, match="is no number of items"):
        await add.gather([1], max_active=max_active)
    with pytest.raises(ConfigurationError, match="is no number of items"):
        await add.gather([1], chunksize=max_active)


def test_chunks_are_a_part_of_what_is_in_flight() -> None:
    """A workflow has at most a hundred calls, unless it is said otherwise."""
    given = [(64, None), (1, None), (1000, None), (64, 64), (64, 65), (1000, 500)]
    assert [spread.chunk_of(*each) for each in given] == [16, 1, 100, 64, 64, 500]


async def test_no_items_and_no_iterables_are_refused() -> None:
    """What is no iterable is told with its place."""
    with pytest.raises(ConfigurationError, match="there are no items"):
        await add.gather()
    async with aiowf.connect("local") as client:
        with pytest.raises(ConfigurationError, match=r"iterables\[1\]: 5 is no iterable"):
            await add.gather([1], 5, client=client)  # type: ignore[call-overload]


async def test_a_function_that_cannot_travel_is_no_fault_of_an_item() -> None:
    """It is told at once, before any client is opened."""
    lock = threading.Lock()

    @aiowf.task
    def locked(n: int) -> int:
        with lock:
            return n

    with pytest.raises(ConfigurationError, match="lock"):
        await locked.gather([1])
