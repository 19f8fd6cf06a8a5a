"""Spread a function over many items: workflows of some calls each, several at once."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from aiowf.errors import AiowfError, ConfigurationError, ItemFailedError, OperationTimeoutError
from aiowf.operations.items import END, ItemReader
from aiowf.operations.mapping import MapOperation
from aiowf.operations.terms import Terms
from aiowf.tasks.python import PythonTask

if TYPE_CHECKING:
    from aiowf.client import Client

# Calls of one workflow: a part of those in flight, so that others are submitted long before the
# last of these has ended; and few enough for etcd, which takes 1.5 MB of a workflow, its compressed
# status (two nodes for each call) among them.
_PARTS = 4
_MOST = 100
_MOST_BYTES = 200_000
# A workflow is submitted with fewer calls when so many seconds bring no further item.
_LINGER = 0.05


def chunk_of(max_active: int, chunksize: int | None) -> int:
    """Return the most calls of one workflow.

    Raises:
        ConfigurationError: One of the numbers makes no sense.
    """
    for name, number in (("max_active", max_active), ("chunksize", chunksize)):
        if number is not None and (type(number) is not int or number < 1):
            raise ConfigurationError(f"{number!r} is no number of items", where=name)
    if chunksize is not None:
        return min(chunksize, max_active)
    return min(max(1, max_active // _PARTS), _MOST)


@frozen
class Answer:
    """What came of one item.

    Attributes:
        index: Its place in the input, from 0.
        item: The item.
        value: What the function returned for it.
        error: Why it returned nothing, or None.
    """

    index: int
    item: Any
    value: Any = None
    error: ItemFailedError | None = None


Call = tuple[Answer, PythonTask[Any]]  # an answer to come, and the task that brings it


@define(eq=False)
class Spread:
    """The calls of a function for many items: reads the items, submits and follows workflows.

    Attributes:
        name: Name of the function, and begin of the workflows' names.
        call: Index and item → the task that calls the function.
        items: The items.
        client: Where the calls run.
        max_active: Most items that were read, and whose answers were not taken yet.
        chunk: Most calls of one workflow.
        terms: How the workflows are submitted and followed.
    """

    name: str
    call: Callable[[int, Any], PythonTask[Any]]
    items: ItemReader
    client: "Client"
    max_active: int
    chunk: int
    terms: Terms
    # When the time is over, by the loop's clock; set when the first answer is asked for.
    _deadline: float | None = field(default=None, init=False)
    # One permit for each item that may be read; given back when its answer is taken.
    _permits: asyncio.Semaphore = field(init=False)
    # Each item is asked for before it is read, and so there are never more than permits here.
    _asked: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(0), init=False)
    _read: "asyncio.Queue[Any]" = field(factory=asyncio.Queue, init=False)
    # At most one answer for each permit, and None behind the last.
    _answers: "asyncio.Queue[Answer | None]" = field(factory=asyncio.Queue, init=False)

    def __attrs_post_init__(self) -> None:
        self._permits = asyncio.Semaphore(self.max_active)

    async def answers(
        self, *, ordered: bool, return_exceptions: bool
    ) -> AsyncGenerator[Answer, None]:
        """Yield what comes of each item; whoever leaves early stops what runs.

        Args:
            ordered: Whether in the order of the input; else as they come.
            return_exceptions: Whether items that failed are yielded with their errors; else the
                first error is raised as soon as it is known.

        Raises:
            ItemFailedError: An item failed.
            OperationTimeoutError: The time is over, and answers are due.
            AiowfError: A workflow could not be submitted or followed.
        """
        if self.terms.timeout is not None:
            self._deadline = asyncio.get_running_loop().time() + self.terms.timeout
        driver = self.client.errands.attend(self._drive())
        waiting: dict[int, Answer] = {}
        due = 0
        try:
            while (answer := await self._next_answer()) is not None:
                if answer.error is not None and not return_exceptions:
                    raise answer.error
                waiting[answer.index if ordered else due] = answer
                while due in waiting:
                    self._permits.release()
                    yield waiting.pop(due)
                    due += 1
        finally:
            driver.cancel()  # it has ended by itself, unless we leave early
            await asyncio.wait({driver})
        if driver.cancelled():
            raise AiowfError(f"the client was closed while {self.name} was spread over items")
        await driver

    async def _next_answer(self) -> Answer | None:
        scope = asyncio.timeout_at(self._deadline)
        try:
            async with scope:
                return await self._answers.get()
        except TimeoutError:
            if not scope.expired() or self.terms.timeout is None:
                raise
        done = {"stop": "were stopped", "terminate": "were terminated", "leave": "go on"}
        raise OperationTimeoutError(
            f"{self.name} did not end for all items within {self.terms.timeout:g} s: its workflows "
            f"{done[self.terms.on_cancel]}",
            workflow_name=f"{self.name}-",
            namespace=self.client.backend.namespace,
            timeout=self.terms.timeout,
            action=self.terms.on_cancel,
            hint="Give it a longer timeout, or fewer items.",
        )

    async def _drive(self) -> None:
        """Submit and follow workflows until there are no more items."""
        try:
            async with asyncio.TaskGroup() as tasks, aclosing(self._chunks()) as chunks:
                tasks.create_task(self._read_items())
                async for chunk in chunks:
                    tasks.create_task(self._run(chunk))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._answers.put_nowait(None)

    async def _chunks(self) -> AsyncGenerator[list[Call], None]:
        """Yield the calls of one workflow each."""
        chunk: list[Call] = []
        room = _MOST_BYTES
        async with aclosing(self._calls()) as calls:
            async for call in calls:
                size = len(call[1].call) if call else _MOST_BYTES
                # What a function uses of its module may change from one item to the next.
                if chunk and (size > room or (call and not call[1].may_share(chunk[0][1]))):
                    yield chunk
                    chunk, room = [], _MOST_BYTES
                if call:
                    chunk.append(call)
                    room -= size
                if len(chunk) == self.chunk:
                    yield chunk
                    chunk, room = [], _MOST_BYTES
        if chunk:
            yield chunk

    async def _calls(self) -> AsyncGenerator[Call | None, None]:
        """Yield the calls as far as there are permits; None where the next item does not come."""
        for index in count():
            await self._permits.acquire()
            self._asked.release()
            try:
                # With an id, what is in a workflow must not be a matter of time.
                async with asyncio.timeout(None if self.terms.id else _LINGER):
                    item = await self._read.get()
            except TimeoutError:
                yield None
                item = await self._read.get()
            if item is END:
                return
            answer = Answer(index, item)
            try:
                call = answer, self.call(index, item)
            except ConfigurationError as error:
                self._answer(answer, error)
            else:
                yield call

    async def _read_items(self) -> None:
        """Read the items that are asked for, until there are no more."""
        item = None
        async with aclosing(self.items):
            while item is not END:
                try:
                    await self._asked.acquire()
                except asyncio.CancelledError as error:
                    await self.items.interrupt(error)
                else:
                    item = await self.items.next()
                    self._read.put_nowait(item)

    async def _run(self, chunk: list[Call]) -> None:
        """Submit the workflow of a chunk and pass on what comes of it."""
        from aiowf.client.outcomes import outcomes_of

        op = MapOperation(self.name, [task for _, task in chunk], **self._options())
        due = {task.name: answer for answer, task in chunk}
        following = outcomes_of(
            self.client,
            op,
            id=self.terms.id_of([task for _, task in chunk]),
            said_id=self.terms.id,
            pending_timeout=self.terms.pending_timeout,
            on_cancel=self.terms.on_cancel,
        )
        try:
            async with aclosing(following) as outcomes:
                async for outcome in outcomes:
                    self._answer(due.pop(outcome.task), outcome.error, outcome.value)
        except ConfigurationError as error:
            if len(due) > 1:
                raise
            for answer in due.values():  # it alone is too large for a workflow
                self._answer(answer, error)

    def _options(self) -> Mapping[str, Any]:
        if self._deadline is None or self.terms.on_cancel == "leave":
            return self.terms.options
        return self.terms.options_within(self._deadline - asyncio.get_running_loop().time())

    def _answer(self, answer: Answer, error: AiowfError | None, value: Any = None) -> None:
        if error is not None:
            failure = ItemFailedError(self.name, answer.item, answer.index, error)
            answer = evolve(answer, error=failure)
        self._answers.put_nowait(evolve(answer, value=value))
