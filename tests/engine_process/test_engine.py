"""The engine's life: it starts, it works, and whatever ends it, nothing of it is left."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, UnixConnector
from blockbuster import BlockBuster

from aiowf.engine import Engine, assembly, launch
from aiowf.engine.assembly import Settings
from aiowf.engine.exchange import CONTROLLER
from aiowf.errors import EngineError

# Seconds within which nothing of an engine is left.
DEADLINE = 5.0

DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 100)
        with open(os.environ["MARK"] + ".new", "w") as file:
            file.write(str(os.getpid()))
        os.rename(os.environ["MARK"] + ".new", os.environ["MARK"])
        time.sleep(600)
    os._exit(0)
time.sleep(600)
"""
CLIENT = """
import asyncio, json, os, sys
from aiowf.engine import launch

async def main():
    engine = await launch(directory=sys.argv[1])
    supervisor = engine._popen.pid
    facts = {"socket": engine.socket_path, "token": engine.token, "server": engine.pid}
    print(json.dumps({**facts, "supervisor": supervisor}), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def _session(socket_path: str, token: str) -> AsyncIterator[ClientSession]:
    headers = {"Authorization": f"Bearer {token}"}
    async with ClientSession(
        "http://engine", headers=headers, connector=UnixConnector(socket_path)
    ) as session:
        yield session


async def _submit(session: ClientSession, container: dict[str, Any], name: str) -> None:
    spec = {"entrypoint": "main", "templates": [{"name": "main", "container": container}]}
    workflow = {"workflow": {"metadata": {"name": name}, "spec": spec}}
    async with session.post("/api/v1/workflows/default", json=workflow) as response:
        assert response.status == 200, await response.text()


async def _phase(session: ClientSession, name: str) -> str:
    """Return the phase of a workflow when it has ended."""
    params = {"listOptions.fieldSelector": f"metadata.name={name}"}
    headers = {"Accept": "text/event-stream"}
    url = "/api/v1/workflow-events/default"
    async with session.get(url, params=params, headers=headers) as response:
        async for line in response.content:
            if line.startswith(b"data: "):
                status = json.loads(line[6:])["result"]["object"].get("status", {})
                if status.get("phase") in ("Succeeded", "Failed", "Error"):
                    return str(status["phase"])
    raise AssertionError("the watch has ended")


def _open(pids: list[int]) -> list[int]:
    """Return descriptors that tell when these processes end."""
    return [os.pidfd_open(pid) for pid in pids]


def _all_end(pidfds: list[int]) -> bool:
    """Wait until all of them have ended; return False if some have not, in time."""
    end = time.monotonic() + DEADLINE
    waiting = set(pidfds)
    while waiting and (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select(list(waiting), [], [], left)
        waiting -= set(ready)
    for pidfd in pidfds:
        os.close(pidfd)
    return not waiting


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what the kernel sends no event for."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def _carriers_below(directory: Path) -> Iterator[int]:
    """Return the processes of engines whose directories are below this one."""
    mark = f"AIOWF_ENGINE={directory}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes():
                yield int(path.parent.name)
        except OSError:
            continue


async def test_it_runs_workflows(tmp_path: Path) -> None:
    """The whole way: start, submit, watch, end; nothing is left."""
    async with launch(directory=tmp_path) as engine:
        assert engine.server == f"unix:{engine.socket_path}"
        assert Path(engine.socket_path).parent.stat().st_mode & 0o777 == 0o700
        async with _session(engine.socket_path, engine.token) as session:
            await _submit(session, {"image": "i", "command": ["true"]}, "good")
            await _submit(session, {"image": "i", "command": ["false"]}, "bad")
            assert [await _phase(session, name) for name in ("good", "bad")] == [
                "Succeeded",
                "Failed",
            ]
        begin = time.monotonic()
    assert time.monotonic() - begin < 3
    assert list(tmp_path.iterdir()) == []
    assert await engine.died == "the embedded engine was closed"
    assert list(_carriers_below(tmp_path)) == []


async def test_a_pod_replies_with_its_token(tmp_path: Path) -> None:
    """A pod finds the socket, and a token that is good for values of its own workflow."""
    program = (
        "import http.client, os, socket\n"
        "c = http.client.HTTPConnection('engine')\n"
        "c.sock = socket.socket(socket.AF_UNIX)\n"
        "c.sock.connect(os.environ['AIOWF_REPLY_SOCKET'])\n"
        "path = os.environ['AIOWF_REPLY_VALUE_PATH'] + '/main'\n"
        "auth = {'Authorization': 'Bearer ' + os.environ['AIOWF_REPLY_TOKEN']}\n"
        "c.request('PUT', path, b'value', auth)\n"
        "assert c.getresponse().status == 200\n"
    )
    async with (
        launch(directory=tmp_path) as engine,
        _session(engine.socket_path, engine.token) as session,
    ):
        await _submit(session, {"image": "i", "command": ["python", "-c", program]}, "wf")
        assert await _phase(session, "wf") == "Succeeded"
        async with session.get("/aiowf/v1/values/default/wf/main") as response:
            assert await response.read() == b"value"
        async with session.delete("/api/v1/workflows/default/wf") as response:
            assert response.status == 200
        async with asyncio.timeout(DEADLINE):
            while True:
                async with session.get("/aiowf/v1/values/default/wf/main") as response:
                    if response.status == 404:
                        break


async def test_images_have_stand_ins(tmp_path: Path) -> None:
    """What runs in place of an image is the client's choice; other images are refused."""
    async with (
        launch(
            directory=tmp_path, images={"samples-sum": ["test", "x", "="]}, containers=False
        ) as engine,
        _session(engine.socket_path, engine.token) as session,
    ):
        await _submit(session, {"image": "reg/samples-sum:1", "args": ["x"]}, "known")
        assert await _phase(session, "known") == "Succeeded"
        with pytest.raises(AssertionError, match="what the image 'unknown' runs"):
            await _submit(session, {"image": "unknown"}, "unknown")


