"""The shared watch: nothing that happened is lost, whatever happens to the stream."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
import stamina
from respx_server import serve

from aiowf.argo import ArgoSession, Ending, Subscription, Watch
from aiowf.errors import (
    ArgoError,
    ConfigurationError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from aiowf.wire.events import WatchEvent, as_event

DATA = Path(__file__).parent.parent / "data" / "argo"
STREAMS: dict[str, list[dict[str, Any]]] = json.loads((DATA / "http-streams.json").read_text())
EOF = b'data: {"error":{"grpc_code":8,"http_code":429,"message":"EOF"}} \n\n'
GONE = (
    b'data: {"error":{"grpc_code":3,"http_code":400,'
    b'"message":"too old resource version: 1 (8)"}} \n\n'
)
BOOKMARK = (
    b'data: {"result":{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}} \n\n'
)
SSE = {"Content-Type": "text/event-stream"}


@pytest.fixture(autouse=True)
def _no_waiting() -> Any:
    """Repeat calls without pauses."""
    stamina.set_testing(True, attempts=2)
    yield
    stamina.set_testing(False)


def workflow(phase: str, version: int, uid: str = "u", name: str = "w", **status: Any) -> Any:
    """Return a workflow as a server tells it."""
    return {
        "metadata": {"name": name, "uid": uid, "resourceVersion": str(version)},
        "status": {"phase": phase, **status},
    }


def event(kind: str, phase: str, version: int, **more: Any) -> bytes:
    """Return a message of the stream."""
    data = {"result": {"type": kind, "object": workflow(phase, version, **more)}}
    return b"data: " + json.dumps(data).encode() + b" \n\n\n"


class Streams:
    """What the server streams, one list for each connection; the last connection stays open."""

    def __init__(self, *connections: list[bytes | Exception]) -> None:
        self.connections = list(connections)
        self.asked: list[dict[str, str]] = []
        self.more: asyncio.Queue[bytes] = asyncio.Queue()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(dict(request.url.params))
        parts = self.connections.pop(0) if self.connections else []
        return httpx.Response(200, content=self._content(parts), headers=SSE)

    async def _content(self, parts: list[bytes | Exception]) -> AsyncIterator[bytes]:
        yield b":\n"
        for part in parts:
            if isinstance(part, Exception):
                raise part
            yield part
        if not self.connections:
            while True:
                yield await self.more.get()


@pytest.fixture
def listed(router: respx.Router) -> list[Any]:
    """The workflows that the server lists, and gives by name."""
    items: list[Any] = []

    def get(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        found = [item for item in items if item["metadata"]["name"] == name]
        missing = httpx.Response(404, json={"code": 5, "message": f"{name} not found"})
        return httpx.Response(200, json=found[0]) if found else missing

    router.get("/api/v1/workflows/argo").mock(
        side_effect=lambda _: httpx.Response(200, json={"metadata": {}, "items": items or None})
    )
    router.get(path__regex=r"/api/v1/workflows/argo/\w+").mock(side_effect=get)
    return items


def stream(router: respx.Router, *connections: list[bytes | Exception]) -> Streams:
    """Let the server stream."""
    streams = Streams(*connections)
    router.get("/api/v1/workflow-events/argo").mock(side_effect=streams)
    return streams


async def soon(waiting: Any) -> Any:
    """Await something that has to happen."""
    async with asyncio.timeout(20):
        return await waiting


async def test_the_end_of_a_workflow_is_told(argo: ArgoSession, router: respx.Router) -> None:
    """Followed before it is created, bound when it is, told when it ends; with what was asked."""
    streams = stream(router, [event("ADDED", "", 1), event("MODIFIED", "Running", 2)])
    async with Watch(argo, label_selector="a=b") as watch:
        subscription = watch.follow("w")
        subscription.bind("u")
        assert (await soon(anext(subscription))).phase in ("", "Running")
        streams.more.put_nowait(event("MODIFIED", "Failed", 3))
        ending = await soon(subscription.ended())
        assert (ending.reason, ending.phase, ending.is_final) == ("finished", "Failed", True)
        assert [each.phase async for each in subscription] == ["Failed"]
        assert repr(watch) == "<Watch argo a=b following=0>"
    asked = streams.asked[0]
    assert asked["listOptions.labelSelector"] == "a=b"
    assert asked["listOptions.allowWatchBookmarks"] == "true"
    assert "error" in asked["fields"]
    assert "nodes" not in asked["fields"]
    assert "listOptions.resourceVersion" not in asked


async def test_a_recorded_life_is_read(argo: ArgoSession, router: respx.Router) -> None:
    """The stream of a real server, from creation to deletion."""
    recorded = [chunk.encode() for chunk in STREAMS["watch-life-fields"][0]["chunks"]]
    stream(router, list(recorded))
    async with Watch(argo) as watch:
        subscription = watch.follow("ev-2", "2182bb0c-003e-4ea6-812c-2ac0a1690a40")
        ending = await soon(subscription.ended())
        assert ending.phase == "Succeeded"
        assert (subscription.progress, subscription.version) == ("2/2", "634")
        assert ending.event is not None
        assert ending.event.labels["ev"] == "ev-2"


@pytest.mark.parametrize(
    ("broken_by", "goes_on_at"),
    [
        ([EOF], "2"),
        ([b""], "2"),
        ([ConnectionAbortedError()], "2"),
        ([b'data: {"result"', ConnectionAbortedError()], "2"),
        ([b"data: nonsense \n\n"], "2"),
        ([BOOKMARK, EOF], "7"),
        ([GONE], None),
    ],
    ids=["expiry", "end", "reset", "cut", "nonsense", "bookmark", "410"],
)
async def test_a_broken_stream_goes_on(
    argo: ArgoSession,
    router: respx.Router,
    listed: list[Any],
    broken_by: list[bytes | Exception],
    goes_on_at: str | None,
) -> None:
    """However a stream ends, the next goes on at its place, or anew where that is forgotten."""
    listed.append(workflow("Running", 2))
    streams = stream(
        router,
        [event("MODIFIED", "Running", 2), *broken_by],
        [event("MODIFIED", "Succeeded", 9)],
    )
    async with Watch(argo) as watch:
        assert (await soon(watch.follow("w", "u").ended())).phase == "Succeeded"
    assert [asked.get("listOptions.resourceVersion") for asked in streams.asked] == [
        None,
        goes_on_at,
    ]


async def test_a_stream_begun_anew_has_no_place_before_it_is_complete(
    argo: ArgoSession, router: respx.Router, listed: list[Any]
) -> None:
    """What exists comes in no order: a break among it begins anew, so that nothing is left out."""
    listed += [workflow("Running", 9), workflow("Running", 3, uid="v", name="v")]
    streams = stream(
        router,
        [event("ADDED", "Running", 9), EOF],
        [event("ADDED", "Succeeded", 10), event("ADDED", "Succeeded", 4, uid="v", name="v")],
    )
    async with Watch(argo) as watch:
        both = [watch.follow("w", "u"), watch.follow("v", "v")]
        await soon(asyncio.gather(*(each.ended() for each in both)))
    assert "listOptions.resourceVersion" not in streams.asked[1]


async def test_what_a_stream_missed_a_list_finds(
    argo: ArgoSession, router: respx.Router, listed: list[Any]
) -> None:
    """A stream that is silent does not keep an end to itself."""
    streams = stream(router)
    listed.append(workflow("Succeeded", 5))
    async with Watch(argo, silence=0.05) as watch:
        ending = await soon(watch.follow("w", "u").ended())
    assert (ending.phase, ending.event and ending.event.type) == ("Succeeded", "LISTED")
    assert len(streams.asked) == 1


async def test_a_proxy_that_keeps_everything_back_delays_an_end_by_the_silence(
    argo: ArgoSession, router: respx.Router, listed: list[Any]
) -> None:
    """Neither headers nor keepalives come through: lists tell how workflows fare and end."""
    asked: list[httpx.Request] = []

    async def keep_back(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    router.get("/api/v1/workflow-events/argo").mock(side_effect=keep_back)
    listed.append(workflow("Running", 5, progress="1/2"))
    async with Watch(argo, silence=0.1, deadline=60, reconcile=60) as watch:
        subscription = watch.follow("w", "u")
        assert "1/2" == (await soon(anext(subscription))).progress
        listed[0] = workflow("Succeeded", 6)
        ending = await soon(subscription.ended())
    assert ("Succeeded", "LISTED") == (ending.phase, ending.event and ending.event.type)
    assert 1 == len(asked)


async def test_a_list_is_read_now_and_then(
    argo: ArgoSession, router: respx.Router, listed: list[Any]
) -> None:
    """Also while the stream is well."""
    streams = stream(router)
    async with Watch(argo, reconcile=0.3) as watch:
        subscription = watch.follow("w", "u")
        listed.append(workflow("Running", 5, progress="1/2"))
        assert (await soon(anext(subscription))).progress == "1/2"
        listed[0] = workflow("Succeeded", 6)
        streams.more.put_nowait(b":\n")
        assert (await soon(subscription.ended())).phase == "Succeeded"


async def test_a_workflow_that_vanished_is_gone(
    argo: ArgoSession, router: respx.Router, listed: list[Any]
) -> None:
    """It is in no list, and under its name there is nothing, or another."""
    stream(router)
    listed.append(workflow("Running", 5, uid="other", name="taken"))
    async with Watch(argo, silence=0.05) as watch:
        gone = [watch.follow("w", "u"), watch.follow("taken", "u")]
        endings = await soon(asyncio.gather(*(each.ended() for each in gone)))
    assert endings == [Ending("gone"), Ending("gone")]


async def test_a_workflow_missing_in_a_list_may_still_exist(
    argo: ArgoSession, router: respx.Router
) -> None:
    """Pages shift while they are read: only its own name decides."""
    stream(router)
    router.get("/api/v1/workflows/argo").respond(json={"metadata": {}, "items": None})
    answers = [
        httpx.Response(200, json={"odd": True}),
        httpx.Response(200, json=workflow("Running", 1)),
        httpx.Response(200, json=workflow("Error", 2)),
    ]
    router.get("/api/v1/workflows/argo/w").mock(side_effect=answers)
    async with Watch(argo, silence=0.05) as watch:
        assert (await soon(watch.follow("w", "u").ended())).phase == "Error"


@pytest.mark.parametrize("exists", [False, True])
async def test_deleted_before_its_end(
    argo: ArgoSession, router: respx.Router, listed: list[Any], exists: bool
) -> None:
    """DELETED without a final phase is looked into at once: gone, or only out of the selector."""
    streams = stream(router, [event("MODIFIED", "Running", 1), event("DELETED", "Running", 2)])
    if exists:
        listed.append(workflow("Succeeded", 3))
    async with Watch(argo) as watch:
        ending = await soon(watch.follow("w", "u").ended())
    assert ending.reason == ("finished" if exists else "gone")
    assert len(streams.asked) == 1


async def test_a_deletion_with_a_final_phase_is_an_end(
    argo: ArgoSession, router: respx.Router
) -> None:
    """The last event of a workflow that was collected tells how it ended."""
    stream(router, [event("DELETED", "Succeeded", 2)])
    async with Watch(argo) as watch:
        assert (await soon(watch.follow("w", "u").ended())).is_final


async def test_another_workflow_of_the_same_name_is_not_meant(
    argo: ArgoSession, router: respx.Router
) -> None:
    """Before `bind` nothing is told; after it, only of the one that is meant."""
    streams = stream(router, [event("DELETED", "Failed", 1, uid="old")])
    async with Watch(argo) as watch:
        marker = watch.follow("marker", "m")
        subscription = watch.follow("w")
        streams.more.put_nowait(event("ADDED", "Running", 2, uid="m", name="marker"))
        await soon(anext(marker))
        assert not subscription.is_settled
        subscription.bind("u", "2")
        streams.more.put_nowait(event("ADDED", "Failed", 2))
        streams.more.put_nowait(event("MODIFIED", "Failed", 3, uid="old"))
        streams.more.put_nowait(event("MODIFIED", "Succeeded", 4))
        assert (await soon(subscription.ended())).phase == "Succeeded"


async def test_an_end_before_the_binding_counts(argo: ArgoSession, router: respx.Router) -> None:
    """The stream may be faster than the answer to the creation."""
    streams = stream(router, [event("ADDED", "Succeeded", 2)])
    async with Watch(argo) as watch:
        subscription, marker = watch.follow("w"), watch.follow("marker", "m")
        streams.more.put_nowait(event("ADDED", "Running", 3, uid="m", name="marker"))
        await soon(anext(marker))
        subscription.bind("u")
        assert (await soon(subscription.ended())).phase == "Succeeded"


@pytest.mark.parametrize(
    ("status", "kind"), [(401, UnauthenticatedError), (403, PermissionDeniedError)]
)
async def test_a_refused_watch_is_told_to_all(
    argo: ArgoSession, router: respx.Router, status: int, kind: type[ArgoError]
) -> None:
    """What the server refuses at first ends every subscription, and every later one."""
    body = {"error": {"grpc_code": 16, "http_code": status, "message": "no"}}
    router.get("/api/v1/workflow-events/argo").respond(status, json=body)
    async with Watch(argo) as watch:
        subscription = watch.follow("w", "u")
        with pytest.raises(kind, match="/api/v1/workflow-events/argo"):
            await soon(subscription.ended())
        with pytest.raises(kind):
            await soon(anext(subscription))
        with pytest.raises(kind):
            watch.follow("v")


async def test_a_refusal_later_is_waited_out(
    argo: ArgoSession, router: respx.Router, listed: list[Any]
) -> None:
    """A watch that has worked goes on when the server comes back to its senses."""
    listed.append(workflow("Running", 2))
    streams = stream(
        router, [event("MODIFIED", "Running", 2), EOF], [event("MODIFIED", "Succeeded", 3)]
    )
    down = httpx.Response(503, json={"code": 14, "message": "connection refused"})
    refused = httpx.Response(403, json={"code": 7, "message": "forbidden"})
    answers = [None, httpx.Response(429, content=EOF), down, refused, None]
    router.get("/api/v1/workflow-events/argo").mock(
        side_effect=lambda request: answers.pop(0) or streams(request)
    )
    async with Watch(argo) as watch:
        assert (await soon(watch.follow("w", "u").ended())).phase == "Succeeded"
    assert answers == []


async def test_a_server_that_cannot_be_asked_is_asked_again(
    argo: ArgoSession, router: respx.Router
) -> None:
    """Lists that fail are read again until one succeeds."""
    stream(router)
    down = httpx.Response(503, json={"code": 14, "message": "connection refused"})
    lists = [down, down, httpx.Response(200, json={"items": [workflow("Succeeded", 1)]})]
    router.get("/api/v1/workflows/argo").mock(side_effect=lambda _: lists.pop(0))
    async with Watch(argo, silence=0.05) as watch:
        assert (await soon(watch.follow("w", "u").ended())).phase == "Succeeded"


async def test_half_open_connections_are_given_up(
    argo: ArgoSession, router: respx.Router, listed: list[Any]
) -> None:
    """A connection without a word, not even a keepalive, is replaced."""
    listed.append(workflow("Running", 1))
    streams = stream(router, [], [event("MODIFIED", "Succeeded", 2)])
    never: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def silent() -> AsyncIterator[bytes]:
        yield await never

    answers = [httpx.Response(200, content=silent(), headers=SSE)]
    streams.connections.pop(0)
    router.get("/api/v1/workflow-events/argo").mock(
        side_effect=lambda request: answers.pop(0) if answers else streams(request)
    )
    async with Watch(argo, deadline=0.2) as watch:
        assert (await soon(watch.follow("w", "u").ended())).phase == "Succeeded"
    never.cancel()


async def test_nothing_is_asked_while_nobody_waits(argo: ArgoSession, router: respx.Router) -> None:
    """A watch that nobody follows opens no stream; one stream serves all who follow."""
    streams = stream(router, [event("ADDED", "Running", 1)])
    async with Watch(argo) as watch:
        await asyncio.sleep(0)
        assert router.calls.call_count == 0
        many = [watch.follow(f"w{n}", f"u{n}") for n in range(100)]
        first = watch.follow("w", "u")
        await soon(anext(first))
        for n in range(100):
            streams.more.put_nowait(event("MODIFIED", "Succeeded", 2, uid=f"u{n}", name=f"w{n}"))
        await soon(asyncio.gather(*(each.ended() for each in many)))
        with first:
            pass
        assert first.is_settled
        assert await first.ended() == Ending("closed", "Running")
    assert router.calls.call_count == 1


async def test_closing_settles_everything(argo: ArgoSession, router: respx.Router) -> None:
    """Nobody waits for ever on a watch that was closed."""
    stream(router)
    async with Watch(argo) as watch:
        subscription = watch.follow("w", "u")
        waiting = [
            asyncio.ensure_future(subscription.ended()),
            asyncio.create_task(_all(subscription)),
        ]
        await asyncio.sleep(0)
        cancelled = asyncio.ensure_future(subscription.ended())
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
    assert await soon(asyncio.gather(*waiting)) == [Ending("closed"), []]
    with pytest.raises(ConfigurationError, match="closed"):
        watch.follow("late")


async def _all(subscription: Subscription) -> list[WatchEvent]:
    return [each async for each in subscription]


async def test_only_the_latest_change_is_kept(argo: ArgoSession, router: respx.Router) -> None:
    """Who does not read has one event waiting, not a queue."""
    streams = stream(
        router, [event("MODIFIED", "Running", n, progress=f"{n}/9") for n in range(1, 9)]
    )
    async with Watch(argo) as watch:
        slow, marker = watch.follow("w", "u"), watch.follow("marker", "m")
        before = slow.changed_at
        streams.more.put_nowait(event("ADDED", "Running", 3, uid="m", name="marker"))
        await soon(anext(marker))
        assert (await soon(anext(slow))).progress == "8/9"
        assert slow.changed_at > before


async def test_a_large_event_is_kept_small(argo: ArgoSession, router: respx.Router) -> None:
    """What a server sends although it was not asked for does not stay in memory."""
    nodes = {f"n{n}": {"id": f"n{n}", "message": "x" * 100} for n in range(1000)}
    stream(router, [event("MODIFIED", "Running", 1, nodes=nodes, progress="1/2")])
    async with Watch(argo) as watch:
        told = await soon(anext(watch.follow("w", "u")))
    assert told.object["status"] == {"phase": "Running", "progress": "1/2"}


@pytest.mark.parametrize(
    "fault",
    [
        lambda: ConfigurationError("no token"),
        lambda: RuntimeError("a defect"),
    ],
)
async def test_a_defect_ends_the_watch_with_its_reason(
    argo: ArgoSession, router: respx.Router, fault: Callable[[], Exception]
) -> None:
    """Whatever ends the watch, everybody who waits is told."""

    async def fail() -> None:
        raise fault()

    stream(router)
    async with Watch(argo) as watch:
        watch._read_stream = fail  # type: ignore[method-assign]
        with pytest.raises((ConfigurationError, ArgoError), match=r"no token|a defect"):
            await soon(watch.follow("w", "u").ended())


async def test_a_server_that_ends_every_stream_is_not_flooded(
    router: respx.Router, server: str, listed: list[Any]
) -> None:
    """Ends in quick succession are answered ever more slowly."""
    listed.append(workflow("Running", 1))
    route = router.get("/api/v1/workflow-events/argo")
    route.respond(content=EOF, headers=SSE)
    async with ArgoSession(server, namespace="argo") as argo, Watch(argo) as watch:
        subscription = watch.follow("w", "u")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await subscription.ended()
    assert 2 <= route.call_count <= 6


async def test_a_named_watch_of_nothing_is_gone(argo: ArgoSession, router: respx.Router) -> None:
    """A watch of one name is refused with 404 where there is none."""
    missing = {"error": {"grpc_code": 5, "http_code": 404, "message": "w not found"}}
    router.get("/api/v1/workflow-events/argo").respond(404, json=missing)
    router.get("/api/v1/workflows/argo").respond(json={"items": None})
    router.get("/api/v1/workflows/argo/w").respond(404, json={"code": 5, "message": "not found"})
    async with Watch(argo, field_selector="metadata.name=w") as watch:
        assert (await soon(watch.follow("w", "u").ended())).reason == "gone"
        assert "metadata.name=w" in repr(watch)


async def test_a_long_stream_is_followed_by_the_next_at_once(
    argo: ArgoSession, router: respx.Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expiry after a long time is normal: there is no pause, and no list."""
    monkeypatch.setattr("aiowf.argo.watch._LASTING", -1.0)
    monkeypatch.setattr("aiowf.argo.watch.delay", lambda failures: 60.0)
    stream(router, [event("MODIFIED", "Running", 1), EOF], [event("MODIFIED", "Succeeded", 2)])
    async with Watch(argo) as watch:
        assert (await soon(watch.follow("w", "u").ended())).phase == "Succeeded"
    assert router.calls.call_count == 2


