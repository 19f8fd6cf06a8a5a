"""A function spread over many items, on the embedded engine."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

import aiowf
from aiowf import operations, tasks
from aiowf.operations import spread

pytestmark = pytest.mark.asyncio(loop_scope="module")


@aiowf.task
def double(n: int) -> int:
    return 2 * n


@aiowf.task(retry_limit=0)
def inverse(n: int) -> float:
    return 1 / n


@aiowf.task(retry_limit=0)
def hold(gate: str) -> str:
    """Say that the call has begun, and wait until its gate is open."""
    import pathlib
    import time

    pathlib.Path(f"{gate}.begun").touch()
    while not pathlib.Path(gate).exists():
        time.sleep(0.01)
    return gate


@aiowf.task
def promised(n: int) -> list[int]:
    return "no list"  # type: ignore[return-value]


@aiowf.task
def total(a: int, b: int) -> int:
    """Return the sum."""
    return a + b


@aiowf.task
def repeated(text: str, times: int) -> str:
    return text * times


async def until(condition: Any) -> None:
    """Wait until a condition that another process fulfils holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def ends(client: aiowf.Client, prefix: str) -> list[str]:
    """Return the phases in which the workflows end whose names begin so."""
    runs = [run async for run in client.list() if run.name.startswith(prefix)]
    return [(await run.wait(20, check=False)).phase for run in runs]


async def test_one_call_gives_its_value(client: aiowf.Client) -> None:
    """`run` takes the function's own arguments; a failure is that of an operation."""
    assert await repeated.run("{{x}} $(Y) '", times=2) == "{{x}} $(Y) '" * 2
    with pytest.raises(aiowf.OperationFailedError, match="ZeroDivisionError"):
        await inverse.run(0)


async def test_every_item_is_told_with_its_value(client: aiowf.Client) -> None:
    """As they come, in workflows of a few calls each."""
    found = {item: value async for item, value in double.map(range(20), max_active=20)}
    assert found == {n: 2 * n for n in range(20)}
    assert await ends(client, "double-") == ["Succeeded"] * 4


async def test_values_come_in_the_order_of_the_items_where_asked(client: aiowf.Client) -> None:
    """Several iterables are zipped, and may be asynchronous."""

    async def numbers() -> AsyncIterator[int]:
        for n in (3, 1, 2):
            yield n

    texts = ["{{workflow.name}}", "'$$", "\\"]
    found = [pair async for pair in repeated.map(texts, numbers(), ordered=True)]
    assert found == [((t, n), t * n) for t, n in zip(texts, (3, 1, 2), strict=True)]
    assert await double.gather([5, 3, 4]) == [10, 6, 8]
    assert await double.gather([]) == []


async def test_large_values_come_whole(client: aiowf.Client) -> None:
    """Each goes by the replies, under the name of its own call."""
    values = await repeated.gather("ab", [300_000, 300_001])
    assert [(v[0], len(v)) for v in values] == [("a", 300_000), ("b", 300_001)]


async def test_a_failure_is_told_with_its_item_and_stops_the_others(
    client: aiowf.Client, tmp_path: Path
) -> None:
    """The error holds item, place and cause; what still ran is stopped."""

    @aiowf.task(retry_limit=0)
    def fail_or_wait(n: int) -> int:
        import time

        if n == 2:
            raise ValueError("not two")
        time.sleep(60 if n > 2 else 0)
        return n

    with pytest.raises(aiowf.ItemFailedError, match="ValueError: not two") as caught:
        await fail_or_wait.gather([0, 1, 2, 3], max_active=16)
    error = caught.value
    assert (error.item, error.index) == (2, 2)
    assert isinstance(error.cause, aiowf.OperationFailedError)
    assert error.__cause__ is error.cause
    assert (error.cause.task, error.cause.exit_code) == ("fail-or-wait-2", 1)
    assert error.cause.log_tail[-1] == "ValueError: not two"
    (run,) = [run async for run in client.list() if run.name.startswith("fail-or-wait-")]
    assert (await run.wait(check=False)).workflow.status.message == "Stopped with strategy 'Stop'"


