"""The engine as a server for others: where it listens, whom it lets in, what it tells."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector, UnixConnector

from aiowf.engine import Listening, ServeSettings, serve
from aiowf.engine.__main__ import main
from aiowf.engine.journal import Journal
from aiowf.engine.launcher import Outside, launch
from aiowf.engine.listeners import listen_on_path
from aiowf.errors import EngineError

SPEC = {
    "entrypoint": "main",
    "templates": [{"name": "main", "container": {"image": "python:3", "command": ["true"]}}],
}
PATH = "/api/v1/workflows/default"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep tokens and temporary files below `tmp_path`; return where the token is."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "state" / "aiowf" / "token"


@asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[tuple[Listening, list[str]]]:
    """Serve an engine within the context; give where it listens, and the lines that it tells."""
    listening: asyncio.Future[Listening] = asyncio.get_running_loop().create_future()
    lines: list[str] = []
    serving = asyncio.create_task(
        serve(
            ServeSettings(**{"port": 0, **settings}),
            on_listening=listening.set_result,
            on_event=lines.append,
        )
    )
    await asyncio.wait((serving, listening), return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    yield listening.result(), lines
    os.kill(os.getpid(), signal.SIGTERM)
    await serving


def session(listening: Listening, **headers: str) -> ClientSession:
    """Return a client of an engine, which brings the token."""
    if listening.token:
        headers = {"Authorization": f"Bearer {listening.token}", **headers}
    kind, _, path = listening.server.partition(":")
    connector = UnixConnector(path) if kind == "unix" else TCPConnector()
    base = listening.url or "http://localhost/"
    return ClientSession(base, headers=headers, connector=connector)


async def submit(client: ClientSession, name: str) -> int:
    """Submit a workflow; return the status of the answer."""
    body = {"workflow": {"metadata": {"name": name}, "spec": SPEC}}
    async with client.post(PATH, json=body) as response:
        return response.status


async def finish(client: ClientSession, name: str) -> None:
    """Wait until a workflow has finished."""
    query = f"listOptions.fieldSelector=metadata.name={name}&fields=result.object.status.phase"
    async with client.get(f"/api/v1/workflow-events/default?{query}") as response:
        async for line in response.content:
            if b"Succeeded" in line:
                return


async def test_it_serves_and_tells_what_happens(state: Path) -> None:
    """The token is made, kept where only its user can read it, and needed."""
    async with asyncio.timeout(30), served(namespace="team") as (listening, lines):
        assert (listening.token_path, listening.token_is_new) == (state, True)
        assert state.read_text() == f"{listening.token}\n"
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
        assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700
        assert listening.token not in repr(listening)
        async with session(listening) as client:
            assert await submit(client, "wf") == 200
            await finish(client, "wf")
            assert await submit(client, "wf") == 409
            async with client.delete(f"{PATH}/wf") as response:
                assert response.status == 200
            async with client.get("/api/v1/info") as response:
                assert (await response.json())["managedNamespace"] == "team"
        async with session(listening, Authorization="Bearer wrong") as client:
            assert await submit(client, "other") == 401
    assert lines == [
        "default/wf created",
        "default/wf Succeeded after 0 s",
        f'POST {PATH} refused (409): workflows.argoproj.io "wf" already exists',
        "default/wf deleted",
        f"POST {PATH} refused (401): Unauthorized",
    ]


async def test_a_listener_that_fails_misses_nothing_else() -> None:
    """What `on_event` raises is told to the event loop; lines that came with it are told too."""
    loop = asyncio.get_running_loop()
    troubles: list[Any] = []
    lines: list[str] = []
    loop.set_exception_handler(lambda _, context: troubles.append(context["exception"]))

    def listen(line: str) -> None:
        lines.append(line)
        raise ValueError(line)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        async with asyncio.timeout(30), launch(outside=Outside(listener.dup(), listen)) as engine:
            engine._received = b'{"event": "what comes with the next"}\n'
            listening = Listening(server=engine.server, url="", token=engine.token)
            async with session(listening) as client:
                assert await submit(client, "wf") == 200
    assert lines[:2] == ["what comes with the next", "default/wf created"]
    assert lines == [str(trouble) for trouble in troubles]


async def test_the_token_stays(state: Path) -> None:
    """The next server asks for the same token; one that others could read is replaced."""
    async with asyncio.timeout(30):
        async with served() as (first, _):
            pass
        async with served() as (second, _):
            assert (second.token, second.token_is_new) == (first.token, False)
        state.chmod(0o644)
        async with served() as (third, _):
            assert third.token_is_new
            assert third.token != first.token


async def test_a_unix_socket(tmp_path: Path) -> None:
    """Only its user may open it; it is gone afterwards; a dead one is replaced, a live one not."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with asyncio.timeout(30), served(unix_socket=path, no_auth=True) as (listening, _):
        assert listening.server == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        async with session(listening, Host="anything") as client:
            assert await submit(client, "wf") == 200
        with pytest.raises(EngineError, match="somebody listens"):
            await asyncio.to_thread(listen_on_path, str(path))
    assert not path.exists()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"host": "0.0.0.0", "no_auth": True}, "can be reached from other machines"),
        ({"host": "256.1.1.1"}, "cannot listen on 256.1.1.1:0"),
        ({"port": 70000}, "cannot listen on 127.0.0.1:70000"),
        ({"unix_socket": "/proc/s"}, "cannot listen on '/proc/s'"),
        ({"unix_socket": "/dev/null"}, "exists, and is no socket"),
        ({"unix_socket": "/tmp/" + "x" * 200}, "too long"),
        ({"token": "two words more"}, "that is no token"),
        ({"token": "Bearer "}, "that is no token"),
    ],
)
async def test_what_cannot_be_served(settings: dict[str, Any], text: str) -> None:
    """An address, a path or a token that will not do is one clear error."""
    with pytest.raises(EngineError, match=text):
        await serve(ServeSettings(**{"port": 0, **settings}))


