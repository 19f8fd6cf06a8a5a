"""Parts of HTML and SVG in which nothing from a workflow is markup.

Colours are those of the page around (`currentColor`) or readable on light and dark alike: a
notebook has one or the other, and does not tell.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape as _escape

from aiowf.display.escape import visible
from aiowf.display.tree import SIGNS

_PHASES: Mapping[str, str] = {
    "green": "#2da44e",
    "red": "#e5534b",
    "cyan": "#1f8fd6",
    "yellow": "#c69026",
    "dim": "#8b949e",
}
FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"


def text(given: object, longest: int | None = None) -> str:
    """Return a text as HTML: markup, control characters and changes of direction are shown."""
    shown = visible(str(given))
    if longest is not None and len(shown) > longest:
        shown = f"{shown[: longest - 1]}…"
    return _escape(shown, quote=True)


def colour(phase: str) -> str:
    """Return the colour of a phase."""
    return _PHASES[SIGNS.get(phase, ("", "dim"))[1]]


def badge(phase: str) -> str:
    """Return a phase as a coloured word with its sign."""
    sign = SIGNS.get(phase, ("○", ""))[0]
    style = f"color:{colour(phase)};font-weight:600"
    return f'<span style="{style}">{sign} {text(phase or "submitted")}</span>'


def link(label: str, address: str | None) -> str:
    """Return a link where the address is one of the web, else the label alone."""
    if address and address.startswith(("http://", "https://")):
        rest = 'style="color:inherit" target="_blank" rel="noopener"'
        return f'<a href="{text(address)}" {rest}>{text(label)}</a>'
    return text(label)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are HTML already."""
    head = "".join(f'<th style="text-align:left;padding:2px 12px 2px 0">{h}</th>' for h in heads)
    cell = '<td style="text-align:left;padding:2px 12px 2px 0;vertical-align:top">'
    lines = "".join(f"<tr>{''.join(f'{cell}{each}</td>' for each in row)}</tr>" for row in rows)
    return (
        '<table style="border-collapse:collapse;margin:6px 0;font:inherit;color:inherit">'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    )


def frame(*parts: str) -> str:
    """Return the parts as one block, which scrolls where it is too wide."""
    style = f"font-family:{text(FONT)};font-size:13px;overflow-x:auto;margin:4px 0"
    return f'<div style="{style}">{"".join(parts)}</div>'


def svg(width: float, height: float, label: str, *parts: str) -> str:
    """Return a picture."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{text(label)}" '
        f'font-family="{text(FONT)}" font-size="12" fill="currentColor" '
        f'style="max-width:none;display:block;margin:6px 0">{"".join(parts)}</svg>'
    )
