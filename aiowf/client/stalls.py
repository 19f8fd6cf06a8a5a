"""Runs that show no progress: all of a client's are looked at together, and ever more rarely."""

import asyncio
import heapq
import itertools
import logging
from typing import TYPE_CHECKING, Any, Self

from attrs import define, field

from aiowf.errors import AiowfError, ArgoError, ConfigurationError, OperationStuckError
from aiowf.manifest import Workflow, structure
from aiowf.wire import labels, nodes
from aiowf.wire.events import LISTED, as_event

if TYPE_CHECKING:
    from aiowf.argo import Subscription
    from aiowf.client.backend import Backend
    from aiowf.client.run import Run

log = logging.getLogger(__name__)

# A run that shows no progress is looked at after this many seconds, then ever more rarely.
FIRST_LOOK = 20.0
RAREST_LOOK = 600.0
# Errors of an image or of the configuration do not heal by themselves, but registries have outages.
HOPELESS_AFTER = 120.0
# So many are asked for one by one; of more, all that have not ended are listed, in small pages:
# each brings its nodes.
_SINGLE = 8
_PAGE = 50
_FIELDS = ("metadata", "items.metadata.name", "items.metadata.uid", "items.status.nodes")
# So many are counted in one round of the event loop: there may be ten thousand.
_AT_ONCE = 200
# After a look there is no other one for so many seconds per request.
_REST = 0.1
_HINTS = {
    True: "Look at the image, its pull secret and what the container refers to.",
    False: "No node has room for it, or may run it: look at its resources and its affinity.",
}


@define(eq=False)
class Wait:
    """A run that somebody awaits.

    Attributes:
        run: The run; None when nobody awaits it any more.
        subscription: Its events.
        pause: Seconds without progress after which it is looked at next.
        due: Loop time at which it is.
    """

    run: "Run[Any] | None"
    subscription: "Subscription"
    pause: float
    due: float = 0.0

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.run = None

    def __lt__(self, other: "Wait") -> bool:
        return self.due < other.due


