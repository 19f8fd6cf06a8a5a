"""Tables, durations and colours."""

import io
import os
import pty
import struct
import termios
from datetime import timedelta

import pytest

from aiowf.display.text import Column, colours, cut, duration, joined, paint, table, terminal_width

COLUMNS = [Column("NAME", 9), Column("PHASE", 8), Column("AGE", 5), Column("SAID", 1, shrinks=True)]
ROW = ["a-name-that-is-long", "Succeeded", "3d4h", "some message " * 10]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (None, ["NAME", "PHASE", "AGE", "SAID"]),
        (200, ["NAME", "PHASE", "AGE", "SAID"]),
        (80, ["NAME", "PHASE", "AGE", "SAID"]),
        (40, ["NAME", "PHASE", "AGE"]),
        (30, ["NAME", "PHASE"]),
        (10, ["NAME"]),
    ],
)
def test_columns_give_way_and_names_stay_whole(width: int | None, titles: list[str]) -> None:
    """Messages are cut first; then columns are left out; a name can always be copied."""
    heading, line = table(COLUMNS, [ROW], width)
    assert titles == [cell.strip() for cell in heading]
    assert "a-name-that-is-long" == line[0].strip()
    if width is not None and width > 19:
        assert len(joined(line)) <= width


def test_empty_columns_are_left_out_and_escapes_shown() -> None:
    """A column without cells and title takes no room; nobody's text is obeyed."""
    lines = table([Column("", 1), Column("B", 2)], [["", "\x1b[2Jx"], ["", "宽"]])
    assert ["B", "\\x1b[2Jx", "宽"] == [joined(line).strip() for line in lines]


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (None, ""),
        (0.04, "0s"),
        (0.44, "0.4s"),
        (9.96, "10.0s"),
        (12.7, "12s"),
        (timedelta(seconds=190), "3m10s"),
        (3600, "1h"),
        (7500, "2h5m"),
        (timedelta(days=3, hours=4, minutes=5), "3d4h"),
        (-3, "0s"),
    ],
)
def test_durations_have_two_units(time: float | timedelta | None, text: str) -> None:
    """Whatever is finer than that does not matter."""
    assert text.replace("10.0s", "10s") == duration(time)


def test_cutting_counts_cells() -> None:
    """A wide character takes two of them."""
    assert ["abc", "a…", "宽…", "…", ""] == [
        cut("abc", 3), cut("abc", 2), cut("宽宽宽", 3), cut("abc", 1), cut("abc", 0)
    ]  # fmt: skip


def test_colours_only_where_they_are_wanted() -> None:
    """A terminal has them, unless NO_COLOR or a dumb terminal says otherwise."""
    parent, child = pty.openpty()
    with os.fdopen(parent, "rb", 0), os.fdopen(child, "w") as terminal:
        assert colours(terminal, {"TERM": "xterm"})
        assert not colours(terminal, {"NO_COLOR": "1"})
        assert not colours(terminal, {"TERM": "dumb"})
    assert not colours(io.StringIO(), {})
    assert not colours(None, {})
    assert "\x1b[31mx\x1b[0m" == paint("x", "red", colour=True)
    assert "x" == paint("x", "red", colour=False)


def test_the_width_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """COLUMNS says it, or the terminal; a file has none."""
    import fcntl

    monkeypatch.delenv("COLUMNS", raising=False)
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 123, 0, 0))
    with os.fdopen(parent, "rb", 0), os.fdopen(child, "w") as terminal:
        assert 123 == terminal_width(terminal)
        monkeypatch.setenv("COLUMNS", "55")
        assert 55 == terminal_width(terminal)
    assert terminal_width(io.StringIO()) is None
