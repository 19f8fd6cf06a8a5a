"""A Kafka of librdkafka's for each test."""

from collections.abc import Iterator

import pytest
from mock_kafka import MockCluster, mock_cluster

from aiowf.replies import kafka, reading

TOPIC = "aiowf-replies"


@pytest.fixture(autouse=True)
def _woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask often: unlike a real broker, the mock's fetches are not woken by what is produced."""
    monkeypatch.setattr(reading, "_POLL_MS", 20)
    # So long the mock makes a group wait that is joined once more.
    monkeypatch.setattr(kafka, "_SESSION_MS", 1500)


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    """Give a cluster of one broker, with the reply topic."""
    with mock_cluster() as made:
        made.create(TOPIC, 4)
        yield made
