"""The engine's database: what outlives it, and what is said when it cannot be used."""

import asyncio
import os
import signal
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, UnixConnector

from aiowf.engine import assembly, launch
from aiowf.engine.assembly import Settings
from aiowf.engine.database import Database, open_database
from aiowf.errors import EngineError

WORKFLOWS = "/api/v1/workflows/default"
TEMPLATES = "/api/v1/workflow-templates/default"
STEPS = {
    "entrypoint": "main",
    "templates": [
        {
            "name": "main",
            "steps": [[{"name": "good", "template": "good"}], [{"name": "bad", "template": "bad"}]],
        },
        {"name": "good", "container": {"image": "i", "command": ["true"]}},
        {"name": "bad", "container": {"image": "i", "command": ["false"]}},
    ],
}
TEMPLATE = {"metadata": {"name": "t"}, "spec": STEPS}


def sleeping(*command: str, **spec: Any) -> dict[str, Any]:
    """Return a specification of one container."""
    container = {"image": "i", "command": list(command)}
    return {"entrypoint": "p", "templates": [{"name": "p", "container": container}], **spec}


@asynccontextmanager
async def engine(tmp_path: Path, **settings: Any) -> AsyncIterator[ClientSession]:
    """Run an engine with a database within the context, in this process; give its client."""
    directory = tmp_path / f"engine-{len(list(tmp_path.iterdir()))}"
    directory.mkdir()
    chosen: dict[str, Any] = {
        "directory": str(directory),
        "socket": str(directory / "s"),
        "token": "t",
    }
    chosen |= {"cookie": "A=b", "db": str(tmp_path / "db"), **settings}
    connector = UnixConnector(str(directory / "s"))
    headers = {"Authorization": "Bearer t"}
    async with (
        asyncio.timeout(30),
        assembly.engine(Settings(**chosen)),
        ClientSession("http://e", headers=headers, connector=connector) as client,
    ):
        yield client


async def call(client: ClientSession, method: str, path: str, body: Any = None) -> Any:
    """Make a request that must succeed; return the answer."""
    async with client.request(method, path, json=body) as response:
        answer = await response.json()
        assert response.status == 200, answer
        return answer


async def create(client: ClientSession, name: str, spec: Any) -> Any:
    """Submit a workflow."""
    workflow = {"metadata": {"name": name}, "spec": spec}
    return await call(client, "POST", WORKFLOWS, {"workflow": workflow})


async def until(client: ClientSession, name: str, *words: bytes) -> None:
    """Watch a workflow until a message holds one of some words."""
    query = f"listOptions.fieldSelector=metadata.name={name}"
    async with client.get(f"/api/v1/workflow-events/default?{query}") as response:
        async for line in response.content:
            if any(word in line for word in words):
                return


ENDED = b'"type":"Completed","status":"True"'


async def test_what_has_finished_survives(tmp_path: Path) -> None:
    """Workflows and templates are the same after a restart; a retry goes on from there."""
    async with engine(tmp_path) as client:
        await create(client, "wf", STEPS)
        await until(client, "wf", ENDED)
        await call(client, "POST", TEMPLATES, {"template": TEMPLATE})
        await call(client, "POST", TEMPLATES, {"template": TEMPLATE | {"metadata": {"name": "no"}}})
        await call(client, "DELETE", f"{TEMPLATES}/no")
        await create(client, "gone", sleeping("true"))
        await until(client, "gone", ENDED)
        await call(client, "DELETE", f"{WORKFLOWS}/gone")
        before = await call(client, "GET", f"{WORKFLOWS}/wf")
        stored = await call(client, "GET", TEMPLATES)
    assert stat.S_IMODE((tmp_path / "db").stat().st_mode) == 0o600
    async with engine(tmp_path) as client:
        listed = await call(client, "GET", WORKFLOWS)
        assert [item["metadata"]["name"] for item in listed["items"]] == ["wf"]
        assert await call(client, "GET", f"{WORKFLOWS}/wf") == before
        assert (await call(client, "GET", TEMPLATES))["items"] == stored["items"]
        after = await create(client, "new", {"workflowTemplateRef": {"name": "t"}})
        latest = int(stored["metadata"]["resourceVersion"])
        assert int(after["metadata"]["resourceVersion"]) > latest
        await call(client, "PUT", f"{WORKFLOWS}/wf/retry", {})
        await until(client, "wf", ENDED)
        found = await call(client, "GET", f"{WORKFLOWS}/wf")
    kept = next(n for n in before["status"]["nodes"].values() if n["displayName"] == "good")
    assert found["status"]["nodes"][kept["id"]] == kept
    assert found["status"]["phase"] == "Failed"


