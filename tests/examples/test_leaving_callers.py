"""Callers of the services who go away before the answer has come."""

import asyncio
import socket

import pytest
import uvicorn
from aiohttp import web
from aiohttp_service import make_app
from fastapi_service import app

import aiowf
from aiowf.testing import AiowfEngine

ASKED = b"POST /orders/1/price HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n"


def sleep(number: int) -> float:
    """Stand in for a price that takes long."""
    import time

    time.sleep(60)
    return 0.0


async def message_after_leaving(host: str, port: int, engine: AiowfEngine) -> str:
    """Ask for a price, go away when its workflow was submitted, and return how that ended."""
    _, writer = await asyncio.open_connection(host, port)
    writer.write(ASKED)
    async with asyncio.timeout(20):
        while not engine.submissions:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        writer.close()
        run = (await aiowf.current_client()).get_run(engine.submissions[0].name)
        result = await run.wait(check=False)
    return result.message


async def test_a_caller_of_aiohttp_stops_the_workflow(
    aiowf_engine: AiowfEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler is cancelled, as the service is run."""
    monkeypatch.setattr("shop.price_of", sleep)
    runner = web.AppRunner(make_app(), handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        message = await message_after_leaving(*runner.addresses[0][:2], aiowf_engine)
        assert "Stopped with strategy 'Stop'" in message
    finally:
        await runner.cleanup()


async def test_a_caller_of_fastapi_stops_the_workflow(
    aiowf_engine: AiowfEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler watches the connection while it waits."""
    monkeypatch.setattr("shop.price_of", sleep)
    server = uvicorn.Server(uvicorn.Config(app, ws="none", log_config=None))
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        message = await message_after_leaving(*listening.getsockname(), aiowf_engine)
        assert "Stopped with strategy 'Stop'" in message
    finally:
        server.should_exit = True
        await serving
