"""The engine's database: what has finished, and the templates, outlive the engine.

One SQLite file, which one engine has for itself. Changes are written in the background, whole
transactions at a time; the latest state of each workflow is what counts. Nobody hears of a workflow
that was created, has finished or was deleted, or of a template, before that is written.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import aiosqlite
import orjson
from attrs import define, field

from aiowf.engine.records import record_of
from aiowf.engine.run import WorkflowRun
from aiowf.engine.templates import Data, Key
from aiowf.errors import EngineError

_APPLICATION = 0x61696F77  # "aiow"
_VERSION = 1
_LOCKED_SECONDS = 1.0
# Changes that come faster than this are written together.
_PAUSE = 0.1
_SCHEMA = (
    "CREATE TABLE records (kind TEXT, namespace TEXT, name TEXT, data BLOB NOT NULL,"
    " PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
)
_WORKFLOW = "workflow"
_LATEST: Key = ("engine", "", "version")
_PUT = "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM records WHERE kind = ? AND namespace = ? AND name = ?"


@define(eq=False)
class Database:
    """An open database; `open_database` makes one.

    Attributes:
        path: Its file.
        tell: Is told in a line when something cannot be written.
        version: Returns the latest resource version, which is written with every change.
    """

    path: str
    tell: Callable[[str], None]
    _connection: aiosqlite.Connection
    version: Callable[[], int] = lambda: 0
    # Kind, namespace and name → what is to be written: a workflow, a template, or None: deleted.
    _changes: dict[Key, WorkflowRun | Data | None] = field(factory=dict)
    _news: asyncio.Event = field(factory=asyncio.Event)
    # Held while changes are written.
    _writing: asyncio.Lock = field(factory=asyncio.Lock)
    # How many changes must be written before anybody hears of them, and how many of them were.
    _owed: int = 0
    _paid: int = 0

    def note_workflow(self, run: WorkflowRun, *, deleted: bool) -> None:
        """Take note that a workflow has changed; its beginning and its end are owed to readers."""
        key = (_WORKFLOW, run.namespace, run.name)
        self._owed += deleted or run.finished is not None or not run.phase
        self._note(key, None if deleted else run)

    def note_template(self, key: Key, template: Data | None) -> None:
        """Take note that a template was stored or (None) deleted."""
        self._owed += 1
        self._note(key, template)

    def _note(self, key: Key, change: WorkflowRun | Data | None) -> None:
        self._changes[key] = change
        self._news.set()

    async def read(self) -> tuple[list[dict[str, Any]], dict[Key, Data], int]:
        """Return the records of workflows, the oldest first, the templates, and the version.

        Raises:
            EngineError: The file cannot be read, or is broken.
        """
        workflows: list[dict[str, Any]] = []
        templates: dict[Key, Data] = {}
        version = 0
        with _told(self.path):
            async with self._connection.execute("SELECT * FROM records") as rows:
                async for kind, namespace, name, data in rows:
                    record = orjson.loads(data)
                    if kind == _WORKFLOW:
                        workflows.append(record)
                    elif (kind, namespace, name) == _LATEST:
                        version = record
                    else:
                        templates[kind, namespace, name] = record
        workflows.sort(key=lambda one: (one["metadata"]["creationTimestamp"], one["version"]))
        return workflows, templates, version

    async def write_changes(self) -> None:
        """Write changes as they come, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._news.wait()
            self._news.clear()
            began = loop.time()
            await self.flush()
            # However much there is to write, most of the time is for other things.
            await asyncio.sleep(max(_PAUSE, 9 * (loop.time() - began)))

    async def settle(self) -> None:
        """Return once every beginning and end so far is written, or cannot be."""
        if self._paid < self._owed:
            await self.flush()

    async def flush(self) -> None:
        """Write what is not written yet; what cannot be written is told, and kept for later."""
        async with self._writing:
            owed = self._owed
            changes, self._changes = self._changes, {}
            rows: list[tuple[Key, bytes | None]] = [
                (key, None if one is None else _encoded(one)) for key, one in changes.items()
            ]
            if not rows:
                return
            rows.append((_LATEST, orjson.dumps(self.version())))
            try:
                with _told(self.path):
                    await self._write(rows)
            except BaseException as error:
                self._changes = {**changes, **self._changes}
                if not isinstance(error, EngineError):
                    raise
                self.tell(f"{error.message}; it is tried again with the next change")
            self._paid = owed

    async def _write(self, rows: Iterable[tuple[Key, bytes | None]]) -> None:
        try:
            for key, data in rows:
                if data is None:
                    await self._connection.execute(_DELETE, key)
                else:
                    await self._connection.execute(_PUT, (*key, data))
            await self._connection.commit()
        except sqlite3.Error:
            await self._connection.rollback()
            raise

    async def aclose(self) -> None:
        """Write what is left, and close the file."""
        await self.flush()
        await self._connection.close()


