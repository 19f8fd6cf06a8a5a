"""`aiowf run` of functions, and what stands in for images there."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_testing import Done

Command = Callable[..., Done]
CALLS = """
import asyncio, os, pathlib
import aiowf
from aiowf import operations, tasks

@aiowf.task
def wait(seconds: float) -> str:
    import time

    time.sleep(seconds)
    return "done"

@aiowf.task
def write() -> None:
    pathlib.Path(os.environ["shared_directory"], "out.txt").write_text("here")

async def forever() -> None:
    await asyncio.Event().wait()

async def late() -> None:
    raise TimeoutError("of its own")

def plain() -> int:
    return 1

direct = operations.DirectOperation("direct", forever)
named = operations.DistributedSyncOperation("named-", tasks.CustomTask("say", "speaker"))
"""


@pytest.fixture
def calls(here: Path) -> None:
    """A file of functions."""
    (here / "cli_calls.py").write_text(CALLS)
    sys.modules.pop("cli_calls", None)


@pytest.mark.usefixtures("calls", "server")
@pytest.mark.parametrize("name", ["forever", "direct"])
def test_a_coroutine_is_cancelled_in_time(aiowf: Command, name: str) -> None:
    """--timeout counts for what runs here; the exit code is that of workflows."""
    done = aiowf("run", f"cli_calls.py:{name}", "--timeout", "1s")
    assert (7, "", 1) == (done.code, done.out, done.err.count("\n"))
    assert f"{name} did not end within 1 s" in done.err
    assert "of its own" in aiowf("run", "cli_calls.py:late", "--timeout", "9s").err


@pytest.mark.usefixtures("calls", "server")
def test_a_decorated_function_heeds_the_options_of_workflows(aiowf: Command) -> None:
    """It is a workflow: the same id attaches, --timeout ends the wait."""
    words = ("run", "cli_calls.py:wait", "--id", "a-function", "-a")
    late = aiowf(*words, "60", "--timeout", "1s")
    assert (7, True) == (late.code, "did not end within 1 s" in late.err)
    name = late.err.rpartition("workflow ")[2].split()[0]
    assert name.startswith("wait-")
    again = aiowf(*words, "60", "--timeout", "1s")
    assert name in again.err
    assert 0 == aiowf("terminate", name).code


@pytest.mark.usefixtures("calls")
def test_files_of_a_decorated_function_are_saved(aiowf: Command, here: Path) -> None:
    """--files gives it a directory for them."""
    done = aiowf("run", "cli_calls.py:write", "--files", "saved")
    assert (0, "here") == (done.code, (here / "saved" / "out.txt").read_text())


@pytest.mark.usefixtures("calls", "server")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--id", "x"), "plain runs here and becomes no workflow, so --id means nothing"),
        (("--files", "x"), "so --files means nothing. Decorate the function with @aiowf.task"),
        (("--on-cancel", "stop"), "so --on-cancel means nothing"),
        (("--timeout", "1s"), "plain runs a plain function, which no --timeout can end"),
        (("--no-containers",), "--containers is for the embedded engine, and a server is named"),
        (("--image", "x=y"), "--image is for the embedded engine"),
        (("--image", "x"), "'x' is not IMAGE=COMMAND"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    aiowf: Command, words: tuple[str, ...], said: str
) -> None:
    """The line says what to do instead; nothing is run."""
    done = aiowf("run", "cli_calls.py:plain", *words)
    assert (2, "", 1) == (done.code, done.out, done.err.count("\n"))
    assert said in done.err


@pytest.mark.usefixtures("calls")
def test_a_command_stands_in_for_an_image(aiowf: Command, here: Path) -> None:
    """--image says it to the embedded engine, as `aiowf dev` takes it."""
    words = ("run", "cli_calls.py:named", "--no-containers")
    assert 0 == aiowf(*words, "--image", f"speaker=touch {here}/spoken").code
    assert (here / "spoken").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("run", "cli_calls.py:plain", "-o", "yaml"),
        ("render", "cli_calls.py:named", "-o", "yaml"),
        ("submit", "etl.yaml"),
        ("lint", "etl.yaml"),
    ],
)
@pytest.mark.usefixtures("calls")
def test_without_pyyaml_nothing_is_begun(
    aiowf: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """What needs it says so first; no user's file is even imported."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    done = aiowf(*words)
    assert (3, "") == (done.code, done.out)
    assert (
        "aiowf: YAML needs PyYAML, which is not installed: pip install 'aiowf[yaml]'\n" == done.err
    )
    assert "cli_calls" not in sys.modules


@pytest.mark.usefixtures("calls")
def test_render_without_pyyaml_gives_the_json_form(
    aiowf: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON is YAML as well; several are documents, as ever."""
    one = json.loads(aiowf("render", "cli_calls.py:named", "-o", "json").out)
    monkeypatch.setitem(sys.modules, "yaml", None)
    shown = aiowf("render", "cli_calls.py:named", "cli_calls.py:named").out
    assert [one, one] == [json.loads(part) for part in shown.split("---\n")]
