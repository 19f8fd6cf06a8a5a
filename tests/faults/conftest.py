"""An embedded engine, and clients that reach it through a proxy which breaks what passes."""

from collections.abc import AsyncIterator

import pytest

from aiowf.engine import Engine, launch


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """An engine of the test's own."""
    async with launch() as running:
        yield running
