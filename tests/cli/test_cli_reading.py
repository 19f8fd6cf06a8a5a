"""Commands that look at what a server has."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml
from cli_testing import Done

Command = Callable[..., Done]
pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def name(aiowf: Command, server: Mapping[str, str]) -> str:
    """A workflow that has ended."""
    done = aiowf("submit", "etl.yaml", "--wait")
    assert 0 == done.code
    return done.out.splitlines()[0]


@pytest.fixture
def failed(aiowf: Command, server: Mapping[str, str]) -> str:
    """A workflow that has failed, with a message that would clear the screen."""
    assert 1 == aiowf("run", "cli_flow.py:bad").code
    found = json.loads(aiowf("list", "--prefix", "bad-", "--limit", "1", "-o", "json").out)
    return str(found[0]["metadata"]["name"])


def test_list_filters_and_formats(aiowf: Command, name: str, failed: str) -> None:
    """Phases, labels, prefixes and limits choose; JSON and YAML give what was chosen."""
    shown = aiowf("list")
    assert "NAME" == shown.out.split()[0]
    assert f"{name}" in shown.out
    assert name not in aiowf("list", "--phase", "failed").out
    assert failed in aiowf("list", "--phase", "failed", "--phase", "error").out
    found = json.loads(aiowf("list", "--prefix", "etl-", "--since", "1h", "-o", "json").out)
    assert {"etl"} == {each["metadata"]["name"][:3] for each in found}
    assert not any("nodes" in each["status"] for each in found)
    assert 1 == len(yaml.safe_load(aiowf("list", "--limit", "1", "-o", "yaml").out))
    assert "no such workflows in any namespace\n" == aiowf("list", "-A", "-l", "no=thing").out
    assert "no workflows in namespace empty\n" == aiowf("list", "-n", "empty").out
    assert "NAMESPACE" == aiowf("list", "-A").out.split()[0]
    assert "[]\n" == aiowf("list", "-n", "empty", "-o", "json").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "soon"), "'soon' is no time, such as 30m, 12h or 7d"),
        (("--phase", "done"), "'done' is not one of"),
        (("--fase", "x"), "No such option"),
        (("-l", "a in"), "unable to parse requirement"),
    ],
)
def test_filters_that_make_no_sense_are_told(
    aiowf: Command, server: Mapping[str, str], words: tuple[str, ...], said: str
) -> None:
    """One line says what is wrong."""
    done = aiowf("list", *words)
    assert (True, 1) == (done.code in (2, 3), done.err.count("\n"))
    assert said in done.err


def test_get_tells_state_nodes_and_parameters(aiowf: Command, name: str) -> None:
    """A workflow as people read it, and as programs do."""
    done = aiowf("get", name)
    assert 0 == done.code
    for line in (f"Name: {name}", "Phase: Succeeded", "Parameter day: 2026-01-01", "    ✓ load"):
        assert line in done.out
    assert name == json.loads(aiowf("get", name, "-o", "json").out)["metadata"]["name"]
    assert "nodes" in yaml.safe_load(aiowf("get", name, "-o", "yaml").out)["status"]
    assert f"Name: {name}" in aiowf("get", "@latest").out


def test_values_and_messages_are_shown_not_obeyed(aiowf: Command, failed: str) -> None:
    """What a workflow says cannot clear the screen; what it gives is shown."""
    for words in (("get", failed), ("list",), ("logs", failed), ("get", failed, "-o", "yaml")):
        done = aiowf(*words)
        assert "\x1b" not in done.out + done.err
    assert "\\x1b[2J" in aiowf("get", failed).out
    aiowf("run", "cli_flow.py:one")
    assert "\none-" in aiowf("get", "@latest").out
    assert aiowf("get", "@latest").out.rstrip().endswith(": 49")


def test_logs_of_all_tasks_and_of_one(aiowf: Command, name: str) -> None:
    """Lines stand behind their task's name, or alone; a task may be named by its step."""
    assert "echo: 2026-01-01\necho: load\n" == aiowf("logs", name).out
    assert "2026-01-01\nload\n" == aiowf("logs", name, "echo", "-f").out
    assert "load\n" == aiowf("logs", name, "load").out
    facts = [json.loads(line) for line in aiowf("logs", name, "-o", "json").out.splitlines()]
    assert ["2026-01-01", "load"] == [fact["content"] for fact in facts]
    wrong = aiowf("logs", name, "ecko")
    assert (4, f'aiowf: workflow {name} has no task ecko. Did you mean "echo"?\n') == (
        wrong.code,
        wrong.err,
    )


def test_watch_of_what_has_ended(aiowf: Command, name: str, failed: str) -> None:
    """The final state is shown, and the exit code tells how it ended."""
    done = aiowf("watch", name)
    assert 0 == done.code
    assert ["get", "load"] == [line.split()[1] for line in done.out.splitlines()]
    seen = aiowf("watch", failed)
    assert (1, True) == (seen.code, f"aiowf: workflow {failed} Failed" in seen.err)
    assert "ValueError: bad" in seen.err
    assert "" == done.err
    (change,) = aiowf("watch", name, "-o", "json").out.splitlines()
    assert "Succeeded" == json.loads(change)["status"]["phase"]
    assert "Failed" == yaml.safe_load(aiowf("watch", failed, "-o", "yaml").out)["status"]["phase"]


@pytest.mark.usefixtures("server")
def test_watch_tells_why_a_workflow_failed_by_itself(aiowf: Command, here: Path) -> None:
    """No node has failed, and there is no log: a `when` without sense."""
    text = (here / "etl.yaml").read_text()
    odd = "- name: load\n            when: '{{steps.get.outputs.result}} =='"
    (here / "odd.yaml").write_text(text.replace("- name: load", odd))
    name = aiowf("submit", "odd.yaml").out.strip()
    done = aiowf("watch", name)
    assert (1, 1) == (done.code, done.err.count("\n"))
    message = json.loads(aiowf("get", name, "-o", "json").out)["status"]["message"]
    assert message
    assert message[:40] in done.err


@pytest.mark.parametrize("verb", ["get", "watch", "logs", "stop", "delete", "suspend", "resume"])
def test_a_workflow_that_is_not_there(aiowf: Command, server: Mapping[str, str], verb: str) -> None:
    """One line says so, with the name; the exit code is its own."""
    done = aiowf(verb, "nope")
    assert (4, "", 1) == (done.code, done.out, done.err.count("\n"))
    assert '"nope" not found' in done.err


@pytest.mark.parametrize("name", ["Übel", "a/b", ""])
def test_a_name_that_is_none_is_refused(aiowf: Command, name: str) -> None:
    """Nothing is asked for it."""
    assert "is no name of a workflow" in aiowf("get", name).err


@pytest.mark.parametrize("verb", ["list", "get x", "watch x", "logs x", "stop x", "resubmit x"])
def test_without_a_server_there_is_nothing_to_look_at(
    aiowf: Command, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line says how to name a server, or to start one."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    done = aiowf(*verb.split())
    assert (6, "") == (done.code, done.out)
    assert "aiowf: no server is named" in done.err
    assert "`aiowf dev` starts one" in done.err
