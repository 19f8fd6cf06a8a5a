"""What commands say in the cases that are rare."""

import io
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import click
import httpx
import pytest
import respx
from aiokafka.errors import TopicAuthorizationFailedError
from cli_testing import Done
from mock_kafka import MockCluster
from respx_server import serve
from rich.console import Console

import aiowf
from aiowf import operations, tasks
from aiowf.argo import ArgoSession
from aiowf.cli import demo_run, demo_tasks, main, telling, waiting
from aiowf.cli.doctor.server import check_server
from aiowf.cli.doctor.surroundings import check_engine, check_kafka
from aiowf.cli.errors import CommandError, Exit
from aiowf.cli.log import quietly
from aiowf.cli.naming import NAME
from aiowf.display.text import folded
from aiowf.errors import AiowfWarning, EngineError

Command = Callable[..., Done]


@pytest.mark.parametrize(
    ("module", "said"),
    [("click", "the command line needs click: pip install 'aiowf[cli]'"), ("attrs", "attrs")],
)
def test_a_library_that_is_missing_is_told(module: str, said: str) -> None:
    """One of the command line's own with how to install it."""
    program = f"import sys; sys.modules[{module!r}] = None; from aiowf.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "list"], capture_output=True, text=True, timeout=60
    )
    assert 1 == ended.returncode
    assert said in ended.stderr.splitlines()[-1]


def test_without_a_command_there_is_the_help(aiowf: Command) -> None:
    """In lines as they are, with the exit code of a wrong command line."""
    done = aiowf()
    assert (Exit.USAGE, "") == (done.code, done.out)
    assert "\nCommands:\n  delete" in done.err


