"""A real Chromium that looks at a real server of the page, and engines behind that server."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[2]))

from browsing import Tab

from benchmarks.chromium import launched

expect.set_options(timeout=20_000)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Start one browser for all tests of this process."""
    try:
        async with launched() as chromium:
            yield chromium
    except FileNotFoundError as missing:
        pytest.skip(str(missing))


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Tab]:
    """Open a tab, with the options of `pytest.mark.parametrize("tab", …, indirect=True)`."""
    options = {"viewport": {"width": 1280, "height": 800}, **getattr(request, "param", {})}
    context = await browser.new_context(**options)
    opened = Tab(await context.new_page(), context)
    opened.watch(opened.page)
    yield opened
    await context.close()
    opened.check()
