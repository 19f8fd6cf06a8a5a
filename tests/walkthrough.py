"""Pages whose files and commands a reader types in: the same, done by a test.

A page is a sequence of fences: `{code-block}` with a caption is a file, `bash` a command, and the
`text` behind a command what it prints, in which `…` stands for anything.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from attrs import evolve, frozen
from markdown_it import MarkdownIt
from markdown_it.token import Token

DOCS = Path(__file__).parents[1] / "docs"


@frozen
class Step:
    """A command of a page, with the files that stand before it and what it is to print."""

    line: int
    command: str
    files: dict[str, str]
    expected: str | None

    def at(self, address: str, other: str) -> "Step":
        """Return the step with another address."""
        expected = self.expected and self.expected.replace(address, other)
        return evolve(self, command=self.command.replace(address, other), expected=expected)


def steps(page: str) -> Iterator[Step]:
    """Yield the commands of a page of docs/, in order."""
    fences = [
        token
        for token in MarkdownIt().parse((DOCS / page).read_text())
        if token.type == "fence" and token.level == 0
    ]
    files: dict[str, str] = {}
    for fence, following in zip(fences, [*fences[1:], None], strict=True):
        if fence.info.startswith("{code-block}"):
            caption, text = _captioned(fence)
            files[caption] = text
        elif fence.info == "bash":
            printed = following is not None and following.info == "text"
            assert fence.map is not None
            yield Step(
                fence.map[0] + 1,
                fence.content,
                dict(files),
                following.content if printed and following else None,
            )


def _captioned(fence: Token) -> tuple[str, str]:
    options, _, text = fence.content.partition("\n\n")
    found = re.search(r"^:caption: (.+)$", options, re.MULTILINE)
    assert found, f"a file without a name: {fence.content!r}"
    return found[1], text


def perform(step: Step, directory: Path, timeout: float = 60, **environ: str) -> str:
    """Run a step in a directory, in this Python's environment, and return all that it prints.

    Args:
        step: The step.
        directory: Where its files are written, and where it runs.
        timeout: Seconds that it may take.
        environ: Variables that it has besides.
    """
    for name, text in step.files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)
    bin_directory = shlex.quote(str(Path(sys.executable).parent))
    ended = subprocess.run(
        ["bash", "-c", f"export PATH={bin_directory}:$PATH\n{step.command}"],
        cwd=directory,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    return ended.stdout


def pattern(expected: str) -> re.Pattern[str]:
    """Return what matches an output as a page shows it."""
    parts = [re.escape(part) for part in expected.strip().split("…")]
    return re.compile(".*".join(parts), re.DOTALL)
