"""What a terminal shows, and what Ctrl-C does there."""

import json
import signal
import subprocess
from collections.abc import Callable, Mapping

import pytest
from cli_testing import Done, left_running, start
from terminal import terminal

from aiowf.display.text import width_of

Command = Callable[..., Done]
pytestmark = pytest.mark.usefixtures("here", "server")


@pytest.mark.parametrize("columns", [40, 200])
def test_a_tree_that_fits_its_terminal(columns: int) -> None:
    """It is drawn over itself; every line fits; the end stays on the screen."""
    with terminal("run", "cli_flow.py:sweep", "cli_flow.py:bad", columns=columns) as shown:
        assert 1 == shown.end()
        lines = shown.text.splitlines()
        assert b"\x1b[?25l" in shown.written
        assert all(width_of(line) <= columns for line in lines)
        assert 2 == sum(line.startswith("  ✓ s") for line in lines)
        assert any(line.startswith("  ✗ bad-") for line in lines)
        assert b"\x1b[2J thing" not in shown.written


def test_no_color_means_no_colour() -> None:
    """NO_COLOR leaves the tree without colours, and so the list."""
    with terminal("run", "cli_flow.py:one", NO_COLOR="1") as shown:
        assert 0 == shown.end()
        assert b"\x1b[3" not in shown.written
    with terminal("list", NO_COLOR="1") as shown:
        assert 0 == shown.end()
        assert b"\x1b" not in shown.written
    with terminal("list") as shown:
        assert 0 == shown.end()
        assert b"\x1b[32m" in shown.written


def test_ctrl_c_asks_once_and_stop_stops(aiowf: Command) -> None:
    """The workflow is stopped and followed to its end."""
    with terminal("run", "cli_flow.py:slow", columns=100) as shown:
        shown.until("✓ quick")
        shown.press("\x03")
        shown.until("[l]eave slow-")
        shown.press("s\n")
        shown.until("Stopped with strategy 'Stop'")
        assert 1 == shown.end()
        assert 1 == shown.text.count("[s]top it")


@pytest.mark.parametrize("answer", ["\x03", "l\n"], ids=["again", "leave"])
def test_leaving_lets_it_run(aiowf: Command, answer: str) -> None:
    """A second Ctrl-C leaves at once, as the answer does; the way on is told."""
    with terminal("run", "cli_flow.py:slow", columns=120) as shown:
        shown.until("✓ quick")
        shown.press("\x03")
        shown.until("[l]eave slow-")
        shown.press(answer)
        assert 130 == shown.end()
        said = shown.text
    name = said.rpartition("`aiowf stop ")[2].partition("`")[0].replace("\n", "")
    assert f"interrupted; {name} goes on" in said.replace("\n", "")
    assert "Running" == json.loads(aiowf("get", name, "-o", "json").out)["status"]["phase"]
    assert 0 == aiowf("terminate", name).code


def test_going_on_goes_on(aiowf: Command) -> None:
    """An answer of neither sort goes on waiting; the next Ctrl-C does not ask again."""
    with terminal("submit", "etl.yaml", "--wait") as shown:
        assert 0 == shown.end()
    with terminal("run", "cli_flow.py:slow") as shown:
        shown.until("✓ quick")
        shown.press("\x03")
        shown.until("[l]eave slow-")
        shown.press("g\n")
        shown.until(lambda text: text.rpartition("waiting?")[2].count("quick") > 0)
        shown.press("\x03")
        assert 130 == shown.end()
    name = json.loads(aiowf("list", "--limit", "1", "-o", "json").out)[0]["metadata"]["name"]
    assert 0 == aiowf("terminate", name).code


@pytest.mark.parametrize(("choice", "phase"), [("leave", "Running"), ("terminate", "Failed")])
def test_without_a_terminal_nobody_is_asked(
    aiowf: Command, server: Mapping[str, str], choice: str, phase: str
) -> None:
    """--on-cancel says what becomes of it, and the way on is told."""
    process = start(*("run", "cli_flow.py:slow", "--on-cancel", choice), stdin=subprocess.DEVNULL)
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if "✓ quick" in line:
                break
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    found = json.loads(aiowf("list", "--limit", "1", "-o", "json").out)[0]
    name = found["metadata"]["name"]
    assert phase == found["status"]["phase"]
    if choice == "leave":
        assert (130, True) == (process.returncode, f"`aiowf watch {name}`" in said)
        assert 0 == aiowf("terminate", name).code
    else:
        assert (1, True) == (process.returncode, "terminating slow-" in said)


def test_on_the_embedded_engine_stop_is_what_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing outlives the command there: the question says so."""
    monkeypatch.delenv("ARGO_SERVER")
    with terminal("run", "cli_flow.py:slow", columns=120) as shown:
        shown.until("✓ quick")
        shown.press("\x03")
        shown.until("[d]rop it with its engine")
        shown.press("d\n")
        assert 130 == shown.end()
        assert "ended with the embedded engine" in shown.text


def test_ctrl_c_ends_a_watch_with_a_word(aiowf: Command) -> None:
    """Who only looks is asked nothing; the workflow goes on."""
    name = left_running()
    with terminal("watch", name) as shown:
        shown.until("✓ quick")
        shown.press("\x03")
        assert 130 == shown.end()
        assert shown.text.endswith("aiowf: interrupted")
        assert "Traceback" not in shown.text
    assert 0 == aiowf("terminate", name).code
