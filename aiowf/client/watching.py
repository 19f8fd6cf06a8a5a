"""What a client follows: the ends of its runs, their changes and their logs."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define, field, frozen

from aiowf.client.backend import client_was_closed, engine_is_gone
from aiowf.errors import AiowfError, BadRequestError, RateLimitedError, UnavailableError
from aiowf.manifest import Workflow
from aiowf.manifest.fields import Raw
from aiowf.replies.waiting import Pending, Replies
from aiowf.wire import labels
from aiowf.wire.answers import as_value
from aiowf.wire.errors import is_expired
from aiowf.wire.events import (
    FINAL_PHASES,
    LISTED,
    NODE_FIELDS,
    WATCHED_FIELDS,
    as_event,
    read_event,
    read_result,
)
from aiowf.wire.log_lines import read_entry, without_executor

if TYPE_CHECKING:
    from aiowf.argo import Subscription, Watch
    from aiowf.client.backend import Backend
    from aiowf.client.run import Run

T = TypeVar("T")

log = logging.getLogger(__name__)

# Seconds for the look at what has not ended when the client closes, and how many of it are named.
_LAST_LOOK = 2.0
_MOST_NAMED = 3


@frozen
class Change:
    """One change of a workflow.

    Attributes:
        type: "ADDED", "MODIFIED" or "DELETED".
        workflow: The workflow with its status and all its nodes.
    """

    type: str
    workflow: Workflow = field(repr=False)

    @property
    def version(self) -> str | None:
        """Return the resourceVersion of the workflow."""
        return self.workflow.metadata.resource_version if self.workflow.metadata else None

    @property
    def phase(self) -> str:
        """Return the phase of the workflow, "" before the controller has seen it."""
        return (self.workflow.status.phase if self.workflow.status else None) or ""

    @property
    def progress(self) -> str:
        """Return "N/M": so many of the known pods have succeeded."""
        return (self.workflow.status.progress if self.workflow.status else None) or ""

    @property
    def message(self) -> str:
        """Return Argo's message, or ""."""
        return (self.workflow.status.message if self.workflow.status else None) or ""


@define
class Watching:
    """Follows the workflows of one client over one watch; owns that watch and the reply reader."""

    backend: "Backend"
    # Both are there exactly while the client is open; replies only where there is a channel.
    _watch: "Watch | None" = field(default=None, init=False)
    replies: Replies | None = field(default=None, init=False)
    _stack: AsyncExitStack = field(factory=AsyncExitStack, init=False)
    # Waits for the death of the embedded engine, where there is one; cancelled at the close.
    _mourner: "asyncio.Task[None] | None" = field(default=None, init=False)
    # Tasks that wait for an end on behalf of a callback; cancelled and awaited at the close.
    _callbacks: set["asyncio.Task[None]"] = field(factory=set, init=False)

    async def __aenter__(self) -> Self:
        from aiowf.argo import Watch

        async with AsyncExitStack() as stack:
            self._watch = await stack.enter_async_context(
                Watch(
                    self.backend.argo,
                    namespace=self.backend.namespace,
                    label_selector=f"{labels.SESSION}={self.backend.session_id}",
                )
            )
            if self.backend.engine is not None:
                self._mourner = asyncio.create_task(self._mourn(self.backend.engine.died))
                stack.push_async_callback(_cancel, self._mourner)
            if self.backend.channel is not None:
                self.replies = await stack.enter_async_context(
                    Replies(self.backend.channel, self.backend.settings.reply_key)
                )
            self._stack = stack.pop_all()
        return self

    async def _mourn(self, died: "asyncio.Future[str]") -> None:
        """Tell all who wait when the embedded engine is gone."""
        assert self._watch is not None
        self._watch.fail(engine_is_gone(await died))

    async def __aexit__(self, *_: object) -> None:
        for task in self._callbacks:
            task.cancel()
        if self._callbacks:
            await asyncio.wait(self._callbacks)
        try:
            if self.backend.engine is not None:
                await self._tell_of_unended()
        finally:
            await self._stack.aclose()

    async def _tell_of_unended(self) -> None:
        """Warn of what ends unseen with the embedded engine of this client."""
        assert self._watch is not None
        try:
            async with asyncio.timeout(_LAST_LOOK):
                names = await self._watch.unended()
        except (AiowfError, TimeoutError):
            return  # it has ended already, by itself
        if not names:
            return
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        logging.getLogger("aiowf.client").warning(
            "the client closes, and its embedded engine ends what nobody has awaited: %s%s. Await "
            "each run (`await run`) before, or start a server that stays (`aiowf dev`)",
            ", ".join(names[:_MOST_NAMED]),
            more,
        )

    def stopped(self, run: "Run[Any]") -> None:
        """Note that a run was stopped by somebody here."""
        if self._watch is not None:
            self._watch.stopped(run.name)

    def expect(self, run: "Run[Any]") -> "Subscription":
        """Follow a run that is about to be submitted, so that no event of it is missed."""
        assert self._watch is not None
        self.pending(run)
        return self._watch.follow(run.name, ends_only=True)

    def pending(self, run: "Run[Any]") -> Pending | None:
        """Return what is to come for a run by the reply channel, or None if nothing is."""
        plan = run._plan
        if plan is None or self.replies is None:
            return None
        files = plan.terms.wants_files
        if not (files or plan.terms.wants_notice):
            return None
        if run._pending is None:
            run._pending = self.replies.expect(run.name, files=files)
        return run._pending

    def unexpect(self, run: "Run[Any]") -> None:
        """Forget a run: its submission failed, or nobody waits for it any more."""
        if run._pending is not None and self.replies is not None:
            run._pending = None
            self.replies.release(run.name)

    @asynccontextmanager
    async def follow(self, run: "Run[Any]") -> "AsyncIterator[Subscription]":
        """Follow a run: over the client's own watch, or by name if it is somebody else's."""
        if run._subscription is not None:
            yield run._subscription
            return
        async with self.follow_by_name(run) as subscription:
            yield subscription

    @asynccontextmanager
    async def follow_by_name(
        self, run: "Run[Any]", *, nodes: bool = False
    ) -> "AsyncIterator[Subscription]":
        """Follow a run over a watch of its own; with `nodes` its events bring its nodes."""
        from aiowf.argo import Watch

        watch = Watch(
            self.backend.argo,
            namespace=run.namespace,
            field_selector=f"metadata.name={run.name}",
            nodes=nodes,
        )
        async with watch:
            with watch.follow(run.name) as subscription:
                event = await self.backend.argo.workflows.get_event(
                    run.name,
                    namespace=run.namespace,
                    fields=(*WATCHED_FIELDS, *NODE_FIELDS) if nodes else WATCHED_FIELDS,
                )
                subscription.bind(event.uid)
                subscription.tell(event)
                yield subscription

    def when_ended(self, run: "Run[Any]", callback: Callable[[], None]) -> None:
        """Call back once, when a run has ended, is gone, or the client closes."""

        async def wait() -> None:
            try:
                async with self.follow(run) as subscription:
                    await subscription.ended()
            except AiowfError:
                pass  # whoever awaits the run is told
            finally:
                callback()

        task = asyncio.create_task(wait())
        self._callbacks.add(task)
        task.add_done_callback(self._callbacks.discard)

    async def log_tail(self, run: "Run[Any]", pod: str, lines: int) -> tuple[str, ...]:
        """Return the last lines of a pod's log; none if there is no log any more."""
        argo = self.backend.argo
        # Some more than are wanted: Argo's executor writes into the same log.
        request = argo.workflows.log_request(
            run.name, namespace=run.namespace, pod=pod, tail_lines=lines + 10
        )
        kept: list[str] = []
        try:
            async with asyncio.timeout(5), argo.stream(request) as batches:
                async for batch in batches:
                    for message in batch:
                        entry = read_entry(read_result(request, message))
                        line = without_executor(entry[1]) if entry else None
                        kept += [] if line is None else [line]
        except (AiowfError, TimeoutError):
            pass  # the error that is being told matters more than its last lines
        return tuple(kept[-lines:])


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})