def test_an_interrupt_of_a_prompt_is_one(aiowf: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """What click makes of Ctrl-C is told like any other."""

    def pressed(_: Any) -> None:
        raise click.Abort

    monkeypatch.setattr(main.cli, "invoke", pressed)
    done = aiowf("list")
    assert (Exit.INTERRUPTED, "aiowf: interrupted\n") == (done.code, done.err)


def test_the_first_error_of_a_group_counts(aiowf: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several that came at once."""

    def fails(_: Any) -> None:
        raise ExceptionGroup("both", [ExceptionGroup("one", [CommandError("so it is")])])

    monkeypatch.setattr(main.cli, "invoke", fails)
    assert "aiowf: so it is\n" == aiowf("list").err


def test_the_functions_of_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are ordinary functions, in this process too."""
    monkeypatch.setenv("shared_directory", str(tmp_path))
    assert 0 <= demo_tasks.count_hits(1, 10) <= 10
    assert 3.0 == demo_tasks.estimate([3, 3], 4)
    assert 2 == demo_tasks.write_report({"a": 1, "b": 2})
    assert "a: 1\nb: 2" == (tmp_path / "report.txt").read_text()
    assert 2.0 == demo_tasks.divide(4, 2)


async def test_a_demo_that_goes_wrong_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part that does, and at the end."""

    async def wrong(*_: Any) -> str:
        demo_run._expect(False, "π came out as 3")
        return ""

    for name in ("_pipeline", "_with_results", "_notice", "_failure"):
        monkeypatch.setattr(demo_run, name, wrong)
    text = io.StringIO()
    assert not await demo_run.run_demo(Console(file=text, width=100))
    assert "✗ AssertionError: π came out as 3" in text.getvalue()
    assert text.getvalue().endswith("Something was wrong.\n")


def test_warnings_and_records_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours, each in one line; retries and what others say are left out."""
    with quietly(debug=False):
        warnings.warn("two\nlines \x1b[2J", AiowfWarning, stacklevel=1)
        warnings.warn("of somebody else", UserWarning, stacklevel=1)
        logging.getLogger("aiowf.x").warning("so\nit is")
        record = logging.LogRecord("aiowf", logging.WARNING, "attempts.py", 1, "again", (), None)
        logging.getLogger("aiowf").handle(record)
        logging.getLogger("other").warning("of somebody else")
    said = capsys.readouterr().err.splitlines()
    assert ["aiowf: warning: two; lines \\x1b[2J", "aiowf: warning: so; it is"] == said


def test_while_debugging_everything_is_shown_as_it_is() -> None:
    """Warnings stay warnings."""
    with quietly(debug=True), pytest.warns(AiowfWarning, match="as it is"):
        warnings.warn("as it is", AiowfWarning, stacklevel=1)


def test_no_server_completes_no_name() -> None:
    """And no error disturbs whoever types."""
    argument = click.Argument(["name"])
    assert [] == NAME.shell_complete(click.Context(click.Command("get")), argument, "x")


def test_values_as_people_read_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Several are behind their titles; what has no form of its own is shown as Python does."""
    outcomes = [("a", {"x": 1}), ("b", "two\nlines"), ("c", None), ("d", True), ("e", b"\x1b")]
    assert Exit.DONE == telling.tell(outcomes, "table", None)
    assert "a: {\"x\":1}\nb: two\nlines\nd: True\ne: b'\\x1b'\n" == capsys.readouterr().out
    assert Exit.FAILED == telling.tell([("f", failure())], "json", None)
    assert '"error": "workflow x Failed: it failed"' in capsys.readouterr().out


def test_files_that_nobody_sent_are_not_saved(
    aiowf: Command, here: Path, server: Mapping[str, str]
) -> None:
    """The directory is not made; the value is there."""
    done = aiowf("run", "cli_flow.py:one", "--files", "out")
    assert (Exit.DONE, "49\n") == (done.code, done.out)
    assert not (here / "out").exists()


def test_a_failure_has_the_facts_of_its_result(
    aiowf: Command, here: Path, server: Mapping[str, str]
) -> None:
    """For programs: name, phase and message, besides the error."""
    facts = json.loads(aiowf("run", "cli_flow.py:bad", "-o", "json").out)
    assert ("Failed", None) == (facts["phase"], facts["value"])
    assert facts["name"].startswith("bad-")
    assert "bad \\x1b[2J thing" in facts["error"]


async def test_warnings_of_a_result_are_told(
    engine: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind the value, on stderr."""
    task = tasks.BashTask("b", "true")
    async with aiowf.connect(engine["ARGO_SERVER"], token=engine["ARGO_TOKEN"]) as client:
        result = await operations.DistributedSyncOperation("b-", task).execute(client=client)
    warned = attrs.evolve(result, warnings=("not\x1b sent",))
    assert Exit.DONE == telling.tell([("b", warned)], "table", None)
    assert "aiowf: warning: b: not\\x1b sent\n" == capsys.readouterr().err


def failure() -> aiowf.OperationFailedError:
    return aiowf.OperationFailedError("it failed", workflow_name="x", phase="Failed")


def test_a_workflow_that_is_gone_has_no_exit_code_of_its_own() -> None:
    """Its last phase is told."""
    assert [Exit.DONE, Exit.FAILED] == [waiting.exit_of(each) for each in ("Succeeded", "Error")]
    with pytest.raises(CommandError, match="last phase: Running") as caught:
        waiting.exit_of("Running")
    assert Exit.NOT_FOUND == caught.value.code


async def test_what_cannot_be_ended_is_told(
    engine: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A workflow that is gone meanwhile, such as."""
    token = engine["ARGO_TOKEN"]
    async with aiowf.connect(engine["ARGO_SERVER"], token=token) as client:
        await waiting._end([client.get_run("nobody")], "terminate")
    assert '"nobody" not found' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (httpx.Response(401, json={"code": 16, "message": "no"}), "fail", "no"),
        (httpx.Response(500, json={"code": 13, "message": "x"}), "ok", "none is given, and none"),
    ],
)
async def test_tokens_as_servers_judge_them(answer: Any, state: str, said: str) -> None:
    """A token that is refused hides the permissions; a server may ask for none."""
    router = respx.Router(assert_all_called=False)
    router.get(path="/api/v1/version").respond(200, json={"version": "v4.1.0"})
    router.get(path="/api/v1/userinfo").mock(return_value=answer)
    router.route().respond(404, json={"code": 5, "message": "x"})
    token = "t" if state == "fail" else None
    async with serve(router) as url, ArgoSession(url, token=token, namespace="argo") as session:
        found = {each.check: each async for each in check_server(session, tries=False)}
    assert (state, True) == (found["token"].state, said in found["token"].said)
    assert (state == "ok") is ("permissions" in found)


async def test_an_engine_that_does_not_start_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it says."""

    def launch() -> Any:
        raise EngineError("it does not start", hint="Try so.")

    monkeypatch.setattr("aiowf.engine.launch", launch)
    first, *_ = [finding async for finding in check_engine()]
    assert ("fail", "it does not start", "Try so.") == (first.state, first.said, first.hint)


async def test_brokers_that_do_not_tell_are_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """They let us in, and refuse to say which topics there are."""

    async def refuse(*_: Any) -> Any:
        raise TopicAuthorizationFailedError("aiowf-replies")

    monkeypatch.setattr("aiowf.replies.topics.identify", refuse)
    cluster = MockCluster()
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", cluster.servers)
    (finding,) = [finding async for finding in check_kafka()]
    cluster.close()
    assert ("fail", True) == (finding.state, "does not tell of its topics" in finding.said)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (None, "one two three"),
        (8, "one two\n  three"),
        (4, "one\n  two\n  three"),
    ],
)
def test_prose_is_broken_between_words(width: int | None, expected: str) -> None:
    """In a terminal; into a pipe it stays one line."""
    assert expected == folded("one two three", width)
