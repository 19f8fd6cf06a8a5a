"""Queues for users: what exit handlers say, and what services tell each other."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson
from attrs import frozen

from aiowf.errors import AiowfError, ConfigurationError
from aiowf.wire.frames import Record
from aiowf.wire.replies import Notice, parse_notice

if TYPE_CHECKING:
    from aiowf.client.backend import Backend
    from aiowf.replies.channel import Channel

DEFAULT_GROUP = "aiowf"
# What Kafka takes for the name of a topic.
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")


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

        Raises:
            ConfigurationError: This is no name of a queue, or no JSON; nothing was sent.
        """
        _check_name(queue, "queue")
        if isinstance(payload, str):
            value = payload.encode()
        elif isinstance(payload, bytes):
            value = payload
        else:
            try:
                value = orjson.dumps(payload)
            except TypeError as error:
                raise ConfigurationError(f"it cannot be JSON: {error}", where="payload") from None
        await self._channel().publish(queue, Record(value))

    async def subscribe(
        self, queue: str, *, group: str = DEFAULT_GROUP
    ) -> AsyncGenerator[Notice, None]:
        """Yield the notices of a queue, for ever.

        A notice counts as done when the next one is asked for: after a crash in between it comes
        once more (at least once). A group resumes where it stopped; a new one begins with the
        oldest. A message that is no exit notice comes as a notice without status and workflow,
        whose payload is its text.

        Raises:
            ConfigurationError: This is no name of a queue or a group.
            AiowfError: The client was closed.
        """
        _check_name(queue, "queue")
        _check_name(group, "group")
        async with aclosing(self._channel().subscribe(queue, group)) as records:
            while True:
                yield parse_notice((await self._next(records)).value)

    async def _next(self, records: AsyncGenerator[Record, None]) -> Record:
        """Wait for a record, or for the close of the client."""
        asking = asyncio.ensure_future(anext(records))
        closing = asyncio.ensure_future(self._backend.closing.wait())
        try:
            await asyncio.wait({asking, closing}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
        finally:
            asking.cancel()
            closing.cancel()
            await asyncio.wait({asking, closing})
        raise AiowfError(
            "the client was closed while a queue was read",
            hint="Read it inside of `async with aiowf.connect()`: the group goes on where it was.",
        )

    def _channel(self) -> "Channel":
        if self._backend.channel is None:
            raise ConfigurationError(
                "queues need Kafka, or the embedded engine",
                hint="Set KAFKA_BOOTSTRAP_SERVERS, or give aiowf.connect(kafka=…).",
            )
        return self._backend.channel


def _check_name(name: object, where: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r:.60} cannot be a name",
            where=where,
            hint="Letters, digits, '.', '_' and '-', at most 249.",
        )
