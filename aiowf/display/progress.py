"""Live progress: a tree that moves in a terminal, a line per change elsewhere."""

import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define, field
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from aiowf.display.escape import visible
from aiowf.manifest import NodeStatus, Workflow

if TYPE_CHECKING:
    from aiowf.client import Result, Run

T = TypeVar("T")

# Phase of a node → sign and colour.
SIGNS = {
    "Succeeded": ("✓", "green"),
    "Failed": ("✗", "red"),
    "Error": ("✗", "red"),
    "Running": ("●", "cyan"),
    "Pending": ("○", "yellow"),
    "Skipped": ("–", "dim"),
    "Omitted": ("–", "dim"),
}
# Types of nodes that stand for work, and not for its order.
_WORK = ("Pod", "Retry", "Suspend")


@define
class Progress:
    """Shows what runs, while its block is entered."""

    console: Console
    # Label → sign, text; in the order of appearance.
    _rows: dict[str, tuple[str, str]] = field(factory=dict, init=False)
    # Label → when it was first shown.
    _since: dict[str, float] = field(factory=dict, init=False)
    # Present exactly while the block is entered in a terminal.
    _live: Live | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(
                get_renderable=self._table, console=self.console, refresh_per_second=12
            )
            self._live.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    async def follow(self, run: "Run[T]") -> "Result[T]":
        """Show every change of a run to its end; return its result."""
        async for change in run.watch():
            self._take(change.workflow)
        return await run.wait()

    async def during(self, label: str, work: Awaitable[T]) -> T:
        """Show that something runs until it ends; return what it gives."""
        self._put(label, "Running", "")
        try:
            done = await work
        except BaseException:
            self._put(label, "Failed", "")
            raise
        self._put(label, "Succeeded", "")
        return done

    def show(self, text: str) -> None:
        """Show a text of several lines, indented; escape sequences in it are shown, not obeyed."""
        for line in text.splitlines():
            self.console.print(Text("  │ " + visible(line), style="dim"))

    def _take(self, workflow: Workflow) -> None:
        nodes = (workflow.status.nodes if workflow.status else None) or {}
        for node in sorted(
            nodes.values(), key=lambda node: (node.started_at or "", node.name or "")
        ):
            if node.type in _WORK and not _is_attempt(node):
                self._put(node.display_name or "", node.phase or "Pending", node.message or "")

    def _put(self, label: str, phase: str, message: str) -> None:
        self._since.setdefault(label, time.monotonic())
        row = (phase, message)
        if self._rows.get(label) == row:
            return
        self._rows[label] = row
        if self._live is None:
            sign, _ = SIGNS.get(phase, ("?", ""))
            spent = f"{time.monotonic() - self._since[label]:.1f} s"
            text = f"  {sign} {visible(label)} {phase} {spent} {visible(message)}".rstrip()
            self.console.print(Text(text))

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for label, (phase, message) in self._rows.items():
            sign, style = SIGNS.get(phase, ("?", ""))
            mark: Any = Spinner("dots", style=style) if phase == "Running" else Text(sign, style)
            table.add_row(" ", mark, Text(visible(label)), Text(visible(message), style="dim"))
        return table


def _is_attempt(node: NodeStatus) -> bool:
    return bool(node.node_flag and node.node_flag.retried)
