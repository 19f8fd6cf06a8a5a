"""How a pod sends to Kafka."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

from aiowf.errors import ReplyError
from aiowf.replies.connection import Connector, client_of, make_connector, stop
from aiowf.replies.quiet import quieten, release
from aiowf.replies.settings import KafkaSettings
from aiowf.replies.topics import ensure
from aiowf.wire.frames import Record

T = TypeVar("T")

# Records that are under way at once: the connection is never idle, and memory stays small.
_IN_FLIGHT = 8
_PAUSE = 0.5
_REFUSALS = (InvalidTopicError, TopicAuthorizationFailedError)


class KafkaTransport:
    """Sends records with acks=all, and sends again until its deadline what was not acknowledged.

    A record may thus arrive twice; whoever reads it knows.

    Args:
        settings: Where Kafka is.
        partitions: Topic → the partition to send to; of other topics Kafka chooses one.
        deadline: Seconds for everything together.
    """

    def __init__(
        self, settings: KafkaSettings, *, partitions: dict[str, int], deadline: float
    ) -> None:
        self._settings = settings
        self._partitions = partitions
        self._seconds = deadline
        self._until = time.monotonic() + deadline
        # The loop runs only while something is sent.
        self._runner = asyncio.Runner()
        self._producer: Any = None
        self._connector: Connector
        # Topics that exist; records whose acknowledgement has not come, in order.
        self._known: set[str] = set()
        self._under_way: deque[tuple[asyncio.Future[Any], str, Record]] = deque()

    def __enter__(self) -> "KafkaTransport":
        quieten()
        try:
            self._runner.run(self._until_deadline(self._start))
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._runner.run(self._settle(0))
        finally:
            self._close()

    def _close(self) -> None:
        if self._producer is not None:
            self._runner.run(stop(self._producer))
        self._runner.close()
        release()

    def send(self, topic: str, records: Sequence[Record]) -> None:
        """Send records to a topic, in order; the last ones may still be under way on return.

        Raises:
            ReplyError: They could not be delivered before the deadline.
        """
        self._runner.run(self._send(topic, records))

    def flush(self) -> None:
        """Wait until all that was sent is safe.

        Raises:
            ReplyError: Something could not be delivered before the deadline.
        """
        self._runner.run(self._settle(0))

    async def _start(self) -> None:
        self._connector = await make_connector(self._settings)
        options = {**self._connector.options, "request_timeout_ms": 15_000}
        # Not idempotent: such a producer cannot be stopped during an outage.
        producer = AIOKafkaProducer(**options, acks="all")
        await self._connector.start(producer)
        self._producer = producer

    async def _send(self, topic: str, records: Sequence[Record]) -> None:
        for record in records:
            await self._settle(_IN_FLIGHT - 1)
            future = await self._until_deadline(partial(self._hand_over, topic, record))
            self._under_way.append((future, topic, record))

    async def _hand_over(self, topic: str, record: Record) -> "asyncio.Future[Any]":
        if topic not in self._known:
            await ensure(
                self._connector, client_of(self._producer), topic, self._settings.partitions
            )
            await self._producer.partitions_for(topic)
            self._known.add(topic)
        future: asyncio.Future[Any] = await self._producer.send(
            topic,
            record.value,
            None if record.key is None else record.key.encode(),
            partition=self._partitions.get(topic),
            headers=list(record.headers),
        )
        return future

    async def _settle(self, allowed: int) -> None:
        """Wait until no more than so many records are under way."""
        while len(self._under_way) > allowed:
            future, topic, record = self._under_way.popleft()
            try:
                await future
            except (KafkaError, TimeoutError) as error:
                _check(error, topic)
                await self._until_deadline(partial(self._once, topic, record))

    async def _once(self, topic: str, record: Record) -> None:
        await (await self._hand_over(topic, record))

    async def _until_deadline(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do something, again and again while Kafka is away, until the deadline."""
        last: BaseException | None = None
        while True:
            left = self._until - time.monotonic()
            try:
                async with asyncio.timeout(max(left, 0.001)):
                    return await act()
            except (KafkaError, TimeoutError, AssertionError) as error:
                # AssertionError: aiokafka has not heard of this partition yet.
                last = _check(error, "") if isinstance(error, KafkaError) else last or error
            except ReplyError as error:
                if error.details.get("is_permanent"):
                    raise
                last = error
            if time.monotonic() + _PAUSE > self._until:
                raise self._late(last) from last
            await asyncio.sleep(_PAUSE)

    def _late(self, error: BaseException | None) -> ReplyError:
        reason = error.message if isinstance(error, ReplyError) else repr(error)
        return ReplyError(
            f"Kafka at {self._settings.bootstrap_servers} did not take it within "
            f"{self._seconds:g} s: {reason}"
        )


def _check(error: BaseException, topic: str) -> BaseException:
    """Return the error if it may pass."""
    if isinstance(error, MessageSizeTooLargeError):
        raise ReplyError(
            f"a record is too large for topic {topic}: its max.message.bytes must be 1 MiB or more"
        ) from error
    if isinstance(error, _REFUSALS):
        raise ReplyError(f"Kafka refused it: {error!r}") from error
    return error
