"""The command line in this process and in others, and an engine that its commands talk to."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from cli_testing import Done

from aiowf.cli.main import main
from aiowf.engine import launch

FLOW = '''
"""Operations of a user."""
import asyncio

import aiowf
from aiowf import operations, tasks


def square(n: int) -> int:
    return n * n


def fail(reason: str) -> int:
    print("about to fail")
    raise ValueError(reason)


def write(text: str) -> None:
    import os, pathlib

    pathlib.Path(os.environ["shared_directory"], "out.txt").write_text(text)


one = operations.DistributedSyncOperation("one-", tasks.PythonTask("square", square, args=(7,)))
bad = operations.DistributedSyncOperation(
    "bad-", tasks.PythonTask("fail", fail, args=("bad \\x1b[2J thing",))
)
slow = operations.PipelineOperation(
    "slow-", [tasks.BashTask("quick", "echo begun"), tasks.BashTask("sleep", "sleep 60")]
)
filed = operations.DistributedSyncOperationWithResults(
    "filed-", tasks.PythonTask("write", write, args=("hello",))
)
direct = operations.DirectOperation("direct", lambda: {"answer": 42})
sweep = [
    operations.DistributedSyncOperation(f"s{n}-", tasks.PythonTask("square", square, args=(n,)))
    for n in range(2)
]
nothing: list[int] = []
number = 3


@aiowf.task
def cube(n: int, label: str = "x") -> str:
    return f"{label}{n**3}"


async def program() -> int:
    return (await one.execute()).value + 1


def plain() -> str:
    return "text \\x1b[2J"
'''
ETL = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: etl-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: day, value: 2026-01-01}]}
  templates:
    - name: main
      steps:
        - - name: get
            template: echo
            arguments: {parameters: [{name: text, value: "{{workflow.parameters.day}}"}]}
        - - name: load
            template: echo
            arguments: {parameters: [{name: text, value: load}]}
    - name: echo
      inputs: {parameters: [{name: text}]}
      container: {image: python:3.12-slim, command: [sh, -c, "echo {{inputs.parameters.text}}"]}
"""


@pytest.fixture(scope="session")
def engine() -> Iterator[Mapping[str, str]]:
    """An engine for all tests of a worker; give what the environment has to say of it."""
    loop, stop, told = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    environ: dict[str, str] = {}

    async def serve() -> None:
        async with launch() as running:
            environ.update(ARGO_SERVER=running.server, ARGO_TOKEN=f"Bearer {running.token}")
            told.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert told.wait(30)
    yield environ
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()


@pytest.fixture
def server(engine: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """The environment names the engine."""
    for name, value in engine.items():
        monkeypatch.setenv(name, value)
    return engine


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a file of operations and one of a workflow, in which commands run."""
    (tmp_path / "cli_flow.py").write_text(FLOW)
    (tmp_path / "etl.yaml").write_text(ETL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "cli_flow", raising=False)
    return tmp_path


@pytest.fixture
def aiowf(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a command in this process."""

    def run(*words: str) -> Done:
        capsys.readouterr()
        code = main(words)
        out, err = capsys.readouterr()
        return Done(int(code), out, err)

    return run