async def test_a_token_that_cannot_be_stored(state: Path) -> None:
    """The error says what else can be done."""
    state.parent.parent.write_text("a file where a directory should be")
    with pytest.raises(EngineError, match=r"cannot be stored[^\n]*\nGive a token of your own"):
        await serve(ServeSettings(port=0))


async def test_a_disk_that_is_full_holds_no_part_of_a_token(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is made whole beside its place; what has begun of it is removed."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(EngineError, match="No space left on device"):
        await serve(ServeSettings(port=0))
    assert [] == list(state.parent.iterdir())


async def test_foreign_pages_are_kept_away() -> None:
    """Neither another origin nor another name for this machine gets anything."""
    async with asyncio.timeout(30), served(no_auth=True) as (listening, _):
        async with session(listening) as client:
            assert await submit(client, "plain") == 200
        async with session(listening, Origin=f"http://{listening.server}") as client:
            assert await submit(client, "own-page") == 200
        for name in ("localhost", "LOCALHOST:1", "[::1]:2746", "10.0.0.1"):
            async with session(listening, Host=name) as client, client.get(PATH) as response:
                assert response.status == 200, name
        for header in ({"Host": "evil.example"}, {"Origin": "null"}, {"Origin": "http://evil"}):
            async with session(listening, **header) as client:
                assert await submit(client, "evil") == 403, header


async def test_an_engine_that_ends_on_its_own() -> None:
    """`serve` says so."""
    listening = asyncio.Event()
    serving = asyncio.create_task(
        serve(ServeSettings(port=0, no_auth=True), on_listening=lambda _: listening.set())
    )
    async with asyncio.timeout(30):
        await listening.wait()
        kill_supervisor()
        with pytest.raises(EngineError, match="the embedded engine is gone"):
            await serving


def kill_supervisor() -> None:
    """Kill the youngest child of this process."""
    found = subprocess.run(
        ["pgrep", "-n", "-P", str(os.getpid()), "python"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    os.kill(int(found.stdout), signal.SIGKILL)


def test_lines_hold_no_control_characters() -> None:
    """What is told cannot move a terminal's cursor; nobody waits for a reader."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        journal = Journal(theirs)
        journal.write("a\x1b[2Jb\nc")
        assert ours.recv(100) == b'{"event":"a\\\\x1b[2Jb\\\\x0ac"}\n'
        for _ in range(100_000):
            journal.write("more than fits")
    journal.write("nobody is there")


def test_the_command(tmp_path: Path) -> None:
    """`python -m aiowf.engine` says how to reach it, and ends by Ctrl-C."""
    command = [sys.executable, "-m", "aiowf.engine", "--port", "0", "--token", "t"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    assert lines[1] == "ARGO_TOKEN='Bearer t'\n"
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The reason is told in a line, and the exit code is 1."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["--port", str(other.getsockname()[1])]) == 1
    assert "address already in use" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
