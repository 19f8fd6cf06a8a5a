"""How long a fresh interpreter takes to the first result: start, import, engine, pod, result."""

import statistics
import subprocess
import sys
import time

from benchmarks.row import Row

RUNS = 7
PROGRAM = """
import asyncio
from aiowf import operations, tasks

async def main():
    operation = operations.DistributedSyncOperation("first-", tasks.BashTask("first", "true"))
    result = await operation.execute()
    print(result.phase, flush=True)

asyncio.run(main())
"""


def rows() -> list[Row]:
    """Take the median of some runs."""
    median = statistics.median(_seconds() for _ in range(RUNS))
    return [
        Row(
            name="fresh interpreter to the first result of `true`", ours=median, unit="s", at_most=1
        )
    ]


def _seconds() -> float:
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        said = program.stdout.readline().strip()
        seconds = time.perf_counter() - start
    if said != "Succeeded" or program.returncode != 0:
        raise RuntimeError(f"the first result is {said!r}, exit status {program.returncode}")
    return seconds
