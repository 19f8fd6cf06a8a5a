"""How long a person waits for the command line."""

import os
import subprocess
import sys
import time
from pathlib import Path

import orjson

from benchmarks.argo_server import argo_server
from benchmarks.row import Row

RUNS = 5
WORKFLOWS = 2000
AIOWF = str(Path(sys.executable).with_name("aiowf"))


def rows() -> list[Row]:
    """Time `aiowf --help` and `aiowf list`, with the interpreter's start."""
    with argo_server() as server:
        _fill(server)
        environ = {**os.environ, "ARGO_SERVER": server, "ARGO_NAMESPACE": "argo"}
        best = {"--help": float("inf"), "list": float("inf")}
        for _ in range(RUNS):
            for command in best:
                best[command] = min(best[command], _milliseconds(command, environ))
    return [
        Row(name="aiowf --help", ours=best["--help"], unit="ms", at_most=300),
        Row(name=f"aiowf list of {WORKFLOWS:,}", ours=best["list"], unit="ms", at_most=1000),
    ]


def _fill(server: str) -> None:
    """Let the server have so many workflows."""
    from http.client import HTTPConnection

    connection = HTTPConnection(server.removeprefix("http://"))
    for number in range(WORKFLOWS):
        body = {"workflow": {"metadata": {"name": f"wf-{number}", "labels": {"team": "x"}}}}
        connection.request("POST", "/api/v1/workflows/argo", orjson.dumps(body))
        connection.getresponse().read()
    connection.close()


def _milliseconds(command: str, environ: dict[str, str]) -> float:
    start = time.perf_counter()
    done = subprocess.run([AIOWF, command], check=True, stdout=subprocess.PIPE, env=environ)
    took = (time.perf_counter() - start) * 1000
    assert command != "list" or done.stdout.count(b"\n") == WORKFLOWS + 1, done.stdout[:200]
    return took
