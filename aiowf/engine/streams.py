"""Streams of messages, as Server-Sent Events or as lines of JSON."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any

import orjson
from aiohttp import web

from aiowf.engine.exchange import when_kept
from aiowf.engine.refusal import Refusal

KEEPALIVE = 15.0  # seconds
_SSE = "text/event-stream"
Batches = AsyncGenerator[list[Any], None]


class Stream:
    """One answer that is a stream; its headers go out with the first message or keepalive."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._sse = request.headers.get("Accept") == _SSE
        self._response: web.StreamResponse | None = None

    async def _prepared(self, status: int) -> web.StreamResponse:
        if self._response is not None:
            return self._response
        headers = {"Content-Type": _SSE if self._sse else "application/json"}
        response = self._response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(self._request)
        return response

    async def _write(self, data: bytes, status: int = 200) -> None:
        await (await self._prepared(status)).write(data)

    async def send(self, messages: list[Any]) -> None:
        """Send messages: JSON data, each of them framed."""
        await when_kept(self._request)
        frame = b"data: %b \n\n\n" if self._sse else b"%b\n"
        await self._write(b"".join(frame % orjson.dumps(message) for message in messages))

    async def keep_alive(self) -> None:
        """Send what keeps an idle connection open; lines of JSON have no such thing.

        Raises:
            ConnectionResetError: The other side has gone.
        """
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        if self._sse:
            await self._write(b":\n")

    async def end(self, error: Any = None, status: int = 200) -> web.StreamResponse:
        """End the stream, with the message of an error or without; return the response.

        Args:
            error: The message as JSON data.
            status: The HTTP status, if nothing was sent before.
        """
        if error is not None:
            text = orjson.dumps(error)
            await self._write(b"data: %b \n\n" % text if self._sse else text, status)
        response = await self._prepared(status)
        await response.write_eof()
        return response


async def run_stream(
    request: web.Request,
    batches: Batches,
    prune_error: Callable[[Any], Any] | None = None,
) -> web.StreamResponse:
    """Send batches of messages until they end, with keepalives in between.

    Args:
        request: The request that is answered.
        batches: The messages; a Refusal ends them.
        prune_error: What is done to the message of the refusal before it is sent.
    """
    stream = Stream(request)
    sending = asyncio.create_task(_send_all(stream, batches, prune_error))
    ticking = asyncio.create_task(_tick(stream))
    try:
        await asyncio.wait((sending, ticking), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, ticking):
            task.cancel()
        await asyncio.wait((sending, ticking))
    if sending.cancelled() or isinstance(sending.exception(), ConnectionResetError):
        return web.Response()  # the other side has gone: nobody reads this
    return sending.result()


async def _send_all(
    stream: Stream, batches: Batches, prune_error: Callable[[Any], Any] | None
) -> web.StreamResponse:
    try:
        async with aclosing(batches):
            async for batch in batches:
                if batch:
                    await stream.send(batch)
    except Refusal as refusal:
        message = refusal.stream_error()
        if prune_error is not None:
            message = prune_error(message)
        return await stream.end(message, refusal.status)
    return await stream.end()


async def _tick(stream: Stream) -> None:
    with suppress(ConnectionResetError):
        while True:
            await asyncio.sleep(KEEPALIVE)
            await stream.keep_alive()
