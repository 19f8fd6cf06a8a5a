"""The workflows that the engine knows, their versions, and those who watch them."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from attrs import define, field, frozen

from aiowf.engine.refusal import Refusal, invalid

_HISTORY = 4096
# An event holds its workflow, so the history does not go back behind more deletions than this.
_DELETED = 256
_QUEUE = 16384
_LONGEST = 20  # digits of a resource version, which has 64 bits


class Stored(Protocol):
    """A workflow as the store needs it: who it is, and how it is rendered."""

    version: int

    @property
    def namespace(self) -> str:
        """Its namespace."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels now; never changed in place."""
        ...

    def head(self) -> dict[str, Any]:
        """Return metadata and status without nodes, as they are now."""
        ...


@frozen
class Event:
    """One change of one workflow.

    Attributes:
        version: The resource version that it made.
        type: ADDED, MODIFIED or DELETED.
        workflow: The workflow, whose specification and nodes are read when they are asked for.
        head: Its metadata and status (without nodes) right after the change.
        labels_before: Its labels before the change; None for a creation.
    """

    version: int
    type: str
    workflow: Stored
    head: Mapping[str, Any]
    labels_before: Mapping[str, str] | None

    def seen_by(self, watch: "Watch") -> str | None:
        """Return the type of event that a watch sees, or None."""
        if not watch.in_scope(self.workflow):
            return None
        before = self.labels_before is not None and watch.matches(self.labels_before)
        after = watch.matches(self.head["metadata"].get("labels") or {})
        if self.type == "DELETED":
            return "DELETED" if before or after else None
        if before and after:
            return "MODIFIED"
        if after:
            return "ADDED"
        return "DELETED" if before else None


@define(eq=False)
class Watch:
    """Somebody who watches; iterate `next_event`."""

    namespace: str
    name: str | None
    matches: Callable[[Mapping[str, str]], bool]
    # Events not yet sent. Never more than _QUEUE: a watch that falls behind is ended instead.
    queue: deque[tuple[str, Event]] = field(factory=deque)
    # Set when the queue holds something, or the watch has ended.
    ready: asyncio.Event = field(factory=asyncio.Event)
    # Why the watch has ended, or None.
    ended: Refusal | None = None

    def in_scope(self, workflow: Stored) -> bool:
        """Return whether the workflow is in the namespace, and has the name, that is watched."""
        if self.namespace and workflow.namespace != self.namespace:
            return False
        return self.name is None or workflow.name == self.name

    def offer(self, event: Event) -> None:
        """Queue an event if it concerns this watch."""
        seen = event.seen_by(self)
        if seen is None or self.ended:
            return
        if len(self.queue) >= _QUEUE:
            self.end(Refusal(8, "EOF"))
            return
        self.queue.append((seen, event))
        self.ready.set()

    def end(self, reason: Refusal) -> None:
        """End the watch."""
        self.ended = reason
        self.ready.set()


@define(eq=False)
class Store:
    """Workflows by namespace and name, one rising resource version, and a bounded history."""

    # The resource version of the latest event.
    version: int = 100
    # Is told of every change, with its kind.
    noted: Callable[[str, Stored], None] = lambda kind, workflow: None
    _workflows: dict[tuple[str, str], Stored] = field(factory=dict)
    _watches: set[Watch] = field(factory=set)
    # The latest events, oldest first. A watch may resume from any version not before _forgotten.
    _history: deque[Event] = field(factory=lambda: deque(maxlen=_HISTORY))
    _forgotten: int = 100
    # The versions of the deletions among them, oldest first.
    _deletions: deque[int] = field(factory=deque)

    def get(self, namespace: str, name: str) -> Stored | None:
        """Return a workflow, or None."""
        return self._workflows.get((namespace, name))

    def all(self, namespace: str = "") -> Iterator[Stored]:
        """Yield the workflows of a namespace, or of all, oldest first."""
        for workflow in self._workflows.values():
            if not namespace or workflow.namespace == namespace:
                yield workflow

    def add(self, workflow: Stored) -> None:
        """Add a workflow.

        Raises:
            Refusal: The name is taken.
        """
        self.refuse_taken(workflow)
        self._workflows[workflow.namespace, workflow.name] = workflow
        self.publish("ADDED", workflow, None)

    def restore(self, workflows: Iterable[Stored], version: int) -> None:
        """Take over workflows of an earlier engine, of whose events nothing is known.

        Args:
            workflows: The workflows, the oldest first.
            version: A resource version that is not before that of any of them.
        """
        for workflow in workflows:
            self._workflows[workflow.namespace, workflow.name] = workflow
        self.version = self._forgotten = max(version, self.version)

    def refuse_taken(self, workflow: Stored) -> None:
        """Refuse a workflow whose name is taken.

        Raises:
            Refusal: There is one of that name.
        """
        if (workflow.namespace, workflow.name) in self._workflows:
            raise Refusal(6, f'workflows.argoproj.io "{workflow.name}" already exists')

    def remove(self, workflow: Stored) -> None:
        """Remove a workflow."""
        del self._workflows[workflow.namespace, workflow.name]
        self.publish("DELETED", workflow, workflow.labels)
        self._deletions.append(self.version)
        if len(self._deletions) > _DELETED:
            self._forgotten = max(self._forgotten, self._deletions.popleft())
            while self._history[0].version <= self._forgotten:
                self._history.popleft()

    def publish(self, kind: str, workflow: Stored, labels_before: Mapping[str, str] | None) -> None:
        """Give the workflow a new version and tell those who watch it."""
        workflow.version = self.next_version()
        self.noted(kind, workflow)
        event = Event(self.version, kind, workflow, workflow.head(), labels_before)
        if len(self._history) == _HISTORY:
            self._forgotten = self._history[0].version
        self._history.append(event)
        for watch in self._watches:
            watch.offer(event)

    def next_version(self) -> int:
        """Return a new resource version."""
        self.version += 1
        return self.version

    def watch(self, watch: Watch, since: str | None) -> Iterable[Event]:
        """Begin to watch, and return what happened after a version, or what there is.

        Args:
            watch: Is told of everything from now on, until `unwatch`.
            since: A resource version; None, "" and "0" mean the present state, as ADDED.

        Raises:
            Refusal: The version is no number, or too old to know what happened since.
        """
        first: Iterable[Event]
        if since in (None, "", "0"):
            first = [
                Event(self.version, "ADDED", workflow, workflow.head(), None)
                for workflow in self._workflows.values()
                if watch.in_scope(workflow)
            ]
        else:
            first = self._since(str(since))
        self._watches.add(watch)
        return first

    def _since(self, since: str) -> list[Event]:
        if not since.isdecimal() or len(since) > _LONGEST:
            raise invalid(
                f'resourceVersion: Invalid value: "{since}": strconv.ParseUint: '
                f'parsing "{since}": invalid syntax'
            )
        # What is not yet was told by an earlier engine, of whose events nothing is known.
        if not self._forgotten <= int(since) <= self.version:
            raise invalid(f"too old resource version: {since} ({self._forgotten})")
        return [event for event in self._history if event.version > int(since)]

    def unwatch(self, watch: Watch) -> None:
        """Stop telling a watch."""
        self._watches.discard(watch)

    def close(self) -> None:
        """End all watches."""
        for watch in self._watches:
            watch.end(Refusal(8, "EOF"))
