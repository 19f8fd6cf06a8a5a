"""150 one-line Bash pods by the process executor, and the same processes from a bare asyncio loop.

The floor starts the same commands at the same concurrency with their output to files, and does
nothing else. Both are run in turns; the medians are compared.
"""

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from aiowf.engine.executor import ProcessExecutor
from aiowf.engine.pod import Pod
from aiowf.manifest import ScriptTemplate
from benchmarks.row import Row

PODS = 150
ROUNDS = 7
SOURCE = "echo hi\n"


def rows() -> list[Row]:
    """Measure, in this process."""
    seconds = asyncio.run(measure())
    return [
        Row(
            name=f"{PODS} one-line Bash pods by the executor alone, to bare processes",
            ours=seconds["pods"],
            peer=seconds["bare"],
            unit="s",
            at_most=1.4,
        )
    ]


async def floor(directory: Path, concurrency: int) -> float:
    """Return the seconds that bare processes take."""
    turn = asyncio.Semaphore(concurrency)

    async def run(number: int) -> None:
        async with turn:
            with (directory / f"{number}.out").open("wb") as output:
                process = await asyncio.create_subprocess_exec(
                    "bash",
                    "-c",
                    SOURCE,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
                if await process.wait() != 0:
                    raise RuntimeError("a bare process failed")

    begin = time.perf_counter()
    await asyncio.gather(*map(run, range(PODS)))
    return time.perf_counter() - begin


async def pods(directory: Path, concurrency: int) -> float:
    """Return the seconds that pods take."""
    container = ScriptTemplate(image="bash", command=("bash",), source=SOURCE)
    async with ProcessExecutor(
        directory, claim=lambda *_: "/nonexistent", max_pods=concurrency
    ) as executor:
        executor.adopt_orphans()

        async def run(number: int) -> None:
            name = f"pod-{number}"
            pod = Pod(
                name=name,
                namespace="bench",
                workflow_name="bench",
                workflow_uid="bench",
                node_id=name,
                template_name="main",
                container=container,
            )
            result = await executor.run(pod, lambda: None)
            if result.exit_code != 0:
                raise RuntimeError(f"a pod failed: {result}")

        begin = time.perf_counter()
        await asyncio.gather(*map(run, range(PODS)))
        return time.perf_counter() - begin


async def measure() -> dict[str, float]:
    """Return the median seconds of both."""
    concurrency = os.cpu_count() or 1
    seconds: dict[str, list[float]] = {"bare": [], "pods": []}
    for _ in range(ROUNDS):
        for name, work in (("bare", floor), ("pods", pods)):
            with tempfile.TemporaryDirectory() as directory:
                seconds[name].append(await work(Path(directory), concurrency))
    return {name: statistics.median(values) for name, values in seconds.items()}
