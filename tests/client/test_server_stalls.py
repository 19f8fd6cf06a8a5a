"""Runs that show no progress: many are looked at by a few lists, few by their names."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from argo_double import ArgoDouble, pending
from respx_server import serve

import aiowf
from aiowf import operations, tasks
from aiowf.client import stalls

OP = operations.DistributedSyncOperation("op-", tasks.BashTask("work", "true"))


@pytest.fixture
def server() -> ArgoDouble:
    """A server on which nothing gets on."""
    return ArgoDouble(pending("Unschedulable: 0/3 nodes are available"))


@pytest.fixture
async def client(server: ArgoDouble) -> AsyncIterator[aiowf.Client]:
    """A client of that server."""
    async with (
        serve(server.router) as url,
        aiowf.connect(url, namespace="argo", token="x") as opened,
    ):
        yield opened


async def test_many_stalled_runs_cost_few_requests(
    server: ArgoDouble, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """A hundred runs without progress are looked at by lists, and each pending pod is told of."""
    monkeypatch.setattr(stalls, "FIRST_LOOK", 0.5)
    runs = await asyncio.gather(*(client.submit(OP) for _ in range(100)))
    waiting = [asyncio.create_task(run.wait(timeout=1.4)) for run in runs]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(each) for each in results} == {aiowf.OperationTimeoutError}
    assert server.list.call_count >= 2
    assert server.list.call_count + server.get.call_count <= 25
    told = {record.args[0] for record in caplog.records if "is pending" in record.msg}
    assert told == {run.name for run in runs}


async def test_all_that_are_stuck_are_told(
    server: ArgoDouble, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of many waits ends with the reason; the run itself can still be awaited."""
    monkeypatch.setattr(stalls, "FIRST_LOOK", 0.2)
    monkeypatch.setattr(stalls, "HOPELESS_AFTER", 0.1)
    server.status = pending("ErrImagePull: no such image")
    runs = await asyncio.gather(*(client.submit(OP) for _ in range(30)))
    results = await asyncio.gather(*(run.wait() for run in runs), return_exceptions=True)
    assert {(type(each), each.reason) for each in results} == {  # type: ignore[union-attr]
        (aiowf.OperationStuckError, "ErrImagePull")
    }
    with pytest.raises(aiowf.OperationStuckError):
        await runs[0].wait()


async def test_a_look_that_fails_ends_no_wait(
    server: ArgoDouble, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """A server that does not say why is asked again later; whoever waits goes on waiting."""
    monkeypatch.setattr(stalls, "FIRST_LOOK", 0.1)
    server.refusal = httpx.Response(403, json={"code": 7, "message": "no"})
    for count in (1, 30):
        runs = await asyncio.gather(*(client.submit(OP) for _ in range(count)))
        waiting = [asyncio.create_task(run.wait(timeout=0.5)) for run in runs]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(each) for each in results} == {aiowf.OperationTimeoutError}
    assert "cannot be looked at" in caplog.text


async def test_a_list_of_nonsense_ends_no_looking(
    server: ArgoDouble, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items that are no workflows are passed over; the next look tells what is pending."""
    monkeypatch.setattr(stalls, "FIRST_LOOK", 0.2)
    monkeypatch.setattr(stalls, "HOPELESS_AFTER", 0.1)
    server.status = pending("ErrImagePull: no such image")
    seen = server.seen
    nonsense: list[Any] = [{}, {"metadata": 5}] * 20
    monkeypatch.setattr(server, "seen", lambda made: nonsense.pop() if nonsense else seen(made))
    runs = await asyncio.gather(*(client.submit(OP) for _ in range(30)))
    results = await asyncio.gather(*(run.wait() for run in runs), return_exceptions=True)
    assert {aiowf.OperationStuckError} == {type(each) for each in results}


async def test_a_run_that_gets_on_is_not_looked_at(
    server: ArgoDouble, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch
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
    assert server.get.call_count == 0
