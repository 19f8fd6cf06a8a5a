"""The page of a served engine, in a real Chromium: its first paint, and how soon it shows a change.

A change is made by resuming a pause. The time runs from before the request that does so to the
frame in which the page shows it, so that it holds the engine's part too.
"""

import asyncio
import time
from typing import Any

from aiohttp import ClientSession
from playwright.async_api import Browser, Page

from aiowf.engine import ServeSettings
from benchmarks.chromium import launched, served
from benchmarks.row import Row

_LOADS = 7
_CHANGES = 20
_MANY = 300
_FIRST_PAINT = """async () => {
  while (!performance.getEntriesByName("first-contentful-paint").length) {
    await new Promise(requestAnimationFrame);
  }
  return performance.getEntriesByName("first-contentful-paint")[0].startTime;
}"""
# Resolves to the time at which the frame with the change has been made.
_SEEN = """(node) => {
  window.seen = new Promise((resolve) => {
    const look = () => {
      const step = document.querySelector(`button.step[data-node="${node}"]`);
      if (step?.dataset.phase !== "Succeeded") return requestAnimationFrame(look);
      requestAnimationFrame(() => resolve(performance.timeOrigin + performance.now()));
    };
    look();
  });
}"""


def rows() -> list[Row]:
    """Measure all."""
    return asyncio.run(_rows())


async def _rows() -> list[Row]:
    async with (
        served(ServeSettings(port=0, no_auth=True)) as engine,
        launched() as browser,
        ClientSession(engine.url) as client,
    ):
        paint = await _first_paint(browser, engine.url)
        few = await _changes(browser, client, engine.url, _CHANGES)
        many = await _changes(browser, client, engine.url, _MANY)
    name = f"page: a change is seen, worst of {_CHANGES}"
    return [
        Row(name=f"page: first paint, best of {_LOADS}", ours=paint, unit="ms", at_most=500),
        Row(name=f"{name}, {_CHANGES} nodes", ours=max(few), unit="ms", at_most=200),
        Row(name=f"{name}, {_MANY} nodes", ours=max(many), unit="ms", at_most=200),
    ]


async def _first_paint(browser: Browser, url: str) -> float:
    """Return the least time from the request to the first paint, with nothing in the cache."""
    times: list[float] = []
    for _ in range(_LOADS):
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(url)
        times.append(await page.evaluate(_FIRST_PAINT))
        await context.close()
    return min(times)


async def _changes(browser: Browser, client: ClientSession, url: str, count: int) -> list[float]:
    """Return the times in ms in which changes are seen, in a workflow of so many nodes."""
    name = f"pauses-{count}"
    nodes = await _submit(client, name, count)
    page = await browser.new_page()
    await page.goto(f"{url}workflows/default/{name}")
    await page.get_by_role("button", name=f"{count} steps").click()
    await page.locator("button.step").nth(count - 1).wait_for()
    times = [await _change(page, client, name, node) for node in nodes[:_CHANGES]]
    await page.close()
    return times


async def _submit(client: ClientSession, name: str, count: int) -> list[str]:
    """Submit pauses; return the ids of their nodes."""
    step = {"name": "pause", "template": "pause", "withSequence": {"count": str(count)}}
    templates = [{"name": "main", "steps": [[step]]}, {"name": "pause", "suspend": {}}]
    spec = {"entrypoint": "main", "templates": templates}
    body = {"workflow": {"metadata": {"name": name}, "spec": spec}}
    async with client.post("/api/v1/workflows/default", json=body) as response:
        response.raise_for_status()
    while True:  # until all have begun
        async with client.get(f"/api/v1/workflows/default/{name}") as response:
            nodes: dict[str, Any] = (await response.json())["status"].get("nodes") or {}
        pauses: list[str] = [node["id"] for node in nodes.values() if node["type"] == "Suspend"]
        if len(pauses) == count:
            return pauses


async def _change(page: Page, client: ClientSession, name: str, node: str) -> float:
    """Resume a pause; return the time in ms until that is seen."""
    await page.evaluate(_SEEN, node)
    began = time.time()
    body = {"nodeFieldSelector": f"id={node}"}
    async with client.put(f"/api/v1/workflows/default/{name}/resume", json=body) as response:
        response.raise_for_status()
    return float(await page.evaluate("window.seen")) - began * 1000
