"""Whatever a server answers is a value, or an ArgoError that names the request; nothing hangs."""

import asyncio
import gzip
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
import respx
import stamina
from argo_double import ArgoDouble
from respx_server import serve, serve_bytes

import aiowf
from aiowf.argo import ArgoSession, Watch, bodies, follow_logs
from aiowf.client import submission
from aiowf.errors import AiowfError, ArgoError, ConfigurationError, ServerError

SSE = {"Content-Type": "text/event-stream"}
# Bodies that are no JSON, or JSON of another form than Argo's.
GARBAGE = [
    b"",
    b"{",
    b'{"metadata":{"name":"w"',
    b"\xff\xfe\x00",
    b'{"metadata":{"name":"\xff"}}',
    b'{"metadata":{"name":"\\ud800"}}',
    b"[" * 5000,
    b"null",
    b"5",
    b'"text"',
    b"[]",
    b"[5]",
    b"{}",
    b'{"metadata":null,"items":null,"status":null}',
    b'{"metadata":5,"items":5,"status":5}',
    b'{"metadata":[],"items":{},"status":[],"spec":[]}',
    b'{"metadata":{"name":5,"uid":[],"labels":"x"},"items":[5]}',
    b'{"metadata":{"name":"w","uid":"u","labels":5},"items":[{"metadata":[]}]}',
    b'{"metadata":{"continue":[]},"items":[{"metadata":{"uid":5}}]}',
    b'{"metadata":{"name":"w","uid":"u"},"items":[{}],"status":{"nodes":5}}',
    b'{"metadata":"x","items":[{"metadata":{"name":"w","uid":"u"},"status":"x"}]}',
    b'{"metadata":{"name":"w","uid":"u"},"status":{"phase":5,"nodes":{"n":5}}}',
    b'{"metadata":{"name":"w","uid":"u"},"status":{"phase":"Failed","nodes":{"n":{"id":5}}}}',
    b'{"metadata":{"name":"w","uid":"u"},"status":{"phase":"Succeeded","nodes":{"n":null}}}',
    b'{"error":5}',
    b'{"result":5}',
    b'{"code":"x","message":5}',
]
BRIEF = {
    "metadata": {"generateName": "brief-"},
    "spec": {
        "entrypoint": "main",
        "templates": [{"name": "main", "suspend": {}}],
        "ttlStrategy": {"secondsAfterCompletion": 1},
    },
}
# What says, with whatever else, that the workflow w is there and has not ended.
RUNNING = [body for body in GARBAGE if b'"w","uid":"u"' in body and b'"phase"' not in body][:2]
ENDLESS = [body for body in GARBAGE if body not in RUNNING]
IDS = [body[:40].decode("ascii", "backslashreplace") or "empty" for body in GARBAGE]


@pytest.fixture(autouse=True)
def _no_waiting() -> Any:
    """Repeat without pauses, and once."""
    stamina.set_testing(True, attempts=1)
    yield
    stamina.set_testing(False)


async def _pages(argo: ArgoSession, namespace: str = "argo") -> None:
    async for page in argo.workflows.pages(namespace=namespace):
        assert all(isinstance(item, dict) for item in page)


CALLS: dict[str, Callable[[ArgoSession], Awaitable[Any]]] = {
    "/api/v1/workflows/argo/w": lambda s: s.workflows.get("w"),
    "/api/v1/workflows/argo/raw": lambda s: s.workflows.get_raw("raw"),
    "/api/v1/workflows/argo/w/stop": lambda s: s.workflows.stop("w"),
    "/api/v1/workflows/argo": lambda s: s.workflows.list(),
    "/api/v1/workflows/all": lambda s: _pages(s, "all"),
    "/api/v1/workflow-templates/argo": lambda s: s.workflow_templates.list(),
    "/api/v1/cluster-workflow-templates/t": lambda s: s.cluster_workflow_templates.get("t"),
    "/api/v1/cron-workflows/argo": lambda s: s.cron_workflows.list(),
    "/api/v1/archived-workflows": lambda s: s.archived_workflows.list(),
    "/api/v1/archived-workflows/u": lambda s: s.archived_workflows.get("u"),
    "/api/v1/archived-workflows-label-keys": lambda s: s.archived_workflows.label_keys(),
    "/api/v1/workflow-event-bindings/argo": lambda s: s.events.list_bindings(),
    "/api/v1/info": lambda s: s.server.info(),
    "/api/v1/userinfo": lambda s: s.server.user_info(),
    "/api/v1/version": lambda s: s.server.version(),
}


