"""The channel over Kafka, and the traps of its client: on librdkafka's mock cluster."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from attrs import evolve
from mock_kafka import MockCluster, mock_cluster

from aiowf.errors import ReplyError
from aiowf.replies import KafkaSettings, Place, connection, kafka, quiet, reading
from aiowf.replies.kafka import KafkaChannel
from aiowf.replies.reading import LogReader
from aiowf.wire.frames import Record

TOPIC = "aiowf-replies"


@asynccontextmanager
async def opened(servers: str, **options: object) -> AsyncIterator[KafkaChannel]:
    """Give a channel that is open, within a time."""
    settings = KafkaSettings(bootstrap_servers=servers, start_timeout=5, **options)  # type: ignore[arg-type]
    async with asyncio.timeout(30), KafkaChannel(settings) as channel:
        yield channel


@contextmanager
def faster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Notice gaps and silence within tenths of a second."""
    with monkeypatch.context() as patch:
        patch.setattr(reading, "_GAP", 0.3)
        patch.setattr(reading, "SILENCE", 1.0)
        patch.setattr(reading, "_FIRST_PAUSE", 0.05)
        patch.setattr(kafka, "SILENCE", 1.2)
        patch.setattr(connection, "_STOP_PATIENCE", 0.3)
        yield


async def send(
    cluster: MockCluster, channel: KafkaChannel, *values: bytes, topic: str = TOPIC
) -> None:
    """Send records to the partition of a channel."""
    records = [Record(value, "w", (("h", b"1"),)) for value in values]
    await asyncio.to_thread(cluster.send, topic, channel.place.partition, records)


async def interrupted(channel: KafkaChannel) -> None:
    """Wait until the channel has noticed an outage."""
    while not channel.is_interrupted:  # noqa: ASYNC110 (it is a matter of time, not an event)
        await asyncio.sleep(0.05)


class Taken:
    """What a channel's reply partition gives, read in the background."""

    def __init__(self, channel: KafkaChannel) -> None:
        self.values: list[bytes] = []
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._read(channel))

    async def _read(self, channel: KafkaChannel) -> None:
        async with aclosing(channel.replies()) as batches:
            async for batch in batches:
                self.values += [record.value for record in batch]
                self._news.set()

    async def until(self, value: bytes) -> list[bytes]:
        """Wait until a value has come; return all that came."""
        while value not in self.values:
            self._news.clear()
            waiting = asyncio.create_task(self._news.wait())
            await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if self._task.done():
                self._task.result()
        return self.values

    async def __aenter__(self) -> "Taken":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})


async def test_what_is_sent_after_the_opening_is_read(cluster: MockCluster) -> None:
    """Nothing between the opening and the first read is lost, and nothing before it is read."""
    async with opened(cluster.servers) as channel:
        place = channel.place
        assert (place.topic, place.partition in range(4), place.offset) == (TOPIC, True, 0)
        await send(cluster, channel, b"1", b"2")
        async with Taken(channel) as taken:
            assert await taken.until(b"2") == [b"1", b"2"]
            assert channel.place.offset == 2
        async with opened(cluster.servers) as later:
            later._reader.partition = place.partition
            assert later.place.log == place.log
        async with aclosing(channel.read(place)) as batches:
            batch = await anext(batches)
        assert [(record.key, record.value) for record in batch] == [("w", b"1"), ("w", b"2")]
        assert dict(batch[0].headers) == {"h": b"1"}


async def test_poison_does_not_stop_the_reader(cluster: MockCluster) -> None:
    """Records without key, value or sense are handed on like others."""
    odd = [Record(b"", None), Record(b"\xff", "\udcff".encode("utf-8", "replace").decode())]
    async with opened(cluster.servers) as channel, Taken(channel) as taken:
        await asyncio.to_thread(cluster.send, TOPIC, channel.place.partition, odd)
        await send(cluster, channel, b"good")
        assert await taken.until(b"good") == [b"", b"\xff", b"good"]


async def test_compressed_records_are_read(cluster: MockCluster) -> None:
    """Another producer may compress: with aiowf[kafka] every codec is there."""
    from confluent_kafka import Producer

    async with opened(cluster.servers) as channel, Taken(channel) as taken:
        for codec in ("gzip", "snappy", "lz4", "zstd"):
            producer = Producer(
                {"bootstrap.servers": cluster.servers, "compression.type": codec, "log_level": 0}
            )
            producer.produce(TOPIC, codec.encode() * 100, "w", channel.place.partition)
            assert await asyncio.to_thread(producer.flush, 10) == 0
        await send(cluster, channel, b"end")
        assert len(await taken.until(b"end")) == 5


