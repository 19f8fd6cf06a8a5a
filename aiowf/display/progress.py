"""Live progress: a tree that moves in a terminal, a line per change elsewhere."""

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self, TypeVar

from attrs import define, field
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from aiowf.display.escape import visible
from aiowf.display.text import cut, duration, width_of
from aiowf.display.tree import SIGNS, Row, fit, rows_of
from aiowf.manifest import Workflow

if TYPE_CHECKING:
    from aiowf.client import Result, Run

T = TypeVar("T")

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
# A node that began no longer ago than this was seen from its beginning: our own clock tells its
# duration, more finely than the server's whole seconds.
_FRESH = 3.0
# Lines of a terminal that are left to what stands above and below the tree.
_SPARE = 3
_BAR = "  │ "


@define
class Progress:
    """Shows what runs, while its block is entered.

    Attributes:
        console: Where to.
    """

    console: Console
    # What is shown together, by name → its rows; in the order of appearance.
    _trees: dict[str, list[Row]] = field(factory=dict, init=False)
    # Key of a row → the monotonic time of its begin, and of its end once that was seen.
    _began: dict[str, float] = field(factory=dict, init=False)
    _ended: dict[str, float] = field(factory=dict, init=False)
    # Key of a row → phase and message that were printed of it.
    _told: dict[str, tuple[str, str]] = field(factory=dict, init=False)
    # Present exactly while the block is entered in a terminal.
    _live: Live | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        self.resume()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.pause()

    def resume(self) -> None:
        """Begin to draw in a terminal, or go on after `pause`."""
        if self._draws and self._live is None:
            self._live = Live(
                get_renderable=self._picture, console=self.console, refresh_per_second=12
            )
            self._live.start()

    @property
    def _draws(self) -> bool:
        """Return whether the tree is drawn over itself: a dumb terminal cannot do that."""
        return self.console.is_terminal and not self.console.is_dumb_terminal

    def pause(self) -> None:
        """Leave the terminal to somebody else; what was drawn stays."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    async def follow(self, run: "Run[T]") -> "Result[T]":
        """Show every change of a run to its end; return its result.

        Raises:
            OperationFailedError: It did not succeed.
        """
        async for change in run.watch():
            self.take(change.workflow)
        return await run.wait()

    async def during(self, label: str, work: Awaitable[T]) -> T:
        """Show that something runs until it ends; return what it gives."""
        self._put(label, [Row(key=label, depth=0, label=label, phase="Running")])
        try:
            done = await work
        except BaseException:
            self._put(label, [Row(key=label, depth=0, label=label, phase="Failed")])
            raise
        self._put(label, [Row(key=label, depth=0, label=label, phase="Succeeded")])
        return done

    def show(self, text: str) -> None:
        """Show a text of several lines, indented; escape sequences in it are shown, not obeyed."""
        for line in text.splitlines():
            shown = Text(visible(line))
            width = max(1, self.console.width - len(_BAR))
            parts = shown.wrap(self.console, width) if self.console.is_terminal else [shown]
            for part in parts:
                self.console.print(Text(_BAR + part.plain, style="dim"), soft_wrap=True)

    def write(self, line: str) -> None:
        """Write a line above the tree."""
        self.console.print(Text(visible(line)), soft_wrap=True)

    def take(self, workflow: Workflow) -> None:
        """Show a workflow as it is now."""
        name = (workflow.metadata.name if workflow.metadata else None) or ""
        self._put(name, rows_of(workflow))

    def _put(self, name: str, rows: list[Row]) -> None:
        now, wall = time.monotonic(), datetime.now(UTC)
        for row in rows:
            self._clock(row, now, wall)
        self._trees[name] = rows  # last: the thread that draws may look at any time
        for row in rows:
            said = (row.phase, row.message)
            if not self._draws and row.is_work and self._told.get(row.key) != said:
                self._told[row.key] = said
                self._print(row)

    def _clock(self, row: Row, now: float, wall: datetime) -> None:
        if row.key not in self._began:
            age = (wall - row.started).total_seconds() if row.started else 0.0
            self._began[row.key] = now - age if age > _FRESH else now
        if not row.is_over:
            self._ended.pop(row.key, None)
        elif row.key not in self._ended:
            began, took = self._began[row.key], None
            if row.started and row.finished and began + _FRESH < now:
                took = (row.finished - row.started).total_seconds()
            # One that was over when it was first seen is as long as the server says.
            known = took is not None and abs(now - began - took) > _FRESH
            self._ended[row.key] = began + took if known and took is not None else now

    def _spent(self, row: Row) -> str:
        if row.phase in ("Pending", "Skipped", "Omitted"):
            return ""
        end = self._ended.get(row.key, time.monotonic())
        return duration(end - self._began[row.key])

    def _print(self, row: Row) -> None:
        sign, _ = SIGNS.get(row.phase, ("?", ""))
        words = [
            sign,
            visible(row.label),
            row.phase,
            self._spent(row),
            visible(row.message.strip()),
        ]
        self.console.print(Text("  " + " ".join(word for word in words if word)), soft_wrap=True)

    def _picture(self) -> Group:
        rows = [row for tree in list(self._trees.values()) for row in tree]
        shown, rest = fit(rows, max(self.console.height - _SPARE, 3))
        drawn = lines(shown, self.console.width, spent=self._spent, beat=int(time.monotonic() * 10))
        return Group(
            *drawn, *([Text(f"  {cut(rest, self.console.width - 2)}", "dim")] if rest else [])
        )


def lines(
    rows: Sequence[Row], width: int, *, spent: Callable[[Row], str], beat: int = 0
) -> list[Text]:
    """Draw rows: sign, name, duration, and why it is so; each fits its line.

    Args:
        rows: The rows.
        width: Cells of the terminal.
        spent: Gives the duration of a row.
        beat: Number of the picture: the sign of what runs turns with it.
    """
    labels = ["  " * (row.depth + 1) + "  " + visible(row.label) for row in rows]
    times = [spent(row) for row in rows]
    widest = max(map(width_of, labels), default=0)
    time_width = max(map(len, times), default=0)
    label_width = min(widest, max(width - time_width - 2, 8))
    drawn = []
    for row, label, took in zip(rows, labels, times, strict=True):
        sign, style = SIGNS.get(row.phase, ("?", ""))
        if row.phase == "Running":
            sign = _SPINNER[beat % len(_SPINNER)]
        indent = "  " * (row.depth + 1)
        name = cut(label, label_width)[len(indent) + 2 :]
        used = len(indent) + 2 + width_of(name)
        text = Text(indent, no_wrap=True, overflow="crop")
        text.append(sign, style).append(" ").append(name)
        text.append(" " * (label_width - used + 1))
        text.append(took.rjust(time_width), "dim")
        room = width - label_width - 1 - time_width - 2
        if row.message and room >= 8:
            loud = "yellow" if row.phase == "Pending" else "red" if style == "red" else "dim"
            text.append("  ").append(cut(visible(row.message), room), loud)
        drawn.append(text)
    return drawn


def still(workflow: Workflow, width: int) -> list[Text]:
    """Draw the tree of a workflow as the server told it, with the server's own times."""
    now = datetime.now(UTC)

    def spent(row: Row) -> str:
        if row.started is None or row.phase in ("Pending", "Skipped", "Omitted"):
            return ""
        return duration((row.finished or now) - row.started)

    return lines(rows_of(workflow), width, spent=spent)
