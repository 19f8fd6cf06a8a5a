"""The page in a Firefox as it comes, which speaks WebDriver BiDi by itself."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse
from attrs import define, field
from bed import OK, bed, dag, pod
from browsing import address, held

FIREFOX = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
GATE = {
    "name": "gate",
    "suspend": {},
    "outputs": {"parameters": [{"name": "answer", "valueFrom": {"supplied": {}}}]},
}
# Resolves when something is true; a frame is when the page may have changed.
UNTIL = """new Promise((resolve) => {
  const look = () => ((%s) ? resolve(true) : requestAnimationFrame(look));
  look();
})"""


@define(eq=False)
class Firefox:
    """A tab of Firefox, and what its console said."""

    socket: ClientWebSocketResponse
    tab: str = ""
    said: list[str] = field(factory=list)
    _ids: Any = field(factory=lambda: count(1))

    async def call(self, method: str, **parameters: Any) -> Any:
        """Send a command, and return its result."""
        number = next(self._ids)
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self.socket.receive_json()
            if message.get("type") == "event":
                self.said.append(message["params"]["text"])
            elif message["id"] == number:
                assert "success" == message["type"], message
                return message["result"]

    async def run(self, script: str) -> None:
        """Run a script in the page, and wait for what it promises."""
        target = {"context": self.tab}
        await self.call("script.evaluate", expression=script, target=target, awaitPromise=True)

    async def until(self, condition: str) -> None:
        """Wait until something is true in the page."""
        await self.run(UNTIL % condition)


@asynccontextmanager
async def firefox(profile: Path) -> AsyncIterator[Firefox]:
    """Start Firefox, with a tab."""
    words = ("--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", str(profile))
    process = await asyncio.create_subprocess_exec(
        str(FIREFOX), *words, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        assert process.stderr is not None
        async for line in process.stderr:
            _, found, place = line.decode().partition("WebDriver BiDi listening on ")
            if found:
                break
        async with ClientSession() as client, client.ws_connect(f"{place.strip()}/session") as ws:
            started = Firefox(ws)
            await started.call("session.new", capabilities={})
            await started.call("session.subscribe", events=["log.entryAdded"])
            started.tab = (await started.call("browsingContext.create", type="tab"))["context"]
            yield started
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.skipif(FIREFOX is None, reason="no Firefox; on Debian: apt-get install firefox-esr")
async def test_a_workflow_is_followed_in_firefox(tmp_path: Path) -> None:
    """From the list to a workflow, whose pause is given its value, and which ends in sight."""
    executor = held("slow")
    tasks = [{"name": "a"}, {"name": "slow", "depends": "a"}, {"name": "gate", "depends": "a"}]
    last = {"name": "end", "template": "a", "depends": "slow && gate"}
    step = "document.querySelector(\"button.step[aria-label='%s']\")"
    async with (
        asyncio.timeout(90),
        bed(executor) as running,
        firefox(tmp_path) as tab,
    ):
        await running.create(dag(*tasks, last, templates=[pod("a"), pod("slow"), GATE]))
        await tab.call("browsingContext.navigate", context=tab.tab, url=address(running))
        await tab.until("document.querySelector('table.list tbody a')")
        await tab.run("document.querySelector('table.list tbody a').click()")
        await tab.until(step % "gate, Suspended")
        await tab.until(step % "end, Waiting")
        await tab.run(f"{step % 'gate, Suspended'}.click()")
        await tab.run("document.querySelector('form.values textarea').value = 'yes'")
        await tab.run("document.querySelector('form.values').requestSubmit()")
        await tab.until(step % "gate, Succeeded")
        (await executor.pod("slow")).end(OK)
        await tab.until(step % "end, Succeeded")
        await tab.until("document.title.startsWith('Succeeded')")
        for view in ("timeline", "logs", "details"):
            await tab.run(f"document.getElementById('tab-{view}').click()")
        await tab.until("document.querySelector('.results').textContent.includes('yes')")
        assert [] == tab.said
