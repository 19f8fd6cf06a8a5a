"""Reading one partition of a topic, whatever becomes of its brokers."""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    KafkaError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)
from attrs import define, field

from aiowf.errors import ReplyError
from aiowf.replies.connection import Connector, client_of, stop, unreachable
from aiowf.replies.topics import Identity, ensure, identify
from aiowf.wire.frames import Record

log = logging.getLogger(__name__)

# Records at a time: more would hold up the event loop for many milliseconds.
BATCH = 100
_POLL_MS = 500
# A broker answers a fetch twice a second, if only with nothing. After a longer gap it may have come
# back as another one, or without its log.
_GAP = 1.5
# So long without an answer, the consumer is made anew from the addresses in the settings: it would
# only ever try those that the brokers had before.
SILENCE = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0


@define(eq=False)
class LogReader:
    """Reads one partition from an offset on, for ever.

    Attributes:
        connector: How Kafka is reached.
        topic: Name of the topic.
        partition: Number of the partition; a negative one: any, which `open` chooses.
        position: Offset of the next record.
        identity: The log that `position` is a place in; None: not known yet.
        create: Partitions with which the topic is made if it is not there; 0: it is waited for.
        losses: How often the log was found to be another one than before.
    """

    connector: Connector
    topic: str
    partition: int
    position: int = 0
    identity: Identity | None = None
    create: int = 0
    losses: int = field(default=0, init=False)
    # Started, and assigned to the partition; None while there is none.
    _consumer: Any = field(default=None, init=False)
    # Loop time of the broker's latest answer, and aiokafka's stamp of it (ms).
    _heard_at: float = field(default=0.0, init=False)
    _stamp: int = field(default=0, init=False)

    @property
    def is_interrupted(self) -> bool:
        """Return whether the broker has not answered for some seconds."""
        return asyncio.get_running_loop().time() - self._heard_at > 2 * _GAP

    async def open(self, *, at_end: bool) -> None:
        """Connect, and stand at the end or at `position`.

        Raises:
            ReplyError: Kafka cannot be reached, or does not let us in.
        """
        self._consumer = await self._connect()
        self._heard_at = asyncio.get_running_loop().time()
        try:
            found = await self._look()
            if self.partition < 0 and found.partitions:
                self.partition = random.randrange(found.partitions)
            self.partition = max(self.partition, 0)
            if found.partitions > self.partition:
                if at_end:
                    self.position = await self._end()
                self._assign()
                await self._compare(found)
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise unreachable(self.connector.settings, [], error) from error

    async def close(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop(consumer)

    async def batches(self) -> AsyncGenerator[list[Record], None]:
        """Yield records, some at a time, in order.

        Raises:
            ReplyError: A record cannot be read at all, and would not be for ever.
        """
        while True:
            try:
                batch = await self._fetch()
                if await self._is_lost(batch) or not batch:
                    continue
            except UnsupportedCodecError as error:
                raise ReplyError(
                    f"records of {self.topic} are compressed, and the codec is missing: {error}",
                    hint='pip install "aiowf[kafka]"',
                ) from error
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("records of %s cannot be fetched: %r", self.topic, error)
                await asyncio.sleep(_FIRST_PAUSE)
                continue
            self.position = batch[-1].offset + 1
            yield [
                Record(
                    message.value or b"",
                    None if message.key is None else message.key.decode(errors="replace"),
                    message.headers,
                    message.offset,
                )
                for message in batch
            ]
            await asyncio.sleep(0)  # getmany does not, while its buffer is full

    async def _fetch(self) -> list[Any]:
        if not self._is_assigned:
            await self._wait_for_topic()
        try:
            found = await self._consumer.getmany(
                self._place, timeout_ms=_POLL_MS, max_records=BATCH
            )
        except OffsetOutOfRangeError:
            if not await self._has_changed():
                await self._go_to_beginning()
            return []
        return found.get(self._place) or []

    async def _is_lost(self, batch: list[Any]) -> bool:
        """Return whether what was fetched is from another log; if so, stand at its beginning."""
        if not self._is_assigned:
            return True
        now = asyncio.get_running_loop().time()
        stamp = self._consumer.last_poll_timestamp(self._place) or self._stamp
        gap = (stamp - self._stamp) / 1000 if self._stamp else now - self._heard_at
        silent = now - self._heard_at
        if stamp > self._stamp or batch:
            self._stamp, self._heard_at = stamp, now
        elif silent > SILENCE:
            log.warning("Kafka has not answered for %.0f s: connecting anew", SILENCE)
            await self._reconnect()
            return True
        elif silent > 2 * _GAP:
            return await self._has_changed()
        return gap > _GAP and await self._has_changed()

    async def _has_changed(self) -> bool:
        try:
            async with asyncio.timeout(_GAP):
                found = await identify(client_of(self._consumer), self.topic)
        except (KafkaError, OSError, TimeoutError):
            return False  # no broker answers: nothing was fetched, and the silence goes on
        return await self._compare(found)

    async def _compare(self, found: Identity) -> bool:
        """Return whether the place at which the consumer stands is none in this log."""
        if found.partitions <= self.partition:
            self._consumer.unsubscribe()
            return True
        before, self.identity = self.identity, found
        if before is None or before.log == found.log:
            return False
        self.losses += 1
        log.warning(
            "the log of topic %s is another one than before (%s, now %s): it is read from its "
            "beginning, and what stood in the old one and was not read is lost",
            *(self.topic, before.log, found.log),
        )
        self.position = 0
        await self._go_to_beginning()
        return True

    async def _go_to_beginning(self) -> None:
        """Stand at the first record that there is: those before it were deleted."""
        first = int((await self._consumer.beginning_offsets([self._place]))[self._place])
        if first > self.position:
            log.warning(
                "records %d to %d of topic %s were deleted before they were read",
                *(self.position, first - 1, self.topic),
            )
        self.position = first
        self._consumer.seek(self._place, first)

    async def _reconnect(self) -> None:
        await self.close()
        pause = _FIRST_PAUSE
        while True:
            try:
                self._consumer = await self._connect()
                self._stamp, self._heard_at = 0, asyncio.get_running_loop().time()
                await self._assign_again()
                return
            except (ReplyError, KafkaError, OSError, TimeoutError) as error:
                log.debug("Kafka is still away: %s", error)
                await self.close()
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _assign_again(self) -> None:
        found = await self._look()
        if found.partitions > self.partition:
            self._assign()
            await self._compare(found)

    async def _look(self) -> Identity:
        client = client_of(self._consumer)
        if self.create:
            return await ensure(self.connector, client, self.topic, self.create)
        return await identify(client, self.topic)

    async def _wait_for_topic(self) -> None:
        """Wait until the topic is there; a consumer assigned before would ask without a pause."""
        if self._consumer is None:
            await self._reconnect()
        pause = _FIRST_PAUSE
        while not self._is_assigned:
            self._heard_at = asyncio.get_running_loop().time()
            try:
                await self._assign_again()
            except (KafkaError, OSError, TimeoutError):
                await self._reconnect()
            if not self._is_assigned:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE / 5)

    async def _connect(self) -> Any:
        consumer = AIOKafkaConsumer(
            **self.connector.options,
            enable_auto_commit=False,
            # An offset that is not there any more is told, and not silently replaced.
            auto_offset_reset="none",
            fetch_max_wait_ms=_POLL_MS,
            # What has to be right is verified by SHA-256.
            check_crcs=False,
        )
        await self.connector.start(consumer)
        return consumer

    @property
    def _is_assigned(self) -> bool:
        return self._consumer is not None and bool(self._consumer.assignment())

    @property
    def _place(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)

    def _assign(self) -> None:
        self._consumer.assign([self._place])
        self._consumer.seek(self._place, self.position)

    async def _end(self) -> int:
        """Return the end of the log; what is sent after this call is behind it."""
        async with asyncio.timeout(self.connector.settings.start_timeout):
            ends = await self._consumer.end_offsets([self._place])
        return int(ends[self._place])
