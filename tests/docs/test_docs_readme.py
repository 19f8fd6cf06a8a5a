"""The commands of README.md that are no set-up: each as written, but for the port."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
REPORT = """
from aiowf import operations, tasks


def total() -> int:
    return 42


op = operations.DistributedSyncOperation("total-", tasks.PythonTask("total", total))
"""
ETL = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: etl-
spec:
  entrypoint: main
  templates:
  - name: main
    script: {image: "python:3.12-slim", command: [sh], source: "echo loaded"}
"""


def commands() -> list[str]:
    """Return the lines of the console block, without prompt and comment."""
    (block,) = re.findall(r"^```console\n(.*?)^```", README.read_text(), re.M | re.S)
    return [line.removeprefix("$ ").partition("#")[0].strip() for line in block.splitlines()]


@pytest.fixture
def shell(tmp_path: Path, unused_tcp_port: int) -> Iterator[dict[str, str]]:
    """The environment of a user's terminal, and a server in another one: `aiowf dev`."""
    (tmp_path / "report.py").write_text(REPORT)
    (tmp_path / "etl.yaml").write_text(ETL)
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("ARGO_")},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PORT": str(unused_tcp_port),
    }
    assert "aiowf dev" in commands()
    dev = subprocess.Popen(
        ["aiowf", "dev", "--port", str(unused_tcp_port)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert dev.stdout is not None
    assert "listens" in dev.stdout.readline()
    yield environment
    dev.send_signal(signal.SIGINT)
    assert 0 <= dev.wait(timeout=30)
    dev.stdout.close()


def test_the_commands_of_the_readme(shell: dict[str, str], tmp_path: Path) -> None:
    """What a reader types in works, one command after the other, in one terminal."""
    typed = [command for command in commands() if command and command != "aiowf dev"]
    script = "\n".join(["set -euo pipefail", *typed]).replace("2746", shell["PORT"])
    ended = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=60
    )
    assert 0 == ended.returncode, ended.stderr
    assert ended.stdout.startswith("42\n")
    assert "loaded" in ended.stdout
