"""One client on one embedded engine for each module of tests: they share its event loop."""

from collections.abc import AsyncIterator

import pytest_asyncio

import aiowf


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client() -> AsyncIterator[aiowf.Client]:
    """Give a client that is open on an embedded engine."""
    async with aiowf.connect("local") as opened:
        yield opened
