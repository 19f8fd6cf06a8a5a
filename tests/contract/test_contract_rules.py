"""Rules of a real Argo Server that its documentation does not tell: both sides keep them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import respx
import stamina
from respx_server import serve, serve_bytes

from aiowf.argo import ArgoSession, follow_logs
from aiowf.argo.session import STREAM_DEADLINE
from aiowf.engine import streams
from aiowf.engine.fields import Fields, parse_fields, with_empty_status
from aiowf.errors import ArgoError, ServerError, UnavailableError
from aiowf.manifest import Workflow, structure
from aiowf.wire.errors import is_expired, is_stream_end
from aiowf.wire.events import LIST_FIELDS, LISTED, WATCH_FIELDS, as_event, read_event, read_result
from aiowf.wire.nodes import verdict
from aiowf.wire.requests import make_request
from aiowf.wire.sse import MessageReader

DATA = Path(__file__).parents[1] / "data" / "argo"
RULES: dict[str, list[dict[str, Any]]] = json.loads((DATA / "http-rules.json").read_text())
STREAMS: dict[str, list[dict[str, Any]]] = json.loads((DATA / "http-streams.json").read_text())
FIELDS = RULES["fields-excluding"]


@pytest.fixture(autouse=True)
def _no_waiting() -> Any:
    """Repeat without pauses."""
    stamina.set_testing(True, attempts=3)
    yield
    stamina.set_testing(False)


@pytest.fixture
def router() -> respx.Router:
    """The routes of a server."""
    return respx.Router(assert_all_called=False)


@pytest.fixture
async def argo(router: respx.Router) -> AsyncIterator[ArgoSession]:
    """A session with that server."""
    async with (
        serve(router) as url,
        ArgoSession(url, token="Bearer dummy-token", namespace="argo") as session,
    ):
        yield session


# Streams

_ALL = [(case, row) for case, rows in STREAMS.items() for row in rows]


@pytest.mark.parametrize(
    ("case", "row"), _ALL, ids=[f"{case}-{n}" for n, (case, _) in enumerate(_ALL)]
)
async def test_a_recorded_stream_over_a_socket(
    argo: ArgoSession, router: respx.Router, case: str, row: dict[str, Any]
) -> None:
    """A stream that fails before its first message has the error's own status; others 200.

    Its messages are the same in both framings, and the exact header asks for events.
    """
    parts = urlsplit(row["target"])
    text = "".join(row["chunks"])
    route = router.get(path=parts.path).respond(
        row["status"],
        content=text.encode(),
        headers={"Content-Type": row["headers"]["Content-Type"]},
    )
    request = make_request("WorkflowService_WatchWorkflows", {"namespace": "argo"})
    request = type(request)(request.operation, "GET", parts.path, parts.query)
    told: list[Any] = []
    error: ArgoError | None = None
    try:
        async with argo.stream(request) as batches:
            async for batch in batches:
                told += [json.loads(message) for message in batch]
    except ArgoError as caught:
        error = caught
    if row["status"] == 200:
        lines = [line.strip().removeprefix("data:") for line in text.split("\n")]
        assert [json.loads(line) for line in lines if line and line != ":"] == told
        assert error is None
    else:
        assert error is not None
        assert (row["status"], parts.path) == (error.status, error.path)
        assert is_stream_end(error) == (row["status"] == 429)
        assert is_expired(error) == ("too old resource version" in text)
    assert route.calls.last.request.headers["accept"] == "text/event-stream"


def test_the_end_of_a_watch_is_always_the_same() -> None:
    """Expiry is no error, in either framing; without `error` among the fields it is unreadable."""
    request = make_request("WorkflowService_WatchWorkflows", {"namespace": "argo"})
    whole, lines, filtered = (
        MessageReader().feed("".join(row["chunks"]).encode() + b"\n")[-1]
        for row in STREAMS["watch-expiry"][:3]
    )
    assert read_result(request, whole) is None
    assert read_result(request, lines) is None
    with pytest.raises(ServerError, match="neither a result nor an error"):
        read_result(request, filtered)
    assert "error" in WATCH_FIELDS


async def test_headers_that_come_with_the_first_keepalive() -> None:
    """An idle stream begins as late as its first keepalive: the deadline of calls is not meant."""

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.4)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:\n")

    async with (
        serve_bytes(late) as place,
        ArgoSession(f"http://{place}", timeout=0.1, namespace="argo") as argo,
    ):
        with pytest.raises(UnavailableError, match=r"no answer within 0\.1 s"):
            await argo.workflows.create(b"{}")
        async with argo.stream(argo.workflows.watch_request()) as batches:
            assert [message async for batch in batches for message in batch] == []
    assert 15.0 == streams.KEEPALIVE
    assert 2 * streams.KEEPALIVE < STREAM_DEADLINE


async def test_a_log_without_an_answer_is_empty(argo: ArgoSession, router: respx.Router) -> None:
    """An unknown container or pod has an empty 200; a container is always named."""
    (row,) = RULES["log-without-log-options"]
    route = router.get(path__regex="/log$").respond(
        row["status"], content=row["answer"].encode(), headers={"Content-Type": row["type"]}
    )
    router.get(path__regex="/w$").respond(json={"metadata": {}, "status": {"phase": "Succeeded"}})
    assert [line async for line in follow_logs(argo, "w", follow=False)] == []
    assert "main" == route.calls.last.request.url.params["logOptions.container"]


# Fields


def whole_workflow() -> dict[str, Any]:
    """Return the recorded workflow, put together from what was asked with and without nodes."""
    found: dict[str, Any] = json.loads(FIELDS[1]["answer"])
    nodes = read_recorded(FIELDS[11])[0]["object"]["status"]["nodes"]
    found["status"]["nodes"] = nodes
    return found


def read_recorded(row: dict[str, Any]) -> list[Any]:
    """Return the results in a recorded stream."""
    reader = MessageReader()
    found = [*reader.feed(row["answer"].encode()), *reader.close()]
    return [json.loads(message).get("result") for message in found]


def fields_of(row: dict[str, Any]) -> Fields:
    """Return the fields that a recorded request asks for."""
    found = parse_fields(parse_qs(urlsplit(row["target"]).query)["fields"][0])
    assert found is not None
    return found


@pytest.mark.parametrize("row", FIELDS[:7], ids=lambda row: str(row["note"]))
def test_fields_of_a_workflow(row: dict[str, Any]) -> None:
    """One minus excludes the whole list; a later one makes its item mean nothing."""
    pruned = with_empty_status(fields_of(row).prune(whole_workflow()))
    assert json.loads(row["answer"]) == pruned


@pytest.mark.parametrize("row", FIELDS[10:], ids=lambda row: str(row["note"]))
def test_fields_of_a_watch(row: dict[str, Any]) -> None:
    """The prefix is result.; without it every message is empty."""
    message = {"result": {"type": "ADDED", "object": whole_workflow()}}
    assert read_recorded(row)[0] == fields_of(row).prune(message).get("result")


def test_what_the_client_asks_is_what_the_server_understands() -> None:
    """Its own lists of fields, put to the recorded workflow, leave an event that can be read."""
    asked = parse_fields(",".join(WATCH_FIELDS))
    assert asked is not None
    message = {"result": {"type": "MODIFIED", "object": whole_workflow()}}
    request = make_request("WorkflowService_WatchWorkflows", {"namespace": "argo"})
    event = read_event(request, json.dumps(asked.prune(message)).encode())
    assert event is not None
    assert ("fe-1", "Succeeded", "2/2") == (event.name, event.phase, event.progress)
    assert "nodes" not in event.object["status"]
    assert not any(name.startswith("-") for name in (*WATCH_FIELDS, *LIST_FIELDS))


# Lists


@pytest.mark.parametrize("first", [0, 7], ids=["offsets", "continue"])
async def test_recorded_pages(argo: ArgoSession, router: respx.Router, first: int) -> None:
    """`continue` is an offset, whether the server says it (with showRemainingItemCount) or not."""
    rows = RULES["list-paging"][first : first + 3]

    def answer(request: httpx.Request) -> httpx.Response:
        row = rows[int(request.url.params.get("listOptions.continue", 0)) // 3]
        return httpx.Response(row["status"], content=row["answer"].encode())

    route = router.get("/api/v1/workflows/argo").mock(side_effect=answer)
    pages = [page async for page in argo.workflows.pages(page_size=3)]
    names = {item["metadata"]["name"] for page in pages for item in page}
    assert ([3, 3, 1], 7, 3) == ([len(page) for page in pages], len(names), route.call_count)
    assert all(as_event(LISTED, item) is not None for page in pages for item in page)


async def test_an_empty_page_is_null(argo: ArgoSession, router: respx.Router) -> None:
    """Beyond the end there is no list at all."""
    router.get("/api/v1/workflows/argo").respond(content=RULES["list-paging"][3]["answer"])
    assert [page async for page in argo.workflows.pages(page_size=3)] == []
    assert not (await argo.workflows.list(limit=3, offset="9")).items


# Ends, and a defect of the server


@pytest.mark.parametrize("row", RULES["on-exit-terminate-stop"], ids=lambda row: str(row["note"]))
def test_what_stop_and_terminate_say(row: dict[str, Any]) -> None:
    """The reason names the strategy, whatever message was given to stop."""
    workflow = structure(json.loads(row["answer"]), Workflow)
    found = verdict(workflow)
    strategy = "Stop" if "stop" in row["note"] else "Terminate"
    assert f"Stopped with strategy '{strategy}'" in found.message
    assert "Failed" == found.phase


async def test_a_crash_of_the_server_s_handler_is_not_repeated(
    argo: ArgoSession, router: respx.Router
) -> None:
    """GET with another uid crashes the handler: it would crash the same way again."""
    message = "runtime error: invalid memory address or nil pointer dereference"
    route = router.get("/api/v1/workflows/argo/w").respond(
        500, json={"code": 13, "message": message}
    )
    with pytest.raises(ServerError, match="nil pointer"):
        await argo.workflows.get("w", uid="00000000-0000-0000-0000-000000000000")
    assert 1 == route.call_count
