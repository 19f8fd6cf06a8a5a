"""A real IPython kernel: top-level await, pictures that live, and nothing left behind."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import zmq.asyncio
from jupyter_client import AsyncKernelManager
from jupyter_client.asynchronous.client import AsyncKernelClient

SETUP = """
import aiowf
from aiowf import operations, tasks

@aiowf.task
def double(n: int) -> int:
    return 2 * n

client = await aiowf.current_client()
client.backend.engine.pid
"""


class Kernel:
    """A kernel, and the messages that its cells give."""

    def __init__(self, manager: AsyncKernelManager, client: AsyncKernelClient) -> None:
        self.manager = manager
        self.client = client

    async def run(self, code: str) -> list[dict[str, Any]]:
        """Run a cell; return its messages until it is done."""
        cell = self.client.execute(code)
        messages = []
        while True:
            message = await self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != cell:
                continue
            assert message["msg_type"] != "error", message["content"]
            if message["content"].get("execution_state") == "idle":
                return messages
            messages.append({**message["content"], "type": message["msg_type"]})


@pytest.fixture
async def kernel(tmp_path: Path) -> AsyncIterator[Kernel]:
    """Start a kernel of this interpreter."""
    context = zmq.asyncio.Context()
    manager = AsyncKernelManager(kernel_name="python3", context=context)
    manager.transport = "ipc"
    manager.ip = str(tmp_path / "k")
    env = {**os.environ, "IPYTHONDIR": str(tmp_path), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    await manager.start_kernel(env=env, cwd=str(tmp_path))
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    yield Kernel(manager, client)
    client.stop_channels()
    if await manager.is_alive():
        await manager.shutdown_kernel(now=True)
    await manager.cleanup_resources()
    context.destroy(linger=0)


def results(messages: list[dict[str, Any]], kind: str) -> list[dict[str, str]]:
    """Return the bundles of the messages of a kind."""
    return [each["data"] for each in messages if each["type"] == kind]


async def gone(pid: int) -> None:
    """Wait until a process has ended, at most for five seconds."""
    async with asyncio.timeout(5):
        while Path(f"/proc/{pid}").exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
async def test_a_notebook(kernel: Kernel) -> None:
    """Operations run by a top-level await; a run lives while it is awaited; a kill ends all."""
    (engine,) = results(await kernel.run(SETUP), "execute_result")
    (shown,) = results(
        await kernel.run("operations.SingleTaskOperation('one', double.task('one', 21))"),
        "execute_result",
    )
    assert "<svg" in shown["text/html"]
    assert shown["text/plain"].startswith("SingleTaskOperation one: 1 task")
    live = await kernel.run(
        "run = await operations.SingleTaskOperation('one', double.task('one', 21)).execute()\n"
        "display(run)\n"
        "await run"
    )
    (first,) = [each for each in live if each["type"] == "display_data"]
    updates = [each for each in live if each["type"] == "update_display_data"]
    assert updates
    assert all(each["transient"] == first["transient"] for each in updates)
    assert "Succeeded" in updates[-1]["data"]["text/html"]
    (result,) = results(live, "execute_result")
    assert "42" in result["text/html"]
    (value,) = results(await kernel.run("await double.run(4)"), "execute_result")
    assert value["text/plain"] == "8"
    await kernel.manager.signal_kernel(9)
    await gone(int(engine["text/plain"]))


async def test_a_kernel_that_is_shut_down_leaves_nothing(kernel: Kernel) -> None:
    """The default client is closed at the exit of the interpreter."""
    (engine,) = results(await kernel.run(SETUP), "execute_result")
    await kernel.manager.shutdown_kernel()
    await gone(int(engine["text/plain"]))
