"""What the command line says, and with which exit code, where something is not as it should be."""

import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cli_testing import Done, start

Command = Callable[..., Done]
pytestmark = pytest.mark.usefixtures("here")


def test_the_youngest_is_called_by_its_name(aiowf: Command, server: Mapping[str, str]) -> None:
    """@latest is what was meant; what was done is said of the workflow."""
    name = aiowf("submit", "etl.yaml", "--wait", "-n", "youngest").out.splitlines()[0]
    done = aiowf("delete", "@latest", "-n", "youngest")
    assert (0, f"{name} deleted\n") == (done.code, done.out)
    assert 4 == aiowf("delete", "@latest", "-n", "youngest").code


def test_a_namespace_of_the_environment_is_checked(
    aiowf: Command, server: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot be is a wrong setting, and not an empty namespace."""
    monkeypatch.setenv("ARGO_NAMESPACE", "Bad_NS")
    done = aiowf("list")
    assert (3, True) == (done.code, "ARGO_NAMESPACE: 'Bad_NS'" in done.err), done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("submit", "etl.yaml", "-p", "n"), "-p 'n': a parameter is name=value"),
        (("dev", "--image", "foo"), "--image 'foo' is not IMAGE=COMMAND"),
        (("list", "-n", "Bad_NS"), "Bad_NS"),
        (("dev", "-n", "Bad_NS"), "Bad_NS"),
    ],
)
def test_a_wrong_command_line_is_one(
    aiowf: Command, server: Mapping[str, str], words: tuple[str, ...], said: str
) -> None:
    """The exit code is 2, whatever the mistake."""
    done = aiowf(*words)
    assert (2, "", 1) == (done.code, done.out, done.err.count("\n"))
    assert said in done.err


def test_ctrl_c_on_the_embedded_engine_is_an_interrupt() -> None:
    """The workflow is stopped and ends; the exit code is that of Ctrl-C."""
    words = ("submit", "slow.yaml", "--wait")
    Path("slow.yaml").write_text(Path("etl.yaml").read_text().replace("echo {{", "sleep 60; {{"))
    with start(*words, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "● get Running" in line:
                break
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert (130, True) == (process.returncode, "aiowf: stopping etl-" in said), said
    assert "interrupted; etl-" in said