def _encoded(change: WorkflowRun | Data) -> bytes:
    return orjson.dumps(record_of(change) if isinstance(change, WorkflowRun) else change)


async def open_database(path: str, tell: Callable[[str], None]) -> Database:
    """Open a database, or make one.

    Args:
        path: Its file.
        tell: Is told in a line when something cannot be written later.

    Raises:
        EngineError: The file cannot be opened, is broken, another program's, or in use.
    """
    with _told(path):
        await asyncio.to_thread(_touch, path)
        connection = await aiosqlite.connect(path, timeout=_LOCKED_SECONDS)
        try:
            await _prepare(connection, path)
        except BaseException:
            await connection.close()
            raise
    return Database(path, tell, connection)


def _touch(path: str) -> None:
    """Make the file, for its user only: specifications may hold what others must not read."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


async def _prepare(connection: aiosqlite.Connection, path: str) -> None:
    # An engine has its database for itself until it ends, however it ends.
    await connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    is_new = not await _value(connection, "SELECT count(*) FROM sqlite_master")
    if not is_new:
        await _check(connection, path)
    await connection.execute("PRAGMA journal_mode = WAL")
    await connection.execute("PRAGMA synchronous = NORMAL")
    await connection.execute("BEGIN EXCLUSIVE")
    for statement in _SCHEMA if is_new else ():
        await connection.execute(statement)
    await connection.commit()


async def _check(connection: aiosqlite.Connection, path: str) -> None:
    """Look at a file before anything of it is changed."""
    if await _value(connection, "PRAGMA application_id") != _APPLICATION:
        raise EngineError(f"{path!r} is the database of another program", hint="Name another file.")
    version = await _value(connection, "PRAGMA user_version")
    if version != _VERSION:
        raise EngineError(
            f"{path!r} was written by another version of aiowf (its layout is {version})",
            hint="Name another file, or use that version.",
        )
    if await _value(connection, "PRAGMA quick_check(1)") != "ok":
        raise sqlite3.DatabaseError("database disk image is malformed")


async def _value(connection: aiosqlite.Connection, statement: str) -> Any:
    async with connection.execute(statement) as rows:
        row = await rows.fetchone()
    return row[0] if row else None


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Turn what SQLite and the system say into one clear error."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        raise EngineError(f"the database {path!r}: {text}", hint=_hint(text)) from None
    except (ValueError, KeyError, TypeError):
        raise EngineError(
            f"the database {path!r} holds a record that cannot be read", hint=_hint("malformed")
        ) from None
    except OSError as error:
        raise EngineError(
            f"the database {path!r} cannot be opened: {(error.strerror or str(error)).lower()}",
            hint="Name a file in a directory that you may write to.",
        ) from None


def _hint(text: str) -> str:
    if "locked" in text:
        return "Another engine uses it: end that one, or name another file."
    if "full" in text:
        return "Make room on the disk."
    if "malformed" in text or "not a database" in text:
        return "Name another file, or restore this one from a copy."
    return "Name a file in a directory that you may write to."
