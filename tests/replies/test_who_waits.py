"""Who waits for what: records find their waiter, and bad ones harm nobody."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from aiowf.errors import AiowfError, CorruptResultsError, EngineError, MissingResultsError
from aiowf.replies import Files, Place
from aiowf.replies.waiting import Replies
from aiowf.wire.frames import Record
from aiowf.wire.replies import FileEntry, Notice, done_record, file_records, notice_record

KEY = b"a key of 16 bytes and more"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class FakeChannel:
    """A channel whose records a test puts in; an error ends it."""

    place = Place("topic")
    is_interrupted = False
    trouble = None

    def __init__(self, earlier: Sequence[Record] = ()) -> None:
        self.queue: asyncio.Queue[list[Record] | Exception] = asyncio.Queue()
        self.earlier = earlier
        self.readers = 0
        self.error: Exception = EngineError("gone")

    async def replies(self) -> AsyncGenerator[list[Record], None]:
        while True:
            batch = await self.queue.get()
            if isinstance(batch, Exception):
                raise batch
            yield batch

    async def read(self, place: Place) -> AsyncGenerator[list[Record], None]:
        self.readers += 1
        try:
            if place.topic == "broken":
                raise self.error
            yield list(self.earlier)
            await asyncio.Event().wait()
        finally:
            self.readers -= 1

    async def publish(self, topic: str, record: Record) -> None:
        raise NotImplementedError

    def subscribe(self, topic: str, group: str) -> AsyncGenerator[Record, None]:
        raise NotImplementedError

    async def taken(self, *records: Record) -> None:
        """Put records in, and wait until they have been taken."""
        await self.queue.put(list(records))
        while not self.queue.empty():  # noqa: ASYNC110
            await asyncio.sleep(0)


def results(workflow: str, key: bytes | None = None) -> list[Record]:
    """Return the records of one empty file."""
    return [
        *file_records(workflow, "f", [b""], 1, key=key),
        done_record(workflow, [FileEntry("f", 0, EMPTY, 1)], key=key),
    ]


def notice(workflow: str, key: bytes | None = None) -> Record:
    return notice_record(Notice("Succeeded", None, workflow), key=key)


async def test_each_record_finds_its_waiter() -> None:
    """Of two workflows each gets its own, in whatever order; others' records are skipped."""
    channel = FakeChannel()
    async with Replies(channel) as replies, asyncio.timeout(5):
        one, two = replies.expect("one", files=True), replies.expect("two")
        await channel.taken(notice("two"), notice("three"), Record(b"", None), *results("one"))
        assert (await two.notice).status == "Succeeded"
        assert one.files is not None
        assert dict(await one.files) == {"f": b""}
        assert not one.notice.done()
        assert replies.skipped == 2
        await channel.taken(*results("one"), *results("two"), Record(b"", "one"), notice("two"))
        await channel.taken()
        assert replies.skipped == 7


async def test_unsigned_records_are_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    """With a key, what is unsigned or forged is skipped, warned of once, and the rest counts."""
    channel = FakeChannel()
    async with Replies(channel, KEY) as replies, asyncio.timeout(5):
        pending = replies.expect("w", files=True)
        forged = notice("w", b"another key of sixteen bytes")
        await channel.taken(notice("w"), forged, *results("w"), *results("w", KEY))
        assert pending.files is not None
        assert list(await pending.files) == ["f"]
        assert not pending.notice.done()
        assert replies.skipped == 4
    assert caplog.text.count("unsigned or forged") == 1


async def test_a_notice_that_names_another_workflow_is_none() -> None:
    """Key and content of a notice have to agree."""
    channel = FakeChannel()
    async with Replies(channel) as replies, asyncio.timeout(5):
        pending = replies.expect("w")
        await channel.taken(notice("other")._replace(key="w"), notice("w"))
        assert (await pending.notice).workflow == "w"


async def test_a_corrupt_file_is_told_to_its_waiter_alone() -> None:
    """One operation's bad record ends its own wait, and nobody else's."""
    channel = FakeChannel()
    async with Replies(channel) as replies, asyncio.timeout(5):
        bad, good = replies.expect("bad", files=True), replies.expect("good", files=True)
        assert bad.files is not None
        assert good.files is not None
        chunk, done = results("bad")
        await channel.taken(chunk._replace(value=b"x"), done, *results("good"))
        with pytest.raises(CorruptResultsError, match="changed on its way"):
            await bad.files
        assert dict(await good.files) == {"f": b""}