async def test_the_others_go_on_where_asked(client: aiowf.Client) -> None:
    """What failed is yielded with its error: a call, and an item that cannot travel."""
    items: list[Any] = [1, 0, "x", 2]
    found = [
        (item, value if isinstance(value, float) else type(value.cause))
        async for item, value in inverse.map(items, return_exceptions=True, ordered=True)
    ]
    failed = aiowf.OperationFailedError
    assert found == [(1, 1.0), (0, failed), ("x", failed), (2, 0.5)]
    (error,) = await promised.gather([1], return_exceptions=True)
    assert isinstance(error, aiowf.ItemFailedError)
    assert "is not of the type list[int]" in str(error.cause)
    (error,) = await double.gather([object()], return_exceptions=True)
    assert isinstance(error, aiowf.ItemFailedError)
    assert isinstance(error.cause, aiowf.ConfigurationError)


async def test_endless_items_are_read_as_far_as_needed(client: aiowf.Client) -> None:
    """Breaking off stops the workflows; nothing that runs is left behind."""
    read: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            read.append(len(read))
            yield read[-1]

    taken = 0
    async for _ in double.map(endless(), max_active=8):
        taken += 1
        assert len(read) <= 8 + taken
        if taken == 20:
            break
    await until(lambda: client.errands.is_idle)
    assert "Failed" in await ends(client, "double-")


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("break", type(None)),
        ("cancel", asyncio.CancelledError),
        ("error", LookupError),
        ("timeout", TimeoutError),
    ],
)
async def test_leaving_early_stops_what_runs(
    client: aiowf.Client, tmp_path: Path, how: str, expected: type
) -> None:
    """By whatever way the loop is left."""
    gates = [str(tmp_path / f"{how}-{n}") for n in range(3)]
    if how in ("break", "error"):
        Path(gates[0]).touch()  # noqa: ASYNC240

    async def work() -> None:
        async with aclosing(hold.map(gates, max_active=3)) as found:
            async for _ in found:
                if how == "break":
                    break
                if how == "error":
                    raise LookupError("enough")

    task = asyncio.create_task(work())
    if how in ("cancel", "timeout"):
        await until(lambda: Path(f"{gates[1]}.begun").exists())
    if how == "cancel":
        task.cancel()
    waiting = asyncio.wait_for(task, 0.01) if how == "timeout" else task
    (error,) = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(error, expected)
    assert client.errands.is_idle
    assert "Failed" in await ends(client, "hold-")


async def test_options_are_those_of_its_workflows(client: aiowf.Client) -> None:
    """Each workflow has them, and the timeout as its deadline."""
    options: Any = {"labels": {"team": "blue"}, "parallelism": 2, "ttl_strategy": None}
    assert [2, 4] == await double.gather([1, 2], chunksize=1, timeout=60, **options)
    found = [await run.workflow() async for run in client.list(labels={"team": "blue"})]
    assert [(2, None, 60)] * 2 == [
        (each.spec.parallelism, each.spec.ttl_strategy, each.spec.active_deadline_seconds)
        for each in found
        if each.spec is not None
    ]


@aiowf.task(retry_limit=0)
def noted(place: str, n: int) -> int:
    """Write down that it ran, and fail for 0."""
    import pathlib

    with pathlib.Path(place, str(n)).open("a") as file:
        file.write("x")
    assert n
    return -n


async def test_the_same_id_runs_no_item_twice(client: aiowf.Client, tmp_path: Path) -> None:
    """It has the values of what has ended; items that differ run with those of their workflow."""
    items = ([str(tmp_path)] * 4, [1, 2, 3, 4])
    first = await noted.gather(*items, id="x", chunksize=2)
    assert [-1, -2, -3, -4] == first == await noted.gather(*items, id="x", chunksize=2)
    items[1][3] = 5
    assert [-1, -2, -3, -5] == await noted.gather(*items, id="x", chunksize=2)
    times = {
        path.name: len(path.read_text())
        for path in await asyncio.to_thread(lambda: list(tmp_path.iterdir()))
    }
    assert {"1": 1, "2": 1, "3": 2, "4": 1, "5": 1} == times


