"""A respx router behind a real socket: routes and call assertions of respx, bytes of aiohttp."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import respx
from aiohttp import web


@asynccontextmanager
async def serve(router: respx.Router, *, unix: Path | None = None) -> AsyncIterator[str]:
    """Serve the routes of a router; give the server's URL, or unix:path."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked = httpx.Request(
            request.method,
            f"http://argo{request.raw_path}",
            headers=list(request.headers.items()),
            content=await request.read(),
        )
        given = await router.async_handler(asked)
        response = web.StreamResponse(status=given.status_code)
        for name, value in given.headers.multi_items():
            if name.lower() != "transfer-encoding":
                response.headers.add(name, value)
        await response.prepare(request)
        try:
            if given.is_stream_consumed:  # a body that was given whole
                await response.write(given.content)
            else:
                async for chunk in given.aiter_raw():
                    await response.write(chunk)
        except ConnectionAbortedError:  # raised by a test's stream: the server is killed
            assert request.transport is not None
            request.transport.abort()
        return response

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    try:
        if unix is not None:
            await web.UnixSite(runner, unix).start()
            yield f"unix:{unix}"
        else:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0]
            yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serve_bytes(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    *,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[str]:
    """Serve what need not be HTTP; give "host:port". Each connection ends with its `talk`."""
    talks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                await talk(reader, writer)
            finally:
                writer.close()
                await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.create_task(run(reader, writer)))

    listener = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
    host, port = listener.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        listener.close()
        for each in talks:
            each.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
