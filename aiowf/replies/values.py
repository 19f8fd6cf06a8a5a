"""Values that were too large for a parameter, read from where their marker says."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiowf.errors import CorruptResultsError, MissingResultsError, ReplyError
from aiowf.replies.channel import Channel, Place
from aiowf.wire.frames import Record
from aiowf.wire.values import LargeValue, piece_of, whole

# So many seconds without a piece, and no more are waited for: a broker restarts in fewer.
PATIENCE = 60.0
_PAUSE = 1.0
_GONE = "Is the topic's retention shorter than the workflow took, or was it emptied?"


async def read_value(
    channel: Channel, value: LargeValue, workflow: str, *, log: str = "", key: bytes | None = None
) -> bytes:
    """Return a value that a pod has sent.

    Args:
        channel: Where it can be read.
        value: What its marker says.
        workflow: Whose value it is.
        log: Which log its offsets are places in; "" where nobody can tell.
        key: With it, what is not signed with it is not believed.

    Raises:
        MissingResultsError: It is not there any more, or Kafka stays away.
        CorruptResultsError: It is not what was sent.
    """
    pieces: list[bytes] = []
    trouble: ReplyError | None = None
    clock = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(PATIENCE) as scope:
            while len(pieces) < len(value.offsets):
                try:
                    async with aclosing(_rest(channel, value, len(pieces), log)) as records:
                        async for record in records:
                            pieces.append(piece_of(record, len(pieces), value, workflow, key))
                            scope.reschedule(clock() + PATIENCE)
                except (MissingResultsError, CorruptResultsError):
                    raise
                except ReplyError as error:  # the brokers may be about to come back
                    trouble = error
                    await asyncio.sleep(_PAUSE)
    except (TimeoutError, MissingResultsError):
        told = MissingResultsError(
            f"a value of {workflow} did not come: piece {len(pieces) + 1} of {len(value.offsets)} "
            f"(topic {value.topic}, partition {value.partition}, "
            f"offset {value.offsets[len(pieces)]}) is missing",
            workflow_name=workflow,
            hint=trouble.message if trouble else channel.trouble or _GONE,
            chunk=len(pieces),
        )
        raise told from None
    return await asyncio.to_thread(whole, pieces, value, workflow)


async def _rest(
    channel: Channel, value: LargeValue, begin: int, log: str
) -> AsyncGenerator[Record, None]:
    """Yield the records of a value from one of its pieces on."""
    assert value.topic is not None
    place = Place(value.topic, value.partition, value.offsets[begin], log)
    wanted = iter(value.offsets[begin:])
    offset: int | None = next(wanted)
    async with aclosing(channel.read(place)) as batches:
        async for batch in batches:
            for record in batch:
                if record.offset == offset:
                    yield record
                    offset = next(wanted, None)
                    if offset is None:
                        return
                elif record.offset is not None and offset is not None and record.offset > offset:
                    raise MissingResultsError("it was deleted")
