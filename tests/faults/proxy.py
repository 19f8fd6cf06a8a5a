"""A proxy that breaks HTTP exchanges: between a client and a server that are both real."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from socket import SO_LINGER, SOL_SOCKET

from attrs import frozen

HTML = b"<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"


@frozen
class Fault:
    """What happens to one exchange.

    Attributes:
        kind: "reset-request": the server gets the first `at` bytes of the request, then both sides
            are reset. "reset": the client gets the first `at` bytes of the answer, then a reset.
            "truncate": likewise, then an orderly end. "duplicate": 20 bytes of the answer come
            twice. "drip": the answer comes byte by byte. "delay": it comes late. "answer": the
            server hears nothing, and the client gets `status`. "swallow": the server hears and does
            it, and the client gets `status` all the same.
        at: Where, in bytes.
        status: The status of an answer that is not the server's.
        seconds: How late.
        retry_after: Value of the Retry-After header, or None.
    """

    kind: str
    at: int = 0
    status: int = 502
    seconds: float = 0.05
    retry_after: str | None = None

    def answer(self) -> bytes:
        """Return the answer of a proxy, or of an overloaded server."""
        extra = f"Retry-After: {self.retry_after}\r\n" if self.retry_after is not None else ""
        body = HTML if self.status in (502, 504) else b"not now\n"
        kind = "text/html" if body is HTML else "text/plain"
        head = (
            f"HTTP/1.1 {self.status} No\r\nContent-Type: {kind}\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


Choose = Callable[[str, str], Fault | None]


class _Broken(Exception):
    """The exchange ends here, on purpose."""


@asynccontextmanager
async def proxy(server: str, choose: Choose) -> AsyncIterator[str]:
    """Stand between clients and a server ("unix:path"); give the URL to talk to.

    Args:
        server: Where the server listens.
        choose: Is asked for the fault of each exchange, with its method and its path.
    """
    talks: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.create_task(_talk(reader, writer, server, choose)))

    listener = await asyncio.start_server(begin, "127.0.0.1", 0, backlog=1000)
    host, port = listener.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        listener.close()
        for each in talks:
            each.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def _talk(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: str, choose: Choose
) -> None:
    """Serve one connection, with one of its own to the server."""
    theirs, ours = await asyncio.open_unix_connection(server.removeprefix("unix:"))
    try:
        with suppress(asyncio.IncompleteReadError, ConnectionError, _Broken):
            while True:
                head, body = await _message(reader)
                method, path = head.split(b" ", 2)[:2]
                fault = choose(method.decode(), path.decode())
                await _exchange(head + body, writer, theirs, ours, fault)
    finally:
        ours.close()
        writer.close()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read a message with a Content-Length, or only its head if it has none."""
    head = await reader.readuntil(b"\r\n\r\n")
    _, found, rest = head.lower().partition(b"content-length:")
    length = int(rest.split(b"\r\n", 1)[0]) if found else 0
    return head, await reader.readexactly(length)


async def _exchange(
    request: bytes,
    writer: asyncio.StreamWriter,
    theirs: asyncio.StreamReader,
    ours: asyncio.StreamWriter,
    fault: Fault | None,
) -> None:
    kind = fault.kind if fault is not None else ""
    if fault is not None and kind == "answer":
        writer.write(fault.answer())
        return
    if fault is not None and kind == "reset-request":
        ours.write(request[: fault.at % len(request)])
        await ours.drain()
        raise _abort(writer, ours)
    ours.write(request)
    head, body = await _message(theirs)
    answer = head + body
    if fault is None:
        writer.write(answer)
    elif kind == "swallow":
        writer.write(fault.answer())
    elif kind in ("reset", "truncate"):
        writer.write(answer[: fault.at % len(answer)])
        await writer.drain()
        if kind == "truncate":
            raise _Broken
        raise _abort(writer)
    elif kind == "duplicate":
        place = fault.at % len(answer)
        writer.write(answer[: place + 20] + answer[place:])
    elif kind == "drip":
        for place in range(0, len(answer), 1 + len(answer) // 20):
            writer.write(answer[place : place + 1 + len(answer) // 20])
            await asyncio.sleep(fault.seconds / 20)
    elif kind == "delay":
        await asyncio.sleep(fault.seconds)
        writer.write(answer)
    await writer.drain()
    if b"chunked" in head.lower():  # a stream: it is passed on until one side ends it
        while chunk := await theirs.read(65536):
            writer.write(chunk)
            if fault is not None:
                raise _abort(writer, ours)
            await writer.drain()
        raise _Broken


def _abort(*writers: asyncio.StreamWriter) -> _Broken:
    """Reset connections, as a machine does that goes down."""
    for writer in writers:
        sock = writer.get_extra_info("socket")
        with suppress(OSError):
            sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return _Broken()