@pytest.mark.parametrize("body", GARBAGE, ids=IDS)
@pytest.mark.parametrize("status", [200, 500])
async def test_calls_and_lists(
    argo: ArgoSession, router: respx.Router, body: bytes, status: int
) -> None:
    """Each call gives a value, or an ArgoError with the path that was asked."""
    router.route().respond(status, content=body, headers={"Content-Type": "application/json"})
    for path, call in CALLS.items():
        error: ArgoError | None = None
        try:
            await call(argo)
        except ArgoError as caught:
            error = caught
        assert (path, status == 500 or error is not None) == (path, error is not None)
        assert error is None or error.path == path


async def _all(found: AsyncIterator[Any]) -> None:
    async for _ in found:
        pass


@pytest.mark.parametrize("body", GARBAGE, ids=IDS)
async def test_operations(router: respx.Router, server: str, body: bytes) -> None:
    """What a program does with a client ends, with an error of aiowf's if it does not succeed."""
    router.get(path__startswith="/api/v1/workflow-events").respond(content=body, headers=SSE)
    router.get(path__regex="/log$").respond(content=body, headers=SSE)
    router.route().respond(content=body, headers={"Content-Type": "application/json"})

    async def listed(client: aiowf.Client) -> None:
        async for run in client.list(limit=3):
            assert isinstance(run.name, str)

    async def logs(run: aiowf.Run[Any]) -> None:
        await _all(run.logs())

    async with asyncio.timeout(20), aiowf.connect(server, namespace="argo", token="x") as client:
        run = client.get_run("w")
        ends: list[Callable[[], Awaitable[Any]]] = [
            lambda: listed(client),
            run.workflow,
            run.stop,
            lambda: client.lint({"spec": {}}),
            lambda: logs(run),
            lambda: run.wait(timeout=0.1),
        ]
        for deed in ends:
            with suppress(AiowfError):
                await deed()
        for follow in (run.outcomes, run.watch):  # these may wait for better words
            with suppress(AiowfError, TimeoutError):
                async with asyncio.timeout(0.1):
                    await _all(follow())