async def test_claims_may_persist(tmp_path: Path) -> None:
    """A claim in a directory of the user's is there for the next engine."""
    claims = tmp_path / "claims"
    found = []
    for _ in range(2):
        async with (
            launch(directory=tmp_path, claims=claims) as engine,
            _session(engine.socket_path, engine.token) as session,
        ):
            async with session.get("/aiowf/v1/claims/default/data") as response:
                found.append((await response.json())["exists"])
            async with session.put("/aiowf/v1/claims/default/data"):
                pass
    assert found == [False, True]


async def test_without_a_token_nobody_is_served(tmp_path: Path) -> None:
    """Also on the socket."""
    async with launch(directory=tmp_path) as engine, _session(engine.socket_path, "x") as session:
        for path in ("/api/v1/workflows/default", "/aiowf/v1/claims/default/c"):
            async with session.get(path) as response:
                assert response.status == 401


async def test_a_long_directory(tmp_path: Path) -> None:
    """The socket goes elsewhere when its path would be too long; both places are cleared."""
    directory = tmp_path / ("x" * 100)
    directory.mkdir()
    async with launch(directory=directory) as engine:
        assert len(engine.socket_path) <= 107
        assert not engine.socket_path.startswith(str(tmp_path))
        async with _session(engine.socket_path, engine.token) as session:
            await _submit(session, {"image": "i", "command": ["true"]}, "wf")
            assert await _phase(session, "wf") == "Succeeded"
    assert not Path(engine.socket_path).parent.exists()
    assert list(directory.iterdir()) == []


async def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """The error says why the engine did not start."""
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="did not start: NotADirectoryError"):
        await launch(directory=tmp_path / "file")


async def test_an_interpreter_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that cannot be started, or is not Python, is an EngineError."""
    for interpreter, why in (("/no/such/python", "No such file"), ("/bin/false", "killed")):
        monkeypatch.setattr(sys, "executable", interpreter)
        with pytest.raises(EngineError, match=f"did not start.*{why}"):
            await launch(directory=tmp_path)
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(EngineError, match="interpreter"):
        launch(directory=tmp_path)


def test_several_loops(tmp_path: Path) -> None:
    """Every event loop may have an engine of its own, one after the other."""

    async def use() -> str:
        async with launch(directory=tmp_path) as engine:
            return engine.server

    assert len({asyncio.run(use()) for _ in range(2)}) == 2


def test_started_before_there_is_a_loop(tmp_path: Path) -> None:
    """It starts at once, and is waited for later."""
    engine = launch(directory=tmp_path)

    async def use() -> None:
        async with engine:
            assert engine.pid > 0

    asyncio.run(use())


async def test_an_engine_that_nobody_closes(tmp_path: Path) -> None:
    """It is warned of, and ends when it is collected."""
    engine: Engine | None = await launch(directory=tmp_path)
    assert engine is not None
    asyncio.get_running_loop().remove_reader(engine._control)
    pidfds = _open([engine.pid])
    with pytest.warns(ResourceWarning, match="unclosed <Engine unix:"):
        engine = None
    assert await asyncio.to_thread(_all_end, pidfds)
    await asyncio.to_thread(_wait_until, lambda: not list(tmp_path.iterdir()), "a directory stays")


class Victim:
    """A client in a process of its own, with an engine and a pod that has made a daemon."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(directory)], stdout=subprocess.PIPE, text=True
        )
        assert self.client.stdout is not None
        self.facts: dict[str, Any] = json.loads(self.client.stdout.readline())

    async def run_daemon(self) -> int:
        """Run a pod that makes a daemon; return the daemon's id."""
        mark = self.directory / "mark"
        container = {
            "image": "i",
            "command": ["python", "-c", DAEMON],
            "env": [{"name": "MARK", "value": str(mark)}],
        }
        async with _session(self.facts["socket"], self.facts["token"]) as session:
            await _submit(session, container, "wf")
            await asyncio.to_thread(_wait_until, mark.exists, "there is no daemon")
        return int(mark.read_text())

    def close(self) -> None:
        """End the client, if it still runs."""
        self.client.kill()
        self.client.communicate()


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    """Return a client to be killed."""
    victim = Victim(tmp_path)
    yield victim
    victim.close()


