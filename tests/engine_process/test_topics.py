"""The small broker: frames, topics, subscribers."""

import asyncio
import threading
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from aiowf.engine import topics as topics_module
from aiowf.engine.topics import Topic, Topics
from aiowf.wire.frames import (
    KEEPALIVE,
    FrameDecoder,
    FrameError,
    Record,
    encode_frame,
)

RECORDS = [
    Record(b"", None),
    Record(b"value \x00\xff", "key", (("h", b"\x00"), ("h", b""), ("ü", b"x"))),
    Record(b"x" * 100_000, "k", offset=7),
]


@pytest.fixture
def topics(tmp_path: Path) -> Topics:
    """Return a broker without topics."""
    return Topics(tmp_path)


async def _take(topic: Topic, offset: int, count: int) -> list[Record]:
    """Return the next records from an offset on."""
    decoder, found = FrameDecoder(), list[Record]()
    async with aclosing(topic.follow(offset, 60)) as frames:
        async for data in frames:
            found += decoder.feed(data)
            if len(found) >= count:
                break
    return found


@pytest.mark.parametrize("size", [1, 2, 5, 1000, 10**6])
def test_frames_round_trip(size: int) -> None:
    """Records come back as they were, however the bytes are cut; keep-alives mean nothing."""
    data = KEEPALIVE + b"".join(encode_frame(record) + KEEPALIVE for record in RECORDS)
    decoder, found = FrameDecoder(), []
    for start in range(0, len(data), size):
        found += decoder.feed(data[start : start + size])
    assert (found, decoder.is_between_frames) == (RECORDS, True)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        b"\0\0\0\x02no",
        b"\0\0\0\x02{}",
        b"\0\0\0\x02[]",
        b'\0\0\0\x24{"key":null,"headers":[],"size":-11}',
        b'\0\0\0\x2d{"key":null,"headers":[["a","%%"]],"size":11}',
        b'\0\0\0\x2d{"key":null,"headers":[[1,"YQ=="]],"size":11}',
        b'\0\0\0\x2d{"key":null,"headers":[],"size":99999999999 }',
        b'\0\0\0\x20{"key":[],"headers":[],"size":1}',
        b'\0\0\0\x2f{"key":null,"headers":[],"size":1,"offset":"1"}',
        b"\0\0\xff\xff" + b"[" * 0xFFFF,
    ],
)
def test_what_is_no_frame(data: bytes) -> None:
    """Nonsense is refused before it takes memory."""
    with pytest.raises(FrameError):
        FrameDecoder().feed(data)


async def test_offsets_count_the_records(topics: Topics) -> None:
    """A subscriber gets what was there before and what comes, with offsets, in order."""
    topic = topics.get("t")
    assert await topic.append(RECORDS) == 0
    reading = asyncio.ensure_future(_take(topic, 1, 4))
    await asyncio.sleep(0)
    assert await topic.append([Record(b"a"), Record(b"b")]) == 3
    found = await reading
    assert [record.offset for record in found] == [1, 2, 3, 4]
    assert [record.value for record in found] == [RECORDS[1].value, RECORDS[2].value, b"a", b"b"]


async def test_writers_do_not_mix(topics: Topics) -> None:
    """Records that were added together stand together, whoever adds at the same time."""
    topic = topics.get("t")
    batches = [[Record(b"%d" % n)] * 5 for n in range(20)]
    firsts = await asyncio.gather(*map(topic.append, batches))
    found = await _take(topic, 0, 100)
    assert sorted(firsts) == list(range(0, 100, 5))
    for first, batch in zip(firsts, batches, strict=True):
        assert [record.value for record in found[first : first + 5]] == [
            record.value for record in batch
        ]


