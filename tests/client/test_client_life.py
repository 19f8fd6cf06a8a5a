"""What is left of a client, or of its engine, that is killed in the middle of its work: nothing."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = """
import asyncio, os, sys
import aiowf
from aiowf import operations, tasks

DAEMON = '''
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 100)
        time.sleep(300)
    os._exit(0)
time.sleep(300)
'''

async def main():
    async with aiowf.connect("local") as client:
        daemon = tasks.CommandBasedTask("daemon", ["python", "-c", DAEMON])
        run = await operations.SingleTaskOperation("daemon-", daemon).execute()
        async for change in run.watch():
            nodes = change.workflow.status.nodes or {}
            if any(node.phase == "Running" for node in nodes.values()):
                break
        op = operations.DistributedSyncOperation("many-", tasks.BashTask("work", "true"))
        working = [asyncio.ensure_future(op.execute()) for _ in range(1000)]
        await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
        print(os.getpid(), client.backend.engine.pid, flush=True)
        await asyncio.gather(*working)

asyncio.run(main())
"""


def ours(directory: Path) -> list[str]:
    """Return the processes that were started with this directory for temporary files."""
    mark = str(directory).encode()  # as TMPDIR, or as the place of the engine that started it
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_bytes():
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


@pytest.fixture
def working(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """A process that has a thousand operations in flight, and a task that daemonised itself."""
    script, temporary = tmp_path / "script.py", tmp_path / "t"
    script.write_text(textwrap.dedent(SCRIPT))
    temporary.mkdir()
    environ = {**os.environ, "TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environ,
    ) as process:
        assert process.stdout is not None
        _, engine = map(int, process.stdout.readline().split())
        try:
            yield process, engine, temporary
        finally:
            process.kill()


def left_within(seconds: float, directory: Path) -> list[str]:
    """Return what is left after at most so many seconds: processes and files."""
    end = time.monotonic() + seconds
    while True:
        left = [*ours(directory), *map(str, directory.iterdir())]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)


def test_a_client_that_is_killed_leaves_nothing(
    working: tuple[subprocess.Popen[str], int, Path],
) -> None:
    """After SIGKILL of the client no process, socket or directory is left within five seconds."""
    process, _, directory = working
    assert len(ours(directory)) > 3
    process.kill()
    process.wait()
    assert left_within(5, directory) == []


def test_an_engine_that_is_killed_leaves_nothing(
    working: tuple[subprocess.Popen[str], int, Path],
) -> None:
    """After SIGKILL of the engine only the client is left, and it has failed with a reason."""
    process, engine, directory = working
    os.kill(engine, signal.SIGKILL)
    assert process.wait(timeout=20) == 1
    assert left_within(5, directory) == []
