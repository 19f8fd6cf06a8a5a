"""The output of a pod: the newest 10 MiB, in memory while small, with readers that may follow."""

import asyncio
import os
import time
from array import array
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from attrs import define, field, frozen

from aiowf.engine.pod import LogLine

T = TypeVar("T")
# Runs a function that does file I/O, in a thread.
Offload = Callable[[Callable[[], T]], Awaitable[T]]

SEGMENT_BYTES = 5 * 1024 * 1024
SEGMENTS = 2
# More than this in memory is written to a file; the rest of a pod that has ended stays in memory.
MEMORY_BYTES = 64 * 1024
KEPT_IN_MEMORY = 4 * 1024
# What is read at a time may be as many lines; a longer line comes in parts.
READ_BYTES = 32 * 1024
LINE_BYTES = 256 * 1024
# Output that comes within this time counts as one piece, until there are many pieces.
_FINE, _COARSE = 1_000_000, 1_000_000_000  # nanoseconds
_MANY = 4096


@frozen
class Segment:
    """A file with a part of the log.

    Attributes:
        path: Path of the file.
        start: Where its first byte stands in the log.
    """

    path: Path
    start: int


@define(eq=False)
class OutputLog:
    """What a pod has written; kubelet, too, keeps the newest 10 MiB of a container's log.

    Attributes:
        directory: Where its files are made, when it needs any.
        name: What their names begin with.
    """

    directory: Path
    name: str
    # Bytes from `_stored` on; `append` adds at the end, `store` takes away at the front.
    _tail: bytearray = field(factory=bytearray, init=False)
    # Everything before this offset is in the segments, or lost.
    _stored: int = field(default=0, init=False)
    # Everything before this offset is lost.
    _start: int = field(default=0, init=False)
    # In order; the last one is written to. Replaced as a whole, since a thread does it.
    _segments: tuple[Segment, ...] = field(default=(), init=False)
    # Pieces of output: where they begin in the log, and when they came. Times rise at least as much
    # as offsets do, so that each byte has a time of its own, if every one takes a nanosecond.
    _offsets: "array[int]" = field(factory=lambda: array("Q"), init=False)
    _times: "array[int]" = field(factory=lambda: array("Q"), init=False)
    # No more will be appended.
    _closed: bool = field(default=False, init=False)
    # Readers that have read everything; each is woken once.
    _waiting: list[asyncio.Future[None]] = field(factory=list, init=False)

    @property
    def start(self) -> int:
        """Return the offset of the first byte that is kept."""
        return self._start

    @property
    def end(self) -> int:
        """Return the offset behind the last byte."""
        return self._stored + len(self._tail)

    @property
    def closed(self) -> bool:
        """Return whether the log is complete."""
        return self._closed

    @property
    def is_full(self) -> bool:
        """Return whether `store` should be called before more is appended."""
        return len(self._tail) >= MEMORY_BYTES

    @property
    def has_files(self) -> bool:
        """Return whether there is something to delete."""
        return bool(self._segments)

    def append(self, data: bytes) -> None:
        """Add what the pod has written."""
        now = time.time_ns()
        gap = _FINE if len(self._times) < _MANY else _COARSE
        if not self._times or now - self._times[-1] >= gap:
            self._times.append(max(now, self.time_of(self.end)))
            self._offsets.append(self.end)
        self._tail += data
        self._wake()

    def time_of(self, offset: int) -> int:
        """Return when a byte came, in nanoseconds since the epoch; 0 if none ever came."""
        return offset + self.pace(offset)[0]

    def pace(self, offset: int) -> tuple[int, int]:
        """Return what to add to an offset to have its time, and the offset where that changes."""
        if not self._times:
            return -offset, offset + 1
        after = max(1, bisect_right(self._offsets, offset))
        until = self._offsets[after] if after < len(self._offsets) else self.end + 1
        return self._times[after - 1] - self._offsets[after - 1], until

    def close(self) -> None:
        """Tell the readers that this was all."""
        self._closed = True
        self._wake()

    async def store(self, offload: Offload[None], *, keep: int = 0) -> None:
        """Move what is in memory to the files, if it is more than `keep` bytes.

        One call at a time. What cannot be written, since the disk is full, is lost.
        """
        if len(self._tail) <= keep:
            return
        data = bytes(self._tail)
        try:
            await offload(lambda: self._write(data))
        except OSError:
            self._start = self._stored + len(data)
        self._stored += len(data)
        del self._tail[: len(data)]
        lost = bisect_right(self._offsets, self._start) - 1
        if lost > 0:
            del self._offsets[:lost], self._times[:lost]

    async def read(self, offset: int, offload: Offload[bytes]) -> bytes:
        """Return bytes from `offset` on, not all at once; b"" if there are none yet."""
        if offset >= self._stored:
            begin = offset - self._stored
            return bytes(self._tail[begin : begin + READ_BYTES])
        for segment in reversed(self._segments):
            if segment.start <= offset:
                size = min(READ_BYTES, self._stored - offset)
                data = await offload(partial(_read, segment.path, offset - segment.start, size))
                if data:
                    return data
                break
        # The segment was dropped meanwhile, or is shorter than it should be.
        later = [segment.start for segment in self._segments if segment.start > offset]
        self._start = max(self._start, min(later, default=self._stored))
        return b""

    async def wait(self) -> None:
        """Wait until there is more, or the log is closed."""
        if not self._closed:
            woken = asyncio.get_running_loop().create_future()
            self._waiting.append(woken)
            try:
                await woken
            finally:
                if woken in self._waiting:
                    self._waiting.remove(woken)

    def delete(self) -> None:
        """Delete the files. Blocks."""
        for segment in self._segments:
            segment.path.unlink(missing_ok=True)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for woken in waiting:
            if not woken.done():
                woken.set_result(None)

    def _write(self, data: bytes) -> None:
        """Append to the newest segment; drop the oldest where there are too many. In a thread."""
        newest = self._segments[-1] if self._segments else None
        if newest is None or self._stored - newest.start >= SEGMENT_BYTES:
            newest = Segment(self.directory / f"{self.name}.{self._stored}", self._stored)
            self._segments = (*self._segments, newest)
        with newest.path.open("ab") as file:
            # A write that failed in part must not shift what follows.
            file.truncate(self._stored - newest.start)
            file.write(data)
        dropped, self._segments = self._segments[:-SEGMENTS], self._segments[-SEGMENTS:]
        for segment in dropped:
            segment.path.unlink(missing_ok=True)
            self._start = self._segments[0].start


