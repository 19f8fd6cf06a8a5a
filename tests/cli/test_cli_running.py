"""Commands that run operations and workflows, and those that change them."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml
from cli_testing import Done, left_running

Command = Callable[..., Done]


@pytest.mark.usefixtures("here", "server")
def test_run_gives_the_value_to_stdout(aiowf: Command) -> None:
    """An operation, a function that executes one, and an operation without a workflow."""
    done = aiowf("run", "cli_flow.py:one")
    assert (0, "49\n") == (done.code, done.out)
    assert "Succeeded" in done.err
    assert "50\n" == aiowf("run", "cli_flow:program").out
    assert '{"answer":42}\n' == aiowf("run", "cli_flow.py:direct").out
    assert "text \\x1b[2J\n" == aiowf("run", "cli_flow.py:plain").out


@pytest.mark.usefixtures("here", "server")
def test_a_function_takes_arguments(aiowf: Command) -> None:
    """One of @aiowf.task runs in a workflow; JSON stays JSON, and what is none is text."""
    assert "y 27\n" == aiowf("run", "cli_flow.py:cube", "-a", "3", "-a", "y ").out
    assert "16\n" == aiowf("run", "cli_flow.py:square", "--arg", "4").out
    assert "takes no --arg" in aiowf("run", "cli_flow.py:one", "-a", "1").err


@pytest.mark.usefixtures("here", "server")
def test_several_operations_run_together(aiowf: Command) -> None:
    """A list stands for its items; each value comes behind its name."""
    done = aiowf("run", "cli_flow.py:sweep", "cli_flow.py:one")
    assert (0, "sweep[0]: 0\nsweep[1]: 1\none: 49\n") == (done.code, done.out)
    facts = json.loads(aiowf("run", "cli_flow.py:sweep", "-o", "json").out)
    assert [0, 1] == [fact["values"]["square"] for fact in facts]


@pytest.mark.usefixtures("here", "server")
def test_a_failure_is_told_with_its_log(aiowf: Command) -> None:
    """The first line names the node and why; the log's last lines follow; nothing is obeyed."""
    done = aiowf("run", "cli_flow.py:bad")
    assert (1, "") == (done.code, done.out)
    assert "ValueError: bad \\x1b[2J thing\n  │ about to fail\n" in done.err
    assert "\x1b" not in done.err
    fact = json.loads(aiowf("run", "cli_flow.py:bad", "-o", "json").out)
    assert ("Failed", {}) == (fact["phase"], fact["values"])
    assert "ValueError" in fact["error"]


@pytest.mark.usefixtures("here")
def test_files_come_back_from_the_embedded_engine(aiowf: Command, tmp_path: Path) -> None:
    """Without a server the embedded engine runs it; files are saved where wanted."""
    done = aiowf("run", "cli_flow.py:filed", "--files", str(tmp_path / "out"))
    assert (0, "hello") == (done.code, (tmp_path / "out" / "out.txt").read_text())
    assert "1 file is in" in done.err


@pytest.mark.usefixtures("here", "server")
@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("nope.py:x", 3, "nope.py: no such file"),
        ("nope:x", 3, "there is no module 'nope'"),
        ("cli_flow.py:on", 3, "cli_flow.py has no 'on'. Did you mean \"one\"?"),
        ("cli_flow.py:cub", 3, "cli_flow.py has no 'cub'. Did you mean \"cube\"?"),
        ("cli_flow.py:cube", 2, "missing a required argument: 'n'. Give each argument by an -a"),
        ("cli_flow.py:square", 2, "missing a required argument: 'n'. Give each argument by an -a"),
        ("cli_flow.py:aiowf", 3, "aiowf is the module aiowf, which cannot be run"),
        ("cli_flow.py:nothing", 3, "cli_flow.py:nothing is empty"),
        ("cli_flow.py:number", 3, "number is 3, which cannot be run"),
        ("broken.py:x", 3, "broken.py cannot be imported: ZeroDivisionError: division by zero (li"),
        ("empty.py", 3, "empty.py has no operation"),
        ("two-words.py:x", 3, "Rename the file, such as two_words.py"),
    ],
)
def test_what_cannot_be_run_is_told_in_a_line(
    aiowf: Command, here: Path, target: str, code: int, said: str
) -> None:
    """Each mistake says what is wrong and what to do next, without a traceback."""
    (here / "broken.py").write_text("\n1 / 0\n")
    (here / "empty.py").write_text("x = 1\n")
    (here / "two-words.py").write_text("")
    done = aiowf("run", target)
    assert (code, "", 1) == (done.code, done.out, done.err.count("\n"))
    assert said in done.err
    assert "Traceback" in aiowf("--debug", "run", target).err


