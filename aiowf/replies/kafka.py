"""The reply channel over Kafka."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError, MessageSizeTooLargeError

from aiowf.errors import ReplyError
from aiowf.replies.channel import Place
from aiowf.replies.connection import Connector, client_of, make_connector, stop
from aiowf.replies.quiet import quieten, release
from aiowf.replies.reading import SILENCE, LogReader
from aiowf.replies.settings import KafkaSettings
from aiowf.replies.topics import Identity, ensure
from aiowf.wire.frames import Record

log = logging.getLogger(__name__)

# A notice may take its consumer so long: longer, and another member of the group gets it too.
_MAX_PROCESSING_MS = 24 * 3600 * 1000
# A member of the group that is not heard of for so long has its partitions taken away.
_SESSION_MS = 12_000


class KafkaChannel:
    """Carries records to and from the topics of a Kafka cluster.

    Replies are read from one partition, which pods are told; no group, no commits.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        # These are there exactly between __aenter__ and __aexit__.
        self._connector: Connector
        self._reader: LogReader
        # Made when first something is published; one at a time makes it.
        self._producer: Any = None
        self._making = asyncio.Lock()
        # Topics that are known to exist.
        self._known: set[str] = set()

    async def __aenter__(self) -> Self:
        quieten()
        try:
            self._connector = await make_connector(self.settings)
            self._reader = LogReader(
                self._connector, self.settings.topic, -1, create=self.settings.partitions
            )
            await self._reader.open(at_end=True)
        except BaseException:
            release()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._reader.close()
            producer, self._producer = self._producer, None
            if producer is not None:
                await stop(producer)
        finally:
            release()

    @property
    def place(self) -> Place:
        """Return where the replies to a workflow begin that is submitted now."""
        reader = self._reader
        identity = reader.identity.log if reader.identity is not None else ""
        return Place(reader.topic, reader.partition, reader.position, identity)

    @property
    def is_interrupted(self) -> bool:
        """Return whether replies cannot be read at the moment."""
        return self._reader.is_interrupted

    @property
    def trouble(self) -> str | None:
        """Return why replies may not come, if something is known of that."""
        if self.is_interrupted:
            return f"Kafka at {self.settings.bootstrap_servers} does not answer."
        if self._reader.losses:
            return (
                f"The log of topic {self.settings.topic} was lost, or the topic made anew, while "
                "it was read: what stood in it is gone."
            )
        return None

    def replies(self) -> AsyncGenerator[list[Record], None]:
        """Yield the records of the reply partition from the opening of the channel on, for ever."""
        return self._reader.batches()

    async def read(self, place: Place) -> AsyncGenerator[list[Record], None]:
        """Yield the records from a place on, for ever; of another log, from its beginning."""
        cluster, _, topic = place.log.partition("/")
        reader = LogReader(
            self._connector,
            place.topic,
            place.partition,
            place.offset,
            Identity(cluster, topic, place.partition + 1) if place.log else None,
        )
        try:
            await reader.open(at_end=False)
            async for batch in reader.batches():
                yield batch
        finally:
            await reader.close()

    async def publish(self, topic: str, record: Record) -> None:
        """Send a record, and return when all replicas in sync have it.

        Raises:
            ReplyError: Kafka did not take it; whether it has it all the same, nobody knows.
        """
        key = None if record.key is None else record.key.encode()
        try:
            producer = await self._started_producer()
            await self._ensure(client_of(producer), topic)
            await producer.send_and_wait(topic, record.value, key, headers=list(record.headers))
        except MessageSizeTooLargeError as error:
            raise ReplyError(
                f"a message of {len(record.value):,} bytes is too large for topic {topic}",
                hint="Brokers take 1 MiB by default (max.message.bytes of the topic).",
            ) from error
        except (KafkaError, TimeoutError) as error:
            raise ReplyError(
                f"topic {topic} did not take a message: {error!r}", topic=topic
            ) from error

    async def _started_producer(self) -> Any:
        async with self._making:
            if self._producer is None:
                # Not idempotent: one of these cannot be stopped during an outage. A message may
                # come twice.
                producer = AIOKafkaProducer(**self._connector.options, acks="all")
                await self._connector.start(producer)
                self._producer = producer
        return self._producer

    async def _ensure(self, client: Any, topic: str) -> None:
        if topic not in self._known:
            await ensure(self._connector, client, topic, 1)
            self._known.add(topic)

    async def subscribe(self, topic: str, group: str) -> AsyncGenerator[Record, None]:
        """Yield the records of a queue; one is committed when the next one is asked for."""
        worked = False
        while True:
            consumer = AIOKafkaConsumer(
                **self._connector.options,
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_poll_interval_ms=_MAX_PROCESSING_MS,
                session_timeout_ms=_SESSION_MS,
                heartbeat_interval_ms=_SESSION_MS // 4,
            )
            try:
                await self._connector.start(consumer)
            except ReplyError:
                if not worked:
                    raise
                await asyncio.sleep(1)  # refused at once, as a rule; it was there before
                continue
            worked = True
            try:
                await self._ensure(client_of(consumer), topic)
                consumer.subscribe([topic])
                async for record, offset in _consume(consumer):
                    yield record
                    await _commit(consumer, *offset)
            finally:
                await stop(consumer)
            log.warning("Kafka has not answered for %.0f s: connecting anew", SILENCE)


async def _consume(
    consumer: Any,
) -> AsyncGenerator[tuple[Record, tuple[TopicPartition, int]], None]:
    """Yield records and their places, until the brokers do not answer any more."""
    loop = asyncio.get_running_loop()
    heard_at, stamp = loop.time(), 0
    while True:
        try:
            found = await consumer.getmany(timeout_ms=1000, max_records=1)
        except KafkaError as error:
            log.warning("a queue cannot be read: %r", error)
            await asyncio.sleep(1)
            found = {}
        for partition, messages in found.items():
            for message in messages:
                key = None if message.key is None else message.key.decode(errors="replace")
                record = Record(message.value or b"", key, message.headers, message.offset)
                yield record, (partition, message.offset + 1)
        stamps = [consumer.last_poll_timestamp(each) or 0 for each in consumer.assignment()]
        if found or not stamps or max(stamps) > stamp:
            heard_at, stamp = loop.time(), max([stamp, *stamps])
        elif loop.time() - heard_at > SILENCE:
            return


async def _commit(consumer: Any, partition: TopicPartition, offset: int) -> None:
    """Say that a record is done with; if that fails it may come once more."""
    try:
        await consumer.commit({partition: offset})
    except (CommitFailedError, KafkaError) as error:
        log.warning("offset %d of %s could not be committed: %r", offset, partition.topic, error)
