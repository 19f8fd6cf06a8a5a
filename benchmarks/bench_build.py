"""Building an operation and serialising it: ours beside Hera's.

Hera is run by the interpreter that HERA_PYTHON names, or by this one if it has Hera; without Hera
there is nothing to compare with, and only the absolute bound holds. Functions that were not seen
before need a fresh interpreter: both have one in turns, and the medians are compared.
"""

import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.row import Row

DISTINCT = 1000
ROUNDS = 5
TURNS = 3

# What both build: two tasks beside each other, each a function with one argument.
_FUNCTION = """
def function_{n}(x: int) -> int:
    total = 0
    for step in range(x):
        total += step * {n}
    print(total)
    return total

"""

_HERA = """
import importlib, json, sys, time
from hera.workflows import Script, Steps, Workflow, script
sys.path.insert(0, sys.argv[1])
functions = vars(importlib.import_module("functions_of_hera"))
known = [script(image="python:3.11-slim")(functions[f"function_{n}"]) for n in range(DISTINCT)]
def build(first, second):
    with Workflow(generate_name="par-", entrypoint="par") as workflow:
        with Steps(name="par") as steps, steps.parallel():
            first(name="a", arguments={"x": 1})
            second(name="b", arguments={"x": 2})
    return json.dumps(workflow.to_dict())
start = time.perf_counter()
for n in range(0, DISTINCT, 2):
    build(known[n], known[n + 1])
distinct = DISTINCT / 2 / (time.perf_counter() - start)
best = 0.0
for _ in range(ROUNDS):
    start = time.perf_counter()
    for _ in range(100):
        build(known[0], known[1])
    best = max(best, 100 / (time.perf_counter() - start))
print(json.dumps([best, distinct]))
"""


def rows() -> list[Row]:
    """Measure functions that were seen before, and 1,000 that were not."""
    with tempfile.TemporaryDirectory() as folder:
        source = "".join(_FUNCTION.format(n=n) for n in range(DISTINCT))
        for name in ("functions_of_aiowf", "functions_of_hera"):
            Path(folder, f"{name}.py").write_text(source)
        turns = [(_ours(folder), _heras(folder)) for _ in range(TURNS)]
    ours, distinct = (statistics.median(each[n] for each, _ in turns) for n in (0, 1))
    theirs = [found for _, found in turns if found is not None]
    what = "operations of 2 PythonTasks, built and serialised"
    found = [Row(name=what, ours=ours, unit="/s", at_least=10_000)]
    if not theirs:
        return [*found, Row(name=f"{what}, {DISTINCT} functions", ours=distinct, unit="/s")]
    peer, distinct_peer = (statistics.median(each[n] for each in theirs) for n in (0, 1))
    return [
        *found,
        Row(name=f"{what}, peer: Hera", ours=ours, unit="/s", peer=peer, at_least=20),
        Row(
            name=f"{what}, {DISTINCT} functions, peer: Hera",
            ours=distinct,
            unit="/s",
            peer=distinct_peer,
            at_least=3,
        ),
    ]


def measure(folder: str) -> None:
    """Print how many a second of both kinds, in an interpreter that has seen none of them."""
    from aiowf import operations, tasks

    sys.path.insert(0, folder)
    functions = vars(importlib.import_module("functions_of_aiowf"))
    known: list[Callable[..., Any]] = [functions[f"function_{n}"] for n in range(DISTINCT)]

    def build(first: Callable[..., Any], second: Callable[..., Any]) -> str:
        one = tasks.PythonTask("a", first, args=(1,))
        two = tasks.PythonTask("b", second, args=(2,))
        return operations.ParallelOperation("par-", (one, two)).to_json()

    start = time.perf_counter()
    for n in range(0, DISTINCT, 2):
        build(known[n], known[n + 1])
    distinct = DISTINCT / 2 / (time.perf_counter() - start)
    best = 0.0
    for _ in range(10 * ROUNDS):
        start = time.perf_counter()
        for _ in range(200):
            build(known[0], known[1])
        best = max(best, 200 / (time.perf_counter() - start))
    print(json.dumps([best, distinct]))


def _ours(folder: str) -> tuple[float, float]:
    program = "import sys; from benchmarks.bench_build import measure; measure(sys.argv[1])"
    return _run(sys.executable, program, folder)


def _heras(folder: str) -> tuple[float, float] | None:
    python = os.environ.get("HERA_PYTHON", sys.executable)
    program = _HERA.replace("DISTINCT", str(DISTINCT)).replace("ROUNDS", str(ROUNDS))
    if subprocess.run([python, "-c", "import hera"], capture_output=True).returncode:
        return None
    return _run(python, program, folder)


def _run(python: str, program: str, folder: str) -> tuple[float, float]:
    done = subprocess.run([python, "-c", program, folder], stdout=subprocess.PIPE, check=True)
    best, distinct = json.loads(done.stdout)
    return best, distinct