@pytest.mark.parametrize(
    "killed",
    [["client"], ["server"], ["supervisor"], ["server", "supervisor"], ["client", "server"]],
    ids="+".join,
)
async def test_nothing_is_left_after_a_kill(victim: Victim, killed: list[str]) -> None:
    """Whoever is killed in mid-run: processes, a daemon included, and directories go."""
    pids = {**victim.facts, "client": victim.client.pid, "daemon": await victim.run_daemon()}
    pidfds = _open([pids["server"], pids["supervisor"], pids["daemon"]])
    for name in killed:
        with suppress(ProcessLookupError):  # the server may end as soon as the client has
            os.kill(pids[name], signal.SIGKILL)
    assert await asyncio.to_thread(_all_end, pidfds)
    directory = Path(victim.facts["socket"]).parent
    await asyncio.to_thread(_wait_until, lambda: not directory.exists(), "its directory stays")
    assert set(_carriers_below(victim.directory)) == set()


async def test_a_terminated_client(victim: Victim) -> None:
    """A client that ends by SIGTERM, in the ordinary way, takes all along."""
    daemon = await victim.run_daemon()
    pidfds = _open([victim.facts["server"], daemon])
    victim.client.terminate()
    assert await asyncio.to_thread(_all_end, pidfds)


async def test_the_client_hears_of_the_end(tmp_path: Path) -> None:
    """`died` tells the reason, and a later close is no error."""
    async with launch(directory=tmp_path) as engine:
        os.kill(engine.pid, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            assert await engine.died == "the embedded engine is gone: killed by signal 9"
    assert list(tmp_path.iterdir()) == []


async def test_closed_at_the_end_of_the_loop(tmp_path: Path, blockbuster: BlockBuster) -> None:
    """It ends also when the loop has no threads any more."""
    engine = await launch(directory=tmp_path)
    await asyncio.get_running_loop().shutdown_default_executor()
    blockbuster.deactivate()  # Without threads somebody has to block.
    try:
        await engine.aclose()
    finally:
        blockbuster.activate()
    assert list(tmp_path.iterdir()) == []


async def test_a_forked_child_of_the_client(tmp_path: Path) -> None:
    """A child that holds the client's descriptors does not keep the engine alive."""
    engine = await launch(directory=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Our child does nothing dangerous.
        holder = os.fork()
    if holder == 0:
        time.sleep(60)
        os._exit(0)
    try:
        async with asyncio.timeout(DEADLINE):
            await engine.aclose()
    finally:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
    assert list(tmp_path.iterdir()) == []


def test_standard_streams_may_be_closed(tmp_path: Path) -> None:
    """Descriptors 0, 1 and 2 are then others' than one would think."""
    program = (
        "import asyncio, os, sys\n"
        "os.closerange(0, 3)\n"
        "from aiowf.engine import launch\n"
        "async def main():\n"
        "    async with launch(directory=sys.argv[1]):\n"
        "        pass\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, timeout=60)
    assert (ended.returncode, list(tmp_path.iterdir())) == (0, [])


async def test_a_reader_that_has_gone_is_forgotten_at_once(tmp_path: Path) -> None:
    """Nobody waits for the next keepalive to find out that a watch or a log has no reader."""
    settings = Settings(
        directory=str(tmp_path), token="t", cookie="A=b", socket=str(tmp_path / "engine.sock")
    )
    async with assembly.engine(settings) as app, asyncio.timeout(10):
        store = app[CONTROLLER].store
        async with _session(settings.socket, "t") as session:
            path = "/api/v1/workflow-events/default?listOptions.resourceVersion=100"
            events = asyncio.create_task(session.get(path).__aenter__())
            while not store._watches:
                await asyncio.sleep(0.01)  # The server tells nobody that somebody watches.
            events.cancel()
        while store._watches:
            await asyncio.sleep(0.01)


async def test_what_cannot_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays; the engine lives on."""
    settings = Settings(
        directory=str(tmp_path), token="t", cookie="A=b", socket=str(tmp_path / "engine.sock")
    )
    tried = asyncio.Event()

    async def forget(*_: object) -> None:
        tried.set()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(assembly.Values, "forget", forget)
    async with assembly.engine(settings), _session(settings.socket, "t") as session:
        await _submit(session, {"image": "i", "command": ["true"]}, "wf")
        await _phase(session, "wf")
        async with session.delete("/api/v1/workflows/default/wf") as response:
            assert response.status == 200
        await tried.wait()
        async with session.get("/api/v1/info") as response:
            assert response.status == 200
    assert "could not clean up" in caplog.text
