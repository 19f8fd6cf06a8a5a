"""The reply channel as a client sees it."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from attrs import frozen

from aiowf.wire.frames import Record


@frozen
class Place:
    """Where the replies to a workflow begin.

    Attributes:
        topic: The topic.
        partition: The partition of it.
        offset: The offset of the first record that may be a reply.
        log: Which log the offset is a place in; "" where nobody can tell.
    """

    topic: str
    partition: int = 0
    offset: int = 0
    log: str = ""


class Channel(Protocol):
    """Carries records to and from topics."""

    @property
    def place(self) -> Place:
        """Return where the replies to a workflow begin that is submitted now."""
        ...

    @property
    def is_interrupted(self) -> bool:
        """Return whether replies cannot be read at the moment."""
        ...

    @property
    def trouble(self) -> str | None:
        """Return why replies may not come, if something is known of that."""
        ...

    def replies(self) -> AsyncGenerator[Sequence[Record], None]:
        """Yield the records of the reply topic, from before the first submission on, for ever."""
        ...

    def read(self, place: Place) -> AsyncGenerator[Sequence[Record], None]:
        """Yield the records from a place on, for ever."""
        ...

    async def publish(self, topic: str, record: Record) -> None:
        """Send a record, and return when it is safe."""
        ...

    def subscribe(self, topic: str, group: str) -> AsyncGenerator[Record, None]:
        """Yield the records of a queue; one is committed when the next one is asked for."""
        ...