@define(eq=False)
class Stalls:
    """Looks why awaited runs of a client do not get on; owns the task that does so."""

    backend: "Backend"
    # By the time when each is due; what nobody awaits any more leaves when it is due.
    _heap: list[Wait] = field(factory=list, init=False)
    # Set when something is due earlier than all before.
    _earlier: asyncio.Event = field(factory=asyncio.Event, init=False)
    # Loop time before which nothing is looked at: what is due meanwhile is looked at together.
    _rested_at: float = field(default=0.0, init=False)
    # Set exactly while the client is open.
    _task: "asyncio.Task[None] | None" = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look_for_ever(), name="aiowf stalls")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def looking(self, run: "Run[Any]", subscription: "Subscription") -> Wait:
        """Look at a run while somebody waits on its subscription, and interrupt who waits in vain.

        The error with which they are interrupted is an OperationStuckError. To be entered by
        `with`; it is no generator, since ten thousand may wait.
        """
        patience = run._pending_timeout
        pause = FIRST_LOOK if patience is None else min(FIRST_LOOK, patience)
        waiting = Wait(run, subscription, pause)
        self._push(waiting, asyncio.get_running_loop().time() + pause)
        return waiting

    def _push(self, waiting: Wait, due: float) -> None:
        if not self._heap or due < self._heap[0].due:
            self._earlier.set()
        waiting.due = due
        heapq.heappush(self._heap, waiting)

    async def _look_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = max(self._heap[0].due, self._rested_at) if self._heap else None
            self._earlier.clear()
            try:
                async with asyncio.timeout_at(due):
                    await self._earlier.wait()
            except TimeoutError:
                stalled = await self._stalled(loop.time())
                if not stalled:
                    continue
                try:
                    await self._look(stalled)
                except (AiowfError, OSError) as error:
                    log.warning("runs without progress cannot be looked at: %s", error)

    async def _stalled(self, now: float) -> list[Wait]:
        """Take what is due, and return those that have made no progress meanwhile."""
        found: list[Wait] = []
        for number in itertools.count(1):
            if not self._heap or self._heap[0].due > now:
                return found
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            waiting = heapq.heappop(self._heap)
            run, subscription = waiting.run, waiting.subscription
            if run is None or subscription.is_settled:
                continue
            run.phase = subscription.phase or run.phase
            if now - subscription.changed_at < waiting.pause * 0.99:
                self._push(waiting, subscription.changed_at + waiting.pause)
            else:
                found.append(waiting)
        raise AssertionError("a count has no end")  # pragma: no cover

    async def _look(self, stalled: list[Wait]) -> None:
        now = asyncio.get_running_loop().time()
        for number, waiting in enumerate(stalled, 1):
            still = now - waiting.subscription.changed_at
            waiting.pause = still + min(max(still, 1.0), RAREST_LOOK)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        try:
            if len(stalled) <= _SINGLE + len(self._heap) / _PAGE:
                requests = await self._ask_each(stalled)
            else:
                requests = await self._list(stalled)
            self._rested_at = now + _REST * requests
        finally:
            for number, waiting in enumerate(stalled, 1):
                self._push(waiting, waiting.subscription.changed_at + waiting.pause)
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)

    async def _ask_each(self, stalled: list[Wait]) -> int:
        """Ask for each by its name; return the number of requests."""
        for start in range(0, len(stalled), _SINGLE):
            await asyncio.gather(*map(self._ask, stalled[start : start + _SINGLE]))
        return len(stalled)

    async def _ask(self, waiting: Wait) -> None:
        run = waiting.run
        if run is None:
            return
        try:
            workflow = await run.workflow()
        except (ArgoError, ConfigurationError) as error:
            log.warning("%s cannot be looked at: %s", run.name, error)
            return
        self._judge(waiting, workflow)

    async def _list(self, stalled: list[Wait]) -> int:
        """List all that have not ended; return the number of requests."""
        wanted = {each.subscription.uid: each for each in stalled}
        pages = 0
        async for page in self.backend.argo.workflows.pages(
            namespace=self.backend.namespace,
            label_selector=f"{labels.SESSION}={self.backend.session_id},"
            f"{labels.ARGO_COMPLETED}!=true",
            fields=_FIELDS,
            page_size=_PAGE,
        ):
            pages += 1
            for item in page:
                event = as_event(LISTED, item)
                waiting = wanted.pop(event.uid, None) if event is not None else None
                if waiting is not None:
                    self._judge(waiting, structure(dict(item), Workflow))
        # Those of another session are in no list of ours.
        others = [each for each in wanted.values() if each.run and each.run._subscription is None]
        return pages + await self._ask_each(others)

    def _judge(self, waiting: Wait, workflow: Workflow) -> None:
        """Tell what a pending pod says; end the wait if it says it for too long."""
        run = waiting.run
        pending = next(iter(nodes.pending_nodes(workflow)), None)
        if run is None or pending is None:
            return
        log.warning("%s: node %s is pending: %s", run.name, pending.node, pending.message)
        limits = [HOPELESS_AFTER] if pending.can_never_start else []
        limits += [run._pending_timeout] if run._pending_timeout is not None else []
        if not limits:
            return
        now = asyncio.get_running_loop().time()
        still, limit = now - waiting.subscription.changed_at, min(limits)
        if still < limit:
            waiting.pause = limit
            return
        waiting.subscription.interrupt(
            OperationStuckError(
                f"workflow {run.name} cannot get on: node {pending.node} is pending for "
                f"{still:.0f} s: {pending.message}",
                workflow_name=run.name,
                namespace=run.namespace,
                node=pending.node,
                reason=pending.reason,
                waited=still,
                hint=_HINTS[pending.can_never_start],
            )
        )
