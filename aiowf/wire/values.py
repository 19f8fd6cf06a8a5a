"""Values too large for a parameter: the marker that stands for one, and the records it came in."""

import hashlib
from typing import Any

import orjson
from attrs import field, frozen

from aiowf.errors import CorruptResultsError
from aiowf.wire.frames import Record
from aiowf.wire.labels import LARGE_VALUE
from aiowf.wire.replies import header_of, is_authentic

_SHA256 = "aiowf-sha256"


@frozen
class LargeValue:
    """What a marker says of a value that travelled by the replies.

    Attributes:
        sha256: SHA-256 (hex) of its JSON text.
        size: Length of that text, in bytes.
        topic: The topic that has it; None: the embedded engine has it.
        partition: The partition of it.
        offsets: Where its pieces are, in order.
    """

    sha256: str
    size: int
    topic: str | None = None
    partition: int = 0
    offsets: tuple[int, ...] = field(default=(), repr=False)


def large_value(text: str | bytes | None) -> LargeValue | None:
    """Return what the text stands for, if it stands for a value that travelled by the replies."""
    mark = LARGE_VALUE if isinstance(text, str) else LARGE_VALUE.encode()
    if not text or mark not in text[:30]:  # type: ignore[operator]
        return None
    try:
        data = orjson.loads(text)
        if not isinstance(data, dict) or not isinstance(data.get(LARGE_VALUE), str):
            return None
        topic, partition, offsets = data.get("place") or (None, 0, ())
        return LargeValue(data[LARGE_VALUE], data["size"], topic, partition, tuple(offsets))
    except (ValueError, KeyError, TypeError):
        return None


def piece_of(
    record: Record, index: int, value: LargeValue, workflow: str, key: bytes | None
) -> bytes:
    """Return a piece of a value.

    Args:
        record: The record at its offset.
        index: Which piece it is.
        value: The value.
        workflow: Whose value it is.
        key: Secret that authenticates the records, or None.

    Raises:
        CorruptResultsError: It is not what was sent.
    """
    is_ours = key is None or is_authentic(record, key)
    claimed = header_of(record, _SHA256)
    if not is_ours or claimed != hashlib.sha256(record.value).hexdigest():
        raise corrupt(value, workflow, f"piece {index + 1} of {len(value.offsets)}")
    return record.value


def whole(pieces: list[bytes], value: LargeValue, workflow: str) -> bytes:
    """Put a value together from its pieces.

    Raises:
        CorruptResultsError: It is not what was sent.
    """
    text = b"".join(pieces)
    if hashlib.sha256(text).hexdigest() != value.sha256:
        raise corrupt(value, workflow, "the whole")
    return text


def corrupt(value: LargeValue, workflow: str, what: str) -> CorruptResultsError:
    """Return the error that says what was changed."""
    details: dict[str, Any] = {"topic": value.topic, "partition": value.partition}
    return CorruptResultsError(
        f"a value of {workflow}, {value.size:,} bytes, was changed on its way: {what}",
        workflow_name=workflow,
        **details,
    )
