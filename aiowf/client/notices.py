"""Queues for users: what exit handlers say, and what services tell each other."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson
from attrs import frozen

from aiowf.errors import ConfigurationError
from aiowf.wire.frames import Record
from aiowf.wire.replies import Notice, parse_notice

if TYPE_CHECKING:
    from aiowf.client.backend import Backend
    from aiowf.replies.channel import Channel

DEFAULT_GROUP = "aiowf"


@frozen
class Notices:
    """The queues behind a client: `publish` and `subscribe`."""

    _backend: "Backend"

    async def publish(
        self, queue: str, payload: str | bytes | Mapping[str, Any] | list[Any]
    ) -> None:
        """Send a message to a queue, and return when it is safe.

        Args:
            queue: Name of the queue (Kafka: of the topic).
            payload: Text or bytes are sent as they are, anything else as JSON.
        """
        if isinstance(payload, str):
            value = payload.encode()
        elif isinstance(payload, bytes):
            value = payload
        else:
            value = orjson.dumps(payload)
        await self._channel().publish(queue, Record(value))

    async def subscribe(
        self, queue: str, *, group: str = DEFAULT_GROUP
    ) -> AsyncGenerator[Notice, None]:
        """Yield the notices of a queue, for ever.

        A notice counts as done when the next one is asked for: after a crash in between it comes
        once more (at least once). A group resumes where it stopped; a new one begins with the
        oldest.
        """
        async with aclosing(self._channel().subscribe(queue, group)) as records:
            async for record in records:
                yield parse_notice(record.value)

    def _channel(self) -> "Channel":
        if self._backend.channel is None:
            raise ConfigurationError(
                "queues need Kafka, or the embedded engine",
                hint="Set KAFKA_BOOTSTRAP_SERVERS, or give aiowf.connect(kafka=…).",
            )
        return self._backend.channel