async def test_an_id_takes_up_what_was_left(client: aiowf.Client, tmp_path: Path) -> None:
    """What runs goes on when it is left, however slowly the items came, and is found again."""
    gates = [str(tmp_path / f"gate-{n}") for n in range(2)]

    async def slowly() -> AsyncIterator[str]:
        for gate in gates:
            await asyncio.sleep(2 * spread._LINGER)
            yield gate

    async with aclosing(hold.map(slowly(), id="left", chunksize=2, on_cancel="leave")) as found:
        asking = asyncio.ensure_future(anext(found))
        await until((tmp_path / "gate-0.begun").exists)
        asking.cancel()
        await asyncio.wait({asking})
    for gate in gates:
        Path(gate).touch()  # noqa: ASYNC240
    assert gates == await hold.gather(gates, id="left", chunksize=2)


@pytest.mark.parametrize(("how", "done"), [("terminate", "were terminated"), ("leave", "go on")])
async def test_a_timeout_is_for_all_items(
    client: aiowf.Client, tmp_path: Path, how: Any, done: str
) -> None:
    """What has ended by then is told before; what runs ends as was said."""
    gates = [str(tmp_path / f"{how}-{n}") for n in range(2)]
    Path(gates[0]).touch()  # noqa: ASYNC240
    found = hold.map(gates, timeout=2, on_cancel=how, labels={"how": how})
    assert (gates[0], gates[0]) == await anext(found)
    with pytest.raises(aiowf.OperationTimeoutError, match=f"within 2 s: its workflows {done}"):
        await anext(found)
    await asyncio.to_thread(Path(gates[1]).touch)
    (run,) = [run async for run in client.list(labels={"how": how})]
    assert (how == "leave") is (await run.wait(20, check=False)).succeeded


async def test_its_workflows_count_among_those_of_the_client() -> None:
    """They keep to `max_active` of the client, and leave its bound as it was."""
    async with aiowf.connect("local", max_active=1) as bounded:
        sent: list[str] = []
        submit = bounded.send_operation

        async def noted(op: Any, run: aiowf.Run[Any], **options: Any) -> aiowf.Run[Any]:
            for name in sent:
                assert (await bounded.get_run(name).workflow()).status.phase == "Succeeded"
            sent.append(run.name)
            return await submit(op, run, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bounded, "send_operation", noted)
            values = await double.gather(range(4), max_active=4, chunksize=2, client=bounded)
        assert values == [0, 2, 4, 6]
        assert len(sent) == 2


async def test_slow_items_do_not_wait_for_others(client: aiowf.Client) -> None:
    """A workflow is submitted when the source lets wait for its next item."""
    taken = asyncio.Event()

    async def slow() -> AsyncIterator[int]:
        yield 1
        yield 2
        async with asyncio.timeout(20):
            await taken.wait()
        yield 3

    found = []
    async for item, _ in double.map(slow()):
        found.append(item)
        if len(found) == 2:
            taken.set()
    assert sorted(found) == [1, 2, 3]


async def test_an_error_of_the_source_is_raised_as_it_is(client: aiowf.Client) -> None:
    """What was read before is stopped."""

    def items() -> Iterator[int]:
        yield 1
        raise KeyError("source")

    with pytest.raises(KeyError, match="source"):
        await double.gather(items())


FACTOR = 1


@aiowf.task
def multiply(n: int) -> int:
    return n * FACTOR


