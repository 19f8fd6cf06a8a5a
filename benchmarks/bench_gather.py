"""A thousand sync operations at once from one client, in an interpreter of their own."""

import asyncio
import json
import resource
import subprocess
import sys
import time

from benchmarks.row import Row

COUNT = 1_000


def rows() -> list[Row]:
    """Run them in a fresh interpreter, whose memory is thus the client's alone."""
    program = [sys.executable, "-m", "benchmarks.bench_gather"]
    ended = subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True)
    measured = json.loads(ended.stdout)
    name = f"{COUNT:,} sync operations by asyncio.gather"
    return [
        Row(name=f"{name}: succeeded", ours=measured["succeeded"], unit="runs", at_least=COUNT),
        Row(name=f"{name}: client memory", ours=measured["megabytes"], unit="MB", at_most=200),
        Row(name=f"{name}: wall time", ours=measured["seconds"], unit="s"),
    ]


async def measure() -> dict[str, float]:
    """Execute the operations; return how many succeeded, in which time and memory (peak RSS)."""
    from aiowf import operations, tasks

    start = time.perf_counter()
    results = await asyncio.gather(
        *(
            operations.DistributedSyncOperation(
                "gather-", tasks.BashTask(f"echo-{n}", f"echo {n}")
            ).execute(check=False)
            for n in range(COUNT)
        )
    )
    return {
        "succeeded": sum(result.succeeded for result in results),
        "seconds": time.perf_counter() - start,
        # Linux counts in KiB.
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure())))
