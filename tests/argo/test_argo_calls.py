"""Calls over connections of our own, against servers that speak bytes."""

import asyncio
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
from respx_server import serve_bytes

from aiowf.argo import ArgoSession, Settings, from_environment
from aiowf.argo.calls import DirectCalls
from aiowf.errors import ConfigurationError, ServerError, UnavailableError
from aiowf.wire.requests import Request

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
_WRITE = Request("WorkflowService_CreateWorkflow", "POST", "/w", body=b"{}")
_READ = Request("WorkflowService_GetWorkflow", "GET", "/w")


class Speaker:
    """A server that answers the n-th request of each connection by the n-th of its answers.

    It closes a connection behind its last answer; what it read stands in `heads`.
    """

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers
        self.heads: list[bytes] = []
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk over one connection."""
        self.connections += 1
        for answer in self.answers:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            _, found, length = head.partition(b"Content-Length: ")
            if found:
                await reader.readexactly(int(length.split(b"\r\n")[0]))
            writer.write(answer)


@pytest.fixture(params=["direct", "given"])
async def given(request: pytest.FixtureRequest) -> AsyncIterator[aiohttp.ClientSession | None]:
    """The session of a caller's, or None: then the connections are our own."""
    if request.param == "direct":
        yield None
        return
    async with aiohttp.ClientSession() as session:
        yield session


async def test_the_same_headers_are_sent_over_both(given: aiohttp.ClientSession | None) -> None:
    """A server sees no difference between our own connections and a caller's session."""
    speaker = Speaker(_OK, _OK, _OK)
    delete = Request("WorkflowService_DeleteWorkflow", "DELETE", "/w", "force=true")
    async with (
        serve_bytes(speaker) as place,
        ArgoSession(f"http://{place}/base/", token="Bearer x", session=given) as session,
    ):
        for request in (_READ, _WRITE, delete):
            assert {} == await session.call_json(request)
    assert 1 == speaker.connections
    lines = [sorted(head.decode().rstrip().split("\r\n")) for head in speaker.heads]
    agent = f"User-Agent: {aiohttp.http.SERVER_SOFTWARE}"
    common = [agent, "Accept: */*", "Authorization: Bearer x", f"Host: {place}"]
    for found, own in zip(
        lines,
        (
            ["GET /base/w HTTP/1.1"],
            ["POST /base/w HTTP/1.1", "Content-Length: 2", "Content-Type: application/json"],
            ["DELETE /base/w?force=true HTTP/1.1", "Content-Length: 0"],
        ),
        strict=True,
    ):
        encoding = [line for line in found if line.startswith("Accept-Encoding: gzip")]
        assert sorted([*common, *own, *encoding]) == found
        assert len(encoding) == 1


