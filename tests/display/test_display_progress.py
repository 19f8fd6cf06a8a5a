"""Progress in a pipe and in a terminal, without a server."""

import asyncio
import io
import re
from typing import Any

import pytest
from rich.console import Console

from aiowf.display.progress import Progress
from aiowf.manifest import Workflow, structure


def workflow(phase: str, message: str = "", **times: str) -> Workflow:
    """A workflow with one pod."""
    node = {"id": "wf", "name": "wf", "displayName": "wf", "type": "Pod", "phase": phase, **times}
    data: dict[str, Any] = {"metadata": {"name": "wf"}}
    data["status"] = {"phase": phase, "nodes": {"wf": {**node, "message": message}}}
    return structure(data, Workflow)


async def test_a_pipe_gets_a_line_per_change() -> None:
    """Each phase and each reason once; escape sequences are shown."""
    console = Console(file=io.StringIO(), width=40)
    async with Progress(console) as progress:
        for phase, message in (
            ("Pending", "Unschedulable: \x1b[2J " + "no room " * 9),
            ("Pending", "ErrImagePull"),
            ("Running", ""),
            ("Running", ""),
            ("Succeeded", ""),
        ):
            progress.take(workflow(phase, message))
        progress.write("a line \x1b[2J")
    said = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [
        "  ○ wf Pending Unschedulable: \\x1b[2J " + ("no room " * 9).rstrip(),
        "  ○ wf Pending ErrImagePull",
        "  ● wf Running 0s",
        "  ✓ wf Succeeded 0s",
        "a line \\x1b[2J",
    ] == said


async def test_what_was_over_before_has_the_servers_duration() -> None:
    """A workflow that is looked at later took as long as the server says."""
    console = Console(file=io.StringIO(), width=80)
    times = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:02:05Z"}
    async with Progress(console) as progress:
        progress.take(workflow("Succeeded", **times))
    assert "  ✓ wf Succeeded 2m5s\n" == console.file.getvalue()  # type: ignore[attr-defined]


async def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that cannot move its cursor is written to as a pipe is."""
    monkeypatch.setenv("TERM", "dumb")
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    async with Progress(console) as progress:
        progress.take(workflow("Running"))
    assert "wf Running" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[1A" not in console.file.getvalue()  # type: ignore[attr-defined]


async def test_the_thread_that_draws_sees_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever moment it looks at, each row that it finds has its times."""
    progress = Progress(Console(file=io.StringIO(), width=80))
    clock = Progress._clock

    def look(self: Progress, *facts: Any) -> None:
        self._picture()
        clock(self, *facts)
        self._picture()

    monkeypatch.setattr(Progress, "_clock", look)
    progress.take(workflow("Running"))
    progress.take(workflow("Succeeded"))
    assert 1 == len(progress._picture().renderables)


async def test_work_without_a_workflow_is_shown_to_its_end() -> None:
    """Something that runs here succeeds or fails; a failure is handed on."""
    console = Console(file=io.StringIO(), width=80)
    async with Progress(console) as progress:
        assert 3 == await progress.during("here", asyncio.sleep(0, 3))

        async def fail() -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await progress.during("bad", fail())
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "✓ here Succeeded" in said
    assert "✗ bad Failed" in said


async def test_a_terminal_is_left_to_others_while_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was drawn stays; nothing is drawn until it goes on; many rows are counted."""
    monkeypatch.setenv("TERM", "xterm-256color")
    console = Console(file=io.StringIO(), force_terminal=True, width=40, height=8)
    async with Progress(console) as progress:
        progress.take(workflow("Running", "because"))
        progress.pause()
        before = console.file.getvalue()  # type: ignore[attr-defined]
        assert "because" in before
        progress.take(workflow("Running", "otherwise"))
        assert before == console.file.getvalue()  # type: ignore[attr-defined]
        progress.resume()
        for n in range(20):
            progress._put(str(n), [])
            progress.take(
                structure(
                    {"metadata": {"name": f"wf-{n}"}, "status": {"phase": "Running"}}, Workflow
                )
            )
    assert "… and 17 more: 17 Running" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("is_terminal", "expected"),
    [
        (True, ["  │ one two", "  │ three", "  │   | x"]),
        (False, ["  │ one two three", "  │   | x"]),
    ],
)
def test_a_shown_text_keeps_its_bar(is_terminal: bool, expected: list[str]) -> None:
    """Also where a terminal is too narrow for a line; a pipe is not."""
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=13, no_color=True)
    Progress(console).show("one two three\n  | x")
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert expected == [line.rstrip() for line in re.sub(r"\x1b\[\d*m", "", said).splitlines()]


@pytest.mark.parametrize("width", [3, 4, 5])
def test_a_terminal_that_has_no_room_beside_the_bar_loses_nothing(width: int) -> None:
    """Then there is one character in each line."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, no_color=True)
    Progress(console).show("abc")
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert ["  │ a", "  │ b", "  │ c"] == re.sub(r"\x1b\[\d*m", "", said).splitlines()
