"""The Flask service, on an engine that each test has for itself."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask.testing import FlaskClient
from flask_service import service

from aiowf.testing import AiowfEngine


@pytest.fixture
def client(aiowf_engine: AiowfEngine) -> Iterator[FlaskClient]:
    """A client of the service; the service is begun, so that its own client is open."""
    with service() as app:
        yield app.test_client()


def test_price(client: FlaskClient, aiowf_engine: AiowfEngine) -> None:
    """The function really runs, as in a pod, and its value is the answer."""
    answer = client.post("/orders/100/price")
    assert {"price": 119.0} == answer.json
    assert ["price-"] == [each.operation for each in aiowf_engine.submissions]


def test_many_at_once(client: FlaskClient, aiowf_engine: AiowfEngine) -> None:
    """Handlers of several threads share one client."""
    with ThreadPoolExecutor(4) as threads:
        make = client.application.test_client
        answers = list(threads.map(lambda n: make().post(f"/orders/{n}/price"), range(4)))
    assert [0.0, 1.19, 2.38, 3.57] == [answer.json["price"] for answer in answers if answer.json]
    assert 4 == len(aiowf_engine.submissions)


@pytest.mark.aiowf(images={"shop-report": ["sleep", "60"]})
def test_report(client: FlaskClient, aiowf_engine: AiowfEngine) -> None:
    """The answer does not wait for the report."""
    answer = client.post("/reports/2026-10")
    assert 202 == answer.status_code
    assert ["report-"] == [each.operation for each in aiowf_engine.submissions]