@pytest.mark.usefixtures("server")
def test_a_file_without_a_name_runs_all_its_operations(aiowf: Command, here: Path) -> None:
    """So does a file inside a package, which is imported as a part of it."""
    (here / "cli_pack").mkdir()
    (here / "cli_pack" / "__init__.py").write_text("from aiowf import operations\n")
    (here / "cli_pack" / "part.py").write_text(
        "from . import operations\nop = operations.DirectOperation('a', lambda: __name__)\n"
    )
    assert "cli_pack.part\n" == aiowf("run", "cli_pack/part.py").out


@pytest.mark.usefixtures("here", "server")
def test_submit_names_what_it_submitted(aiowf: Command, here: Path) -> None:
    """One name per document; parameters are set; JSON for programs; logs where wanted."""
    (here / "two.yaml").write_text((here / "etl.yaml").read_text() * 1)
    done = aiowf("submit", "etl.yaml", "two.yaml", "--wait", "-p", "day=tuesday")
    names = done.out.splitlines()[:2]
    assert (0, 2) == (done.code, len(set(names)))
    assert "echo: tuesday" in aiowf("logs", names[1]).out
    (fact,) = json.loads(aiowf("submit", "etl.yaml", "-o", "json").out)
    assert fact["name"].startswith("etl-")
    shown = aiowf("submit", "etl.yaml", "--log", "-p", "day=wednesday").out
    assert "echo: wednesday\n" in shown
    facts = json.loads(aiowf("submit", "etl.yaml", "--wait", "-o", "json").out)
    assert "Succeeded" == facts["phase"]


@pytest.mark.usefixtures("here", "server")
def test_the_same_id_attaches(aiowf: Command) -> None:
    """Two submissions with one id are one workflow."""
    first = aiowf("submit", "etl.yaml", "--id", "monday")
    assert first.out == aiowf("submit", "etl.yaml", "--id", "monday").out
    assert aiowf("run", "cli_flow.py:one", "--id", "x").out == "49\n"


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b: c", "is not YAML, line 1, column 5: mapping values are not allowed here"),
        ("- 1", "is no workflow, but a list"),
        ("", "is empty"),
        ("a: 1\na: 2", "the key 'a' stands there twice"),
        ("{kind: CronWorkflow}", "is a CronWorkflow, and not a Workflow"),
        ("metadata: {name: x}\nspec: {templatez: []}", 'unknown field "templatez"'),
        ("metadata: {name: x}\nspec: {}", "the entrypoint is missing"),
        ("[" * 1200, "is nested too deeply"),
        ("\x00", "is not YAML"),
        ("&a [" + "x," * 1000 + "]: 1\nb: &b [" + "*a," * 3 + "]", "is not YAML"),
    ],
    ids=range(10),
)
def test_bad_files_are_refused_in_a_line(aiowf: Command, here: Path, text: str, said: str) -> None:
    """What, where, and what next; the good document before it is not sent either."""
    (here / "bad.yaml").write_text(text)
    before = aiowf("list", "-o", "json").out
    done = aiowf("submit", "etl.yaml", "bad.yaml")
    assert (3, "", 1) == (done.code, done.out, done.err.count("\n"))
    assert said in done.err
    assert before == aiowf("list", "-o", "json").out


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nope.yaml",), "nope.yaml cannot be read: No such file or directory"),
        (("latin.yaml",), "latin.yaml is not UTF-8 text: byte 0 is 0xfc"),
        (("bomb.yaml",), "bomb.yaml has more than 1,000,000 parts"),
        (("etl.yaml", "-p", "dya=1"), "has no parameter 'dya'. Did you mean \"day\"?"),
        (("etl.yaml", "-p", "day"), "a parameter is name=value"),
        (("--from", "cron/x"), "names no template"),
        ((), "Name files, or a template with --from"),
    ],
)
def test_bad_arguments_of_submit(
    aiowf: Command, here: Path, words: tuple[str, ...], said: str
) -> None:
    """Each is told in a line."""
    (here / "latin.yaml").write_bytes(b"\xfc: 1")
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    (here / "bomb.yaml").write_text("\n".join(["a0: &a0 [x, x]", *levels]))
    done = aiowf("submit", *words)
    assert (True, "", 1) == (done.code in (2, 3), done.out, done.err.count("\n"))
    assert said in done.err


