"""Lines of text that fit a terminal: tables, durations, colours. No library is loaded for them."""

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TextIO

from attrs import frozen

from aiowf.display.escape import visible

_GAP = "  "
_CODES: Mapping[str, str] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
}
# Seconds of a unit, the greatest first.
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


@frozen
class Column:
    """A column of a table.

    Attributes:
        title: Its heading.
        keep: Rank by which it stays where there is no room for all; the highest stays longest.
        shrinks: Whether its cells may be cut; else they are shown whole.
    """

    title: str
    keep: int
    shrinks: bool = False


def colours(stream: TextIO | None, environ: Mapping[str, str] | None = None) -> bool:
    """Return whether to colour what is written to a stream: a terminal, and nothing against it."""
    environ = os.environ if environ is None else environ
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return stream is not None and stream.isatty()


def terminal_width(stream: TextIO | None = None) -> int | None:
    """Return the columns of a terminal, from COLUMNS or from itself; None if it is none."""
    stream = sys.stdout if stream is None else stream
    if stream is None or not stream.isatty():
        return None
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


def folded(text: str, width: int | None) -> str:
    """Return a text in lines of so many columns, broken between words; None: as it is.

    The further lines begin two columns to the right. A word that is too long stays whole.
    """
    if width is None:
        return text
    import textwrap

    return textwrap.fill(
        text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def paint(text: str, style: str, *, colour: bool) -> str:
    """Return a text in a colour, if colours are wanted."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if colour and style in _CODES else text


def width_of(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """Return a text that takes at most so many cells, with "…" where it was cut."""
    if width_of(text) <= width:
        return text
    while text and width_of(text) > width - 1:
        text = text[: max(width - 1, 0)] if text.isascii() else text[:-1]
    return f"{text}…" if width > 0 else ""


def duration(time: timedelta | float | None) -> str:
    """Return a time in its two greatest units: "0.4s", "12s", "3m10s", "2h5m", "3d4h"."""
    if time is None:
        return ""
    seconds = time.total_seconds() if isinstance(time, timedelta) else time
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f}".removesuffix(".0") + "s"
    left = max(int(seconds), 10) if seconds < 10 else int(seconds)
    parts: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
    return "".join(parts[:2])


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None = None
) -> list[list[str]]:
    """Lay out a table: the headings and rows as cells that are padded and fit.

    Where it is too wide, cells that may be cut are; then columns are left out. What the rows hold
    comes from anybody: control characters are shown, not obeyed.

    Args:
        columns: The columns.
        rows: Their cells.
        width: Cells of the terminal; None: whatever it takes.
    """
    lines = [
        [column.title for column in columns],
        *([visible(cell) for cell in row] for row in rows),
    ]
    widths = [max(map(width_of, cells)) for cells in zip(*lines, strict=True)]
    kept = [index for index, each in enumerate(widths) if each]
    if width is not None:
        kept = _fitting(columns, widths, kept, width)
    return [
        _pad([line[index] for index in kept], [widths[index] for index in kept]) for line in lines
    ]


def _fitting(
    columns: Sequence[Column], widths: list[int], kept: list[int], width: int
) -> list[int]:
    """Shrink widths, or leave columns out, until they fit; return those that stay."""
    while True:
        over = sum(widths[index] for index in kept) + len(_GAP) * (len(kept) - 1) - width
        if over <= 0:
            return kept
        soft = next((index for index in kept if columns[index].shrinks), None)
        if soft is not None and widths[soft] - over >= max(12, width_of(columns[soft].title)):
            widths[soft] -= over
            return kept
        if len(kept) == 1:
            return kept
        kept = [index for index in kept if index != min(kept, key=lambda each: columns[each].keep)]


def _pad(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    *first, last = [cut(cell, width) for cell, width in zip(cells, widths, strict=True)]
    padded = [
        cell + " " * (width - width_of(cell)) for cell, width in zip(first, widths, strict=False)
    ]
    return [*padded, last]


def joined(cells: Sequence[str]) -> str:
    """Return the cells of a row as a line."""
    return _GAP.join(cells).rstrip()