def attach(subscription: "Subscription", found: Raw) -> None:
    """Bind a subscription to a workflow as it was found, which may have ended already."""
    event = as_event(LISTED, dict(found))
    if event is None:
        return
    subscription.bind(event.uid)
    subscription.tell(event)


async def until_closed(run: "Run[Any]", items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Yield items; when the client is closed meanwhile, raise what awaiting the run raises."""
    client = run._client
    argo = client.argo
    try:
        async with aclosing(items):
            async for item in items:
                yield item
    except AiowfError:
        if argo.is_closed:
            raise client_was_closed(run.name, is_local=client.settings.is_local) from None
        raise


async def changes(run: "Run[Any]") -> AsyncGenerator[Change, None]:
    """Yield the present state of a run and every change, to its end.

    A stream that breaks goes on from a fresh read: a change may be skipped, the last one is not.
    """
    seen: str | None = None
    pause = 0.0
    while True:
        workflow = await run.workflow()
        version = workflow.metadata.resource_version if workflow.metadata else None
        if version != seen:
            seen = version
            yield Change("MODIFIED", workflow)
        if run.phase in FINAL_PHASES:
            return
        await asyncio.sleep(pause)
        pause = min(pause * 2 + 0.5, 15.0)
        try:
            async with aclosing(_stream(run, seen)) as events:
                async for change in events:
                    seen, pause = change.version, 0.0
                    run.phase = change.phase or run.phase
                    yield change
                    if change.type == "DELETED" or change.phase in FINAL_PHASES:
                        return
        except (UnavailableError, RateLimitedError) as error:
            log.warning("the watch of %s is interrupted: %s", run.name, error)
        except BadRequestError as error:
            if not is_expired(error):
                raise


async def _stream(run: "Run[Any]", version: str | None) -> AsyncGenerator[Change, None]:
    argo = run._client.argo
    request = argo.workflows.watch_request(
        namespace=run.namespace,
        field_selector=f"metadata.name={run.name}",
        resource_version=version,
    )
    async with argo.stream(request) as batches:
        async for batch in batches:
            for message in batch:
                event = read_event(request, message)
                if event is None:
                    return
                if event.type in ("ADDED", "MODIFIED", "DELETED"):
                    yield Change(event.type, as_value(request, event.object, Workflow))


async def log_lines(
    run: "Run[Any]", task: str | None, *, follow: bool
) -> AsyncGenerator[str, None]:
    """Yield the lines of a run's log: of one task, or of all behind the task's name."""
    from aiowf.argo import follow_logs

    async with aclosing(
        follow_logs(run._client.argo, run.name, namespace=run.namespace, task=task, follow=follow)
    ) as lines:
        async for line in lines:
            yield line.content if task is not None else str(line)
