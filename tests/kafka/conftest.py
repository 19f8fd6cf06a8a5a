"""Real brokers: one for all tests, and one for each test that kills its own."""

from collections.abc import Iterator

import pytest
from broker import Broker, broker


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Give a broker that nobody may harm."""
    with broker(tmp_path_factory.mktemp("kafka")) as made:
        yield made


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Give a broker to be killed."""
    with broker(tmp_path_factory.mktemp("kafka")) as made:
        yield made
