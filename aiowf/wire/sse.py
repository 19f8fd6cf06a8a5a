"""Bytes of a stream → messages.

Argo streams in two framings: server-sent events, `data: {…} \\n\\n\\n` with keepalives `:\\n`, and
one JSON text per line. Both put one message on one line, so that one reader serves both.
"""

from aiowf.errors import ServerError

# Argo can send a whole workflow as one message, up to 100 MiB.
MAX_MESSAGE_BYTES = 128 * 1024 * 1024

_DATA = b"data:"
# How lines begin that carry nothing: comments, which are keepalives, and other fields of an event.
_NO_MESSAGE = (b":", b"\r", b"event:", b"id:", b"retry:")


class MessageReader:
    """Cuts a stream of bytes into messages, wherever the borders of its chunks are.

    Args:
        limit: Bytes that one message may have.
    """

    __slots__ = ("_limit", "_parts", "_size")

    _limit: int
    _parts: list[bytes]  # of the line that is not complete; none of them holds a newline
    _size: int  # bytes in _parts

    def __init__(self, limit: int = MAX_MESSAGE_BYTES) -> None:
        self._limit = limit
        self._parts = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take a chunk and return the messages that it completes, as JSON text.

        Raises:
            ServerError: A message is longer than the limit.
        """
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines and self._parts:
            self._parts.append(lines[0])
            lines[0] = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
            if self._size > self._limit:
                raise ServerError(f"a message of the stream is longer than {self._limit} bytes")
        return _messages(lines)

    def close(self) -> list[bytes]:
        """Return the message that the end of the stream completes, if there is one.

        Errors in a stream of JSON lines come without a newline.
        """
        rest = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return _messages([rest])


def _messages(lines: list[bytes]) -> list[bytes]:
    messages = []
    for line in lines:
        if line.startswith(_DATA):
            messages.append(line[5:])
        elif line and not line.startswith(_NO_MESSAGE):
            messages.append(line)
    return messages
