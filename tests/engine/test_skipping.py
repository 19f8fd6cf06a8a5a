"""The clock that goes to what is due next where nothing is at work."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from bed import Bed, ScriptedExecutor, bed, nodes_of, pod, single, steps

from aiowf.engine.pod import Pod, PodResult
from aiowf.engine.skipping import SkippingClock

FAILED = PodResult(exit_code=1, reason="Error")
OK = PodResult(exit_code=0)
HOUR = 3600.0


@pytest.fixture
def clock() -> SkippingClock:
    """The clock of the engine."""
    return SkippingClock()


@pytest.fixture
async def quick(clock: SkippingClock) -> AsyncIterator[Bed]:
    """An engine whose time skips."""
    async with asyncio.timeout(20), bed(clock=clock) as running:
        yield running


def length(thing: Any) -> float:
    """Return the seconds from start to end."""
    start, end = (datetime.fromisoformat(thing[key]) for key in ("startedAt", "finishedAt"))
    return (end - start).total_seconds()


async def test_backoffs_of_minutes_take_no_time(quick: Bed) -> None:
    """Attempts follow each other at once, and the timestamps tell of the waits between them."""
    quick.executor.behave = lambda pod: FAILED
    strategy = {"limit": 3, "backoff": {"duration": "10m", "factor": 2}}
    workflow = await quick.run(single(pod("p", retryStrategy=strategy)))
    assert 4 == len([node for node in nodes_of(workflow).values() if node["type"] == "Pod"])
    assert length(workflow["status"]) == pytest.approx((10 + 20 + 40) * 60, abs=5)


async def test_a_suspension_with_a_duration_ends_at_once(quick: Bed) -> None:
    """A gate of an hour opens by itself."""
    gate = {"name": "gate", "suspend": {"duration": "1h"}}
    workflow = await quick.run(steps(["gate"], ["p"], templates=[gate, pod("p")]))
    assert "Succeeded" == workflow["status"]["phase"]
    assert HOUR <= length(workflow["status"]) < HOUR + 5


async def test_the_deadline_of_a_suspended_workflow_comes_at_once(quick: Bed) -> None:
    """Nothing else is to come, so it is too late."""
    spec = single({"name": "gate", "suspend": {}}, activeDeadlineSeconds=600)
    workflow = await quick.run(spec)
    assert "Failed" == workflow["status"]["phase"]
    assert 600 <= length(workflow["status"]) < 605


async def test_what_is_due_first_happens_first(quick: Bed) -> None:
    """A deadline before the next attempt prevents it."""
    quick.executor.behave = lambda pod: FAILED
    strategy = {"limit": 3, "backoff": {"duration": "10m"}}
    spec = single(pod("p", retryStrategy=strategy), activeDeadlineSeconds=900)
    workflow = await quick.run(spec)
    assert 2 == len([node for node in nodes_of(workflow).values() if node["type"] == "Pod"])
    assert length(workflow["status"]) == pytest.approx(900, abs=5)


async def test_a_pod_that_runs_holds_the_time(quick: Bed, clock: SkippingClock) -> None:
    """Whoever waits for an hour waits for the end of the pod, and then not at all."""
    quick.executor.behave = lambda pod: None
    gate = {"name": "gate", "suspend": {"duration": "1h"}}
    before = clock.time()
    await quick.create(steps(["gate", "p"], templates=[gate, pod("p")]))
    running = await quick.executor.pod("p")
    await quick.get()
    assert clock.time() - before < 60
    running.end(OK)
    workflow = await quick.finished()
    assert HOUR <= length(workflow["status"]) < HOUR + 60
    assert length(nodes_of(workflow)["wf[0].p"]) < 60


async def test_the_deadline_of_a_running_pod_takes_real_time(quick: Bed) -> None:
    """A pod has the seconds that it was given."""
    quick.executor.behave = lambda pod: None
    loop = asyncio.get_running_loop()
    before = loop.time()
    workflow = await quick.run(single(pod("p", activeDeadlineSeconds=1)))
    assert "Failed" == workflow["status"]["phase"]
    assert loop.time() - before > 0.9


async def test_the_time_to_live_waits_to_be_skipped(quick: Bed, clock: SkippingClock) -> None:
    """A result can be read for as long as nobody lets the time pass; then it is deleted."""
    spec = single(pod("p"), ttlStrategy={"secondsAfterCompletion": 1200})
    await quick.run(spec)
    await clock.skip(1100)
    assert "Succeeded" == (await quick.get())["status"]["phase"]
    await clock.skip(101)
    assert 5 == (await quick.get())["code"]
    assert [("ns", "wf")] == quick.gone_workflows


async def test_a_time_to_live_ends_while_another_workflow_waits(quick: Bed) -> None:
    """What is due on the way happens on the way."""
    await quick.run(single(pod("p"), ttlStrategy={"secondsAfterCompletion": 1200}), "old")
    gate = {"name": "gate", "suspend": {"duration": "1h"}}
    await quick.run(single(gate), "young")
    assert [("ns", "old")] == quick.gone_workflows


async def test_time_skipped_by_hand_stops_for_pods(clock: SkippingClock) -> None:
    """What a skip makes start takes its own time, and is over when the skip is."""
    attempts: list[Pod] = []

    def behave(pod: Pod) -> PodResult:
        attempts.append(pod)
        return FAILED if len(attempts) == 1 else OK

    clock.skips = False
    async with asyncio.timeout(20), bed(ScriptedExecutor(behave), clock=clock) as running:
        strategy = {"limit": 1, "backoff": {"duration": "10m"}}
        await running.create(single(pod("p", retryStrategy=strategy)))
        await running.until(
            lambda workflow: any(
                node["message"].startswith("Backoff")
                for node in workflow["status"].get("nodes", {}).values()
                if "message" in node
            )
        )
        assert 1 == len(attempts)
        clock.skips = True
        await clock.skip(900)
        assert 2 == len(attempts)
        assert "Succeeded" == (await running.get())["status"]["phase"]


async def test_a_cancelled_timer_moves_nothing(clock: SkippingClock) -> None:
    """Nobody waits for what was cancelled."""
    before = clock.time()
    happened: list[str] = []
    clock.call_later(50.0, lambda: happened.append("first"))
    clock.call_later(99.0, lambda: happened.append("never")).cancel()
    clock.call_later(70.0, lambda: happened.append("tidied"), awaited=False)
    await clock.skip(60)
    assert ["first"] == happened
    assert 60 <= clock.time() - before < 65


async def test_a_cancelled_skip_leaves_nothing(clock: SkippingClock) -> None:
    """Who no longer waits does not move the time."""
    before = clock.time()
    clock.hold()
    skipping = asyncio.create_task(clock.skip(HOUR))
    await asyncio.sleep(0)
    skipping.cancel()
    await asyncio.wait([skipping])
    clock.release()
    await clock.skip(1)
    assert clock.time() - before < 60


async def test_everything_can_be_cleared(quick: Bed) -> None:
    """Running, waiting and finished workflows go, and their pods are killed."""
    quick.executor.behave = lambda pod: None if pod.template_name == "long" else OK
    await quick.run(single(pod("p")), "finished")
    again = {"limit": 3, "backoff": {"duration": "10m"}}
    await quick.create(single(pod("long", retryStrategy=again)), "running")
    await quick.create(single({"name": "gate", "suspend": {}}), "waiting")
    await quick.executor.pod("long")
    await quick.controller.clear()
    names = ["finished", "running", "waiting"]
    assert [5, 5, 5] == [(await quick.get(name))["code"] for name in names]
    await quick.controller.clock.skip(3600)
    assert 0 == quick.executor.running
    assert {} == quick.executor.states