async def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results that cannot be kept are missing results, with the reason."""
    channel = FakeChannel()
    async with Replies(channel) as replies, asyncio.timeout(5):
        pending = replies.expect("w", files=True)
        assert pending.assembly is not None
        assert pending.files is not None

        def full(*_: object) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr(pending.assembly.sink, "put", full, raising=False)
        await channel.taken(*results("w"))
        with pytest.raises(MissingResultsError, match="No space left"):
            await pending.files


async def test_several_may_wait_for_one_workflow() -> None:
    """The second waiter of the same workflow is not cut off when the first has what it wants."""
    channel = FakeChannel()
    async with Replies(channel) as replies, asyncio.timeout(5):
        first, second = replies.expect("w"), replies.expect("w", files=True)
        assert first is second
        replies.release("w")
        await channel.taken(notice("w"))
        assert (await second.notice).workflow == "w"
        replies.release("w")
        replies.release("w")
        assert replies.expect("w") is not second


async def test_what_was_sent_before_is_read_again() -> None:
    """A replay gives what an earlier execution's pods sent, and its reader ends with the wait."""
    channel = FakeChannel([notice("other"), *results("w"), notice("w")])
    async with Replies(channel) as replies, asyncio.timeout(5):
        pending = replies.expect("w", files=True)
        replies.replay("w", Place("earlier", 3, 17))
        replies.replay("w", Place("earlier", 3, 17))
        assert pending.files is not None
        assert list(await pending.files) == ["f"]
        assert (await pending.notice).workflow == "w"
        waiting = replies.expect("x", files=True)
        replies.replay("x", Place("earlier"))
        while channel.readers != 1:  # noqa: ASYNC110
            await asyncio.sleep(0)
        replies.release("x")
        while channel.readers:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert waiting.notice.cancelled()
        broken = replies.expect("y")
        replies.replay("y", Place("broken"))
        with pytest.raises(EngineError):
            await broken.notice
        channel.error = ZeroDivisionError()
        odd = replies.expect("z")
        replies.replay("z", Place("broken"))
        with pytest.raises(MissingResultsError, match="ZeroDivisionError"):
            await odd.notice


async def test_a_reader_that_nobody_needs_any_more_ends_before_the_channel() -> None:
    """It was cancelled by the last waiter, and takes its time to close what it has opened."""
    closing = asyncio.Event()

    class SlowChannel(FakeChannel):
        async def read(self, place: Place) -> AsyncGenerator[list[Record], None]:
            self.readers += 1
            try:
                yield []
                await asyncio.Event().wait()
            finally:
                closing.set()
                await asyncio.sleep(0.01)
                self.readers -= 1

    channel = SlowChannel()
    async with Replies(channel) as replies, asyncio.timeout(5):
        replies.expect("w")
        replies.replay("w", Place("earlier"))
        while not channel.readers:  # noqa: ASYNC110
            await asyncio.sleep(0)
        replies.release("w")
        await closing.wait()
    assert 0 == channel.readers


async def test_what_comes_twice_at_once_is_fed_once_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the pod still sends, a replay and the reader bring the same large pieces."""
    pieces = [bytes([n]) * 100_000 for n in range(8)]
    digest = hashlib.sha256(b"".join(pieces)).hexdigest()
    records = [
        *file_records("w", "f", pieces, len(pieces)),
        done_record("w", [FileEntry("f", 800_000, digest, len(pieces))]),
    ]
    active: list[int] = []
    most = 0
    put = Files.put

    def put_slowly(*args: Any) -> None:
        nonlocal most
        active.append(1)
        most = max(most, len(active))
        time.sleep(0.01)
        put(*args)
        active.pop()

    monkeypatch.setattr(Files, "put", put_slowly)
    channel = FakeChannel(records)
    async with Replies(channel) as replies, asyncio.timeout(5):
        pending = replies.expect("w", files=True)
        replies.replay("w", Place("earlier"))
        await channel.taken(*records)
        assert pending.files is not None
        assert dict(await pending.files) == {"f": b"".join(pieces)}
    assert most == 1


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (EngineError("the engine is gone"), EngineError, "gone"),
        (ZeroDivisionError(), MissingResultsError, "ZeroDivisionError"),
    ],
)
async def test_a_channel_that_ends_is_told(
    error: Exception, expected: type[AiowfError], message: str
) -> None:
    """Whoever waits, or comes to wait later, is told why nothing will come."""
    channel = FakeChannel()
    async with Replies(channel) as replies, asyncio.timeout(5):
        pending = replies.expect("w")
        await channel.queue.put(error)
        with pytest.raises(expected, match=message):
            await pending.notice
        with pytest.raises(expected, match=message):
            await replies.expect("later").notice


async def test_closing_tells_whoever_waits() -> None:
    """Nobody hangs when the client closes."""
    async with Replies(FakeChannel()) as replies:
        pending = replies.expect("w", files=True)
    assert pending.files is not None
    with pytest.raises(MissingResultsError, match="closed"):
        await pending.files
