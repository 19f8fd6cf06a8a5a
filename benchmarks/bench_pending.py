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
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
    blocked = f"{name}: loop blocked, but for garbage collections, while"
    delay = f"{name}, {A_SECOND} ends a second: from the server's event to the Result"
    return [
        Row(name=f"{name}: succeeded", ours=found["succeeded"], unit="runs", at_least=COUNT),
        Row(name=f"{name}: memory each", ours=found["kib"], unit="KiB", at_most=8),
        Row(name=f"{name}: requests each", ours=found["requests"], unit="", at_most=2.1),
        Row(name=f"{delay}, p50", ours=found["p50"], unit="ms", at_most=20),
        Row(name=f"{delay}, p99", ours=found["p99"], unit="ms", at_most=100),
        Row(name=f"{blocked} they end", ours=found["ending"], unit="ms", at_most=50),
        Row(name=f"{blocked} all begin", ours=found["begin"], unit="ms", at_most=50),
        Row(name=f"{blocked} as many bare tasks begin", ours=found["bare_begin"], unit="ms"),
        Row(
            name=f"{name}: longest garbage collection, to that with as many bare tasks",
            ours=found["garbage"],
            peer=found["bare_garbage"],
            unit="ms",
        ),
    ]


async def bare() -> dict[str, float]:
    """Return for how long bare tasks block the loop: as they begin, and as garbage is collected.

    The operations are there as well: who executes them has made them.
    """

    async def one(future: asyncio.Future[None]) -> None:
        await future

    loop = asyncio.get_running_loop()
    async with watched() as watchdog:
        futures: list[asyncio.Future[None]] = []
        for _ in range(COUNT):
            futures.append(loop.create_future())
            if len(futures) % 100 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        watchdog.begin()
        working = asyncio.gather(*(one(future) for future in futures))
        await asyncio.sleep(0.01)
        begin = watchdog.longest
        gc.collect()
        for number, future in enumerate(futures):
            future.set_result(None)
            if number % 100 == 0:
                await asyncio.sleep(0)
        await working
    return {"bare_begin": begin * 1000, "bare_garbage": watchdog.collecting * 1000}


async def measure(url: str) -> dict[str, Any]:
    """Execute all of them; return the figures."""
    import aiowf
    from aiowf import operations, tasks

    ops = [
        operations.DistributedSyncOperation(f"op-{n}-", tasks.BashTask("work", "true"))
        for n in range(COUNT)
    ]
    floor = await bare()
    delays: list[float] = []

    async def one(op: operations.DistributedSyncOperation[Any]) -> bool:
        result = await op.execute()
        told = result.workflow.status and result.workflow.status.message
        delays.append(time.monotonic() - float(told or 0))
        return result.succeeded

    async with (
        aiowf.connect(url, namespace="argo", token="Bearer x") as client,
        watched() as watchdog,
    ):
        await client.list()  # connects, and imports what is needed; so does the rendering of one
        ops[0].to_json()
        gc.collect()
        await asyncio.sleep(0.01)
        watchdog.begin()
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
        "garbage": watchdog.collecting * 1000,
        **floor,
        "counts": counts,
    }


class Watchdog:
    """Notes how long the event loop did not come round, in time that its thread ran.

    What other processes took from it meanwhile is not its doing, and does not count; it counts in
    the delays, which are of the clock on the wall. Garbage collections, whose length depends on
    all that the process holds, are noted by themselves.
    """

    longest: float
    collecting = 0.0  # the longest garbage collection of all
    _last: float
    _collected = 0.0  # by garbage collections since `_last`
    _collects_since = 0.0

    def begin(self) -> None:
        """Forget how long the loop was blocked."""
        self.longest = self._collected = 0.0
        self._last = time.thread_time()

    def note(self, phase: str, _: object) -> None:
        """Note a garbage collection, as `gc.callbacks` tell it."""
        now = time.thread_time()
        if phase == "start":
            self._collects_since = now
        else:
            self._collected += now - self._collects_since
            self.collecting = max(self.collecting, now - self._collects_since)

    async def run(self) -> None:
        """Look at the clock in every round, but no more than a thousand times a second."""
        self.begin()
        while True:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            self.longest = max(self.longest, now - self._last - self._collected)
            self._last, self._collected = now, 0.0


@asynccontextmanager
async def watched() -> AsyncIterator[Watchdog]:
    """Watch the event loop."""
    watchdog = Watchdog()
    watching = asyncio.create_task(watchdog.run())
    gc.callbacks.append(watchdog.note)
    await asyncio.sleep(0)
    try:
        yield watchdog
    finally:
        gc.callbacks.remove(watchdog.note)
        watching.cancel()
        await asyncio.wait([watching])


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
