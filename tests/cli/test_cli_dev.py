"""`aiowf dev`, as a developer uses it in two terminals."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_testing import Done, start

Command = Callable[..., Done]


def test_the_address_is_all_that_the_other_terminal_needs(
    aiowf: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it prints is enough for every command; Ctrl-C ends it, and what it had noted."""
    monkeypatch.setenv("XDG_STATE_HOME", str(here / "state"))
    with start("dev", "--port", "0", "-n", "team") as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            address = first.partition("at ")[2].partition(";")[0]
            assert address.startswith("http://127.0.0.1:")
            monkeypatch.setenv("ARGO_SERVER", address)
            assert "no workflows in namespace team\n" == aiowf("list").out
            assert 0 == aiowf("submit", "etl.yaml", "--wait").code
            monkeypatch.setenv("ARGO_SERVER", address.replace("http://127.0.0.1", "localhost"))
            assert "etl-" in aiowf("list").out
            # Files come back, as from an engine of one's own.
            assert 0 == aiowf("run", "cli_flow.py:filed", "--files", "out").code
            assert "hello" == (here / "out" / "out.txt").read_text()
            notes = list((here / "state" / "aiowf" / "servers").iterdir())
            assert [0o600] == [note.stat().st_mode & 0o777 for note in notes]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            out, said = process.stdout.read(), process.stderr.read()  # type: ignore[union-attr]
    assert (0, []) == (process.returncode, list((here / "state" / "aiowf" / "servers").iterdir()))
    assert f"{address.removeprefix('http://')} ARGO_SECURE=false ARGO_HTTP1=true\n" in out
    assert "export ARGO_TOKEN='Bearer " in out
    assert f"  {address}/#token=" in out
    assert "export ARGO_NAMESPACE=team" in out
    assert "team/etl-" in said
    assert "the engine has ended" in said
    assert 6 == aiowf("list").code


def test_a_unix_socket_and_no_token(
    aiowf: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another door; --no-auth says what it means."""
    monkeypatch.setenv("XDG_STATE_HOME", str(here / "state"))
    path = here / "s"
    with start("dev", "--unix-socket", str(path), "--no-auth") as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(6)]
            assert "--no-auth" in lines[-1]
            assert 0 == aiowf("list", "--server", f"unix:{path}").code
            assert 0 == aiowf("run", "cli_flow.py:filed", "--server", f"unix:{path}").code
        finally:
            process.terminate()
            process.communicate(timeout=30)
    assert 0 == process.returncode


def test_what_cannot_be_served_is_told(aiowf: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is taken, an image without a command, a browser without a display."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = aiowf("dev", "--port", port)
    assert (6, "", 1) == (done.code, done.out, done.err.count("\n"))
    assert port in done.err
    for words, said in (
        (("--image", "x"), "'x' is not IMAGE=COMMAND"),
        (("--open",), "there is no display to open a browser on"),
        (("--open", "--unix-socket", "s"), "a browser cannot open a Unix socket"),
        (("--no-auth", "--host", "0.0.0.0", "--port", "0"), "0.0.0.0"),
        (("--host", "192.0.2.1"), "Name an address of this machine, such as 127.0.0.1."),
    ):
        done = aiowf("dev", *words)
        assert (True, "", 1) == (done.code != 0, done.out, done.err.count("\n")), done
        assert said in done.err


def test_the_page_is_opened_without_its_token_on_a_command_line(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The browser is given a private file, which leads to the page."""
    browser = here / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >{here}/seen\ncp "${{1#file://}}" {here}/copy\n')
    browser.chmod(0o755)
    (here / "xdg-open").symlink_to(browser)
    environ = {"XDG_STATE_HOME": str(here / "state"), "DISPLAY": ":0", "BROWSER": str(browser)}
    environ["PATH"] = f"{here}:{os.environ['PATH']}"
    with start("dev", "--port", "0", "--open", env=environ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            end = time.monotonic() + 10
            while not (here / "copy").exists() or not (here / "copy").read_text():
                assert time.monotonic() < end, "no browser was started"
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
    seen = (here / "seen").read_text()
    assert (True, False) == (seen.strip().endswith(".html"), "token" in seen)
    assert f"{line.partition('at ')[2].partition(';')[0]}/#token=" in (here / "copy").read_text()


def test_a_token_of_ones_own(aiowf: Command, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from a file, and is asked for; a file that is not there is told."""
    monkeypatch.setenv("XDG_STATE_HOME", str(here / "state"))
    (here / "token").write_text("my-own-token\n")
    with start("dev", "--port", "0", "--token-file", "token") as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().partition("at ")[2].partition(";")[0]
            monkeypatch.setenv("XDG_STATE_HOME", str(here / "elsewhere"))
            assert 5 == aiowf("list", "--server", address).code
            monkeypatch.setenv("ARGO_TOKEN", "Bearer my-own-token")
            assert 0 == aiowf("list", "--server", address).code
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.read()  # type: ignore[union-attr]
    assert not (here / "state" / "aiowf" / "token").exists()
    done = aiowf("dev", "--token-file", "gone")
    assert (8, "aiowf: gone: No such file or directory. Look at the path.\n") == (
        done.code,
        done.err,
    )


def test_a_database_that_is_in_use_is_told(
    aiowf: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has finished is there after a restart; two engines do not share a file."""
    monkeypatch.setenv("XDG_STATE_HOME", str(here / "state"))
    names = []
    for _ in range(2):
        with start("dev", "--port", "0", "--db", "engine.db") as process:
            try:
                assert process.stdout is not None
                address = process.stdout.readline().partition("at ")[2].partition(";")[0]
                monkeypatch.setenv("ARGO_SERVER", address)
                listed = aiowf("list").out
                assert all(name in listed for name in names)
                names.append(aiowf("submit", "etl.yaml", "--wait").out.split()[0])
                second = aiowf("dev", "--port", "0", "--db", "engine.db")
                assert (6, "", 1) == (second.code, second.out, second.err.count("\n"))
                assert "engine.db" in second.err
            finally:
                process.send_signal(signal.SIGINT)
                process.stdout.read()  # type: ignore[union-attr]
        assert 0 == process.returncode