@define(eq=False)
class LogReader:
    """Reads a log from its beginning, line by line."""

    log: OutputLog
    offload: Offload[bytes]
    # What follows is at this offset of the log.
    _offset: int = field(default=0, init=False)
    # The beginning of a line whose end has not come yet.
    _partial: bytes = field(default=b"", init=False)

    async def lines(self, *, follow: bool) -> list[LogLine]:
        """Return the lines that have come since the last call; see PodLog."""
        while True:
            lost = self.log.start - self._offset
            if lost > 0:
                self._offset += lost
                self._partial = b""
                text = b"[%d bytes of this log were not kept]" % lost
                return [LogLine(text, self.log.time_of(self._offset - 1))]
            data = await self.log.read(self._offset, self.offload)
            if data:
                if lines := self._cut(data):
                    return lines
            elif self._offset < self.log.start or self._offset < self.log.end:
                continue
            elif self.log.closed or not follow:
                return self._rest()
            else:
                await self.log.wait()

    def _cut(self, data: bytes) -> list[LogLine]:
        """Take more bytes; return the lines that are complete, and what is too much of one."""
        begin = self._offset - len(self._partial)
        self._offset += len(data)
        *texts, self._partial = (self._partial + data).split(b"\n")
        lines = []
        until = pace = 0
        for text in texts:
            if begin >= until:
                pace, until = self.log.pace(begin)
            lines.append(LogLine(text, begin + pace))
            begin += len(text) + 1
        return lines + self._rest() if len(self._partial) > LINE_BYTES else lines

    def _rest(self) -> list[LogLine]:
        """Return the line that is not complete, if there is one."""
        text, self._partial = self._partial, b""
        return [LogLine(text, self.log.time_of(self._offset - len(text)))] if text else []


def _read(path: Path, offset: int, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return os.pread(file.fileno(), size, offset)
    except FileNotFoundError:
        return b""
