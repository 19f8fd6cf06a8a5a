"""Submissions through a network that breaks: each workflow once, each Run with its Result.

`SUBMITS=1000` in the environment runs the large case with so many workflows.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from proxy import Choose, Fault, proxy

import aiowf
from aiowf import operations, tasks
from aiowf.client import submission
from aiowf.engine import Engine

SUBMITS = int(os.environ.get("SUBMITS", "100"))
# Nothing runs: what is measured is the way to the server and back.
IDLE: dict[str, Any] = {
    "metadata": {"generateName": "idle-"},
    "spec": {
        "entrypoint": "main",
        "templates": [
            {"name": "main", "steps": [[{"name": "a", "template": "nothing", "when": "false"}]]},
            {"name": "nothing", "suspend": {}},
        ],
    },
}
OP = operations.DistributedSyncOperation("op-", tasks.BashTask("work", "true"))
AMBIGUOUS = [
    Fault("reset-request", at=5),
    Fault("reset-request", at=400),
    Fault("reset", at=0),
    Fault("reset", at=60),
    Fault("truncate", at=0),
    Fault("truncate", at=300),
    Fault("duplicate", at=2),
    Fault("duplicate", at=250),
    Fault("drip"),
    Fault("delay"),
    Fault("swallow", status=500),
    Fault("swallow", status=502),
    Fault("swallow", status=503),
    Fault("swallow", status=504),
    Fault("swallow", status=200),
    Fault("swallow", status=408),
    Fault("answer", status=502),
    Fault("answer", status=503),
    Fault("answer", status=504),
    Fault("answer", status=429, retry_after="0"),
    Fault("answer", status=429),
]


@asynccontextmanager
async def client_of(engine: Engine, choose: Choose, **options: Any) -> AsyncIterator[aiowf.Client]:
    """Connect a client to an engine through a proxy."""
    async with (
        proxy(engine.server, choose) as url,
        aiowf.connect(
            url, token=f"Bearer {engine.token}", namespace="default", **options
        ) as client,
    ):
        yield client


async def names_on(engine: Engine) -> list[str]:
    """Return the names of all workflows of an engine."""
    async with aiowf.connect(
        engine.server, token=f"Bearer {engine.token}", namespace="default"
    ) as client:
        return [run.name async for run in client.list()]


async def test_every_kind_of_fault_leaves_one_workflow(engine: Engine) -> None:
    """Whatever happens to the first exchange, the workflow exists once and the Run is resolved."""
    for fault in AMBIGUOUS:
        posts: list[str] = []

        def choose(method: str, path: str, fault: Fault = fault, seen: Any = posts) -> Fault | None:
            if method != "POST":
                return None
            seen.append(path)
            return fault if len(seen) == 1 else None

        async with client_of(engine, choose) as client:
            manifest = {**IDLE, "metadata": {"generateName": f"idle-{AMBIGUOUS.index(fault)}-"}}
            run = await client.submit(manifest)
            result = await run.wait(timeout=20)
        assert (fault, result.phase) == (fault, "Succeeded")
        was_done = fault.kind in ("reset", "truncate", "duplicate", "drip", "delay", "swallow")
        assert (fault, len(posts)) == (fault, 1 if was_done else 2)
    assert len(await names_on(engine)) == len(AMBIGUOUS)


async def test_each_of_many_is_created_once(engine: Engine) -> None:
    """A fault at a random point of each exchange: all workflows exist once, all Runs resolve."""
    dice = random.Random(17)
    faulty: set[int] = set()

    def choose(method: str, path: str) -> Fault | None:
        share = {"POST": 0.8, "GET": 0.2}.get(method, 0.0)
        if "/workflow-events/" in path:
            share = 0.5
        if dice.random() > share:
            return None
        faulty.add(len(faulty))
        kind = dice.choice(
            ["reset-request", "reset", "truncate", "duplicate", "drip", "delay", "answer"]
            + ["swallow"] * 2
        )
        return Fault(
            kind,
            at=dice.randrange(10_000),
            status=dice.choice([429, 500, 502, 503, 504]) if kind == "answer" else 502,
            retry_after=dice.choice([None, "0"]),
        )

    async with client_of(engine, choose) as client:
        runs = await asyncio.gather(*(client.submit(IDLE) for _ in range(SUBMITS)))
        results = await asyncio.gather(*(run.wait(timeout=100) for run in runs))
    assert {result.phase for result in results} == {"Succeeded"}
    assert len(faulty) > SUBMITS * 0.5
    names = await names_on(engine)
    assert sorted(names) == sorted(run.name for run in runs)
    assert len(set(names)) == SUBMITS


async def test_what_may_have_run_already_is_not_sent_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the window, a share of the time to live, is over, the error says that nobody knows."""
    monkeypatch.setattr(submission, "_FIRST_PAUSE", 0.05)
    posts = 0

    def choose(method: str, path: str) -> Fault | None:
        nonlocal posts
        posts += method == "POST"
        return Fault("answer", status=502) if method == "POST" else None

    async with client_of(engine, choose) as client, asyncio.timeout(10):
        brief = {**IDLE, "spec": {**IDLE["spec"], "ttlStrategy": {"secondsAfterCompletion": 1}}}
        began = asyncio.get_running_loop().time()
        with pytest.raises(aiowf.UnavailableError, match="nobody knows whether workflow idle-"):
            await client.submit(brief)
        assert asyncio.get_running_loop().time() - began < 2
        assert posts > 1


async def test_nobody_is_asked_for_ever(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes a workflow and then says nothing more leaves it unknown."""
    monkeypatch.setattr(submission, "_FIRST_PAUSE", 0.05)

    def choose(method: str, path: str) -> Fault | None:
        return Fault("swallow", status=504)

    async with client_of(engine, choose) as client:
        brief = {**IDLE, "spec": {**IDLE["spec"], "ttlStrategy": {"secondsAfterSuccess": 1}}}
        with pytest.raises(aiowf.UnavailableError, match="nobody knows whether"):
            await client.submit(brief)
    assert len(await names_on(engine)) <= 1


async def test_verbs_reach_a_workflow_through_faults(engine: Engine) -> None:
    """stop, suspend and delete are sent again when no answer came; nobody is told of it."""
    faults: list[Fault] = []

    def choose(method: str, path: str) -> Fault | None:
        return faults.pop() if method in ("PUT", "DELETE") and faults else None

    waiting = {**IDLE, "spec": {**IDLE["spec"], "entrypoint": "nothing"}}
    async with client_of(engine, choose) as client:
        run = await client.submit(waiting)
        for fault in (Fault("swallow", status=503), Fault("reset-request", at=40)):
            faults.append(fault)
            await run.suspend()
            faults.append(fault)
            await run.resume(None)
        faults.append(Fault("swallow", status=504))
        await run.stop()
        await run.wait(check=False, timeout=10)
        faults.append(Fault("swallow", status=502))
        await run.delete()
        assert await client.list() == []
