"""Logs: live, each line once, to the end of the workflow, or from the archive."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import respx
import stamina

from aiowf.argo import ArgoSession, LogLine, follow_logs
from aiowf.errors import NotFoundError, UnavailableError
from aiowf.wire.nodes import pod_name

SSE = {"Content-Type": "text/event-stream"}
LOG = "/api/v1/workflows/argo/w/log"
EXECUTOR = 'time=2026-11-23T15:52:31.875Z level=INFO msg="exited" error=<nil> argo=true'
LOAD, SAVE = pod_name("w", "load", "w[0].load"), pod_name("w", "save", "w[1].save")


@pytest.fixture(autouse=True)
def _no_waiting() -> Any:
    """Repeat calls without pauses."""
    stamina.set_testing(True, attempts=1)
    yield
    stamina.set_testing(False)


@pytest.fixture
def status(router: respx.Router) -> dict[str, Any]:
    """The workflow of two steps that the server knows."""
    nodes = {
        f"w-{template}": {
            "id": f"w-{template}",
            "name": f"w[{number}].{template}",
            "type": "Pod",
            "templateName": template,
            "startedAt": f"2026-11-23T15:52:3{number}Z",
        }
        for number, template in enumerate(("load", "save"))
    }
    status: dict[str, Any] = {"phase": "Succeeded", "nodes": nodes}
    router.get("/api/v1/workflows/argo/w").mock(
        side_effect=lambda _: httpx.Response(
            200, json={"metadata": {"name": "w"}, "status": status}
        )
    )
    return status


def entry(pod: str, content: str, second: int) -> bytes:
    """Return a message of the stream, with a time stamp as the server puts it."""
    stamped = f"2026-11-23T15:52:{second:02}.5Z {content}"
    return (
        b"data: "
        + json.dumps({"result": {"content": stamped, "podName": pod}}).encode()
        + (b" \n\n\n")
    )


def answer(*parts: bytes | Exception) -> httpx.Response:
    """Return a stream."""

    async def content() -> AsyncIterator[bytes]:
        for part in parts:
            if isinstance(part, Exception):
                raise part
            yield part

    return httpx.Response(200, content=content(), headers=SSE)


async def read(argo: ArgoSession, **options: Any) -> list[str]:
    """Return the lines of the log."""
    async with asyncio.timeout(20):
        return [str(line) async for line in follow_logs(argo, "w", **options)]


async def test_lines_have_their_task_in_front(
    argo: ArgoSession, router: respx.Router, status: dict[str, Any]
) -> None:
    """Lines of all tasks, without the executor's."""
    route = router.get(LOG)
    route.mock(
        answer(entry(LOAD, "a", 1), entry(SAVE, f"b{EXECUTOR}", 2), entry(LOAD, EXECUTOR, 3))
    )
    assert await read(argo) == ["load: a", "save: b"]
    asked = route.calls.last.request.url.params
    assert (asked["logOptions.container"], asked["logOptions.follow"]) == ("main", "true")


async def test_lines_of_one_task_or_pod(
    argo: ArgoSession, router: respx.Router, status: dict[str, Any]
) -> None:
    """Only what was asked for comes."""
    route = router.get(LOG)
    route.side_effect = lambda _: answer(entry(LOAD, "a", 1), entry(SAVE, "b", 2))
    assert await read(argo, task="save", follow=False) == ["save: b"]
    lines = [line async for line in follow_logs(argo, "w", pod=LOAD, follow=False)]
    assert lines[0] == LogLine("load", LOAD, "a")
    assert route.calls.last.request.url.params["podName"] == LOAD


async def test_a_broken_stream_brings_each_line_once(
    argo: ArgoSession, router: respx.Router, status: dict[str, Any]
) -> None:
    """A stream begun anew repeats what was told; it is told no more."""
    status["phase"] = "Running"
    lines = [entry(LOAD, "a", 1), entry(LOAD, "a", 2), entry(LOAD, "b", 3)]

    def again(_: httpx.Request) -> httpx.Response:
        status["phase"] = "Succeeded"
        return answer(*lines, entry(SAVE, "c", 4))

    route = router.get(LOG)
    route.side_effect = [
        answer(*lines[:2], ConnectionAbortedError()),
        httpx.Response(503, json={"code": 14, "message": "connection refused"}),
        answer(*lines[:1]),
        again,
    ]
    streams = iter(route.side_effect)
    route.side_effect = lambda request: (
        given(request) if callable(given := next(streams)) else given
    )
    assert await read(argo) == ["load: a", "load: a", "load: b", "save: c"]


