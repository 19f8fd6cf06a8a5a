"""Of a log stream the program's own lines are left, each once."""

import json
from pathlib import Path

import pytest

from aiowf.wire.log_lines import LogFilter, read_entry, without_executor
from aiowf.wire.sse import MessageReader

DATA = Path(__file__).parent.parent / "data" / "argo"
MINE = 'time=2026-11-23T15:52:31Z level=INFO msg="of the same form"'
EXECUTOR = 'time=2026-11-23T15:52:31.875Z level=INFO msg="sub-process exited" error=<nil> argo=true'


@pytest.mark.parametrize(
    ("line", "own"),
    [
        ("hello", "hello"),
        (EXECUTOR, None),
        (f"no newline{EXECUTOR}", "no newline"),
        ('time=2026-11-23T15:52:31Z level=INFO msg="a \\"b\\" c" argo=true path=/x', None),
        ('time="2023-01-01T00:00:00.000Z" level=info msg=capturing argo=true', None),
        ("my flags: argo=true", "my flags: argo=true"),
        (MINE, MINE),
        (f"{MINE}{EXECUTOR}", MINE),
    ],
)
def test_lines_of_the_executor_are_left_out(line: str, own: str | None) -> None:
    """They are known by their form, also glued to a last line without a newline."""
    assert without_executor(line) == own


def test_a_recorded_log_is_the_programs_own() -> None:
    """Of a real log what the program wrote is left."""
    streams = json.loads((DATA / "http-streams.json").read_text())
    reader = MessageReader()
    found = []
    for chunk in streams["log-follow-running"][0]["chunks"]:
        for text in reader.feed(chunk.encode()):
            entry = read_entry(json.loads(text)["result"])
            assert entry is not None
            found.append(without_executor(entry[1]))
    assert [line for line in found if line is not None] == [
        *(f"line {number}" for number in range(1, 7)),
        "last ünï",
        "no newline",
    ]


def test_stamped_lines_come_once() -> None:
    """A line that a stream repeats, or begins with anew, does not come again."""
    lines = LogFilter()
    stamped = [
        ("p", "2026-11-23T15:52:24.874749643Z a"),
        ("p", "2026-11-23T15:52:24.874749643Z b"),
        ("p", "2026-11-23T15:52:24.874749643Z a"),
        ("q", "2026-11-23T15:52:24.8Z a"),
        ("p", "2026-11-23T15:52:24.9Z a"),
        ("p", "2026-11-23T15:52:24.89Z late"),
    ]
    first = [lines.take(*entry) for entry in stamped]
    assert first == ["a", "b", None, "a", "a", None]
    lines.restart()
    assert [lines.take(*entry) for entry in stamped] == [None] * 6
    assert lines.take("p", "2026-11-23T15:52:25Z ") == ""


def test_lines_without_stamps_are_counted() -> None:
    """Where a server sends no time stamps, a stream begun anew brings what lies behind."""
    lines = LogFilter()
    assert [lines.take("p", "x"), lines.take("p", "x")] == ["x", "x"]
    lines.restart()
    assert [lines.take("p", "x"), lines.take("p", "x"), lines.take("p", "y")] == [None, None, "y"]


def test_a_programs_own_time_stamps_stay() -> None:
    """Where the server sends none, what looks like one is the program's."""
    lines = LogFilter()
    own = ["starting", "2026-11-23T15:52:24Z ready", "2026-11-23T15:52:23Z earlier"]
    assert [lines.take("p", line) for line in own] == own


def test_an_entry_of_wrong_types_is_none() -> None:
    """A log entry holds texts."""
    assert read_entry({"content": 5}) is None
    assert read_entry({"podName": "p"}) == ("p", "")