async def test_calls_with_other_globals_share_no_workflow(
    client: aiowf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call sees its module as it was when its item was read."""

    def items() -> Iterator[int]:
        yield from (1, 2)
        monkeypatch.setattr(sys.modules[__name__], "FACTOR", 10)
        yield from (3, 4)

    assert await multiply.gather(items()) == [1, 2, 30, 40]
    assert len(await ends(client, "multiply-")) == 2


async def test_large_arguments_share_no_workflow(
    client: aiowf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workflow has room for so many bytes; what is too large for any fails alone."""
    monkeypatch.setattr(spread, "_MOST_BYTES", 1000)

    @aiowf.task
    def length(text: str) -> int:
        return len(text)

    sizes = [700, 700, 4_000_000, 10, 10]
    found = await length.gather(["x" * n for n in sizes], return_exceptions=True)
    assert [each for n, each in enumerate(found) if n != 2] == [700, 700, 10, 10]
    assert isinstance(found[2], aiowf.ItemFailedError)
    assert isinstance(found[2].cause, aiowf.ConfigurationError)
    assert len(await ends(client, "length-")) == 3


async def test_a_client_that_closes_ends_what_it_spreads(tmp_path: Path) -> None:
    """Whoever still asks for values is told."""
    async with aiowf.connect("local") as closing:
        found = hold.map([str(tmp_path / "gate")], client=closing)
        asking = asyncio.ensure_future(anext(found))
        await until((tmp_path / "gate.begun").exists)
    with pytest.raises(aiowf.AiowfError, match="the client was closed while hold was spread"):
        await asking


async def test_a_run_tells_the_outcome_of_each_task(client: aiowf.Client) -> None:
    """Also of tasks that return nothing, and of those that were never run."""
    op = operations.PipelineOperation(
        "told-",
        (
            tasks.BashTask("first", "true"),
            inverse.task("second", 0),
            inverse.task("third", 1),
        ),
    )
    run = await op.execute(client=client, check=False)
    found = [outcome async for outcome in run.outcomes()]
    assert [each.task for each in found] == ["first", "second", "third"]
    assert found[0].error is None
    assert "ZeroDivisionError" in str(found[1].error)
    assert "it was not run" in str(found[2].error)
    one = operations.SingleTaskOperation("one-", double.task("one", 21))
    name = (await one.execute(client=client)).name
    assert [each.value async for each in client.get_run(name).outcomes()] == [42]


async def test_one_task_reads_a_source_from_begin_to_end(client: aiowf.Client) -> None:
    """It may hold anything around its `yield`; it is cancelled when the loop is left early."""
    known: ContextVar[int] = ContextVar("known")
    tasks_seen: set[asyncio.Task[Any] | None] = set()
    ends: list[str] = []

    async def source(count: int) -> AsyncIterator[int]:
        known.set(0)
        try:
            async with asyncio.TaskGroup(), asyncio.timeout(20):
                for n in range(count):
                    tasks_seen.add(asyncio.current_task())
                    yield known.get() + n
            ends.append("whole")
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    assert await double.gather(source(3), max_active=2, client=client) == [0, 2, 4]
    assert (len(tasks_seen), ends) == (1, ["whole"])
    async with aclosing(double.map(source(100), max_active=2, client=client)) as found:
        await anext(found)
    assert ends == ["whole", "cancelled"]


async def test_several_sources_are_closed_by_the_task_that_reads_them(
    client: aiowf.Client,
) -> None:
    """When the shortest ends, and those beside it stand at a `yield`."""
    readers: list[asyncio.Task[Any] | None] = []

    async def source(count: int) -> AsyncIterator[int]:
        readers.append(asyncio.current_task())
        try:
            async with asyncio.TaskGroup():
                for n in range(count):
                    yield n
        finally:
            readers.append(asyncio.current_task())

    assert [0, 2] == await total.gather(source(9), source(2), client=client)
    assert (4, 1) == (len(readers), len(set(readers)))


async def test_a_timeout_around_a_yield_is_raised_to_who_takes_the_values(
    client: aiowf.Client,
) -> None:
    """Although no item was wanted when it was over."""
    is_over = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        try:
            async with asyncio.timeout(0):
                yield 1
        finally:
            is_over.set()

    async with aclosing(double.map(source(), max_active=1, client=client)) as found:
        with pytest.raises(TimeoutError):
            await anext(found)
    assert is_over.is_set()


async def test_a_failure_that_is_found_by_the_id_says_so(
    client: aiowf.Client, tmp_path: Path
) -> None:
    """The second call runs nothing; the id is the one that was said."""
    items, texts = ([str(tmp_path)], [0]), []
    for _ in range(2):
        with pytest.raises(aiowf.ItemFailedError) as caught:
            await noted.gather(*items, id="sweep")
        texts.append(str(caught.value))
    assert [False, True] == ["An earlier call with id='sweep'" in text for text in texts]
    assert 1 == len((tmp_path / "0").read_text())