async def test_a_watch_can_be_ended_from_outside(argo: ArgoSession, router: respx.Router) -> None:
    """Who knows that the server is gone for good can tell all who wait."""
    stream(router)
    async with Watch(argo) as watch:
        subscription = watch.follow("w", "u")
        watch.fail(ConfigurationError("the engine has ended"))
        with pytest.raises(ConfigurationError, match="the engine has ended"):
            await soon(subscription.ended())
        with pytest.raises(ConfigurationError):
            watch.follow("v", "u")


async def test_a_pending_workflow_takes_little_memory(argo: ArgoSession) -> None:
    """Less than 4 KiB for each that is waited for, its latest event included."""
    watch, many = Watch(argo), 2_000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        followed = [watch.follow(f"w{n}", f"u{n}") for n in range(many)]
        for n in range(many):
            told = as_event("MODIFIED", workflow("Running", n, uid=f"u{n}", name=f"w{n}"))
            assert told is not None
            watch._take(told)
        waiting = [asyncio.ensure_future(each.ended()) for each in followed]
        await asyncio.sleep(0)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    await watch.aclose()
    await asyncio.gather(*waiting)
    assert (after - before) / many < 4096


async def test_a_restarted_server_is_found_again(tmp_path: Path) -> None:
    """A server that is killed and comes back on the same address has lost nobody's wait."""
    router = respx.Router(assert_all_called=False)
    streams = stream(router, [event("MODIFIED", "Running", 1)])
    router.get("/api/v1/workflows/argo").respond(json={"items": [workflow("Running", 1)]})
    path = tmp_path / "socket"
    async with (
        ArgoSession(f"unix:{path}", namespace="argo", attempts=1) as argo,
        Watch(argo) as watch,
    ):
        subscription = watch.follow("w", "u")
        async with serve(router, unix=path):
            await soon(anext(subscription))
        streams.connections = [[event("MODIFIED", "Succeeded", 2)]]
        async with serve(router, unix=path):
            assert (await soon(subscription.ended())).phase == "Succeeded"
