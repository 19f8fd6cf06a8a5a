"""Completion of commands, options, files, operations and workflows, in the shells themselves."""

import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from cli_testing import Done
from terminal import Terminal, terminal
from walkthrough import DOCS

from aiowf.cli.completion import OPERATION

# Shell → how it is started without anybody's settings, and the file that it reads at its start.
SHELLS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "bash": (("--rcfile", ".bashrc", "-i"), ".bashrc"),
    "zsh": (("-i",), ".zshrc"),
    "fish": (("-i",), ".config/fish/config.fish"),
}
PROMPTS = {
    "bash": "PS1='ready> '\nbind 'set enable-bracketed-paste off'\n",
    "zsh": "PS1='ready> '\nunsetopt prompt_sp\n",
    "fish": "set fish_greeting\nfunction fish_prompt; echo -n 'ready> '; end\n",
}


def told(shell: str) -> list[str]:
    """The lines of docs/cli.md that set up a shell."""
    rows = [line for line in (DOCS / "cli.md").read_text().splitlines() if f"`{shell}`" in line]
    (row,) = [row for row in rows if "_source" in row]
    return ["".join(re.findall(r"`([^`]+)`", cell)[:1]) for cell in row.split("|")[2:-1]]


@contextmanager
def typing(shell: str, home: Path, environ: Mapping[str, str]) -> Iterator[Terminal]:
    """A shell whose user did as the page says, and stands where the operations are."""
    words, settings = SHELLS[shell]
    said: dict[str, Any] = {
        **environ,
        "HOME": str(home),
        "ZDOTDIR": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local"),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    place = home / settings
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(PROMPTS[shell])
    command, line = told(shell)
    if line:
        place.write_text(PROMPTS[shell] + line + "\n")
    with terminal("-c", command, program="bash", **said) as made:
        assert 0 == made.end(), made.text
    with terminal(*words, program=shell, columns=100, rows=50, **said) as found:
        found.until("ready>")
        yield found


@pytest.mark.parametrize("shell", list(SHELLS))
def test_a_shell_completes(
    shell: str, here: Path, server: Mapping[str, str], aiowf: Callable[..., Done]
) -> None:
    """Commands, options, choices, files, operations in them, and workflows of the server."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    text = (here / "etl.yaml").read_text()
    (here / "named.yaml").write_text(text.replace("generateName: etl-", f"name: of-{shell}-1"))
    assert 0 == aiowf("submit", "named.yaml").code
    with typing(shell, here, server) as shown:
        for typed, completed in [
            ("aiowf ter\t", "aiowf terminate "),
            ("aiowf list --pha\t", "aiowf list --phase "),
            ("aiowf doctor --output=ya\t", "--output=yaml"),
            ("aiowf run cli_f\t", "aiowf run cli_flow.py "),
            ("aiowf run cli_flow.py:sq\t", "aiowf run cli_flow.py:square "),
            ("aiowf render cli_flow.py:fi\t", "aiowf render cli_flow.py:filed "),
            (f"aiowf get of-{shell}\t", f"aiowf get of-{shell}-1 "),
        ]:
            shown.press(typed)
            shown.until(completed.rstrip())
            shown.press("\x15")  # Ctrl-U: an empty line again
            shown.until(lambda text: text.endswith("ready>"))
        shown.press("aiowf \t\t")
        shown.until(lambda text: all(name in text for name in ("doctor", "submit", "watch")))


def test_a_file_that_cannot_be_read_has_no_operations(here: Path) -> None:
    """Nothing is offered, and nothing said; nor is a line of any file run."""
    (here / "broken.py").write_text("def (")
    (here / "runs.py").write_text("1 / 0\nop: object = 1 + 1\n_hidden = [1]\nnumber = 3\n")
    context = click.Context(click.Command("run"))
    argument = click.Argument(["target"])

    def offered(word: str) -> list[str]:
        return [item.value for item in OPERATION.shell_complete(context, argument, word)]

    assert [] == offered("broken.py:")
    assert ["runs.py:op"] == offered("runs.py")
