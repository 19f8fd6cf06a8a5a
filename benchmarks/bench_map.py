"""`f.map` over a thousand trivial items on the embedded engine, to a bare process pool.

The floor starts the same interpreter at the same concurrency, for the same addition, and does
nothing else. Both are run in turns; the medians of their rates are compared.
"""

import asyncio
import os
import statistics
import sys
import time

import aiowf
from benchmarks.row import Row

ITEMS = 1_000
ROUNDS = 3


@aiowf.task
def increased(n: int) -> int:
    """Return the next number."""
    return n + 1


def rows() -> list[Row]:
    """Measure, with an engine that runs as many pods at once as there are processors."""
    ours, bare = asyncio.run(measure())
    return [
        Row(
            name=f"f.map over {ITEMS:,} trivial items, to a bare pool of the same interpreters",
            ours=ours,
            peer=bare,
            unit="/s",
            at_least=0.6,
        )
    ]


async def measure() -> tuple[float, float]:
    """Return the median rates of both, in items per second."""
    concurrency = os.cpu_count() or 1
    ours, bare = [], []
    async with aiowf.connect("local", max_pods=concurrency) as client:
        for _ in range(ROUNDS):
            bare.append(ITEMS / await floor(concurrency))
            begin = time.perf_counter()
            async for n, value in increased.map(range(ITEMS), client=client):
                if value != n + 1:
                    raise RuntimeError(f"{value} came of {n}")
            ours.append(ITEMS / (time.perf_counter() - begin))
    return statistics.median(ours), statistics.median(bare)


async def floor(concurrency: int) -> float:
    """Return the seconds that bare interpreters take."""
    turn = asyncio.Semaphore(concurrency)

    async def run(n: int) -> None:
        async with turn:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                f"print({n} + 1)",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
            )
            if await process.wait() != 0:
                raise RuntimeError("a bare process failed")

    begin = time.perf_counter()
    await asyncio.gather(*map(run, range(ITEMS)))
    return time.perf_counter() - begin
