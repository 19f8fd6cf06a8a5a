"""Fixtures for the engine's controller and server."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from bed import Bed
from bed import bed as make_bed


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    """Return a running engine whose pods succeed at once."""
    async with make_bed() as running:
        yield running