@pytest.mark.usefixtures("here", "server")
def test_a_stored_template_is_submitted(aiowf: Command, here: Path) -> None:
    """Its parameters are checked; a template that is not there is told."""
    import asyncio

    from aiowf.argo import ArgoSession, from_environment

    stored = yaml.safe_load((here / "etl.yaml").read_text().replace("2026-01-01", "'1'"))
    stored |= {"kind": "WorkflowTemplate", "metadata": {"name": "etl-stored"}}

    place = from_environment()

    async def store() -> None:
        async with ArgoSession(place) as session:
            await session.workflow_templates.create(stored)

    asyncio.run(store())
    words = ("submit", "--from", "workflowtemplate/etl-stored", "--wait")
    assert "✓ load Succeeded" in aiowf(*words, "-p", "day=friday").out
    wrong = aiowf(*words, "-p", "dya=friday")
    assert (3, True) == (wrong.code, 'did you mean "day"' in wrong.err.lower())
    assert 4 == aiowf("submit", "--from", "wftmpl/none").code


@pytest.mark.usefixtures("here", "server")
def test_lint_asks_the_server(aiowf: Command, here: Path) -> None:
    """What only a server knows is wrong is told with the rest."""
    text = (here / "etl.yaml").read_text()
    (here / "away.yaml").write_text(
        text.replace("template: echo", "templateRef: {name: a, template: b}")
    )
    done = aiowf("lint", "etl.yaml", "away.yaml", "cli_flow.py:one")
    assert 3 == done.code
    assert "✓ etl.yaml\n" in done.out
    assert "✗ away.yaml" in done.out
    assert "" == done.err


@pytest.mark.usefixtures("here")
def test_submit_without_a_server_waits_or_refuses(aiowf: Command) -> None:
    """With --wait the embedded engine will do."""
    assert 6 == aiowf("submit", "etl.yaml").code
    done = aiowf("submit", "etl.yaml", "--wait")
    assert 0 == done.code
    assert "✓ load Succeeded" in done.out


@pytest.mark.usefixtures("here", "server")
def test_a_run_is_not_waited_for_without_end(aiowf: Command) -> None:
    """--timeout ends the wait, and the workflow goes on; stop and delete end it."""
    done = aiowf("run", "cli_flow.py:slow", "--timeout", "1s", "--id", "timeout")
    assert (7, "") == (done.code, done.out)
    assert "did not end within 1 s" in done.err
    name = done.err.rpartition("workflow ")[2].split()[0]
    assert f"{name} suspended\n" == aiowf("suspend", name).out
    assert f"{name} resumed\n" == aiowf("resume", name).out
    assert f"{name} stopped\n" == aiowf("stop", name).out
    assert 1 == aiowf("watch", name).code
    both = aiowf("delete", name, "nope")
    assert (4, f"{name} deleted\n", 1) == (both.code, both.out, both.err.count("\n"))


@pytest.mark.usefixtures("here", "server")
def test_terminate_ends_at_once(aiowf: Command) -> None:
    """So does the wait for it; what has ended can be run again, or submitted anew."""
    name = left_running()
    assert f"{name} terminated\n" == aiowf("terminate", name).out
    assert 1 == aiowf("watch", name).code
    for verb in ("terminate", "suspend"):
        late = aiowf(verb, name)
        assert (3, True) == (late.code, "The workflow has ended already" in late.err)
        assert "same request" not in late.err
    assert f"{name} is running again\n" == aiowf("retry", name).out
    again = aiowf("resubmit", name)
    assert 0 == again.code
    other = again.out.rpartition(" ")[2].strip()
    assert again.out.startswith(f"{name} resubmitted as slow-")
    assert f"{name} terminated\n{other} terminated\n" == aiowf("terminate", name, other).out


