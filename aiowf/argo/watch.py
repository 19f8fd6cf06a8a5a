"""One watch of a namespace, shared by all who wait for its workflows."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from copy import copy
from types import TracebackType
from typing import Self

from aiowf.argo.backoff import MAX_DELAY, delay
from aiowf.argo.session import STREAM_DEADLINE, ArgoSession
from aiowf.argo.subscription import Ending, Subscription
from aiowf.errors import (
    AiowfError,
    ArgoError,
    BadRequestError,
    ConfigurationError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from aiowf.manifest.fields import Raw
from aiowf.wire.errors import is_expired, is_nonsense, is_stream_end
from aiowf.wire.events import (
    LIST_FIELDS,
    LISTED,
    NODE_FIELDS,
    WATCH_FIELDS,
    WATCHED_FIELDS,
    WatchEvent,
    as_event,
    read_event,
)

_log = logging.getLogger("aiowf.argo")

# A stream says something every 15 s. If it does not, a proxy keeps its words back or the connection
# is dead: then lists are read instead.
_SILENCE = 20.0
_RECONCILE = 120.0
_CONFIRMATIONS = 8
# A stream that lived so many seconds has not failed at once.
_LASTING = 1.0
# Different troubles that are remembered as logged.
_MOST_TOLD = 20
# Messages above this many bytes are of a server that does not heed `fields`.
_LARGE = 16 * 1024

# Answers that make no sense, one after the other, before whoever waits is told: some 20 s.
_MOST_NONSENSE = 16

# What a server refuses at first it will refuse again; once it has worked, it may work again.
_REFUSALS = (BadRequestError, UnauthenticatedError, PermissionDeniedError, ConfigurationError)


class Watch:
    """Follows the workflows of a namespace over one stream: `async with Watch(…) as watch:`.

    The stream begins without a resourceVersion, and so with the workflows that exist; when it ends,
    for whatever reason, it goes on where it was, or begins anew if the server has forgotten that
    place. What a stream may have missed is found by lists: when it broke, when it is silent,
    and every two minutes.

    Args:
        session: The session; it is not closed.
        namespace: The namespace; None for the session's.
        label_selector: Which workflows. Never one on the phase: what leaves it looks deleted.
        field_selector: "metadata.name=…" for a workflow of somebody else.
        reconcile: Seconds between two lists while all is well.
        nodes: Whether events bring the nodes and the annotations of the workflow; they are as large
            as it is.
        silence: Seconds without a word after which lists are read.
        deadline: Seconds without a word after which the connection is given up.
    """

    _more: tuple[str, ...]  # fields of a workflow that are wanted besides the usual ones
    _followed: dict[str, Subscription]  # by name, the first of a chain; none is settled
    _doubtful: set[str]  # names of which DELETED was told before a final phase
    _version: str | None  # where the stream goes on; None: anew, with what exists
    _worked: bool  # whether the server has ever accepted the watch
    _heard_at: float  # loop time of the last word of the stream
    _listed_at: float  # loop time of the last reconciliation
    _wanted: asyncio.Event  # set while somebody follows
    _check: asyncio.Event  # set to reconcile at once
    _task: asyncio.Task[None] | None  # awaited by __aexit__
    _cut_off: list[Subscription]  # what was followed when that task was cancelled
    _failure: AiowfError | None  # why the watch cannot work
    _told: set[str]  # troubles that were logged since the stream last worked
    _nonsense: int  # answers that made no sense since one did

    def __init__(
        self,
        session: ArgoSession,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        nodes: bool = False,
        reconcile: float = _RECONCILE,
        silence: float = _SILENCE,
        deadline: float = STREAM_DEADLINE,
    ) -> None:
        self._session = session
        self._namespace = session.namespace if namespace is None else namespace
        self._labels = label_selector
        self._fields = field_selector
        self._more = NODE_FIELDS if nodes else ()
        self._reconcile_after = reconcile
        self._silence = silence
        self._deadline = deadline
        self._followed = {}
        self._doubtful = set()
        self._version = None
        self._worked = False
        self._heard_at = self._listed_at = 0.0
        self._wanted = asyncio.Event()
        self._check = asyncio.Event()
        self._task = None
        self._cut_off = []
        self._failure = None
        self._told = set()
        self._nonsense = 0
        self._leaving = self._leave  # one bound method for all subscriptions

    def __repr__(self) -> str:
        selector = self._labels or self._fields or "all"
        return f"<Watch {self._namespace or '*'} {selector} following={len(self._followed)}>"

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"aiowf watch {self._namespace}")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the watch and all subscriptions."""
        self._failure = self._failure or ConfigurationError("this watch is closed")
        self._settle_all(Ending("closed"))
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def follow(self, name: str, uid: str = "", *, ends_only: bool = False) -> Subscription:
        """Follow a workflow; best called before it is created, so that nothing is missed.

        Args:
            name: Its name.
            uid: Its uid; if it is not known yet, `bind` it on the subscription as soon as it is.
            ends_only: Whether only `ended()` will be awaited: then no change is kept in memory.

        Raises:
            ArgoError: The server refused this watch.
            ConfigurationError: The watch is closed.
        """
        if self._failure is not None:
            raise copy(self._failure)
        now = asyncio.get_running_loop().time()
        made = Subscription(name, uid, now, self._leaving, ends_only)
        made.next = self._followed.get(name)
        self._followed[name] = made
        if not self._wanted.is_set():
            self._heard_at = self._listed_at = now
            self._wanted.set()
        return made

    def stopped(self, name: str) -> None:
        """Note that a workflow was stopped."""
        for each in (*self._cut_off, *self._all()):
            if each.name == name:
                each.is_stopped = True

    async def unended(self) -> list[str]:
        """Return the workflows that go on although nobody waits for them, nor has stopped them.

        One list says of which the end has not been heard yet.

        Raises:
            ArgoError: The server refused, or did not answer.
        """
        followed = (*self._cut_off, *self._bound())
        left = {each.name: False for each in followed if not (each.is_stopped or each.is_awaited)}
        if left:
            async for page in self._pages():
                for item in page:
                    event = as_event(LISTED, item)
                    if event is not None and event.name in left:
                        left[event.name] = not event.is_final
        return [name for name, goes_on in left.items() if goes_on]

    def fail(self, error: AiowfError) -> None:
        """Tell all who follow, now and later, that this watch cannot work any more."""
        self._failure = error
        self._settle_all(error)

    def _leave(self, gone: Subscription) -> None:
        before, each = None, self._followed.get(gone.name)
        while each is not None and each is not gone:
            before, each = each, each.next
        if each is None:
            return
        if before is not None:
            before.next = gone.next
        elif gone.next is not None:
            self._followed[gone.name] = gone.next
        else:
            del self._followed[gone.name]
            self._doubtful.discard(gone.name)
        gone.next = None
        if not self._followed:
            self._wanted.clear()

    def _all(self) -> Iterator[Subscription]:
        for first in list(self._followed.values()):
            each: Subscription | None = first
            while each is not None:
                following = each.next  # it may leave when it is told something
                yield each
                each = following

    def _settle_all(self, how: Ending | AiowfError) -> None:
        for each in self._all():
            each.settle(how)

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._stream_for_ever())
                tasks.create_task(self._reconcile_for_ever())
        except ExceptionGroup as group:
            cause = group.exceptions[0]
            self._failure = (
                cause
                if isinstance(cause, AiowfError)
                else ArgoError(f"the watch failed: {cause!r}")
            )
            self._settle_all(self._failure)
        finally:
            self._cut_off = self._bound()
            self._settle_all(Ending("closed"))

    async def _stream_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            await self._wanted.wait()
            began = loop.time()
            pause: float | None = None
            try:
                await self._read_stream()
            except (ArgoError, ConfigurationError) as error:
                pause = self._understand(error)
            if loop.time() - began > _LASTING:
                failures = 0
                if pause is None:
                    continue
            await asyncio.sleep(max(pause or 0.0, delay(failures)))
            failures += 1

    def _understand(self, error: AiowfError) -> float | None:
        """Decide what the end of a stream means; return seconds to wait, None for a normal end."""
        if isinstance(error, ArgoError):
            if is_stream_end(error):
                self._worked = True
                return None
            if is_expired(error):
                self._version = None
                self._check.set()
                return 0.0
        if self._session.is_closed or (isinstance(error, _REFUSALS) and not self._worked):
            raise error
        self._warn("is interrupted", error)
        self._despair(error)
        self._check.set()
        wait = error.retry_after if isinstance(error, ArgoError) else None
        return min(wait or 0.0, 4 * MAX_DELAY)

    def _despair(self, error: AiowfError) -> None:
        """Tell all who follow if the server talks nothing but nonsense; later ones may be luckier.

        A server that is away or fails is waited for: it comes back.
        """
        if is_nonsense(error):
            self._nonsense += 1
            if self._nonsense >= _MOST_NONSENSE:
                self._nonsense = 0
                self._settle_all(error)

    def _warn(self, what: str, error: AiowfError) -> None:
        """Log a trouble once, and not again before the stream has worked or says another one."""
        text = f"the watch of {self._namespace or '*'} {what}: {error}"
        _log.log(logging.DEBUG if text in self._told else logging.WARNING, text)
        if len(self._told) < _MOST_TOLD:
            self._told.add(text)

    async def _read_stream(self) -> None:
        loop = asyncio.get_running_loop()
        request = self._session.workflows.watch_request(
            namespace=self._namespace,
            label_selector=self._labels,
            field_selector=self._fields,
            resource_version=self._version,
            fields=(*WATCH_FIELDS, *(f"result.object.{name}" for name in self._more)),
        )
        async with self._session.stream(request, deadline=self._deadline) as batches:
            self._worked = True
            async for batch in batches:
                self._heard_at = loop.time()
                self._told.clear()
                for message in batch:
                    event = read_event(request, message)
                    if event is None:
                        return
                    self._nonsense = 0
                    if len(message) > _LARGE and not self._more:
                        _prune(event)
                    self._take(event)

    def _take(self, event: WatchEvent) -> None:
        # A stream that began anew first tells what exists, in no order: its place is not known
        # before something else comes.
        if event.type != "ADDED" or self._version is not None:
            self._version = event.resource_version or self._version
        if self._tell(event) and event.type == "DELETED":
            self._doubtful.add(event.name)
            self._check.set()

    def _tell(self, event: WatchEvent) -> bool:
        """Tell an event to those who follow its workflow; return whether any of them goes on."""
        each = self._followed.get(event.name)
        if each is None:
            return False
        while each is not None:
            following = each.next  # it may leave when it is told something
            if each.uid == event.uid or not each.uid:
                each.tell(event)
            each = following
        return event.name in self._followed

    async def _reconcile_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            await self._wanted.wait()
            await self._until_due()
            self._check.clear()
            try:
                await self._reconcile()
                failures = 0
            except (ArgoError, ConfigurationError) as error:
                if self._session.is_closed:
                    raise
                self._warn("cannot list", error)
                self._despair(error)
                await asyncio.sleep(delay(failures))
                failures += 1
                self._check.set()
            self._listed_at = loop.time()

    async def _until_due(self) -> None:
        """Wait until lists have to be read."""
        loop = asyncio.get_running_loop()
        while not self._check.is_set():
            silent = max(self._heard_at, self._listed_at) + self._silence
            due = min(silent, self._listed_at + self._reconcile_after)
            if due <= loop.time():
                return
            try:
                async with asyncio.timeout_at(due):
                    await self._check.wait()
            except TimeoutError:
                continue

    async def _reconcile(self) -> None:
        """Compare what is followed with a list, and settle what has ended or is gone."""
        doubtful, self._doubtful = self._doubtful, set()
        await self._confirm([each for each in self._bound() if each.name in doubtful])
        expected = self._bound()
        if not expected:
            return
        seen: set[str] = set()
        async for page in self._pages():
            for item in page:
                event = as_event(LISTED, item)
                if event is not None:
                    seen.add(event.uid)
                    self._tell(event)
        await self._confirm([each for each in expected if each.uid not in seen])
        self._nonsense = 0

    def _pages(self) -> AsyncIterator[tuple[Raw, ...]]:
        return self._session.workflows.pages(
            namespace=self._namespace,
            label_selector=self._labels,
            field_selector=self._fields,
            fields=(*LIST_FIELDS, *(f"items.{name}" for name in self._more)),
        )

    def _bound(self) -> list[Subscription]:
        return [each for each in self._all() if each.uid]

    async def _confirm(self, missing: list[Subscription]) -> None:
        """Ask for each of these by its name: is it gone?"""
        waiting = [each for each in missing if not each.is_settled]
        for start in range(0, len(waiting), _CONFIRMATIONS):
            few = waiting[start : start + _CONFIRMATIONS]
            # All have ended before an error goes on: none is left without an owner.
            for answer in await asyncio.gather(*map(self._ask, few), return_exceptions=True):
                if isinstance(answer, BaseException):
                    raise answer

    async def _ask(self, each: Subscription) -> None:
        try:
            event = await self._session.workflows.get_event(
                each.name, namespace=self._namespace, fields=(*WATCHED_FIELDS, *self._more)
            )
        except NotFoundError:
            each.settle(Ending("gone", each.phase))
            return
        if event.uid == each.uid:
            each.tell(event)
        else:
            each.settle(Ending("gone", each.phase))


def _prune(event: WatchEvent) -> None:
    """Drop what was not asked for, so that an event which waits to be read is small."""
    keep = {name.split(".")[1] for name in WATCHED_FIELDS}
    for part in tuple(event.object):
        inner = event.object[part]
        if part not in ("metadata", "status"):
            del event.object[part]
        elif isinstance(inner, dict):
            event.object[part] = {name: value for name, value in inner.items() if name in keep}
