"""The aiohttp.web service, on an engine that each test has for itself."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp_service import make_app

import aiowf
from aiowf.testing import AiowfEngine

Shop = TestClient[Any, Any]


@pytest.fixture
async def client(aiowf_engine: AiowfEngine) -> AsyncIterator[Shop]:
    """A client of the service."""
    async with TestClient(TestServer(make_app())) as client:
        yield client


async def test_price(client: Shop, aiowf_engine: AiowfEngine) -> None:
    """The function really runs, as in a pod, and its value is the answer."""
    answer = await client.post("/orders/100/price")
    assert {"price": 119.0} == await answer.json()
    assert ["price-"] == [each.operation for each in aiowf_engine.submissions]


@pytest.mark.aiowf(images={"shop-report": "false"}, clock="skip")
async def test_report_that_fails(client: Shop) -> None:
    """Three retries, with their pauses, take no time; then the report has failed."""
    answer = await client.post("/reports/2026-10")
    run = (await aiowf.current_client()).get_run((await answer.json())["workflow"])
    result = await run.wait(check=False)
    assert "Failed" == result.phase
    assert timedelta(seconds=1 + 2 + 4) <= (result.duration or timedelta())


def sleep(number: int) -> float:
    """Stand in for a price that takes long."""
    import time

    time.sleep(60)
    return 0.0


async def test_a_caller_who_goes_away_stops_the_workflow(
    aiowf_engine: AiowfEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler is cancelled, as the service is run."""
    monkeypatch.setattr("shop.price_of", sleep)
    runner = web.AppRunner(make_app(), handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        _, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(b"POST /orders/1/price HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n")
        async with asyncio.timeout(20):
            while not aiowf_engine.submissions:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            writer.close()
            run = (await aiowf.current_client()).get_run(aiowf_engine.submissions[0].name)
            result = await run.wait(check=False)
        assert "Stopped with strategy 'Stop'" in result.message
    finally:
        await runner.cleanup()