async def test_what_ran_is_an_error(tmp_path: Path) -> None:
    """It says that its engine was stopped, and can be retried; its claims go, if they are to."""
    await_mark = ("sh", "-c", f"test -e {tmp_path}/mark || exec sleep 600")
    async with engine(tmp_path) as client:
        await create(client, "wf", sleeping(*await_mark))
        await until(client, "wf", b'"phase":"Running","startedAt"', b'"hostNodeName"')
    async with engine(tmp_path) as client:
        found = await call(client, "GET", f"{WORKFLOWS}/wf")
        assert found["status"]["phase"] == "Error"
        assert found["status"]["message"].startswith("pod deleted: the engine was stopped")
        assert found["status"]["finishedAt"]
        assert found["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true"
        node = found["status"]["nodes"]["wf"]
        assert (node["phase"], node["message"]) == ("Error", "pod deleted")
        (tmp_path / "mark").touch()
        await call(client, "PUT", f"{WORKFLOWS}/wf/retry", {})
        await until(client, "wf", ENDED)
    async with engine(tmp_path) as client:
        found = await call(client, "GET", f"{WORKFLOWS}/wf")
        assert found["status"]["phase"] == "Succeeded"


async def test_the_time_to_live_goes_on(tmp_path: Path) -> None:
    """A workflow whose time is over at the start is deleted then, and from the file."""
    short = sleeping("true", ttlStrategy={"secondsAfterCompletion": 1})
    async with engine(tmp_path) as client:
        await create(client, "short", short)
        await create(client, "long", sleeping("true", ttlStrategy={"secondsAfterSuccess": 3600}))
        for name in ("short", "long"):
            await until(client, name, ENDED)
    await asyncio.sleep(1)  # the time to live of the first
    async with engine(tmp_path) as client:
        await until_gone(client, "short")
    assert names(tmp_path / "db") == {"long", "version"}


async def until_gone(client: ClientSession, name: str) -> None:
    """Wait until a workflow is deleted."""
    async with client.get("/api/v1/workflow-events/default") as response:
        async with client.get(f"{WORKFLOWS}/{name}") as found:
            if found.status == 404:
                return
        async for line in response.content:
            if b"DELETED" in line:
                return


def names(path: Path) -> set[str]:
    """Return the names of all records of a file that nobody uses."""
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM records")}


async def test_a_killed_engine_forgets_nothing_that_it_told(tmp_path: Path) -> None:
    """Right after SIGKILL what was answered or seen is there: an end, a creation, a deletion."""
    db = tmp_path / "db"
    token = {"Authorization": "Bearer t"}
    killed = await launch(directory=tmp_path, db=db, token="t")
    connector = UnixConnector(killed.socket_path)
    async with asyncio.timeout(30):
        async with ClientSession("http://e", headers=token, connector=connector) as client:
            await create(client, "wf", sleeping("true"))
            await until(client, "wf", ENDED)
            await call(client, "POST", TEMPLATES, {"template": TEMPLATE})
            await create(client, "gone", sleeping("sleep", "600"))
            await call(client, "DELETE", f"{WORKFLOWS}/gone")
            await create(client, "ran", sleeping("sleep", "600"))
            os.kill(killed.pid, signal.SIGKILL)
        await killed.died
        await killed.aclose()
    async with engine(tmp_path) as client:
        items = (await call(client, "GET", WORKFLOWS))["items"]
        phases = {item["metadata"]["name"]: item["status"]["phase"] for item in items}
        assert phases == {"wf": "Succeeded", "ran": "Error"}
        assert (await call(client, "GET", f"{TEMPLATES}/t"))["metadata"]["name"] == "t"


async def test_a_stream_waits_until_an_end_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a watch nor a question tells of an end that is not in the file."""
    written: list[bytes] = []
    write = Database._write

    async def slow(self: Database, rows: Any) -> None:
        rows = list(rows)
        await asyncio.sleep(0.05)
        await write(self, rows)
        written.extend(data for _, data in rows if data)

    monkeypatch.setattr(Database, "_write", slow)
    async with engine(tmp_path) as client:
        await create(client, "wf", sleeping("true"))
        assert any(b'"name":"wf"' in row for row in written)
        await until(client, "wf", ENDED)
        assert any(b'"phase":"Succeeded","message"' in row for row in written)


def spoil(path: Path, how: str) -> None:
    """Make a file that cannot be used as a database."""
    if how == "text":
        path.write_text("this is no database, and is long enough to be seen as none" * 99)
        return
    if how == "directory":
        path.mkdir()
        return
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE records (kind, namespace, name, data)")
        if how == "program":
            return
        connection.execute(f"PRAGMA application_id = {0x61696F77}")
        connection.execute(f"PRAGMA user_version = {7 if how == 'version' else 1}")
        rows = {
            "json": b"{",
            "record": b'{"metadata": {"creationTimestamp": ""}, "version": 1}',
        }
        if how in rows:  # of the layout of today
            connection.execute("INSERT INTO records VALUES ('workflow', 'n', 'w', ?)", [rows[how]])
        connection.commit()


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("text", "file is not a database"),
        ("directory", "cannot be opened: is a directory"),
        ("program", "is the database of another program"),
        ("version", "another version of aiowf"),
        ("json", "holds a record that cannot be read"),
        ("record", "holds a record that cannot be read"),
    ],
)
async def test_a_file_that_cannot_be_used(tmp_path: Path, how: str, text: str) -> None:
    """The engine does not start, one clear error tells why, and the file stays as it is."""
    path = tmp_path / "db"
    spoil(path, how)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(EngineError, match=text) as caught:
        await launch(directory=tmp_path, db=path)
    assert "Traceback" not in str(caught.value)
    assert caught.value.hint
    if how not in ("json", "record"):
        assert before == (path.read_bytes() if path.is_file() else b"")


async def test_a_database_in_use(tmp_path: Path) -> None:
    """A second engine is refused the same file, and a missing directory is told."""
    async with engine(tmp_path):
        with pytest.raises(EngineError, match="database is locked\nAnother engine uses it"):
            await launch(directory=tmp_path, db=tmp_path / "db")
    with pytest.raises(EngineError, match="no such file or directory"):
        await launch(directory=tmp_path, db=tmp_path / "no" / "db")


async def test_a_full_disk(tmp_path: Path) -> None:
    """What cannot be written is told and tried again; nothing is half-written."""
    told: list[str] = []
    path = tmp_path / "db"
    database = await open_database(str(path), told.append)
    key = ("namespaced", "ns", "name")
    # The file may not grow any more, as on a full disk.
    await database._connection.execute("PRAGMA max_page_count = 1")
    database.note_template(key, {"text": "x" * 100_000})
    database.note_template(("namespaced", "ns", "other"), {"a": 1})
    await database.flush()
    assert "database or disk is full" in told[0]
    assert "Make room" not in told[0]
    await database._connection.execute("PRAGMA max_page_count = 1000000")
    await database.aclose()
    assert len(told) == 1
    again = await open_database(str(path), told.append)
    assert set((await again.read())[1]) == {key, ("namespaced", "ns", "other")}
    await again.aclose()


async def test_a_write_that_is_cancelled_is_done_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes that were taken to be written are not lost."""
    database = await open_database(str(tmp_path / "db"), lambda text: None)
    begun = asyncio.Event()

    async def hang(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(Database, "_write", hang)
        database.note_template(("cluster", "", "t"), {"a": 1})
        writing = asyncio.create_task(database.write_changes())
        await begun.wait()
        writing.cancel()
        await asyncio.wait([writing])
    await database.aclose()
    again = await open_database(str(tmp_path / "db"), lambda text: None)
    assert (await again.read())[1] == {("cluster", "", "t"): {"a": 1}}
    await again.aclose()


async def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "aiosqlite", None)
    monkeypatch.delitem(sys.modules, "aiowf.engine.database")
    with pytest.raises(EngineError, match=r"pip install 'aiowf\[dev\]'"):
        async with engine(tmp_path):
            pass
