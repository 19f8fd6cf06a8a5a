"""docs/cli.md: each command as it stands there, and what it says of exit codes."""

import re
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from aiowf.cli.errors import Exit
from aiowf.cli.main import cli

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
FENCES = re.findall(r"^```([^\n]*)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """The commands of the page, with what they print."""
    pairs = pairwise(FENCES)
    return [(one[1], two[1]) for one, two in pairs if (one[0], two[0]) == ("bash", "text")]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the files of the page."""
    for info, text in FENCES:
        if info.startswith("{code-block}"):
            caption, _, rest = text.partition("\n\n")
            (tmp_path / caption.removeprefix(":caption: ")).write_text(rest)
    return tmp_path


def run(command: str, place: Path) -> str:
    """What a command prints, in a shell that finds this aiowf."""
    done = subprocess.run(
        ["bash", "-c", f"PATH={Path(sys.executable).parent}:$PATH; {command}"],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def test_each_command_prints_what_the_page_says(
    place: Path, engine: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before "A server" without one, and behind it with one; "…" stands for anything."""
    found = commands()
    assert len(found) == sum(info == "bash" for info, _ in FENCES)
    for command, expected in found:
        if "aiowf submit hello.yaml)" in command:
            for name, value in engine.items():
                monkeypatch.setenv(name, value)
        parts = [re.escape(part) for part in expected.strip().split("…")]
        printed = run(command, place)
        assert re.fullmatch(".*".join(parts), printed.strip(), re.DOTALL), (command, printed)


def test_every_command_and_exit_code_is_on_the_page() -> None:
    """And none that there is not."""
    text = PAGE.read_text()
    assert all(re.search(rf"`(aiowf )?{name}\b", text) for name in cli.commands)
    codes = re.findall(r"^\| (\d+) \|", text, re.MULTILINE)
    assert [str(int(code)) for code in Exit] == codes


def test_names_of_workflows_are_completed(
    aiowf: object, engine: Mapping[str, str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell is told the names that begin so; without a server none, and no error."""
    asked = "COMP_WORDS='aiowf get one-' COMP_CWORD=2 _AIOWF_COMPLETE=bash_complete aiowf"
    assert "" == run(asked, here).strip()
    for name, value in engine.items():
        monkeypatch.setenv(name, value)
    run("aiowf run cli_flow.py:one", here)
    assert "plain,one-" in run(asked, here)
    assert "plain,watch" in run(asked.replace("get one-", "wa").replace("=2", "=1"), here)
