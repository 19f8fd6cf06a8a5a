"""Calls over connections of our own, against servers that speak bytes."""

import asyncio
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
from respx_server import serve_bytes

from aiowf.argo import ArgoSession
from aiowf.errors import UnavailableError
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
