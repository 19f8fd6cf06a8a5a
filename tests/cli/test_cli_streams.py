"""Output that cannot be written, servers that do not answer as they should: one line each."""

import asyncio
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cli_testing import AIOWF, Done, ended, start
from respx_server import serve_bytes

from aiowf.cli import errors
from aiowf.cli.main import main
from aiowf.errors import OperationStuckError, PermissionDeniedError

Command = Callable[..., Done]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("words", [("render", "cli_flow.py:one"), ("list",), ("--help",)])
def test_a_reader_that_has_gone_is_no_error(
    server: Mapping[str, str], words: tuple[str, ...]
) -> None:
    """`aiowf … | head -1` ends as SIGPIPE would end it, without a word."""
    there, here = os.pipe()
    os.close(there)
    with start(*words, stdout=here) as process:
        os.close(here)
        _, said = process.communicate(timeout=30)
    assert (141, "") == (process.returncode, said)


@pytest.mark.usefixtures("here", "server")
@pytest.mark.parametrize("words", [("render", "cli_flow:one"), ("list",), ("run", "cli_flow:one")])
def test_a_full_disk_is_told(words: tuple[str, ...]) -> None:
    """The output is lost, and the exit code says so."""
    with open("/dev/full", "w") as full, start(*words, stdout=full) as process:
        _, said = process.communicate(timeout=30)
    assert 8 == process.returncode
    assert said.endswith(
        "aiowf: the output cannot be written: No space left on device. Make room there, or write "
        "somewhere else.\n"
    )


def test_a_picture_is_not_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it cannot be written whole, nothing of it is left."""
    from aiowf.cli import demo_run

    async def at_once(console: object) -> bool:
        return True

    monkeypatch.setattr(demo_run, "run_demo", at_once)
    picture = tmp_path / "a.svg"
    assert 0 == main(["demo", "--svg", str(picture)])
    assert picture.read_text().startswith("<svg")
    assert 8 == main(["demo", "--svg", str(tmp_path / "none" / "a.svg")])
    assert [picture] == list(tmp_path.iterdir())


def test_a_closed_output_is_told() -> None:
    """Nothing is done for nobody."""
    done = subprocess.run(
        ["sh", "-c", f"exec {AIOWF} list >&-"], capture_output=True, text=True, check=False
    )
    assert (8, 1) == (done.returncode, done.stderr.count("\n"))
    assert "standard output is closed" in done.stderr
    silent = subprocess.run(["sh", "-c", f"exec {AIOWF} list 2>&-"], check=False)
    assert 6 == silent.returncode


@pytest.mark.usefixtures("here")
def test_an_encoding_without_signs_gets_escapes() -> None:
    """A terminal of plain ASCII shows what it can."""
    done = subprocess.run(
        [AIOWF, "lint", "etl.yaml", "--offline"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "\\u2713 etl.yaml\n") == (done.returncode, done.stdout)


def test_help_loads_nothing_heavy() -> None:
    """`aiowf --help` is there at once."""
    code = (
        "import sys; from aiowf.cli.main import main; main(['--help']);"
        "print(*{'rich', 'aiohttp', 'yaml', 'orjson'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "\n" == done.stderr
    assert "Commands:" in done.stdout


@contextmanager
def answering(answer: bytes | None, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server in a thread that answers every connection so; None: it says nothing and closes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        if answer is not None:
            writer.write(answer)
            await writer.drain()

    loop, stop, told = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    places: list[str] = []

    async def run() -> None:
        async with serve_bytes(talk, tls=tls) as place:
            places.append(place)
            told.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert told.wait(10)
    try:
        yield places[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"


@pytest.mark.parametrize("verb", [("list",), ("get", "x"), ("stop", "x"), ("submit", "etl.yaml")])
def test_a_server_that_is_not_argo(aiowf: Command, here: Path, verb: tuple[str, ...]) -> None:
    """A web page is no answer; the line says where to look."""
    with answering(HTML) as place:
        done = aiowf("--server", f"http://{place}", *verb)
    assert (6, "", 1) == (done.code, done.out, done.err.count("\n"))
    assert "Is this an Argo Server? Look at ARGO_SERVER and ARGO_BASE_HREF." in done.err


@pytest.mark.parametrize("verb", [("list",), ("logs", "x"), ("submit", "etl.yaml", "--wait")])
def test_nobody_listens(
    aiowf: Command, here: Path, unused_tcp_port: int, verb: tuple[str, ...]
) -> None:
    """It is told at once, with the address."""
    done = aiowf("--server", f"http://127.0.0.1:{unused_tcp_port}", *verb)
    assert (6, "", 1) == (done.code, done.out, done.err.count("\n"))
    assert f"no connection to 127.0.0.1:{unused_tcp_port}: nobody listens there" in done.err
    assert "Look at the address" in done.err


def test_a_host_that_is_not_there(aiowf: Command) -> None:
    """A name that means nothing, and a socket that is none."""
    assert "there is no host of this name" in aiowf("--server", "argo.invalid:1", "list").err
    gone = aiowf("--server", "unix:/nowhere/socket", "list")
    assert (6, 1) == (gone.code, gone.err.count("\n"))
    wrong = aiowf("--server", "http://", "list")
    assert (3, True) == (wrong.code, "is no server's address" in wrong.err)


def test_an_expired_certificate(tmp_path: Path) -> None:
    """What, and what next; so for one of an unknown authority, and for plain HTTP behind https."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    environ = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    old = authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1))
    said = {}
    for name, certificate in (("old", old), ("other", trustme.CA().issue_cert("127.0.0.1"))):
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(tls)
        with answering(HTML, tls) as place:
            said[name] = ended(start("--server", place, "list", env=environ))
    with answering(HTML) as place:
        said["plain"] = ended(start("--server", place, "list"))
    for name, hint in (
        ("old", "The server needs a new certificate"),
        ("other", "SSL_CERT_FILE"),
        ("plain", "ARGO_SECURE=false"),
    ):
        assert (6, 1, True) == (
            said[name].code,
            said[name].err.count("\n"),
            hint in said[name].err,
        ), said[name]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (PermissionDeniedError("no", hint="ask"), 5),
        (OperationStuckError("x", workflow_name="w", node="n", reason="r", waited=1.0), 7),
        (FileNotFoundError(2, "No such file or directory", "/x"), 8),
        (RuntimeError("oops"), 70),
    ],
)
def test_each_kind_of_failure_has_its_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """And its line; a defect says how to see more."""
    assert code == errors.report(error, debug=False)
    said = capsys.readouterr().err
    assert 1 == said.count("\n")
    assert ("defect of aiowf" in said) == (code == 70)