@pytest.mark.usefixtures("here")
def test_render_gives_yaml_and_json(aiowf: Command) -> None:
    """One operation is a document, several are several; nothing is sent."""
    done = aiowf("render", "cli_flow.py:one")
    assert "one-" == yaml.safe_load(done.out)["metadata"]["generateName"]
    assert 2 == len(list(yaml.safe_load_all(aiowf("render", "cli_flow.py:sweep").out)))
    assert 2 == len(json.loads(aiowf("render", "cli_flow.py:sweep", "-o", "json").out))
    assert "Workflow" == json.loads(aiowf("render", "cli_flow.py:one", "-o", "json").out)["kind"]
    wrong = aiowf("render", "cli_flow.py:direct")
    assert (3, "aiowf: direct is a DirectOperation, which becomes no workflow. Name an operation "
            "that runs in containers.\n") == (wrong.code, wrong.err)  # fmt: skip


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("submit", "etl.yml", "--wait"), "Did you mean etl.yaml?"),
        (("get", "@lastest"), "'@lastest' is no name of a workflow; @latest is the youngest"),
    ],
)
def test_what_was_nearly_right_is_told(aiowf: Command, words: tuple[str, ...], said: str) -> None:
    """A file's ending and the name of the youngest are easily mistaken."""
    assert said in aiowf(*words).err


@pytest.mark.usefixtures("server")
def test_hints_are_of_the_command_line(aiowf: Command, here: Path) -> None:
    """lint does not advise to lint; retry names its options; get names what it shows."""
    text = (here / "etl.yaml").read_text()
    (here / "bad.yaml").write_text(text.replace("workflow.parameters.day", "=toInt('1')"))
    said = aiowf("lint", "bad.yaml").out
    assert 'did you mean "int"?' in said
    assert "client.lint" not in said
    name = aiowf("submit", "etl.yaml", "--wait").out.splitlines()[0]
    assert "It has succeeded: --restart-successful --node TASK" in aiowf("retry", name).err
    found = json.loads(aiowf("get", name, "-o", "json").out)
    assert ("argoproj.io/v1alpha1", "Workflow") == (found["apiVersion"], found["kind"])


def test_lint_tells_all_that_is_wrong(aiowf: Command, here: Path) -> None:
    """Good and bad files and operations, each with its place; offline where no server is named."""
    (here / "bad.yaml").write_text("metadata: {name: x}\nspec: {entrypoint: a, templates: []}")
    (here / "template.yaml").write_text("kind: WorkflowTemplate\n---\nspec: {}")
    done = aiowf("lint", "etl.yaml", "bad.yaml", "nope.yaml", "template.yaml", "cli_flow.py:one")
    assert 3 == done.code
    assert "✓ etl.yaml\n" in done.out
    assert "✓ cli_flow.py:one (one)\n" in done.out
    assert "✗ bad.yaml: entrypoint" in done.out
    assert "✗ nope.yaml: cannot be read" in done.out
    assert "✗ template.yaml (document 1): a WorkflowTemplate is not checked here" in done.out
    assert "✗ template.yaml (document 2): metadata" in done.out
    assert "no server was asked" in done.err
    facts = json.loads(aiowf("lint", "etl.yaml", "--offline", "-o", "json").out)
    assert [{"place": "etl.yaml", "problem": None}] == facts
    assert 0 == aiowf("lint", "etl.yaml", "--offline").code


@pytest.mark.usefixtures("here")
def test_lint_without_a_server_is_for_the_embedded_engine(aiowf: Command) -> None:
    """It has an image with aiowf in it; a server that is named and not asked has none."""
    assert "✓ cli_flow.py:filed (filed)\n" == aiowf("lint", "cli_flow.py:filed").out
    done = aiowf("lint", "cli_flow.py:filed", "--offline", "--server", "https://argo.invalid")
    assert (3, True) == (done.code, "needs an image with aiowf in it" in done.out)


def test_the_profile_of_the_environment_is_heeded(
    aiowf: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile that cannot be read is told, with its path."""
    monkeypatch.setenv("AIOWF_PROFILE", str(here / "none.yaml"))
    done = aiowf("render", "cli_flow.py:one")
    assert (3, 1) == (done.code, done.err.count("\n"))
    assert "none.yaml" in done.err


def test_the_token_comes_from_a_file(
    aiowf: Command,
    here: Path,
    server: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """--token-file stands in for ARGO_TOKEN, before or behind the command."""
    (here / "token").write_text(os.environ["ARGO_TOKEN"] + "\n")
    monkeypatch.delenv("ARGO_TOKEN")
    refused = aiowf("list")
    assert (5, 1) == (refused.code, refused.err.count("\n"))
    assert 0 == aiowf("--token-file", "token", "list").code
    assert 0 == aiowf("list", "--token-file", "token").code
    missing = aiowf("list", "--token-file", "gone")
    assert (3, True) == (missing.code, "the token file gone cannot be read" in missing.err)
