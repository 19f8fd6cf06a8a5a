"""The FastAPI service, on an engine that each test has for itself."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi_service import app

from aiowf.testing import AiowfEngine


@pytest.fixture
async def client(aiowf_engine: AiowfEngine) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service; the service is begun, so that its own client is open."""
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://shop") as client,
    ):
        yield client


async def test_price(client: httpx.AsyncClient, aiowf_engine: AiowfEngine) -> None:
    """The function really runs, as in a pod, and its value is the answer."""
    answer = await client.post("/orders/100/price")
    assert {"price": 119.0} == answer.json()
    assert ["price-"] == [each.operation for each in aiowf_engine.submissions]


def make_report(month: str) -> None:
    """Stand in for the image that makes reports."""
    print(f"report of {month}")  # noqa: T201


@pytest.mark.aiowf(images={"shop-report": make_report})
async def test_report(client: httpx.AsyncClient, aiowf_engine: AiowfEngine) -> None:
    """A second request finds the report of the first."""
    answers = [await client.post("/reports/2026-10") for _ in range(2)]
    assert [202, 202] == [answer.status_code for answer in answers]
    [submission] = aiowf_engine.submissions
    container = submission.template("report").container
    assert container is not None
    assert ("2026-10",) == container.args
    assert [submission.name] * 2 == [answer.json()["workflow"] for answer in answers]
    assert (await client.get(f"/reports/{submission.name}")).json()["phase"]


def fail(number: int) -> float:
    """Stand in for a function of the service that fails."""
    raise RuntimeError("no such order")


async def test_failure(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller is told that the work failed, and the log why."""
    monkeypatch.setattr("shop.price_of", fail)
    answer = await client.post("/orders/100/price")
    assert 502 == answer.status_code
    assert {"error": "the work could not be done"} == answer.json()
    assert "no such order" in caplog.text
