"""What the command line says, and with which exit code, where something is not as it should be."""

import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cli_testing import Done, start

from aiowf.argo.announced import Announced, announce, find_all

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


def test_a_server_that_runs_is_named(
    aiowf: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever forgot ARGO_SERVER is told what to paste; so is who starts a second one there."""
    monkeypatch.setenv("XDG_STATE_HOME", str(here / "state"))
    place = "127.0.0.1:9"
    assert "--wait runs it here" in aiowf("submit", "etl.yaml").err
    assert [] == find_all()
    with announce(Announced(place, "secret")), announce(Announced("unix:/x y", "")):
        assert [place, "unix:/x y"] == [each.server for each in find_all()]
        end = f"`aiowf dev` runs at http://{place}: export ARGO_SERVER=http://{place}\n"
        for words in (("list",), ("submit", "etl.yaml")):
            done = aiowf(*words)
            assert (6, "", True) == (done.code, done.out, done.err.endswith(end)), done.err
        second = aiowf("dev", "--port", "9")
        assert (6, 1) == (second.code, second.err.count("\n"))
        assert f"runs at http://{place} already" in second.err
        assert second.err.endswith(f"or use it: export ARGO_SERVER=http://{place}\n")
    with announce(Announced("unix:/x y", "")):
        assert aiowf("list").err.endswith("export ARGO_SERVER='unix:/x y'\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("just text", "bad.yaml is no workflow, but a text.* A workflow begins"),
        ("{spec: {entrypiont: x}}", r'Did you mean "entrypoint"\? Nothing was sent\.$'),
        ("{kind: Pod}", "is a Pod, and not a Workflow. Only workflows are submitted"),
        ("{kind: CronWorkflow}", "submitted by --from workflowtemplate/NAME"),
        ("a: b: c", "Correct the file.$"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_once(
    aiowf: Command, here: Path, server: Mapping[str, str], text: str, said: str
) -> None:
    """The words fit the case, and lint, which sends nothing ever, does not say that it did not."""
    (here / "bad.yaml").write_text(text)
    assert re.search(said, aiowf("submit", "bad.yaml").err.strip())
    lint = aiowf("lint", "bad.yaml", "--offline")
    assert (3, 1) == (lint.code, lint.out.count("bad.yaml"))
    assert "nothing was sent" not in lint.out.lower()


def test_python_is_no_manifest(aiowf: Command, server: Mapping[str, str]) -> None:
    """`submit` of a file of operations says which command runs it."""
    done = aiowf("submit", "cli_flow.py:one")
    assert (2, "") == (done.code, done.out)
    assert "`aiowf run cli_flow.py:one` runs its operations" in done.err


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
