"""Building an operation and serialising it: ours beside Hera's.

Hera is run by the interpreter that HERA_PYTHON names, or by this one if it has Hera; without Hera
there is nothing to compare with, and only the absolute bound holds.
"""

import importlib
import json
import os
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
        sys.path.insert(0, folder)
        try:
            ours, distinct = _ours()
        finally:
            sys.path.remove(folder)
        theirs = _heras(folder)
    what = "operations of 2 PythonTasks, built and serialised"
    found = [Row(name=what, ours=ours, unit="/s", at_least=10_000)]
    if theirs is None:
        return [*found, Row(name=f"{what}, {DISTINCT} functions", ours=distinct, unit="/s")]
    return [
        *found,
        Row(name=f"{what}, peer: Hera", ours=ours, unit="/s", peer=theirs[0], at_least=20),
        Row(
            name=f"{what}, {DISTINCT} functions, peer: Hera",
            ours=distinct,
            unit="/s",
            peer=theirs[1],
            at_least=3,
        ),
    ]


def _ours() -> tuple[float, float]:
    from aiowf import operations, tasks

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
    return best, distinct


def _heras(folder: str) -> tuple[float, float] | None:
    python = os.environ.get("HERA_PYTHON", sys.executable)
    program = _HERA.replace("DISTINCT", str(DISTINCT)).replace("ROUNDS", str(ROUNDS))
    if subprocess.run([python, "-c", "import hera"], capture_output=True).returncode:
        return None
    done = subprocess.run(
        [python, "-c", program, folder], capture_output=True, check=True, text=True
    )
    best, distinct = json.loads(done.stdout)
    return best, distinct
