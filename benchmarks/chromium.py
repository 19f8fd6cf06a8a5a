"""The machine's Chromium, and an engine served to it: for benchmarks and tests of the page."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from playwright.async_api import Browser, async_playwright

from aiowf.engine import Listening, ServeSettings, serve

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Start Chromium, and end it.

    Raises:
        FileNotFoundError: There is none on this machine.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise FileNotFoundError(
            "there is no Chromium on this machine; on Debian: apt-get install chromium"
        )
    async with async_playwright() as driver:
        chromium = await driver.chromium.launch(
            executable_path=program, args=_ARGUMENTS, timeout=90_000
        )
        yield chromium
        await chromium.close()


@asynccontextmanager
async def served(settings: ServeSettings) -> AsyncIterator[Listening]:
    """Serve a real engine, as `aiowf dev` does."""
    listening: asyncio.Future[Listening] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings, on_listening=listening.set_result))
    await asyncio.wait((serving, listening), return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    yield listening.result()
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
