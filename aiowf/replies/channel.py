"""The reply channel as a client sees it, and who waits for what on it."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol, Self

from attrs import define, field, frozen

from aiowf.errors import AiowfError, CorruptResultsError, MissingResultsError
from aiowf.replies.files import Files
from aiowf.wire.frames import Record
from aiowf.wire.replies import TYPE_DONE, TYPE_FILE, Assembly, is_authentic, type_of

log = logging.getLogger(__name__)

# A chunk up to this size is put away in the loop's own thread: it stays in memory.
_SMALL = 64 * 1024


class Channel(Protocol):
    """Carries records to and from topics.

    Attributes:
        topic: The topic to which the pods of this client reply.
    """

    topic: str

    def replies(self) -> AsyncGenerator[Record, None]:
        """Yield the records of the reply topic, from before the first submission on, for ever."""
        ...

    def read(self, topic: str, offset: int) -> AsyncGenerator[Record, None]:
        """Yield the records of a topic from an offset on, for ever."""
        ...

    async def publish(self, topic: str, record: Record) -> None:
        """Send a record, and return when it is safe."""
        ...

    def subscribe(self, topic: str, group: str) -> AsyncGenerator[Record, None]:
        """Yield the records of a queue; one is committed when the next one is asked for."""
        ...


@frozen(eq=False)
class Pending:
    """The files of one workflow, while they come in."""

    assembly: Assembly
    files: Files
    # Settled when the files are whole, corrupt, or cannot come any more.
    done: "asyncio.Future[Files]"


@define
class Replies:
    """Hands the records of a reply topic to those who wait for them; owns the task that reads."""

    channel: Channel
    key: bytes | None = None
    # Workflow name → what it waits for; an entry is there from `expect` to `release`.
    _pending: dict[str, Pending] = field(factory=dict, init=False)
    _reader: "asyncio.Task[None] | None" = field(default=None, init=False)
    # Records that nobody waits for, or that are not authentic: counted, warned of once each kind.
    skipped: int = field(default=0, init=False)
    _warned: set[str] = field(factory=set, init=False)
    # Readers of what was sent before; each ends when its files are whole, or at the close.
    _replays: set["asyncio.Task[None]"] = field(factory=set, init=False)
    # Why the channel cannot work any more; None while it can.
    _failure: AiowfError | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._reader is not None
        tasks = {self._reader, *self._replays}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self._settle_all(MissingResultsError("the client was closed before the results had come"))

    def expect(self, workflow: str) -> Pending:
        """Note that somebody waits for the files of a workflow; call it before the submission."""
        if workflow not in self._pending:
            files = Files()
            done: asyncio.Future[Files] = asyncio.get_running_loop().create_future()
            done.add_done_callback(_retrieve)
            if self._failure is not None:
                done.set_exception(self._failure)
            self._pending[workflow] = Pending(Assembly(workflow, files), files, done)
        return self._pending[workflow]

    def missing(self, workflow: str) -> MissingResultsError:
        """Return the error that says which results of a workflow did not come."""
        return self._pending[workflow].assembly.missing()

    def release(self, workflow: str) -> None:
        """Note that nobody waits any more."""
        pending = self._pending.pop(workflow, None)
        if pending is not None and not pending.done.done():
            pending.done.set_exception(pending.assembly.missing())

    def replay(self, workflow: str, topic: str, offset: int = 0) -> None:
        """Read what was sent before somebody waited for it, by the pods of an earlier execution."""
        task = asyncio.create_task(self._replay(workflow, topic, offset))
        self._replays.add(task)
        task.add_done_callback(self._replays.discard)

    async def _replay(self, workflow: str, topic: str, offset: int) -> None:
        pending = self.expect(workflow)
        try:
            async with aclosing(self.channel.read(topic, offset)) as records:
                async for record in records:
                    if record.key == workflow:
                        await self._take(record)
                    if pending.done.done():
                        return
        except AiowfError as error:
            _settle(pending.done, error)

    async def _read(self) -> None:
        try:
            async with aclosing(self.channel.replies()) as records:
                async for record in records:
                    await self._take(record)
        except AiowfError as error:
            self._settle_all(error)
        except Exception as error:
            log.exception("the reader of replies failed")
            self._settle_all(MissingResultsError(f"the reader of replies failed: {error!r}"))

    async def _take(self, record: Record) -> None:
        pending = self._pending.get(record.key or "")
        if pending is None or type_of(record) not in (TYPE_FILE, TYPE_DONE) or pending.done.done():
            self.skipped += 1
            return
        if self.key is not None and not is_authentic(record, self.key):
            self._warn_once("forged", record)
            return
        try:
            if type_of(record) == TYPE_FILE and len(record.value) <= _SMALL:
                whole = pending.assembly.feed(record)
            else:
                whole = await asyncio.to_thread(pending.assembly.feed, record)
        except (CorruptResultsError, OSError) as error:
            _settle(pending.done, _as_reply_error(error, record))
            return
        if whole and not pending.done.done():
            pending.done.set_result(pending.files)

    def _warn_once(self, kind: str, record: Record) -> None:
        self.skipped += 1
        if kind not in self._warned:
            self._warned.add(kind)
            log.warning(
                "a %s record was skipped (topic %s, offset %s); more are only counted",
                kind,
                self.channel.topic,
                record.offset,
            )

    def _settle_all(self, error: AiowfError) -> None:
        self._failure = error
        for pending in self._pending.values():
            _settle(pending.done, error)


def _as_reply_error(error: Exception, record: Record) -> AiowfError:
    if isinstance(error, AiowfError):
        return error
    return MissingResultsError(f"results of {record.key} could not be kept: {error}")


def _settle(future: "asyncio.Future[Files]", error: AiowfError) -> None:
    if not future.done():
        future.set_exception(error)


def _retrieve(future: "asyncio.Future[Files]") -> None:
    """Mark an error as seen: it is told to whoever waits, and nobody may be waiting."""
    if not future.cancelled():
        future.exception()