async def test_a_missing_codec_is_told(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the codec every fetch would fail for ever: the error says what to install."""
    from aiokafka.errors import UnsupportedCodecError

    async def refuse(*_: object, **__: object) -> None:
        raise UnsupportedCodecError("lz4")

    async with opened(cluster.servers) as channel:
        monkeypatch.setattr(channel._reader._consumer, "getmany", refuse)
        with pytest.raises(ReplyError, match=r"aiowf\[kafka\]"):
            await anext(channel.replies())


async def test_an_outage_is_survived(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While the broker is away it is told, with few words; when it is back, nothing is lost."""
    with faster(monkeypatch):
        async with opened(cluster.servers) as channel, Taken(channel) as taken:
            await send(cluster, channel, b"before")
            await taken.until(b"before")
            assert (channel.is_interrupted, channel.trouble) == (False, None)
            cluster.down()
            await interrupted(channel)
            assert "does not answer" in str(channel.trouble)
            await asyncio.sleep(1.5)  # long enough for the consumer to be made anew
            cluster.up()
            await send(cluster, channel, b"after")
            assert await taken.until(b"after") == [b"before", b"after"]
            assert channel.trouble is None
    assert len([each for each in caplog.records if each.name.startswith("aiokafka")]) < 15


async def test_a_leader_that_moves_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """When another broker leads the partition, its records go on coming, each once."""
    with mock_cluster(2) as cluster, faster(monkeypatch):
        cluster.create(TOPIC, 1, 2)
        cluster.lead(TOPIC, 0, 1)
        async with opened(cluster.servers) as channel, Taken(channel) as taken:
            for n, leader in enumerate((2, 1)):
                await send(cluster, channel, b"%d before" % n)
                cluster.lead(TOPIC, 0, leader)
                cluster.down(3 - leader)
                await send(cluster, channel, b"%d after" % n)
                await taken.until(b"%d after" % n)
                cluster.up(3 - leader)
            assert taken.values == [b"0 before", b"0 after", b"1 before", b"1 after"]


async def test_other_addresses_and_another_log_are_noticed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When every broker has another address the consumer is made anew; a lost log is told.

    The other cluster has more records than the position: without a look at its id, the reader would
    skip them in silence.
    """
    caplog.set_level(logging.WARNING)
    with mock_cluster() as second, faster(monkeypatch):
        second.create(TOPIC, 1)
        first = MockCluster()
        first.create(TOPIC, 1)
        async with opened(first.servers) as channel, Taken(channel) as taken:
            await send(first, channel, b"a", b"b")
            await taken.until(b"b")
            servers = f"{first.servers},{second.servers}"
            monkeypatch.setitem(channel._connector.options, "bootstrap_servers", servers)  # type: ignore[misc]
            first.close()
            await send(second, channel, b"1", b"2", b"3", b"4")
            assert await taken.until(b"4") == [b"a", b"b", b"1", b"2", b"3", b"4"]
            assert "was lost" in str(channel.trouble)
    assert "is another one than before" in caplog.text


async def test_an_offset_that_is_gone_leads_to_the_beginning(
    cluster: MockCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """A place beyond the log's end, or of another log, is read from the beginning."""
    async with opened(cluster.servers) as channel:
        await send(cluster, channel, b"1", b"2")
        place = channel.place
        for wrong in (
            Place(TOPIC, place.partition, 1000, place.log),
            Place(TOPIC, place.partition, 1, "another/log"),
        ):
            async with aclosing(channel.read(wrong)) as batches:
                assert [each.value for each in await anext(batches)] == [b"1", b"2"]
    assert "another one than before (another/log" in caplog.text


async def test_records_that_were_deleted_are_told(
    cluster: MockCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """What the broker has deleted before it was read is named, and the rest is read."""
    chunk = b"x" * 900_000
    async with opened(cluster.servers) as channel:
        place = channel.place
        await send(cluster, channel, *[chunk] * 8, b"last")  # the mock keeps about 5 MB
        async with aclosing(channel.read(place)) as batches:
            async for batch in batches:
                if batch[-1].value == b"last":
                    break
    assert "were deleted before they were read" in caplog.text


async def test_a_topic_that_is_created_late(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A topic that nobody can create is waited for, without a storm of requests."""
    with mock_cluster() as cluster, faster(monkeypatch):

        async def nothing(*_: object) -> str:
            return "TopicAuthorizationFailedError"

        monkeypatch.setattr("aiowf.replies.topics._create", nothing)
        monkeypatch.setattr("aiowf.replies.topics._let_it_be_created", nothing)
        async with opened(cluster.servers) as channel, Taken(channel) as taken:
            assert "kafka-topics.sh --create --topic aiowf-replies --partitions 12" in caplog.text
            asked = 0
            look = channel._reader._look

            async def count() -> object:
                nonlocal asked
                asked += 1
                return await look()

            monkeypatch.setattr(LogReader, "_look", lambda _: count())
            await asyncio.sleep(0.5)
            assert asked < 10
            cluster.create(TOPIC, 1)
            await send(cluster, channel, b"late")
            assert await taken.until(b"late") == [b"late"]


async def test_a_missing_topic_is_made(cluster: MockCluster) -> None:
    """A topic is created, or the broker lets it come into being: here the latter."""
    async with opened(cluster.servers, topic="new") as channel:
        assert (channel.place.topic, channel.place.partition < 12) == ("new", True)
        assert channel.place.log.count("/") == 1


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def test_the_reason_is_told_when_there_is_no_connection() -> None:
    """Nobody listens, no such host, no answer: each error says so, and in time."""
    with pytest.raises(ReplyError, match="nobody listens at this address") as caught:
        async with opened(f"127.0.0.1:{closed_port()}"):
            pass
    assert caught.value.details["is_permanent"] is False
    with pytest.raises(ReplyError, match="no host of this name"):
        async with opened("no-such-host.invalid:9092"):
            pass
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = KafkaSettings(
            bootstrap_servers=f"127.0.0.1:{silent.getsockname()[1]}", start_timeout=0.3
        )
        with pytest.raises(ReplyError, match="no answer within"):
            async with KafkaChannel(settings):
                pass
    assert not [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]


async def test_another_protocol_is_told(cluster: MockCluster) -> None:
    """TLS on a plain port: the error points at the protocol."""
    with pytest.raises(ReplyError, match="KAFKA_SECURITY_PROTOCOL"):
        async with opened(cluster.servers, security_protocol="SSL"):
            pass


async def test_closing_during_an_outage_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """aiokafka's stop raises CancelledError then, or hangs: the close is neither."""
    cluster = MockCluster()
    cluster.create(TOPIC, 1)
    async with opened(cluster.servers) as channel, Taken(channel):
        await channel.publish(TOPIC, Record(b"x"))
        cluster.close()
        await interrupted(channel)
    me = asyncio.current_task()
    assert me is not None
    assert me.cancelling() == 0
    assert {me} == asyncio.all_tasks()


async def test_a_queue_resumes_where_it_stopped(cluster: MockCluster) -> None:
    """A notice is committed when the next one is asked for."""
    async with opened(cluster.servers) as channel:
        for n in range(4):
            await channel.publish("queue", Record(b"%d" % n, "key"))
        async with aclosing(channel.subscribe("queue", "g")) as records:
            assert [(await anext(records)).value for _ in range(3)] == [b"0", b"1", b"2"]
        async with aclosing(channel.subscribe("queue", "g")) as records:
            assert [(await anext(records)).value for _ in range(2)] == [b"2", b"3"]


async def test_a_queue_survives_an_outage(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subscriber goes on when the broker is back, also with a consumer made anew."""
    with faster(monkeypatch):
        async with opened(cluster.servers) as channel:
            await channel.publish("queue", Record(b"1"))
            async with aclosing(channel.subscribe("queue", "g")) as records:
                assert (await anext(records)).value == b"1"
                coming = asyncio.create_task(anext(records))
                await asyncio.sleep(0.2)
                cluster.down()
                await asyncio.sleep(2.5)
                cluster.up()
                await asyncio.to_thread(cluster.send, "queue", 0, [Record(b"2")])
                values = [(await coming).value]
                while b"2" not in values:
                    values.append((await anext(records)).value)
                assert set(values) <= {b"1", b"2"}


async def test_what_cannot_be_published_is_told(cluster: MockCluster) -> None:
    """A message that is too large, or a broker that is away, is an error of ours."""
    async with opened(cluster.servers, request_timeout=1.0) as channel:
        with pytest.raises(ReplyError, match="too large for topic queue"):
            await channel.publish("queue", Record(b"x" * 2_000_000))
        cluster.down()
        with pytest.raises(ReplyError, match="did not take a message"):
            await channel.publish("queue", Record(b"x"))
        cluster.up()


def test_the_log_is_quiet_and_says_how_much_it_kept_back(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line of each kind in a while; the next one says how many there were."""
    log = logging.getLogger("aiokafka.conn")
    quiet.quieten()
    try:
        for n in range(100):
            log.error("trouble %d", n)
        monkeypatch.setattr(quiet, "INTERVAL", -1.0)
        log.error("trouble %d", 100)
    finally:
        quiet.release()
    log.error("loud again")
    assert [each.getMessage() for each in caplog.records] == [
        "trouble 0",
        "trouble 100 [and 99 more of the kind]",
        "loud again",
    ]


async def test_one_consumer_serves_all(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many wait, there is one consumer, and no group."""
    made = 0
    original = AIOKafkaConsumer.__init__

    def counted(self: AIOKafkaConsumer, *topics: str, **options: object) -> None:
        nonlocal made
        made += 1
        assert "group_id" not in options
        original(self, *topics, **options)

    monkeypatch.setattr(AIOKafkaConsumer, "__init__", counted)
    async with opened(cluster.servers) as channel, Taken(channel) as taken:
        await send(cluster, channel, *[b"%d" % n for n in range(300)])
        assert len(await taken.until(b"299")) == 300
    assert made == 1


def failing_once(
    monkeypatch: pytest.MonkeyPatch, method: str, *errors: Exception
) -> list[Exception]:
    """Let a method of every consumer raise these errors first; return those that are left."""
    left = list(errors)
    original = getattr(AIOKafkaConsumer, method)

    async def fail(self: AIOKafkaConsumer, *args: object, **options: object) -> object:
        if left:
            raise left.pop(0)
        return await original(self, *args, **options)

    monkeypatch.setattr(AIOKafkaConsumer, method, fail)
    return left


async def test_errors_of_a_fetch_pass(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fetch that fails is logged and repeated, and so is one at an offset that is gone."""
    left = failing_once(
        monkeypatch,
        "getmany",
        KafkaError("odd"),
        OffsetOutOfRangeError({TopicPartition(TOPIC, 0): 0}),
    )
    async with opened(cluster.servers) as channel, Taken(channel) as taken:
        await send(cluster, channel, b"1")
        assert await taken.until(b"1") == [b"1"]
    assert left == []
    assert "cannot be fetched: KafkaError('odd')" in caplog.text


async def test_errors_of_a_queue_pass(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A queue whose fetch or commit fails goes on; what was not committed may come once more."""
    left = failing_once(monkeypatch, "getmany", KafkaError("fetch"))
    also = failing_once(monkeypatch, "commit", KafkaError("commit"))
    cluster.create("queue", 1)
    async with opened(cluster.servers) as channel:
        for n in range(3):
            await channel.publish("queue", Record(b"%d" % n))
        async with aclosing(channel.subscribe("queue", "g")) as records:
            assert [(await anext(records)).value for _ in range(3)] == [b"0", b"1", b"2"]
    assert (left, also) == ([], [])
    assert "cannot be read" in caplog.text
    assert "could not be committed" in caplog.text


async def test_a_start_that_fails_half_way_leaves_nothing_behind(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connected, and then refused: the error is ours, and no task stays."""
    failing_once(monkeypatch, "end_offsets", KafkaError("no end"))
    with pytest.raises(ReplyError, match="no end"):
        async with opened(cluster.servers):
            pass
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_an_old_broker_tells_no_topic_id(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Brokers before Kafka 2.8 have no ids of topics: the cluster's has to do."""
    monkeypatch.setattr("aiowf.replies.topics._TopicRequest10.API_VERSION", 99)
    async with opened(cluster.servers) as channel, Taken(channel) as taken:
        assert channel.place.log.endswith("/")
        assert channel.place.log != "/"
        await send(cluster, channel, b"1")
        assert await taken.until(b"1") == [b"1"]


async def test_a_topic_that_vanishes_is_waited_for(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted while it is read, and its brokers away meanwhile: it is read when it is back."""
    real, answers = reading.identify, 3

    async def identify(client: object, topic: str) -> reading.Identity:
        nonlocal answers
        answers -= 1
        if answers == 1:
            raise KafkaError("no broker answers")
        found = await real(client, topic)
        return found if answers < 1 else evolve(found, partitions=0)

    with faster(monkeypatch):
        async with opened(cluster.servers) as channel:
            reader = LogReader(channel._connector, TOPIC, 1)
            await reader.open(at_end=False)
            monkeypatch.setattr(reading, "identify", identify)
            failing_once(monkeypatch, "getmany", OffsetOutOfRangeError({}))
            batches = reader.batches()
            waiting = asyncio.ensure_future(anext(batches))
            await asyncio.to_thread(cluster.send, TOPIC, 1, [Record(b"back")])
            assert [each.value for each in await waiting] == [b"back"]
            await batches.aclose()
            await reader.close()
    assert answers < 1
