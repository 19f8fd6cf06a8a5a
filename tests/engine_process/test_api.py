"""The engine's own HTTP interface: topics, values, claims, and who may do what."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from aiowf.engine import api as api_module
from aiowf.engine.api import Api
from aiowf.engine.authority import Authority, bearer
from aiowf.engine.claims import Claims
from aiowf.engine.topics import Topics
from aiowf.engine.values import Values
from aiowf.wire.frames import KEEPALIVE, FrameDecoder, Record, encode_frame


@pytest.fixture
def api(tmp_path: Path) -> Api:
    """Return the interface of an engine without anything in it."""
    (tmp_path / "topics").mkdir()
    return Api(
        Authority("secret"),
        Topics(tmp_path / "topics"),
        Values(tmp_path / "values"),
        Claims(tmp_path / "claims"),
    )


@pytest.fixture
async def server(api: Api) -> AsyncIterator[TestServer]:
    """Serve it."""
    app = web.Application()
    app.add_routes(api.routes())
    async with TestServer(app) as server:
        yield server


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[ClientSession]:
    """Return a session with the client's token."""
    async with _session(server, "secret") as session:
        yield session


@pytest.fixture
async def pod(server: TestServer, api: Api) -> AsyncIterator[ClientSession]:
    """Return a session with the token of the workflow ns/wf."""
    async with _session(server, api.authority.issue("ns", "wf", "uid")) as session:
        yield session


def _session(server: TestServer, token: str) -> ClientSession:
    url = server.make_url("/aiowf/v1/")
    return ClientSession(url, headers={"Authorization": f"Bearer {token}"})


async def test_records_go_through(client: ClientSession) -> None:
    """What is posted is streamed, with offsets."""
    frames = encode_frame(Record(b"a", "k", (("h", b"v"),))) + encode_frame(Record(b"b"))
    for offset in (0, 2):
        async with client.post("topics/t/records", data=frames) as response:
            assert (response.status, await response.json()) == (200, {"offset": offset})
    decoder, found = FrameDecoder(), list[Record]()
    async with client.get("topics/t/records", params={"offset": 1}) as response:
        while len(found) < 3:
            found += decoder.feed(await response.content.readany())
    assert [(record.offset, record.value) for record in found] == [(1, b"b"), (2, b"a"), (3, b"b")]


async def test_without_offset_only_news(client: ClientSession) -> None:
    """A subscriber that names no offset begins at the end."""
    await client.post("topics/t/records", data=encode_frame(Record(b"old")))
    async with client.get("topics/t/records") as response:
        await client.post("topics/t/records", data=encode_frame(Record(b"new")))
        (record,) = FrameDecoder().feed(await response.content.readany())
    assert (record.offset, record.value) == (1, b"new")


