"""The aiohttp.web service, on an engine that each test has for itself."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
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
