"""Streams of messages, as Server-Sent Events or as lines of JSON."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
from aiohttp import web

from aiowf.engine.refusal import Refusal

KEEPALIVE = 15.0  # seconds
_SSE = "text/event-stream"


class Stream:
    """One answer that is a stream; its headers go out with the first message or keepalive."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._sse = request.headers.get("Accept") == _SSE
        self._response: web.StreamResponse | None = None

    def _prepared(self, status: int) -> web.StreamResponse:
        content_type = _SSE if self._sse else "application/json"
        return web.StreamResponse(status=status, headers={"Content-Type": content_type})

    async def _write(self, data: bytes, status: int = 200) -> None:
        if self._response is None:
            self._response = self._prepared(status)
            await self._response.prepare(self._request)
        await self._response.write(data)

    async def send(self, messages: list[Any]) -> None:
        """Send messages: JSON data, each of them framed."""
        texts = map(orjson.dumps, messages)
        if self._sse:
            await self._write(b"".join(b"data: %b \n\n\n" % text for text in texts))
        else:
            await self._write(b"".join(b"%b\n" % text for text in texts))

    async def keep_alive(self) -> None:
        """Send what keeps an idle connection open; lines of JSON have no such thing."""
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
        if self._response is None:
            self._response = self._prepared(200)
            await self._response.prepare(self._request)
        await self._response.write_eof()
        return self._response


async def run_stream(
    request: web.Request, batches: AsyncIterator[list[Any]], *, prune_error: Any = None
) -> web.StreamResponse:
    """Send batches of messages until they end, with keepalives in between.

    Args:
        request: The request that is answered.
        batches: The messages; a Refusal ends them.
        prune_error: What is done to the message of the refusal before it is sent.
    """
    stream = Stream(request)
    ticker = asyncio.create_task(_tick(stream))
    try:
        async for batch in batches:
            if batch:
                await stream.send(batch)
        return await stream.end()
    except Refusal as refusal:
        message = refusal.stream_error()
        if prune_error is not None:
            message = prune_error(message)
        return await stream.end(message, refusal.status)
    finally:
        ticker.cancel()
        await asyncio.wait([ticker])


async def _tick(stream: Stream) -> None:
    while True:
        await asyncio.sleep(KEEPALIVE)
        await stream.keep_alive()