async def test_a_reader_that_has_gone_is_noticed(
    client: ClientSession, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written to from time to time, so that its topic does not stay for ever."""
    monkeypatch.setattr(api_module, "_KEEPALIVE_SECONDS", 0.02)
    topic = api.topics.get("aiowf-replies.s")
    async with client.get("topics/aiowf-replies.s/records") as response:
        assert await response.content.readexactly(4) == KEEPALIVE
        assert topic.subscribers == 1
        api.topics.is_session_alive = lambda _: False
        news = topic._news
    async with asyncio.timeout(10):
        await news.wait()
    assert topic.is_deleted


@pytest.mark.parametrize(
    "body", [b"", b"\0\0\0\0", encode_frame(Record(b"abc"))[:-1], b"\xff\xff\xff\xff"]
)
async def test_bodies_that_are_no_records(client: ClientSession, body: bytes) -> None:
    """They are refused."""
    async with client.post("topics/t/records", data=body) as response:
        assert (response.status, (await response.json())["code"]) == (400, 3)


async def test_groups_remember_their_offset(client: ClientSession) -> None:
    """0 at first."""
    async with client.get("topics/t/groups/g") as response:
        assert await response.json() == {"offset": 0}
    async with client.put("topics/t/groups/g", json={"offset": 5}) as response:
        assert response.status == 200
    async with client.get("topics/t/groups/g") as response:
        assert await response.json() == {"offset": 5}


@pytest.mark.parametrize("body", ["[]", "{}", '{"offset": -1}', '{"offset": true}', "no json"])
async def test_offsets_are_numbers(client: ClientSession, body: str) -> None:
    """Anything else is refused."""
    headers = {"Content-Type": "application/json"}
    async with client.put("topics/t/groups/g", data=body, headers=headers) as response:
        assert response.status == 400
    async with client.get("topics/t/records", params={"offset": "x"}) as response:
        assert response.status == 400


async def test_topics_are_deleted(client: ClientSession) -> None:
    """Once."""
    await client.post("topics/t/records", data=encode_frame(Record(b"x")))
    statuses = []
    for _ in range(2):
        async with client.delete("topics/t") as response:
            statuses.append(response.status)
    assert statuses == [200, 404]


async def test_values_come_back(pod: ClientSession, client: ClientSession, api: Api) -> None:
    """A pod puts a value, of any size; the client gets it until the workflow is gone."""
    value = bytes(range(256)) * 20_000
    async with pod.put("values/ns/wf/task", data=BytesIO(value)) as response:
        assert response.status == 200
    async with client.get("values/ns/wf/task") as response:
        assert (response.status, await response.read()) == (200, value)
    async with pod.put("values/ns/wf/task", data=b"new") as response:
        assert response.status == 200
    async with pod.get("values/ns/wf/task") as response:
        assert await response.read() == b"new"
    await api.values.forget("ns", "wf")
    async with client.get("values/ns/wf/task") as response:
        assert response.status == 404


async def test_half_a_value_is_no_value(api: Api, tmp_path: Path) -> None:
    """What breaks off leaves the former value in place, and no file."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    async def whole() -> AsyncIterator[bytes]:
        yield b"whole"

    await api.values.put("ns", "wf", "task", whole())
    with pytest.raises(ConnectionResetError):
        await api.values.put("ns", "wf", "task", broken())
    directory = tmp_path / "values/ns/wf"
    assert [(path.name, path.read_bytes()) for path in directory.iterdir()] == [("task", b"whole")]


async def test_a_full_disk(client: ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be stored is answered with 507."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("aiowf.engine.values._append", full)
    async with client.put("values/ns/wf/task", data=b"x") as response:
        assert (response.status, (await response.json())["message"]) == (
            507,
            "cannot be stored: No space left on device",
        )


async def test_claims(client: ClientSession, api: Api) -> None:
    """A claim is there when somebody has made it."""
    async with client.get("claims/ns/data") as response:
        assert await response.json() == {"exists": False}
    async with client.put("claims/ns/data") as response:
        assert await response.json() == {"exists": True}
    async with client.get("claims/ns/data") as response:
        assert await response.json() == {"exists": True}
    async with client.get("claims/ns/..") as response:
        assert response.status in (400, 404)
    for _ in range(2):
        await asyncio.to_thread(api.claims.delete, "ns", "data")
    assert not await asyncio.to_thread(api.claims.exists, "ns", "data")


@pytest.mark.parametrize("name", ["", "..", "A", "a/b"])
def test_names_of_claims(api: Api, name: str) -> None:
    """A name cannot lead out of the directory."""
    with pytest.raises(ValueError, match="no name"):
        api.claims.path("ns", name)


@pytest.mark.parametrize("name", ["", "..", ".hidden"])
def test_names_of_values(api: Api, name: str) -> None:
    """A name cannot lead out of the directory, nor to a file that is being written."""
    with pytest.raises(ValueError, match="no name"):
        api.values.path("ns", "wf", name)


@pytest.mark.parametrize("token", ["", "wrong", "ns/wf/uid/00", "ns/wf/uid", "ns/wf/x/uid/00"])
async def test_who_nobody_knows(server: TestServer, token: str) -> None:
    """Without a valid token: 401."""
    async with _session(server, token) as session, session.get("claims/ns/data") as response:
        assert (response.status, (await response.json())["code"]) == (401, 16)


async def test_what_a_pod_may_do(pod: ClientSession) -> None:
    """It may add records and handle its own workflow's values; everything else is forbidden."""
    statuses = {}
    for method, path in (
        ("POST", "topics/t/records"),
        ("GET", "topics/t/records"),
        ("DELETE", "topics/t"),
        ("PUT", "topics/t/groups/g"),
        ("GET", "topics/t/groups/g"),
        ("PUT", "values/ns/wf/t"),
        ("PUT", "values/ns/other/t"),
        ("GET", "values/other/wf/t"),
        ("PUT", "claims/ns/data"),
        ("GET", "claims/ns/data"),
    ):
        async with pod.request(method, path, data=encode_frame(Record(b"x"))) as response:
            statuses[method, path] = response.status
    allowed = {path for path, status in statuses.items() if status == 200}
    assert allowed == {("POST", "topics/t/records"), ("PUT", "values/ns/wf/t")}
    assert set(statuses.values()) == {200, 403}


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, ""), ("Bearer a", "a"), ("bearer  a ", "a"), ("Basic a", ""), ("Bearer", "")],
)
def test_bearer(header: str | None, expected: str) -> None:
    """The scheme's case does not matter."""
    assert bearer(header) == expected
