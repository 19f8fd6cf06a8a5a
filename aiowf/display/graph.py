"""The tasks of an operation as a graph, from left to right."""

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from aiowf.display.html import svg, text
from aiowf.operations import ContainerizedOperation
from aiowf.tasks import (
    BashTask,
    CommandBasedTask,
    CustomTask,
    PythonTask,
    SendResultTask,
    Task,
)

_WIDTH, _HEIGHT = 172, 42
_ACROSS, _BELOW = 44, 10  # between groups, and between the tasks of a group
_MARGIN = 6
_MOST = 6  # tasks of a group that are drawn
_LETTERS = 21
_LINE = 'fill="none" stroke="currentColor" stroke-opacity="0.45" stroke-width="1.2"'


@frozen
class Box:
    """A task in the picture.

    Attributes:
        title: Its name.
        kind: What it is.
        colour: Colour of its kind; "" for what stands for several tasks.
    """

    title: str
    kind: str
    colour: str = ""


def graph(op: ContainerizedOperation) -> str:
    """Return the picture of an operation (SVG)."""
    columns = [_boxes(group) for group in op.groups]
    height = max(map(_height, columns)) + 2 * _MARGIN
    width = len(columns) * (_WIDTH + _ACROSS) - _ACROSS + 2 * _MARGIN
    parts = []
    ends: list[float] = []
    for n, column in enumerate(columns):
        left = _MARGIN + n * (_WIDTH + _ACROSS)
        top = (height - _height(column)) / 2
        tops = [top + k * (_HEIGHT + _BELOW) for k in range(len(column))]
        middles = [each + _HEIGHT / 2 for each in tops]
        if ends:
            parts.append(_lines(left - _ACROSS, ends, middles))
        parts += [_box(left, each, box) for each, box in zip(tops, column, strict=True)]
        ends = middles
    count = sum(map(len, op.groups))
    return svg(width, height, f"{count} tasks of {op.name} in {len(columns)} steps", *parts)


def _boxes(group: Sequence[Task[Any]]) -> list[Box]:
    if len(group) <= _MOST:
        return [box_of(task) for task in group]
    first = group[: _MOST - 2]
    between = Box(f"… {len(group) - _MOST + 1:,} more", "beside each other")
    return [*map(box_of, first), between, box_of(group[-1])]


def box_of(task: Task[Any]) -> Box:
    """Return how a task is drawn."""
    match task:
        case PythonTask():
            image = f" in {task.image}" if task.image else ""
            name = getattr(task.func, "__name__", type(task.func).__name__)
            return Box(task.name, f"{name}(){image}", "#4a8fd0")
        case BashTask():
            return Box(task.name, "Bash", "#3fa34d")
        case SendResultTask():
            return Box(task.name, "sends the files", "#8b949e")
        case CommandBasedTask():
            return Box(task.name, " ".join(map(str, task.command or ())), "#b07219")
        case CustomTask():
            return Box(task.name, task.image_name, "#a371f7")
    return Box(task.name, type(task).__name__, "#8b949e")


def _height(column: Sequence[Box]) -> float:
    return len(column) * (_HEIGHT + _BELOW) - _BELOW


def _box(left: float, top: float, box: Box) -> str:
    dashes = "" if box.colour else ' stroke-dasharray="4 3"'
    place = f'x="{left:g}" y="{top:g}" height="{_HEIGHT}"'
    bar = f'<rect {place} width="4" rx="2" fill="{box.colour}"/>'
    return (
        f"<g><title>{text(box.title)}: {text(box.kind)}</title>"
        f'<rect {place} width="{_WIDTH}" rx="5" '
        f'fill="#7f7f7f" fill-opacity="0.1" stroke="currentColor" stroke-opacity="0.35"{dashes}/>'
        f"{bar if box.colour else ''}"
        f'<text x="{left + 13:g}" y="{top + 18:g}" font-weight="600">'
        f"{text(box.title, _LETTERS)}</text>"
        f'<text x="{left + 13:g}" y="{top + 33:g}" font-size="10.5" fill-opacity="0.75">'
        f"{text(box.kind, _LETTERS + 4)}</text></g>"
    )


def _lines(left: float, before: Sequence[float], after: Sequence[float]) -> str:
    """Return what leads from each task of a group to each of the next: by way of one trunk."""
    trunk, end = left + _ACROSS / 2, left + _ACROSS
    paths = [f"M{left:g} {y:g}H{trunk:g}" for y in before]
    if max(*before, *after) > min(*before, *after):
        paths.append(f"M{trunk:g} {min(*before, *after):g}V{max(*before, *after):g}")
    paths += [f"M{trunk:g} {y:g}H{end - 3:g}" for y in after]
    heads = [f"M{end - 8:g} {y - 4:g}L{end - 2:g} {y:g}L{end - 8:g} {y + 4:g}" for y in after]
    return f'<path d="{"".join([*paths, *heads])}" {_LINE}/>'