async def test_a_subscriber_reads_a_part_at_a_time(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole frames, but not more than a bounded number of bytes."""
    monkeypatch.setattr(topics_module, "_READ_BYTES", 200)
    topic = topics.get("t")
    await topic.append([Record(b"x" * 50) for _ in range(10)])
    data, offset = await topic.read(0)
    assert len(data) <= 200
    assert 1 <= offset < 10
    data, offset = await topic.read(9)
    assert (len(FrameDecoder().feed(data)), offset) == (1, 10)


async def test_a_subscriber_from_beyond_the_end(topics: Topics) -> None:
    """It waits until the topic is that long."""
    topic = topics.get("t")
    reading = asyncio.ensure_future(_take(topic, 2, 1))
    await topic.append([Record(b"0")])
    await topic.append([Record(b"1")])
    await topic.append([Record(b"2")])
    assert [record.value for record in await reading] == [b"2"]


async def test_an_idle_subscriber_is_kept_alive(topics: Topics) -> None:
    """Without news it hears of that from time to time."""
    async with aclosing(topics.get("t").follow(0, 0.01)) as frames:
        assert await anext(frames) == b""


async def test_a_full_disk(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written was not added, and what comes later is whole."""
    topic = topics.get("t")
    await topic.append([Record(b"0")])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(topics_module, "_write", full)
        with pytest.raises(OSError, match="No space"):
            await topic.append([Record(b"lost")])
    assert await topic.append([Record(b"1")]) == 1
    assert [record.value for record in await _take(topic, 0, 2)] == [b"0", b"1"]


async def test_deleting_a_topic(topics: Topics, tmp_path: Path) -> None:
    """Its subscribers come to an end; a topic of that name begins anew."""
    topic = topics.get("t")
    await topic.append([Record(b"0")])
    reading = asyncio.ensure_future(_take(topic, 0, 2))
    await asyncio.sleep(0)
    assert await topics.delete("t")
    assert not await topics.delete("t")
    await asyncio.wait_for(reading, 10)
    assert list(tmp_path.iterdir()) == []
    assert topics.get("t").end == 0


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "x" * 250])
def test_names_of_topics(topics: Topics, name: str) -> None:
    """Kafka's rule holds here too."""
    with pytest.raises(ValueError, match="no name of a topic"):
        topics.get(name)


async def test_reply_topics_go_with_their_session(topics: Topics) -> None:
    """Not while the session has workflows, nor while somebody reads; other topics stay."""
    alive = {"s1"}
    topics.is_session_alive = alive.__contains__
    for name in ("aiowf-replies.s1", "aiowf-replies.s2", "aiowf-replies.s3", "queue"):
        await topics.get(name).append([Record(b"x")])
    reading = asyncio.ensure_future(_take(topics.get("aiowf-replies.s3"), 0, 2))
    await asyncio.sleep(0)
    await topics.drop_unused()
    assert sorted(topics._topics) == ["aiowf-replies.s1", "aiowf-replies.s3", "queue"]
    alive.clear()
    reading.cancel()
    await asyncio.wait([reading])
    await topics.drop_unused()
    assert sorted(topics._topics) == ["queue"]


async def test_a_topic_that_is_deleted_while_it_is_read(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The subscription ends; a file that is gone for another reason is an error."""
    topic = topics.get("t")
    await topic.append([Record(b"x")])
    path = topic.path

    def gone(*_: object) -> bytes:
        topic.is_deleted = path.exists()
        path.unlink(missing_ok=True)
        raise FileNotFoundError

    monkeypatch.setattr(topics_module, "_read", gone)
    async with aclosing(topic.follow(0, 60)) as frames:
        assert [data async for data in frames] == []
    topic.is_deleted = False
    with pytest.raises(FileNotFoundError):
        await anext(topic.follow(0, 60))


async def test_a_writer_that_gives_up(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its records are in the topic or not, but never half over those of the next one."""
    topic, writing, release = topics.get("t"), threading.Event(), threading.Event()
    write = topics_module._write

    def slow(*arguments: Any) -> None:
        writing.set()
        release.wait()
        write(*arguments)

    monkeypatch.setattr(topics_module, "_write", slow)
    first = asyncio.ensure_future(topic.append([Record(b"first" * 100)]))
    await asyncio.to_thread(writing.wait)
    monkeypatch.setattr(topics_module, "_write", write)
    second = asyncio.ensure_future(topic.append([Record(b"second")]))
    for _ in range(2):
        first.cancel()
        await asyncio.sleep(0)
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    await second
    assert [record.value for record in await _take(topic, 0, 1)] == [b"second"]
