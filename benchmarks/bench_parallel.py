"""150 one-line Bash tasks in one ParallelOperation, to the same processes from a bare loop.

Ours is the whole way: rendering, submission, engine, watch, result. Both are run in turns, at the
same concurrency; the medians are compared.
"""

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

import aiowf
from aiowf import operations, tasks
from benchmarks.bench_pods import PODS, ROUNDS, SOURCE, floor
from benchmarks.row import Row


def rows() -> list[Row]:
    """Measure, with an engine that runs as many pods at once as there are processors."""
    ours, bare = asyncio.run(measure())
    return [
        Row(
            name=f"{PODS} one-line Bash tasks in one ParallelOperation, to bare processes",
            ours=ours,
            peer=bare,
            unit="s",
            at_most=1.4,
        )
    ]


async def measure() -> tuple[float, float]:
    """Return the median seconds of both."""
    concurrency = os.cpu_count() or 1
    op = operations.ParallelOperation(
        "parallel-", tuple(tasks.BashTask(f"task-{n}", SOURCE) for n in range(PODS))
    )
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as directory:
        async with aiowf.connect("local", max_pods=concurrency) as client:
            for _ in range(ROUNDS):
                bare.append(await floor(Path(directory), concurrency))
                begin = time.perf_counter()
                run = await op.execute(client=client)
                await run
                ours.append(time.perf_counter() - begin)
    return statistics.median(ours), statistics.median(bare)
