"""Which client an operation uses when none is named."""

import asyncio
import contextvars
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import aiowf
from aiowf import operations, tasks
from aiowf.client import current

OP = operations.DistributedSyncOperation("current-", tasks.BashTask("true", "true"))


def run_script(text: str, directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a Python script in a process of its own."""
    path = directory / "script.py"
    path.write_text(textwrap.dedent(text))
    environ = {**os.environ, "TMPDIR": str(directory / "tmp"), "IPYTHONDIR": str(directory / "ipy")}
    (directory / "tmp").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, *(command or (str(path),))],
        capture_output=True,
        text=True,
        timeout=60,
        env=environ,
        check=False,
    )


async def test_the_innermost_client_of_the_context_is_used() -> None:
    """Inside two `async with` blocks the inner one serves."""
    async with aiowf.connect("local"), aiowf.connect("local") as inner:
        result = await OP.execute()
        assert [result.name] == [run.name async for run in inner.list()]


async def test_handlers_in_other_contexts_use_the_one_open_client() -> None:
    """A service opens its client in its lifespan; its handlers run in contexts of their own."""
    opened, closing = asyncio.Event(), asyncio.Event()

    async def lifespan() -> None:
        async with aiowf.connect("local"):
            opened.set()
            await closing.wait()

    async def handler() -> str:
        return (await OP.execute()).phase

    empty = contextvars.Context()
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        group.create_task(lifespan())
        await opened.wait()
        try:
            answer = loop.create_task(handler(), context=empty)
            assert await answer == "Succeeded"
        finally:
            closing.set()


async def test_several_open_clients_are_told_apart_by_the_user() -> None:
    """Outside of their contexts two open clients are an error that lists both."""
    first, second = aiowf.connect("local"), aiowf.connect("local")
    loop = asyncio.get_running_loop()
    async with first, second:
        asking = loop.create_task(OP.execute(), context=contextvars.Context())
        with pytest.raises(aiowf.ConfigurationError, match="2 clients are open") as caught:
            await asking
    assert "client=client" in str(caught.value)


async def test_a_closed_client_says_so() -> None:
    """What is asked of a closed client is an error, and a closed one does not open again."""
    async with aiowf.connect("local") as client:
        pass
    with pytest.raises(aiowf.ConfigurationError, match="this client is closed"):
        await OP.execute(client=client)
    with pytest.raises(aiowf.ConfigurationError, match="this client is closed"):
        await client.open()


async def test_connect_does_nothing_before_it_is_entered() -> None:
    """A client that is not open says how to open it."""
    with pytest.raises(aiowf.ConfigurationError, match=r"async with aiowf\.connect"):
        _ = aiowf.connect("local").argo


def test_a_default_client_is_opened_and_closed(tmp_path: Path) -> None:
    """Without any client one is opened from the environment, once, and closed by asyncio.run."""
    done = run_script(
        """
        import asyncio
        from aiowf import operations, tasks

        async def main():
            op = operations.DistributedSyncOperation("default-", tasks.BashTask("true", "true"))
            results = await asyncio.gather(*(op.execute() for _ in range(5)))
            print(sum(result.succeeded for result in results))

        asyncio.run(main())
        """,
        tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "5\n", "")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_each_run_of_a_loop_has_a_default_client_of_its_own(tmp_path: Path) -> None:
    """asyncio.run may be called again and again."""
    done = run_script(
        """
        import asyncio
        from aiowf import operations, tasks

        op = operations.DistributedSyncOperation("default-", tasks.BashTask("true", "true"))

        async def main():
            return (await op.execute()).phase

        print(asyncio.run(main()), asyncio.run(main()))
        """,
        tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Succeeded Succeeded\n", "")


def test_a_notebook_cell_may_await_alone(tmp_path: Path) -> None:
    """IPython's top-level await runs a function that was defined in a cell."""
    done = run_script(
        """
        from IPython.core.interactiveshell import InteractiveShell

        shell = InteractiveShell.instance()
        cells = [
            "from aiowf import operations, tasks",
            "def square(x: int) -> int:\\n    return x * x",
            "op = operations.DistributedSyncOperation("
            "'cell-', tasks.PythonTask('square', square, args=(7,)))",
            "result = await op.execute()",
            "print('value', result.value)",
        ]
        for cell in cells:
            shell.run_cell(cell, store_history=True).raise_error()
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "value 49" in done.stdout


def test_in_a_pod_nothing_is_guessed() -> None:
    """In Kubernetes without ARGO_SERVER the embedded engine is not taken silently."""
    from aiowf.client.settings import read_settings

    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    with pytest.raises(aiowf.ConfigurationError, match="ARGO_SERVER is not set"):
        read_settings(None, environ=environ)
    assert read_settings("local", environ=environ).is_local
    assert read_settings(None, environ={"ARGO_SERVER": "argo:2746"}).server == "argo:2746"


def test_a_default_client_that_does_not_open_fails_all_who_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is told why; the next one tries anew, also after an opening that was cancelled."""

    async def work() -> str:
        monkeypatch.setenv("ARGO_SERVER", "http://[nonsense")
        both = await asyncio.gather(OP.execute(), OP.execute(), return_exceptions=True)
        assert [aiowf.ConfigurationError] * 2 == [type(each) for each in both]
        monkeypatch.delenv("ARGO_SERVER")
        opening, waiting = asyncio.create_task(OP.execute()), asyncio.create_task(OP.execute())
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(aiowf.ConfigurationError, match="default client was cancelled"):
            await waiting
        with pytest.raises(asyncio.CancelledError):
            await opening
        return (await OP.execute()).phase

    monkeypatch.delenv("ARGO_SERVER", raising=False)
    assert "Succeeded" == asyncio.run(work())


async def test_a_client_of_another_loop_is_not_the_current_one() -> None:
    """A thread that runs in this context, with a loop of its own, has to open its own client."""

    async def here() -> aiowf.Client | None:
        return current.open_client()

    async with aiowf.connect("127.0.0.1:1") as client:
        assert client is await here()
        assert None is await asyncio.to_thread(asyncio.run, here())
    assert None is await here()
