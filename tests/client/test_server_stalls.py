"""Runs that show no progress: many are looked at by a few lists, few by their names."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import respx
from respx_server import serve

import aiowf
from aiowf import operations, tasks
from aiowf.client import stalls

OP = operations.DistributedSyncOperation("op-", tasks.BashTask("work", "true"))
WORKFLOWS = "/api/v1/workflows/argo"


class Server:
    """Takes workflows, and lets their pods be pending.

    Attributes:
        asked: How often it was asked what.
        message: What the pending pods say.
    """

    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {}
        self.asked: Counter[str] = Counter()
        self.message = "Unschedulable: 0/3 nodes are available"
        self.failing = False
        self.router = respx.Router(assert_all_called=False)
        self.router.post(path=WORKFLOWS).mock(side_effect=self.create)
        self.router.get(path="/api/v1/workflow-events/argo").mock(side_effect=self.watch)
        self.router.get(path=WORKFLOWS).mock(side_effect=self.page)
        self.router.get(path__regex=rf"{WORKFLOWS}/[^/]+").mock(side_effect=self.get)
        self.router.put(path__regex=rf"{WORKFLOWS}/[^/]+/stop").respond(json={"metadata": {}})

    def create(self, request: httpx.Request) -> httpx.Response:
        made = json.loads(request.content)["workflow"]
        name = made["metadata"]["name"]
        made["metadata"] |= {"uid": f"uid-{name}", "resourceVersion": "1"}
        self.made[name] = made
        return httpx.Response(200, json=made)

    def seen(self, made: dict[str, Any]) -> dict[str, Any]:
        node = {"id": "n", "name": "n", "displayName": "work", "type": "Pod", "phase": "Pending"}
        node["message"] = self.message
        return {**made, "status": {"phase": "Running", "nodes": {"n": node}}}

    def get(self, request: httpx.Request) -> httpx.Response:
        self.asked["get"] += 1
        if self.failing:
            return httpx.Response(403, json={"code": 7, "message": "no"})
        name = request.url.path.rpartition("/")[2]
        return httpx.Response(200, json=self.seen(self.made[name]))

    def page(self, request: httpx.Request) -> httpx.Response:
        self.asked["list"] += 1
        if self.failing:
            return httpx.Response(403, json={"code": 7, "message": "no"})
        query = request.url.params
        begin, size = int(query.get("listOptions.continue", 0)), int(query["listOptions.limit"])
        items = [self.seen(made) for made in self.made.values()][begin : begin + size]
        return httpx.Response(200, json={"metadata": {}, "items": items})

    def watch(self, request: httpx.Request) -> httpx.Response:
        async def silence() -> AsyncIterator[bytes]:
            yield b":\n"
            await asyncio.Event().wait()

        headers = {"Content-Type": "text/event-stream"}
        return httpx.Response(200, headers=headers, content=silence())


@pytest.fixture
def server() -> Server:
    """A server on which nothing gets on."""
    return Server()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[aiowf.Client]:
    """A client of that server."""
    async with (
        serve(server.router) as url,
        aiowf.connect(url, namespace="argo", token="x") as opened,
    ):
        yield opened


async def test_many_stalled_runs_cost_few_requests(
    server: Server, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """A hundred runs without progress are looked at by lists, and each pending pod is told of."""
    monkeypatch.setattr(stalls, "FIRST_LOOK", 0.5)
    runs = await asyncio.gather(*(client.submit(OP) for _ in range(100)))
    waiting = [asyncio.create_task(run.wait(timeout=1.4)) for run in runs]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(each) for each in results} == {aiowf.OperationTimeoutError}
    assert server.asked["list"] >= 2
    assert server.asked.total() <= 25
    told = {record.args[0] for record in caplog.records if "is pending" in record.msg}
    assert told == {run.name for run in runs}


async def test_all_that_are_stuck_are_told(
    server: Server, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of many waits ends with the reason; the run itself can still be awaited."""
    monkeypatch.setattr(stalls, "FIRST_LOOK", 0.2)
    monkeypatch.setattr(stalls, "HOPELESS_AFTER", 0.1)
    server.message = "ErrImagePull: no such image"
    runs = await asyncio.gather(*(client.submit(OP) for _ in range(30)))
    results = await asyncio.gather(*(run.wait() for run in runs), return_exceptions=True)
    assert {(type(each), each.reason) for each in results} == {  # type: ignore[union-attr]
        (aiowf.OperationStuckError, "ErrImagePull")
    }
    with pytest.raises(aiowf.OperationStuckError):
        await runs[0].wait()


async def test_a_look_that_fails_ends_no_wait(
    server: Server, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """A server that does not say why is asked again later; whoever waits goes on waiting."""
    monkeypatch.setattr(stalls, "FIRST_LOOK", 0.1)
    server.failing = True
    for count in (1, 30):
        runs = await asyncio.gather(*(client.submit(OP) for _ in range(count)))
        waiting = [asyncio.create_task(run.wait(timeout=0.5)) for run in runs]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(each) for each in results} == {aiowf.OperationTimeoutError}
    assert "cannot be looked at" in caplog.text


async def test_a_list_of_nonsense_ends_no_looking(
    server: Server, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items that are no workflows are passed over; the next look tells what is pending."""
    monkeypatch.setattr(stalls, "FIRST_LOOK", 0.2)
    monkeypatch.setattr(stalls, "HOPELESS_AFTER", 0.1)
    server.message = "ErrImagePull: no such image"
    seen = server.seen
    nonsense: list[Any] = [{}, {"metadata": 5}] * 20
    monkeypatch.setattr(server, "seen", lambda made: nonsense.pop() if nonsense else seen(made))
    runs = await asyncio.gather(*(client.submit(OP) for _ in range(30)))
    results = await asyncio.gather(*(run.wait() for run in runs), return_exceptions=True)
    assert {aiowf.OperationStuckError} == {type(each) for each in results}


async def test_a_run_that_gets_on_is_not_looked_at(
    server: Server, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as phase or progress change, nobody asks."""
    monkeypatch.setattr(stalls, "FIRST_LOOK", 0.2)
    run = await client.submit(OP)
    waiting = asyncio.create_task(run.wait(timeout=0.7))
    while not waiting.done():
        assert run._subscription is not None
        run._subscription.changed_at = asyncio.get_running_loop().time()
        await asyncio.sleep(0.05)
    assert isinstance(waiting.exception(), aiowf.OperationTimeoutError)
    assert server.asked["get"] == 0