@pytest.mark.parametrize("body", GARBAGE, ids=IDS)
async def test_a_watch_gets_over_it(
    argo: ArgoSession, router: respx.Router, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage in the stream and in lists: the workflow's end is told all the same."""
    monkeypatch.setattr("aiowf.argo.watch.delay", lambda failures: 0.0)
    end = b'{"metadata":{"name":"w","uid":"u","resourceVersion":"2"},"status":{"phase":"Failed"}}'
    bodies = iter([body, body])
    router.get("/api/v1/workflow-events/argo").mock(
        side_effect=lambda _: httpx.Response(
            200, content=b"data: " + next(bodies, b"") + b" \n\n", headers=SSE
        )
    )
    lists = iter([body])
    whole = b'{"metadata":{},"items":[' + end + b"]}"
    router.get("/api/v1/workflows/argo").mock(
        side_effect=lambda _: httpx.Response(200, content=next(lists, whole))
    )
    router.get("/api/v1/workflows/argo/w").mock(
        side_effect=lambda _: httpx.Response(200, content=next(lists, end))
    )
    async with asyncio.timeout(20), Watch(argo) as watch:
        ending = await watch.follow("w", "u").ended()
    assert ending.reason in ("finished", "gone")


@pytest.mark.parametrize("body", ENDLESS, ids=repr)
async def test_a_watch_despairs_of_it(
    argo: ArgoSession, router: respx.Router, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage without end ends the wait with an error; the watch serves whoever follows later."""
    monkeypatch.setattr("aiowf.argo.watch.delay", lambda failures: 0.0)
    end = b'{"metadata":{"name":"w","uid":"u","resourceVersion":"2"},"status":{"phase":"Failed"}}'
    words = [body]
    router.get("/api/v1/workflow-events/argo").mock(
        side_effect=lambda _: httpx.Response(
            200, content=b"data: " + words[0] + b" \n\n", headers=SSE
        )
    )
    router.get(path__startswith="/api/v1/workflows/argo").mock(
        side_effect=lambda _: httpx.Response(200, content=words[0])
    )
    async with asyncio.timeout(20), Watch(argo) as watch:
        (told,) = await asyncio.gather(watch.follow("w", "u").ended(), return_exceptions=True)
        if isinstance(told, ArgoError):
            assert "/api/v1/workflow" in str(told.path)
        else:  # it can be read that another workflow has this name, or that it has ended
            assert told.reason in ("gone", "finished")
        words[0] = b'{"result":{"type":"MODIFIED","object":' + end + b"}}"
        assert "Failed" == (await watch.follow("w", "u").ended()).phase


@pytest.mark.parametrize("body", ENDLESS, ids=repr)
async def test_a_wait_without_a_limit_ends(
    router: respx.Router, server: str, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a run by its name is told of garbage, and of the request."""
    monkeypatch.setattr("aiowf.argo.watch.delay", lambda failures: 0.0)
    router.get(path__startswith="/api/v1/workflow-events").respond(
        content=b"data: " + body + b" \n\n", headers=SSE
    )
    router.route().respond(content=body, headers={"Content-Type": "application/json"})
    async with asyncio.timeout(20), aiowf.connect(server, namespace="argo", token="x") as client:
        (told,) = await asyncio.gather(client.get_run("w").wait(), return_exceptions=True)
    if isinstance(told, ArgoError):
        assert "/api/v1/workflow" in str(told.path)
    else:
        assert isinstance(told, aiowf.Result | AiowfError)


@pytest.mark.parametrize("body", GARBAGE, ids=IDS)
async def test_logs_end(argo: ArgoSession, router: respx.Router, body: bytes) -> None:
    """Garbage in a log, and in what the workflow says of its pods: it ends, or is told."""
    workflow = b'{"metadata":{"name":"w"},"status":{"phase":"Succeeded","nodes":{}}}'
    router.get(path__regex="/log$").respond(content=b"data: " + body + b" \n\n", headers=SSE)
    error: ArgoError | None = None
    for told in (workflow, body):
        router.get("/api/v1/workflows/argo/w").respond(content=told)
        try:
            async with asyncio.timeout(20):
                assert [line async for line in follow_logs(argo, "w", follow=False)] == []
        except ArgoError as caught:
            error = caught
        assert error is None or "/api/v1/workflows/argo/w" in str(error.path)


async def _endless_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n" * 10)
        await writer.drain()
        await asyncio.sleep(0.01)


async def _endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        writer.write(b'{"a":' * 10)
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("talk", [_endless_headers, _endless_body])
async def test_answers_without_end(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> None:
    """A call is given up at its deadline, or as soon as the headers are too many."""
    async with (
        serve_bytes(talk) as place,
        ArgoSession(f"http://{place}", timeout=0.3, attempts=1, namespace="argo") as argo,
    ):
        for path, call in (
            ("/api/v1/workflows/argo/w", argo.workflows.get("w")),
            ("/api/v1/workflows/argo", _pages(argo)),
        ):
            with pytest.raises(ArgoError) as caught:
                await call
            assert path == caught.value.path


async def test_an_artifact_that_breaks_off(
    argo: ArgoSession, router: respx.Router, tmp_path: Any
) -> None:
    """Half of an artifact is not taken for the whole."""

    async def half() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise ConnectionAbortedError

    router.get("/artifacts/argo/w/n/a").mock(
        side_effect=lambda _: httpx.Response(200, content=half())
    )
    (tmp_path / "a").write_bytes(b"before")
    with pytest.raises(ArgoError, match="/artifacts/argo/w/n/a"):
        await argo.artifacts.save("w", "n", "a", tmp_path / "a")
    assert [tmp_path / "a"] == list(tmp_path.iterdir())
    assert (tmp_path / "a").read_bytes() == b"before"


async def test_an_artifact_does_not_take_the_place_of_a_device(
    argo: ArgoSession, router: respx.Router, tmp_path: Any
) -> None:
    """What is no regular file is not replaced by one."""
    router.get("/artifacts/argo/w/n/a").respond(content=b"x")
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(FileExistsError):
            await argo.artifacts.save("w", "n", "a", place)
    assert not (tmp_path / "pipe").is_file()


async def _long(writer: asyncio.StreamWriter, head: bytes, body: bytes) -> None:
    """Send more than may be kept, and go on for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + head + b"\r\n")
    while True:
        writer.write(body)
        await writer.drain()


@pytest.mark.parametrize("head", [b"", b"Content-Length: 99999999999\r\n"])
async def test_a_body_without_end_does_not_fill_the_memory(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is longer than any answer of an Argo Server is refused, long before the deadline."""
    monkeypatch.setattr(bodies, "MAX_MESSAGE_BYTES", 100_000)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await _long(writer, head, b"[" * 10_000)

    async with (
        serve_bytes(talk) as place,
        ArgoSession(f"http://{place}", namespace="argo") as argo,
        asyncio.timeout(10),
    ):
        with pytest.raises(ServerError, match="longer than 100,000 bytes") as caught:
            await argo.workflows.get("w")
    assert ("GET", "/api/v1/workflows/argo/w") == (caught.value.method, caught.value.path)


async def test_a_packed_body_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds for what a body unpacks to, whatever its own length."""
    monkeypatch.setattr(bodies, "MAX_MESSAGE_BYTES", 100_000)
    bomb = gzip.compress(b'{"a":"' + b"a" * 10_000_000 + b'"}')
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
        b"Content-Length: %d\r\n\r\n" % len(bomb)
    )

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + bomb)
        await writer.drain()

    async with serve_bytes(talk) as place, ArgoSession(f"http://{place}") as argo:
        with pytest.raises(ServerError, match="longer than 100,000 bytes"):
            await argo.workflows.get("w")


async def test_a_stream_ends_with_its_session(argo: ArgoSession, router: respx.Router) -> None:
    """Whoever reads from a stream when the session is closed is told so."""
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b":\n"
        begun.set()
        await asyncio.Event().wait()

    router.get("/api/v1/workflow-events/argo").mock(
        side_effect=lambda _: httpx.Response(200, content=endless(), headers=SSE)
    )

    async def read() -> None:
        async with argo.stream(argo.workflows.watch_request()) as batches:
            async for _ in batches:
                pass

    async with asyncio.timeout(10):
        reading = asyncio.create_task(read())
        await begun.wait()
        await argo.aclose()
        with pytest.raises(ConfigurationError, match="closed"):
            await reading


async def test_a_huge_line_of_an_archived_log(argo: ArgoSession, router: respx.Router) -> None:
    """A line of many megabytes is read in time that grows with it, not with its square."""
    node = {"id": "w", "name": "w", "type": "Pod", "templateName": "t"}
    node["outputs"] = {"artifacts": [{"name": "main-logs"}]}  # type: ignore[assignment]
    status = {"phase": "Succeeded", "nodes": {"w": node}}
    router.get("/api/v1/workflows/argo/w").respond(
        json={"metadata": {"name": "w"}, "status": status}
    )
    router.get(path__regex="/log$").respond(content=b"", headers=SSE)
    router.get("/artifacts/argo/w/w/main-logs").respond(content=b"x" * 30_000_000 + b"\nend")
    async with asyncio.timeout(20):
        lines = [line.content async for line in follow_logs(argo, "w", follow=False)]
    assert [30_000_000, 3] == [len(line) for line in lines]


async def test_a_server_of_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a server talks only noise, a submission ends in doubt, and a wait with an error."""
    monkeypatch.setattr(submission, "_FIRST_PAUSE", 0.05)

    async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x00\xff\r\n\r\n" * 100)

    async with (
        asyncio.timeout(20),
        serve_bytes(noise) as place,
        aiowf.connect(f"http://{place}", namespace="argo", token="x") as client,
    ):
        with pytest.raises(ArgoError, match="nobody knows whether workflow brief-"):
            await client.submit(BRIEF)
        with pytest.raises(ArgoError, match="not HTTP"):
            await client.get_run("w").wait(timeout=0.2)


async def test_submissions_that_are_answered_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Creation and looking are answered with garbage: a Run comes, or an error that says doubt."""
    monkeypatch.setattr(submission, "_FIRST_PAUSE", 0.05)

    async def submit(body: bytes) -> None:
        router = respx.Router(assert_all_called=False)
        router.route().respond(content=body, headers={"Content-Type": "application/json"})
        async with (
            serve(router) as url,
            aiowf.connect(url, namespace="argo", token="x") as client,
        ):
            (told,) = await asyncio.gather(client.submit(BRIEF), return_exceptions=True)
        assert (body, True) == (body, isinstance(told, aiowf.Run | ArgoError))

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        for body in GARBAGE:
            tasks.create_task(submit(body))


@pytest.mark.parametrize("body", GARBAGE, ids=IDS)
async def test_the_end_of_a_run_that_is_told_so(body: bytes) -> None:
    """The watch says that it has ended, and the reading that decides is garbage: it is told."""
    double = ArgoDouble()
    created = asyncio.Event()

    def create(request: httpx.Request) -> httpx.Response:
        created.set()
        return double.on_create(request)

    def ended(request: httpx.Request) -> httpx.Response:
        async def events() -> AsyncIterator[bytes]:
            yield b":\n"
            await created.wait()
            for made in double.made.values():
                meta = {**made["metadata"], "resourceVersion": "2"}
                told = {"metadata": meta, "status": {"phase": "Succeeded"}}
                found = {"type": "MODIFIED", "object": told}
                yield b"data: %s \n\n\n" % json.dumps({"result": found}).encode()
            await asyncio.Event().wait()

        return httpx.Response(200, headers=SSE, content=events())

    double.create.mock(side_effect=create)
    double.watch.mock(side_effect=ended)
    double.get.respond(content=body, headers={"Content-Type": "application/json"})
    async with (
        asyncio.timeout(10),
        serve(double.router) as url,
        aiowf.connect(url, namespace="argo", token="x") as client,
    ):
        run = await client.submit(BRIEF)
        (told,) = await asyncio.gather(run.wait(), return_exceptions=True)
    assert isinstance(told, aiowf.Result | AiowfError)
    assert double.get.call_count
