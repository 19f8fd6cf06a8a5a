"""The nodes of a workflow over time."""

from datetime import datetime, timedelta

from aiowf.display.html import colour, svg, text
from aiowf.display.text import duration
from aiowf.display.tree import SIGNS, Row, fit, rows_of
from aiowf.manifest import Workflow

_LABELS, _BARS, _TIMES = 210, 420, 70
_LINE = 20
_MOST = 40  # nodes that are drawn
_LETTERS = 30


def timeline(workflow: Workflow, now: datetime) -> str:
    """Return a picture (SVG) of when each task ran; "" before the first has begun.

    Args:
        workflow: The workflow with its nodes.
        now: Where the bars of what still runs end.
    """
    rows, others = fit([row for row in rows_of(workflow) if row.is_work], _MOST)
    begun = [row.started for row in rows if row.started is not None]
    if not begun:
        return ""
    start = min(begun)
    total = max((_end(row, now) - start).total_seconds() for row in rows if row.started)
    parts = [_bar(n, row, start, total, now) for n, row in enumerate(rows)]
    height = (len(rows) + bool(others)) * _LINE + 8
    if others:
        y = len(rows) * _LINE + 14
        parts.append(f'<text x="0" y="{y}" fill-opacity="0.75">{text(others)}</text>')
    label = f"timeline of {len(rows)} tasks over {duration(total)}"
    return svg(_LABELS + _BARS + _TIMES, height, label, *parts)


def took(time: timedelta) -> str:
    """Return how long something took; servers tell whole seconds."""
    return duration(time) if time else "< 1s"


def _end(row: Row, now: datetime) -> datetime:
    return row.finished or (row.started or now if row.is_over else now)


def _bar(n: int, row: Row, start: datetime, total: float, now: datetime) -> str:
    y = n * _LINE
    sign = SIGNS.get(row.phase, ("○", ""))[0]
    said = f"{row.label}: {row.phase}{': ' if row.message else ''}{row.message}"
    parts = [
        f"<g><title>{text(said)}</title>",
        f'<text x="0" y="{y + 14}" fill="{colour(row.phase)}">{sign}</text>',
        f'<text x="16" y="{y + 14}">{text(row.label, _LETTERS)}</text>',
    ]
    if row.started is not None:
        end = _end(row, now)
        scale = (_BARS - 3) / total if total > 0 else 0.0
        left = _LABELS + (row.started - start).total_seconds() * scale
        width = max((end - row.started).total_seconds() * scale, 3)
        parts.append(
            f'<rect x="{left:.1f}" y="{y + 4}" width="{width:.1f}" height="12" rx="2" '
            f'fill="{colour(row.phase)}"/>'
        )
        parts.append(
            f'<text x="{_LABELS + _BARS + 8}" y="{y + 14}" font-size="11" fill-opacity="0.75">'
            f"{text(took(end - row.started))}</text>"
        )
    return "".join([*parts, "</g>"])