async def test_a_read_outlives_a_connection_that_was_dropped(
    given: aiohttp.ClientSession | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that was kept open may be closed meanwhile: the read goes over another one."""
    caplog.set_level(logging.INFO)
    speaker = Speaker(_OK, b"")
    async with (
        serve_bytes(speaker) as place,
        ArgoSession(f"http://{place}", session=given) as session,
    ):
        await session.call_json(_READ)
        await session.call_json(_READ)
    assert 2 == speaker.connections
    assert 3 == len(speaker.heads)
    assert "attempt" not in caplog.text


async def test_a_write_is_not_sent_again(given: aiohttp.ClientSession | None) -> None:
    """The server may have done it."""
    speaker = Speaker(_OK, b"")
    async with (
        serve_bytes(speaker) as place,
        ArgoSession(f"http://{place}", session=given) as session,
    ):
        await session.call_json(_WRITE)
        with pytest.raises(UnavailableError, match="POST /w"):
            await session.call_json(_WRITE)
    assert 2 == len(speaker.heads)


async def test_what_comes_before_an_answer_is_passed_over(
    given: aiohttp.ClientSession | None,
) -> None:
    """Neither "Continue" nor "Early Hints" is an answer."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    speaker = Speaker(b"HTTP/1.1 100 Continue\r\n\r\n" + hints + _OK, _OK)
    async with (
        serve_bytes(speaker) as place,
        ArgoSession(f"http://{place}", session=given) as session,
    ):
        assert {} == await session.call_json(_WRITE)
        assert {} == await session.call_json(_WRITE)
    assert 1 == speaker.connections


async def test_a_body_without_end_is_given_up(given: aiohttp.ClientSession | None) -> None:
    """A body that only the end of its connection ends has to end in time."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n{}")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with (
        serve_bytes(flood) as place,
        ArgoSession(f"http://{place}", session=given, timeout=0.2) as session,
    ):
        with pytest.raises(UnavailableError, match=r"no answer within 0\.2 s"):
            await session.call_json(_WRITE)


async def test_an_answer_to_half_a_request_ends_the_connection() -> None:
    """What the server did not read must not stand before the next request."""
    sent: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(_OK)
        await writer.drain()
        await reader.read()

    large = Request("WorkflowService_CreateWorkflow", "POST", "/w", body=b" " * (16 << 20))
    async with serve_bytes(refuse) as place, ArgoSession(f"http://{place}") as session:
        for _ in range(2):
            assert {} == await session.call_json(large)
    assert [b"POST /w HTTP/1.1"] * 2 == [head.split(b"\r\n")[0] for head in sent]


async def test_a_cancelled_call_ends_its_connection(given: aiohttp.ClientSession | None) -> None:
    """Its answer must not be taken for that of the next one."""
    asked, answers = asyncio.Event(), [b"[1]", b"[2]"]

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            body = answers.pop(0)
            if body == b"[1]":
                asked.set()
                await asyncio.sleep(0.05)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + body)

    async with (
        serve_bytes(speak) as place,
        ArgoSession(f"http://{place}", session=given) as session,
    ):
        first = asyncio.create_task(session.call_json(_READ))
        await asked.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert [2] == await session.call_json(_READ)


@pytest.mark.parametrize("part", ["ClientRequest", "connect", "set_response_params", "transport"])
async def test_another_aiohttp_is_called_through_its_session(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where aiohttp's inner parts are not as we know them, calls go by its documented ways."""

    def other(*, nobody_knows: int) -> None:
        """Have a signature of another version."""

    match part:
        case "ClientRequest":
            monkeypatch.setattr("aiohttp.ClientRequest", other)
        case "connect":
            monkeypatch.setattr("aiowf.argo.calls.aiohttp.BaseConnector.connect", other)
        case "set_response_params":
            monkeypatch.setattr("aiohttp.client_proto.ResponseHandler.set_response_params", other)
        case _:
            monkeypatch.delattr("aiohttp.connector.Connection.transport")
    assert not await _is_direct()
    monkeypatch.undo()
    assert await _is_direct()


async def _is_direct() -> bool:
    async with ArgoSession("http://argo.example.com") as session:
        pools = await session._connections.open()
        return isinstance(pools.calls, DirectCalls)


async def test_calls_reach_the_server_without_known_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session of our own that is used then works, and keeps its connection."""
    monkeypatch.setattr("aiowf.argo.connections.has_known_parts", lambda: False)
    speaker = Speaker(_OK, _OK)
    async with serve_bytes(speaker) as place, ArgoSession(f"http://{place}") as session:
        assert {} == await session.call_json(_READ)
        assert {} == await session.call_json(_WRITE)
    assert 1 == speaker.connections


async def test_a_change_of_protocols_is_an_answer(given: aiohttp.ClientSession | None) -> None:
    """Nothing comes behind 101 that could be read as HTTP: it is not waited for."""
    speaker = Speaker(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", _OK)
    async with (
        serve_bytes(speaker) as place,
        ArgoSession(f"http://{place}", session=given) as session,
    ):
        with pytest.raises(ServerError, match="HTTP 101"):
            await session.call_json(_READ)


@pytest.mark.parametrize("is_known", [True, False])
async def test_who_waits_for_a_connection_is_told_of_the_close(
    is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody cancelled these tasks: they end by an error, not as if somebody had."""
    monkeypatch.setattr("aiowf.argo.connections.has_known_parts", lambda: is_known)
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    async with serve_bytes(silent) as place:
        session = ArgoSession(f"http://{place}", connections=1)
        first = asyncio.create_task(session.call_json(_READ))
        await asyncio.wait_for(asked.wait(), 5)
        waiting = [asyncio.create_task(session.call_json(one)) for one in (_READ, _WRITE, _WRITE)]
        await asyncio.sleep(0)  # they begin
        waiting[-1].cancel()
        await session.aclose()
        ends = await asyncio.gather(first, *waiting, return_exceptions=True)
    closed = ConfigurationError
    assert [closed, closed, closed, asyncio.CancelledError] == [type(end) for end in ends]


async def test_a_cancelled_call_sends_no_more_of_its_request() -> None:
    """What is not yet sent of a request must not go out behind the back of who gave it up."""
    begun, read = asyncio.Event(), asyncio.Event()
    ends: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        begun.set()
        await read.wait()
        try:
            ends.put_nowait(await reader.read())
        except ConnectionError:
            ends.put_nowait(None)

    body = b"x" * 20_000_000
    async with serve_bytes(slow) as place, ArgoSession(f"http://{place}") as session:
        call = asyncio.create_task(session.call_json(Request("Create", "POST", "/w", body=body)))
        await asyncio.wait_for(begun.wait(), 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        read.set()
        came = await asyncio.wait_for(ends.get(), 5)
    assert came is None or len(came) < len(body)


@pytest.mark.parametrize(
    "url",
    ["http://argo/base\r\nX-Evil: 1", "http://argo/a b", "http://argo/ä", "http://argo/a?b"],
)
def test_an_address_that_cannot_stand_in_a_request_is_refused(url: str) -> None:
    """A base href goes into the first line of each request as it is."""
    with pytest.raises(ConfigurationError, match="ASCII") as caught:
        Settings(url=url)
    assert url not in str(caught.value)


def test_the_error_names_where_a_bad_base_href_comes_from() -> None:
    """It is read from the environment, which need not be trusted."""
    place = {"ARGO_SERVER": "argo:2746", "ARGO_BASE_HREF": "base X"}
    with pytest.raises(ConfigurationError, match="ARGO_SERVER: only printable ASCII"):
        from_environment(place)
