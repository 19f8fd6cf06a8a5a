"""10,000 sync operations that wait at the same time, against a simulated server.

The client runs in an interpreter of its own, whose memory and event loop are thus its alone; the
server runs in another, and writes into each workflow when it told the end of it.
"""

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.row import Row

COUNT = 10_000
A_SECOND = 200


def rows() -> list[Row]:
    """Run them in a fresh interpreter."""
    program = [sys.executable, "-m", "benchmarks.bench_pending"]
    ended = subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(ended.stdout)
    name = f"{COUNT:,} pending sync operations"
    delay = f"{name}, {A_SECOND} ends a second: from the server's event to the Result"
    return [
        Row(name=f"{name}: succeeded", ours=found["succeeded"], unit="runs", at_least=COUNT),
        Row(name=f"{name}: memory each", ours=found["kib"], unit="KiB", at_most=8),
        Row(name=f"{name}: requests each", ours=found["requests"], unit="", at_most=2.1),
        Row(name=f"{delay}, p50", ours=found["p50"], unit="ms", at_most=20),
        Row(name=f"{delay}, p99", ours=found["p99"], unit="ms", at_most=100),
        Row(
            name=f"{name}: loop blocked while they end", ours=found["ending"], unit="ms", at_most=50
        ),
        Row(name=f"{name}: loop blocked while all begin", ours=found["begin"], unit="ms"),
    ]


async def measure(url: str) -> dict[str, Any]:
    """Execute all of them; return the figures."""
    import aiowf
    from aiowf import operations, tasks

    ops = [
        operations.DistributedSyncOperation(f"op-{n}-", tasks.BashTask("work", "true"))
        for n in range(COUNT)
    ]
    delays: list[float] = []

    async def one(op: operations.DistributedSyncOperation[Any]) -> bool:
        result = await op.execute()
        told = result.workflow.status and result.workflow.status.message
        delays.append(time.monotonic() - float(told or 0))
        return result.succeeded

    async with aiowf.connect(url, namespace="argo", token="Bearer x") as client:
        await client.list()  # connects, and imports what is needed
        watchdog = Watchdog()
        watching = asyncio.create_task(watchdog.run())
        gc.collect()
        before = resident()
        working = asyncio.gather(*(one(op) for op in ops))
        while (await ask(url, "counts"))["made"] < COUNT:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        await asyncio.sleep(1.0)  # the last answers are read
        begin = watchdog.longest
        gc.collect()
        kib = (resident() - before) / 1024 / COUNT
        watchdog.begin()
        await ask(url, f"end/{A_SECOND}")
        succeeded = sum(await working)
        watching.cancel()
        counts = await ask(url, "counts")
    counts.pop("made")
    centiles = statistics.quantiles(delays, n=100)
    return {
        "succeeded": succeeded,
        "kib": kib,
        "requests": sum(counts.values()) / COUNT,
        "p50": centiles[49] * 1000,
        "p99": centiles[98] * 1000,
        "begin": begin * 1000,
        "ending": watchdog.longest * 1000,
        "counts": counts,
    }


class Watchdog:
    """Notes how long the event loop did not come round, in time that its thread ran.

    What other processes took from it meanwhile is not its doing, and does not count; it counts in
    the delays, which are of the clock on the wall.
    """

    longest: float
    last: float

    def begin(self) -> None:
        """Forget what was."""
        self.longest, self.last = 0.0, time.thread_time()

    async def run(self) -> None:
        """Look at the clock in every round, but no more than a thousand times a second."""
        self.begin()
        while True:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            self.longest = max(self.longest, now - self.last)
            self.last = now


def resident() -> int:
    """Return the bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def ask(url: str, path: str) -> dict[str, Any]:
    """Ask the server something that is not Argo's."""
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v1/{path}") as answer:
        found: dict[str, Any] = await answer.json()
        return found


def main() -> None:
    """Measure, and print the figures as JSON."""
    from benchmarks.argo_server import argo_server

    with argo_server() as url:
        print(json.dumps(asyncio.run(measure(url))))


if __name__ == "__main__":
    main()
