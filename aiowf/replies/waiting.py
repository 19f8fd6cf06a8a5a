"""Who waits for what on the reply channel."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any, Self

from attrs import define, field

from aiowf.errors import AiowfError, CorruptResultsError, MissingResultsError
from aiowf.replies.channel import Channel, Place
from aiowf.replies.files import Files
from aiowf.wire.frames import Record
from aiowf.wire.replies import (
    TYPE_FILE,
    TYPE_NOTICE,
    Assembly,
    Notice,
    is_authentic,
    parse_notice,
    type_of,
)

log = logging.getLogger(__name__)


@define(eq=False)
class Pending:
    """What one workflow's waiter waits for: its notice, and its files if they are to come.

    Attributes:
        notice: Settled with the first notice.
        assembly: The files while they come in, or None where none are wanted.
        files: Settled when the files are whole or corrupt, or when they cannot come any more.
    """

    notice: "asyncio.Future[Notice]"
    # How many wait for it, by `expect`; the last one's `release` forgets it.
    users: int = 0
    assembly: Assembly | None = None
    files: "asyncio.Future[Files] | None" = None
    # Held while a record is fed to the assembly: a replay may bring the same ones as the reader.
    feeding: asyncio.Lock = field(factory=asyncio.Lock)

    def futures(self) -> "Iterator[asyncio.Future[Any]]":
        """Yield what is not settled yet."""
        for future in (self.notice, self.files):
            if future is not None and not future.done():
                yield future

    def fail(self, error: AiowfError) -> None:
        """Settle what is not settled yet."""
        for future in self.futures():
            future.set_exception(error)

    @property
    def progress(self) -> int:
        """Return how many chunks of files have come."""
        return 0 if self.assembly is None else self.assembly.received

    def missing(self) -> MissingResultsError:
        """Return the error that says what did not come."""
        assert self.assembly is not None
        return self.assembly.missing()


@define
class Replies:
    """Hands the records of a reply topic to those who wait for them; owns the task that reads.

    Attributes:
        channel: Where the records come from.
        key: With it, what is not signed with it is not believed.
        skipped: How many records nobody waited for, or were not to be believed.
    """

    channel: Channel
    key: bytes | None = field(default=None, repr=False)
    skipped: int = field(default=0, init=False)
    # Workflow name → what it waits for; an entry is there from `expect` to `release`.
    _pending: dict[str | None, Pending] = field(factory=dict, init=False)
    _reader: "asyncio.Task[None] | None" = field(default=None, init=False)
    # Kinds of bad records that were warned of: once each.
    _warned: set[str] = field(factory=set, init=False)
    # Workflow name → the reader of what was sent before; cancelled when nobody waits any more.
    _replays: dict[str, "asyncio.Task[None]"] = field(factory=dict, init=False)
    # All of these readers that have not ended, those that were cancelled among them.
    _replaying: set["asyncio.Task[None]"] = field(factory=set, init=False)
    # Why the channel cannot work any more; None while it can.
    _failure: AiowfError | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._reader is not None
        for task in (self._reader, *self._replays.values()):
            task.cancel()
        await asyncio.wait({self._reader, *self._replaying})
        self._fail(MissingResultsError("the client was closed before the results had come"))

    def expect(self, workflow: str, *, files: bool = False) -> Pending:
        """Note that somebody waits for replies of a workflow; call it before the submission.

        Each call needs a `release`.

        Args:
            workflow: Its name.
            files: Whether files are to come.
        """
        pending = self._pending.get(workflow)
        if pending is None:
            pending = self._pending[workflow] = Pending(self._future())
        pending.users += 1
        if files and pending.assembly is None:
            pending.assembly = Assembly(workflow, Files())
            pending.files = self._future()
        if self._failure is not None:
            pending.fail(self._failure)
        return pending

    def _future(self) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_retrieve)
        return future

    def release(self, workflow: str) -> None:
        """Note that one of those who waited does no longer."""
        pending = self._pending.get(workflow)
        if pending is None:
            return
        pending.users -= 1
        if pending.users > 0:
            return
        del self._pending[workflow]
        for future in pending.futures():
            future.cancel()
        replay = self._replays.pop(workflow, None)
        if replay is not None:
            replay.cancel()

    def replay(self, workflow: str, place: Place) -> None:
        """Read what was sent before somebody waited for it, by the pods of an earlier execution."""
        if workflow not in self._replays:
            task = self._replays[workflow] = asyncio.create_task(self._replay(workflow, place))
            self._replaying.add(task)
            task.add_done_callback(self._replaying.discard)

    async def _replay(self, workflow: str, place: Place) -> None:
        pending = self._pending[workflow]
        try:
            async with aclosing(self.channel.read(place)) as batches:
                async for batch in batches:
                    for record in batch:
                        if record.key == workflow:
                            await self._take(record, pending)
                    if not any(pending.futures()):
                        return
        except AiowfError as error:
            pending.fail(error)
        except Exception as error:
            log.exception("the replies to %s cannot be read again", workflow)
            pending.fail(MissingResultsError(f"the reader of earlier replies failed: {error!r}"))

    async def _read(self) -> None:
        waiting = self._pending
        try:
            async with aclosing(self.channel.replies()) as batches:
                async for batch in batches:
                    for record in batch:
                        pending = waiting.get(record.key)
                        if pending is None:
                            self.skipped += 1
                        else:
                            await self._take(record, pending)
        except AiowfError as error:
            self._fail(error)
        except Exception as error:
            log.exception("the reader of replies failed")
            self._fail(MissingResultsError(f"the reader of replies failed: {error!r}"))

    async def _take(self, record: Record, pending: Pending) -> None:
        kind = type_of(record)
        if kind is None:
            self.skipped += 1
        elif self.key is not None and not is_authentic(record, self.key):
            self._warn_once("unsigned or forged", record)
        elif kind == TYPE_NOTICE:
            notice = parse_notice(record.value)
            if notice.workflow == record.key and not pending.notice.done():
                pending.notice.set_result(notice)
        elif pending.assembly is None or pending.files is None or pending.files.done():
            self.skipped += 1
        else:
            async with pending.feeding:
                await self._assemble(record, kind, pending.assembly, pending.files)

    async def _assemble(
        self, record: Record, kind: str, assembly: Assembly, done: "asyncio.Future[Files]"
    ) -> None:
        files = assembly.sink
        assert isinstance(files, Files)
        try:
            if kind == TYPE_FILE and files.has_room(len(record.value)):
                whole = assembly.feed(record)
            else:
                whole = await asyncio.to_thread(assembly.feed, record)
        except CorruptResultsError as error:
            _settle(done, error)
        except OSError as error:
            _settle(done, MissingResultsError(f"results of {record.key} cannot be kept: {error}"))
        else:
            if whole and not done.done():
                done.set_result(files)

    def _warn_once(self, kind: str, record: Record) -> None:
        self.skipped += 1
        if kind not in self._warned:
            self._warned.add(kind)
            log.warning(
                "an %s record was skipped (topic %s, partition %d, offset %s); more are only "
                "counted",
                *(kind, self.channel.place.topic, self.channel.place.partition, record.offset),
            )

    def _fail(self, error: AiowfError) -> None:
        self._failure = error
        for pending in self._pending.values():
            pending.fail(error)


def _settle(future: "asyncio.Future[Files]", error: AiowfError) -> None:
    if not future.done():
        future.set_exception(error)


def _retrieve(future: "asyncio.Future[Any]") -> None:
    """Mark an error as seen: it is told to whoever waits, and nobody may be waiting."""
    if not future.cancelled():
        future.exception()
