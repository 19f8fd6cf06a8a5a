"""docs/cli.md: each command as it stands there, and what it says of exit codes."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from walkthrough import DOCS, pattern, perform, steps

from aiowf.cli.errors import Exit
from aiowf.cli.main import cli


def test_each_command_prints_what_the_page_says(
    tmp_path: Path, engine: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before "A server" without one, and behind it with one."""
    for step in steps("cli.md"):
        if "aiowf submit hello.yaml)" in step.command:
            for name, value in engine.items():
                monkeypatch.setenv(name, value)
        assert step.expected is not None
        printed = perform(step, tmp_path).strip()
        assert pattern(step.expected).fullmatch(printed), (step.command, printed)


def test_every_command_and_exit_code_is_on_the_page() -> None:
    """And none that there is not."""
    text = (DOCS / "cli.md").read_text()
    assert all(re.search(rf"`(aiowf )?{name}\b", text) for name in cli.commands)
    codes = re.findall(r"^\| (\d+) \|", text, re.MULTILINE)
    assert [str(int(code)) for code in Exit] == codes
