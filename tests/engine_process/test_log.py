"""The log of a pod and its readers."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from pod_testing import texts

from aiowf.engine.executor import log as log_module
from aiowf.engine.executor.log import LogReader, OutputLog

T = TypeVar("T")


async def offload(function: Callable[[], T]) -> T:
    """Run a function in a thread."""
    return await asyncio.to_thread(function)


@pytest.fixture
def log(tmp_path: Path) -> OutputLog:
    """Return an empty log."""
    return OutputLog(tmp_path, "log")


async def test_lines_come_whole(log: OutputLog) -> None:
    """The beginning of a line waits for its end; the last line needs none."""
    reader = LogReader(log, offload)
    log.append(b"a\nb")
    assert texts(await reader.lines(follow=True)) == [b"a"]
    log.append(b"c\n\nd")
    log.close()
    assert texts(await reader.lines(follow=True)) == [b"bc", b""]
    assert texts(await reader.lines(follow=True)) == [b"d"]
    assert texts(await reader.lines(follow=True)) == []


async def test_without_follow_nobody_waits(log: OutputLog) -> None:
    """What there is comes, the unfinished line too."""
    reader = LogReader(log, offload)
    assert texts(await reader.lines(follow=False)) == []
    log.append(b"a\nb")
    assert texts(await reader.lines(follow=False)) == [b"a"]
    assert texts(await reader.lines(follow=False)) == [b"b"]
    assert texts(await reader.lines(follow=False)) == []


async def test_several_readers_follow(log: OutputLog) -> None:
    """Each has its own place, and all are woken."""
    readers = [LogReader(log, offload) for _ in range(3)]
    waiting = [asyncio.ensure_future(reader.lines(follow=True)) for reader in readers]
    await asyncio.sleep(0)
    log.append(b"x\n")
    assert [texts(lines) for lines in await asyncio.gather(*waiting)] == [[b"x"]] * 3
    ends = [asyncio.ensure_future(reader.lines(follow=True)) for reader in readers]
    await asyncio.sleep(0)
    log.close()
    assert await asyncio.gather(*ends) == [[]] * 3


async def test_a_reader_that_gives_up(log: OutputLog) -> None:
    """A cancelled reader is forgotten."""
    waiting = asyncio.ensure_future(LogReader(log, offload).lines(follow=True))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert log._waiting == []
    log.append(b"x\n")


async def test_what_is_stored_is_read_from_files(log: OutputLog, tmp_path: Path) -> None:
    """Files and memory together are the log, in whatever order a reader comes by."""
    early = LogReader(log, offload)
    log.append(b"1\n2\n")
    assert texts(await early.lines(follow=True)) == [b"1", b"2"]
    await log.store(offload)
    log.append(b"3\n")
    log.close()
    late = LogReader(log, offload)
    assert texts(await late.lines(follow=True)) == [b"1", b"2"]
    assert texts(await late.lines(follow=True)) == [b"3"]
    assert texts(await early.lines(follow=True)) == [b"3"]
    assert log.has_files
    await asyncio.to_thread(log.delete)
    assert list(tmp_path.iterdir()) == []


async def test_a_short_log_stays_in_memory(log: OutputLog) -> None:
    """A file would cost more than it is worth."""
    log.append(b"short\n")
    await log.store(offload, keep=100)
    assert not log.has_files


async def test_old_segments_are_dropped(log: OutputLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow reader is told how much it has missed."""
    monkeypatch.setattr(log_module, "SEGMENT_BYTES", 10)
    reader = LogReader(log, offload)
    for number in range(6):
        log.append(b"line %d..\n" % number)
        await log.store(offload)
    log.close()
    assert texts(await reader.lines(follow=True)) == [b"[18 bytes of this log were not kept]"]
    lines: list[bytes] = []
    while some := await reader.lines(follow=True):
        lines += texts(some)
    assert lines == [b"line 2..", b"line 3..", b"line 4..", b"line 5.."]


async def test_a_file_that_has_gone(log: OutputLog, tmp_path: Path) -> None:
    """What somebody else has deleted is told as lost."""
    log.append(b"a\n")
    await log.store(offload)
    log.append(b"b\n")
    log.close()
    for path in tmp_path.iterdir():
        path.unlink()
    reader = LogReader(log, offload)
    assert texts(await reader.lines(follow=True)) == [b"[2 bytes of this log were not kept]"]
    assert texts(await reader.lines(follow=True)) == [b"b"]


async def test_a_line_without_end(log: OutputLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader does not collect a line of any length."""
    monkeypatch.setattr(log_module, "READ_BYTES", 4)
    monkeypatch.setattr(log_module, "LINE_BYTES", 4)
    log.append(b"123456789")
    log.close()
    reader = LogReader(log, offload)
    lines: list[bytes] = []
    while some := await reader.lines(follow=True):
        lines += texts(some)
    assert (b"".join(lines), len(lines)) == (b"123456789", 2)


class _Clock:
    """Stands in for `time`: tells what a test says."""

    def __init__(self) -> None:
        self.now = 0

    def time_ns(self) -> int:
        """Return the time of the test."""
        return self.now


async def test_lines_know_when_they_came(log: OutputLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """No two lines have the same time, not even when the clock stands still or goes back."""
    clock = _Clock()
    monkeypatch.setattr(log_module, "time", clock)
    for clock.now, data in ((5_000_000, b"a\na\n"), (9_000_000, b"b\nc"), (1_000_000, b"d\ne\n")):
        log.append(data)
    log.close()
    expected = [
        (b"a", 5_000_000),
        (b"a", 5_000_002),
        (b"b", 9_000_000),
        (b"cd", 9_000_002),
        (b"e", 9_000_005),
    ]
    assert await LogReader(log, offload).lines(follow=True) == expected
    assert await LogReader(log, offload).lines(follow=False) == expected


async def test_times_do_not_grow_without_bound(
    log: OutputLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many small pieces only some have a time, and of lost ones none; others keep theirs."""
    clock = _Clock()
    monkeypatch.setattr(log_module, "time", clock)
    monkeypatch.setattr(log_module, "SEGMENT_BYTES", 10)
    monkeypatch.setattr(log_module, "_MANY", 3)
    for _ in range(6):
        clock.now += 1_000_000
        log.append(b"12345678\n")
    assert len(log._times) == 3
    before = log.time_of(45)
    for _ in range(6):
        clock.now += 2_000_000_000
        await log.store(offload)
        log.append(b"12345678\n")
    assert log.start > 45
    assert len(log._times) < 6
    assert log.time_of(log.end - 9) == clock.now
    assert before == 3_000_000 + 45 - 18


async def test_a_log_of_nothing_but_newlines(log: OutputLog) -> None:
    """A reader is not given millions of lines at a time."""
    log.append(b"\n" * (4 * log_module.READ_BYTES))
    log.close()
    reader = LogReader(log, offload)
    counts = []
    while some := await reader.lines(follow=False):
        counts.append(len(some))
    assert counts == [log_module.READ_BYTES] * 4
