"""A small broker: topics of records in append-only files, with subscribers and group offsets."""

import asyncio
import os
import re
from array import array
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from attrs import define, field

from aiowf.engine.threads import finish_in_thread
from aiowf.wire.frames import Record, encode_frame

# Kafka's rule for names of topics.
_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_REPLY_TOPIC = re.compile(r"aiowf-replies\.(.+)")
_READ_BYTES = 256 * 1024


@define(eq=False)
class Topic:
    """Records in the order in which they came.

    Attributes:
        path: The file that holds their frames.
        groups: Name of a consumer group → offset that it has committed.
        subscribers: How many read the topic now.
    """

    path: Path
    groups: dict[str, int] = field(factory=dict, init=False)
    subscribers: int = field(default=0, init=False)
    # Where each record's frame begins in the file, and where the next one will.
    _positions: "array[int]" = field(factory=lambda: array("Q", [0]), init=False)
    # One writer at a time, so that offsets and positions agree.
    _lock: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    # Set, and replaced, when there is something new.
    _news: asyncio.Event = field(factory=asyncio.Event, init=False)
    is_deleted: bool = field(default=False, init=False)

    @property
    def end(self) -> int:
        """Return the offset that the next record will have."""
        return len(self._positions) - 1

    async def append(self, records: Sequence[Record]) -> int:
        """Add records; return the offset of the first.

        Raises:
            OSError: They cannot be written; none of them was added.
        """
        async with self._lock:
            first = self.end
            frames = [
                encode_frame(record._replace(offset=first + index))
                for index, record in enumerate(records)
            ]
            start = self._positions[-1]
            await finish_in_thread(_write, self.path, start, b"".join(frames))
            for frame in frames:
                start += len(frame)
                self._positions.append(start)
            self._wake()
            return first

    async def read(self, offset: int) -> tuple[bytes, int]:
        """Return whole frames from an offset on, and the offset behind them; b"" at the end."""
        if offset >= self.end:
            return b"", offset
        start, stop = self._positions[offset], offset + 1
        while stop < self.end and self._positions[stop + 1] - start <= _READ_BYTES:
            stop += 1
        size = self._positions[stop] - start
        return await asyncio.to_thread(_read, self.path, start, size), stop

    async def follow(self, offset: int, patience: float) -> AsyncGenerator[bytes, None]:
        """Yield frames from an offset on for ever, or until the topic is deleted.

        Args:
            offset: Where to begin; beyond the end: wait for it.
            patience: Seconds without news after which b"" is yielded.
        """
        self.subscribers += 1
        try:
            while not self.is_deleted:
                news = self._news
                try:
                    data, offset = await self.read(offset)
                except FileNotFoundError:
                    if self.is_deleted:  # It went while it was read.
                        return
                    raise
                if data:
                    yield data
                    continue
                try:
                    async with asyncio.timeout(patience):
                        await news.wait()
                except TimeoutError:
                    yield b""
        finally:
            self.subscribers -= 1

    def delete(self) -> None:
        """Delete the records, and end the subscriptions."""
        self.is_deleted = True
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


@define(eq=False)
class Topics:
    """All topics of an engine; a topic comes into being when it is first named.

    Attributes:
        directory: An existing directory for their files.
        is_session_alive: Returns whether a client's session still has workflows here.
    """

    directory: Path
    is_session_alive: Callable[[str], bool] = field(default=lambda _: True)
    # Name → topic, those that were not deleted.
    _topics: dict[str, Topic] = field(factory=dict, init=False)
    # So that a topic that is made again does not share a file with its namesake.
    _made: int = field(default=0, init=False)

    def get(self, name: str) -> Topic:
        """Return a topic.

        Raises:
            ValueError: This is no name of a topic.
        """
        if not _NAME.fullmatch(name) or name in (".", ".."):
            raise ValueError(
                f"{name!r} is no name of a topic: letters, digits, '.', '_' and '-', at most 249"
            )
        topic = self._topics.get(name)
        if topic is None:
            self._made += 1
            topic = self._topics[name] = Topic(self.directory / f"{self._made}.records")
        return topic

    async def delete(self, name: str) -> bool:
        """Delete a topic; return whether there was one."""
        topic = self._topics.pop(name, None)
        if topic is None:
            return False
        topic.delete()
        await asyncio.to_thread(topic.path.unlink, missing_ok=True)
        return True

    async def delete_queues(self) -> None:
        """Delete all topics but those to which pods reply."""
        for name in list(self._topics):
            if not _REPLY_TOPIC.fullmatch(name):
                await self.delete(name)

    async def drop_unused(self) -> None:
        """Delete the reply topics whose session has no workflow left, and that nobody reads."""
        for name, topic in list(self._topics.items()):
            match = _REPLY_TOPIC.fullmatch(name)
            if match and not topic.subscribers and not self.is_session_alive(match[1]):
                await self.delete(name)


def _write(path: Path, start: int, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, start)
            view, start = view[written:], start + written
    finally:
        os.close(descriptor)


def _read(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)
