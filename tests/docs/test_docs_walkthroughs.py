"""The tutorial and the how-tos: each file and each command, as written."""

from pathlib import Path

import pytest
from walkthrough import DOCS, Step, pattern, perform, steps

PAGES = [
    "tutorial.md",
    "testing.md",
    *sorted(f"howto/{path.name}" for path in (DOCS / "howto").glob("*.md")),
]


@pytest.mark.parametrize(
    "step",
    [pytest.param(step, id=f"{page}:{step.line}") for page in PAGES for step in steps(page)],
)
def test_a_command_of_a_page_prints_what_the_page_says(step: Step, tmp_path: Path) -> None:
    """The command, run beside the files that stand before it, prints what stands below it."""
    printed = perform(step, tmp_path).strip()
    assert step.expected is not None, "the page does not say what the command prints"
    assert pattern(step.expected).fullmatch(printed), printed


def test_each_page_is_tried() -> None:
    """The reading of pages finds commands in each, or files of examples/, which have tests."""
    idle = [page for page in PAGES if not list(steps(page))]
    assert [] == [page for page in idle if "/examples/" not in (DOCS / page).read_text()]


def test_no_page_has_commands_that_are_not_tried() -> None:
    """Pages with commands are those above, and those that have tests of their own."""
    pages = {str(path.relative_to(DOCS)): path for path in DOCS.rglob("*.md")}
    found = {name for name, path in pages.items() if "\n```bash\n" in path.read_text()}
    tried = {*PAGES, "cli.md", "deploy.md", "kafka.md"}
    assert set() == {name for name in found - tried if not name.startswith("_build")}
