"""Records of a topic as frames: how the embedded engine carries what Kafka carries elsewhere.

A frame is a length of 4 bytes, big-endian, then a head of that length, JSON {"offset"?: int, "key":
str | null, "headers": [[name, base64 of the value], …], "size": n}, then n bytes of value. A length
of 0 is a frame by itself, sent to keep a stream alive; it means nothing. Standard library only.
"""

import base64
import json
import struct
from typing import List, NamedTuple, Optional, Tuple  # noqa: UP035 (pods may have Python 3.9)

MAX_HEAD_BYTES = 64 * 1024
MAX_VALUE_BYTES = 16 * 1024 * 1024
KEEPALIVE = b"\0\0\0\0"
_LENGTH = struct.Struct(">I")


class FrameError(ValueError):
    """Bytes that are no frames."""


class Record(NamedTuple):
    """A record of a topic.

    Attributes:
        value: Its value.
        key: Its key, or None.
        headers: Names and values.
        offset: Its place in the topic; None where it has none yet.
    """

    value: bytes
    key: Optional[str] = None  # noqa: UP045
    headers: Tuple[Tuple[str, bytes], ...] = ()  # noqa: UP006
    offset: Optional[int] = None  # noqa: UP045


def encode_frame(record: Record) -> bytes:
    """Return a record as a frame."""
    head = {
        "key": record.key,
        "headers": [[name, base64.b64encode(data).decode()] for name, data in record.headers],
        "size": len(record.value),
    }
    if record.offset is not None:
        head["offset"] = record.offset
    encoded = json.dumps(head).encode()
    return b"".join((_LENGTH.pack(len(encoded)), encoded, record.value))


class FrameDecoder:
    """Turns bytes into records, however they are cut."""

    def __init__(self) -> None:
        """Make a decoder that expects the beginning of a frame."""
        self._buffer = bytearray()

    @property
    def is_between_frames(self) -> bool:
        """Return whether the bytes so far were whole frames."""
        return not self._buffer

    def feed(self, data: bytes) -> List[Record]:  # noqa: UP006
        """Take more bytes; return the records that are complete.

        Raises:
            FrameError: These are no frames, or too large ones.
        """
        self._buffer += data
        records = []
        start = 0
        while (found := self._next(start)) is not None:
            record, start = found
            if record is not None:
                records.append(record)
        del self._buffer[:start]
        return records

    def _next(self, start: int) -> Optional[Tuple[Optional[Record], int]]:  # noqa: UP006, UP045
        """Return the record of the frame at `start` and where the next one begins."""
        body = start + _LENGTH.size
        if len(self._buffer) < body:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer, start)
        if length > MAX_HEAD_BYTES:
            raise FrameError(f"the head of a frame has {length} bytes, more than {MAX_HEAD_BYTES}")
        if length == 0:
            return None, body
        if len(self._buffer) < body + length:
            return None
        head = _decode_head(bytes(self._buffer[body : body + length]))
        begin, end = body + length, body + length + head["size"]
        if len(self._buffer) < end:
            return None
        headers = tuple((name, base64.b64decode(data)) for name, data in head["headers"])
        value = bytes(self._buffer[begin:end])
        return Record(value, head["key"], headers, head.get("offset")), end


def _decode_head(data: bytes) -> dict:  # type: ignore[type-arg]
    try:
        head = json.loads(data)
        size = head["size"]
        well_formed = (
            type(size) is int
            and 0 <= size <= MAX_VALUE_BYTES
            and isinstance(head["key"], (str, type(None)))
        )
        well_formed = well_formed and type(head.get("offset", 0)) is int
        for name, text in head["headers"]:
            well_formed = well_formed and isinstance(name, str)
            base64.b64decode(text, validate=True)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FrameError(f"this is no head of a frame: {error}") from None
    if not well_formed:
        raise FrameError(
            f"a value has {size} bytes, more than {MAX_VALUE_BYTES}, or no key or offset"
        )
    return head  # type: ignore[no-any-return]
