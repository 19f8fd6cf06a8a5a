"""Pods, executors and engines to test with."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster
from pod_testing import MakeExecutor, MakePod

from aiowf.engine.executor import ProcessExecutor
from aiowf.engine.pod import Pod
from aiowf.manifest import Container, ScriptTemplate


@pytest.fixture(autouse=True, scope="session")
def what_may_block(blockbuster: BlockBuster) -> None:
    """Allow to read /proc in the loop, which is memory, and what is done once, at the start."""
    for function in blockbuster.functions.values():
        function.can_block_in("executor/process.py", {"__init__"})
        function.can_block_in("engine/assembly.py", {"engine"})
        function.can_block_in("engine/processes.py", {"_read", "_parents", "carriers"})


@pytest.fixture
def make_pod() -> MakePod:
    """Return a function that makes a pod from a command, or from a Bash source."""
    made = 0

    def make(
        *command: str,
        source: str | None = None,
        container: dict[str, Any] | None = None,
        **fields: Any,
    ) -> Pod:
        nonlocal made
        made += 1
        about: dict[str, Any] = {"image": "image", "command": command or ("bash",)}
        about |= container or {}
        name = f"wf-main-{made}"
        return Pod(
            **{
                "name": name,
                "namespace": "default",
                "workflow_name": "wf",
                "workflow_uid": "8a3e",
                "node_id": name,
                "template_name": "main",
                "container": Container(**about)
                if source is None
                else ScriptTemplate(source=source, **about),
                **fields,
            }
        )

    return make


@pytest.fixture
def make_executor(tmp_path: Path) -> MakeExecutor:
    """Return a function that makes an executor below `tmp_path`, which takes in orphans."""

    @asynccontextmanager
    async def make(**options: Any) -> AsyncIterator[ProcessExecutor]:
        directory = tmp_path / "pods"
        directory.mkdir(exist_ok=True)
        options.setdefault("keep", [str(Path(__file__).parents[2])])
        options.setdefault("claim", lambda *names: str(tmp_path.joinpath("claims", *names)))
        async with ProcessExecutor(directory, **options) as executor:
            executor.adopt_orphans()
            yield executor

    return make


@pytest.fixture
async def executor(make_executor: MakeExecutor) -> AsyncIterator[ProcessExecutor]:
    """Return an executor with the ordinary settings."""
    async with make_executor() as executor:
        yield executor


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve an engine in a process of its own; return its address."""
    directory = tmp_path_factory.mktemp("served")
    command = [sys.executable, "-m", "aiowf.engine", "--port", "0", "--token", "secret"]
    environment = {**os.environ, "TMPDIR": str(directory)}
    with (
        (directory / "log").open("w") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        server, *others = process.stdout.readline().split()
        assert others == ["ARGO_SECURE=false", "ARGO_HTTP1=true"]
        server = server.removeprefix("ARGO_SERVER=")
        process.stdout.readline()
        yield f"http://{server}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
