"""What type checkers know of values: checked by mypy and pyright, never run."""

from typing import Any, assert_type

import attrs

from aiowf import operations, tasks
from aiowf.client import Result, Run


def plain(a: int) -> float:
    return 1.0


async def coroutine(a: int) -> str:
    return ""


def optional(a: int) -> list[int] | None:
    return None


floats = tasks.PythonTask("a", plain, args=(1,), FOO=1)
texts = tasks.PythonTask("b", coroutine)
lists = tasks.PythonTask("c", optional)
nothing = tasks.BashTask("d", "true", X=floats.output)
assert_type(floats, tasks.PythonTask[float])
assert_type(texts, tasks.PythonTask[str])
assert_type(lists, tasks.PythonTask[list[int] | None])
assert_type(attrs.evolve(texts, name="e"), tasks.PythonTask[str])

op = operations.DistributedSyncOperation(
    "x",
    floats,
    labels={"a": "b"},
    ttl_strategy={"secondsAfterSuccess": 1},
    shared_directory=True,
    pod_context=operations.PodExecutionContext("a", "b"),
    pod_gc={"strategy": "OnPodSuccess"},
    on_exit_notify={"queue": "q"},
)
assert_type(op, operations.DistributedSyncOperation[float])
assert_type(attrs.evolve(op, name="y"), operations.DistributedSyncOperation[float])


async def main() -> None:
    """Execute one of each."""
    assert_type(await op.execute(), Result[float])
    files = await operations.DistributedSyncOperationWithResults("a", texts).execute()
    assert_type(files.value, str)
    assert_type(await operations.SingleTaskOperation("a", lists).execute(), Run[list[int] | None])
    assert_type(await operations.DistributedSyncOperation("a", nothing).execute(), Result[None])
    assert_type(await operations.PipelineOperation("a", (floats, nothing)).execute(), Run[Any])
    dag = operations.SimpleDagOperation("a", floats, (texts, nothing), labels={"a": "b"})
    assert_type(await dag.execute(), Run[Any])
    operations.SimpleDagOperation("a", floats, lables={})  # type: ignore[call-arg]
    operations.SimpleDagOperation("a", floats, priority="x")  # type: ignore[arg-type]
    await dag.execute(time_out=1)  # type: ignore[arg-type]
    assert_type(await operations.DirectOperation("d", plain).execute(1), float)
    assert_type(await operations.DirectOperation("d", coroutine).execute(1), str)