async def test_a_stream_that_never_ends_is_left(
    argo: ArgoSession, router: respx.Router, status: dict[str, Any]
) -> None:
    """When only keepalives come, the workflow is asked whether it has ended."""

    async def content() -> AsyncIterator[bytes]:
        yield entry(LOAD, "a", 1)
        while True:
            await asyncio.sleep(0.01)
            yield b":\n"

    router.get(LOG).mock(side_effect=lambda _: httpx.Response(200, content=content(), headers=SSE))
    assert await read(argo) == ["load: a"]


async def test_a_pod_that_the_workflow_does_not_tell_is_known_by_its_name(
    argo: ArgoSession, router: respx.Router, status: dict[str, Any]
) -> None:
    """The template stands in a pod's name; odd messages carry nothing."""
    odd = b'data: {"result":{"podName":5}} \n\n'
    end = b'data: {"error":{"grpc_code":8,"message":"EOF"}} \n\n'
    router.get(LOG).mock(answer(odd, entry("w-late-123", "a", 1), entry("w", "b", 2), end))
    assert await read(argo, follow=False) == ["late: a", "w: b"]


async def test_logs_of_pods_that_are_gone_come_from_the_archive(
    argo: ArgoSession, router: respx.Router, status: dict[str, Any]
) -> None:
    """What a pod did not tell itself, its artifact tells; what is missing there is missing."""
    for node in status["nodes"].values():
        node["outputs"] = {"artifacts": [{"name": "main-logs"}]}
    status["nodes"]["w-lost"] = {
        **status["nodes"]["w-load"],
        "id": "w-lost",
        "name": "w[2].lost",
        "templateName": "lost",
    }
    router.get(LOG).mock(side_effect=lambda _: answer(entry(LOAD, "live", 1)))
    router.get("/artifacts/argo/w/w-save/main-logs").mock(
        side_effect=lambda _: answer(b"first\nsec", f"ond\n{EXECUTOR}\n".encode(), b"last")
    )
    router.get("/artifacts/argo/w/w-lost/main-logs").respond(500, text="Internal Server Error")
    assert await read(argo) == ["load: live", "save: first", "save: second", "save: last"]
    assert await read(argo, task="nobody") == []


async def test_a_missing_workflow_is_told(argo: ArgoSession, router: respx.Router) -> None:
    """Neither a log nor an archive: there is no such workflow."""
    missing = {"error": {"grpc_code": 5, "http_code": 404, "message": "w not found"}}
    router.get(LOG).respond(404, json=missing)
    router.get("/api/v1/workflows/argo/w").respond(404, json={"code": 5, "message": "not found"})
    with pytest.raises(NotFoundError):
        await read(argo)


async def test_a_workflow_deleted_meanwhile_ends_its_log(
    argo: ArgoSession, router: respx.Router, status: dict[str, Any]
) -> None:
    """A stream that ends when the workflow is gone is at its end."""
    stamped = iter([httpx.Response(200, json={"metadata": {"name": "w"}, "status": status})])
    gone = httpx.Response(404, json={"code": 5, "message": "not found"})
    router.get("/api/v1/workflows/argo/w").mock(side_effect=lambda _: next(stamped, gone))
    router.get(LOG).mock(answer(entry(LOAD, "a", 1)))
    lines: list[str] = []

    async def collect() -> None:
        async for line in follow_logs(argo, "w"):
            lines.append(str(line))

    with pytest.raises(NotFoundError):
        await collect()
    assert lines == ["load: a"]


async def test_a_server_that_stays_away_is_told(
    argo: ArgoSession, router: respx.Router, status: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After several failures in a row the error is raised."""
    monkeypatch.setattr("aiowf.argo.logs.delay", lambda failures: 0.0)
    route = router.get(LOG).respond(503, json={"code": 14, "message": "connection refused"})
    with pytest.raises(UnavailableError, match=LOG):
        await read(argo)
    assert route.call_count == 6
