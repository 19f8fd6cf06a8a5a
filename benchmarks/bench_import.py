"""What importing aiowf adds to the start of an interpreter."""

import subprocess
import sys
import time

from benchmarks.row import Row

RUNS = 20


def rows() -> list[Row]:
    """Time each import in fresh interpreters."""
    # Taken in turns, so that a busy moment of the machine disturbs all of them alike.
    statements = ("pass", "import aiowf", "from aiowf import operations, tasks")
    best = dict.fromkeys(statements, float("inf"))
    for _ in range(RUNS):
        for statement in statements:
            best[statement] = min(best[statement], _milliseconds(statement))
    bare, front, rooms = best.values()
    return [
        Row(name="import aiowf, net of the interpreter", ours=front - bare, unit="ms", at_most=60),
        Row(name="from aiowf import operations, tasks", ours=rooms - bare, unit="ms", at_most=200),
    ]


def _milliseconds(statement: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return (time.perf_counter() - start) * 1000
