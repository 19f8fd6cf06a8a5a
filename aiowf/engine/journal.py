"""What a served engine tells of its work, a line for each event."""

import socket
from contextlib import suppress
from datetime import datetime

import orjson
from attrs import frozen

from aiowf.engine.refusal import Refusal
from aiowf.engine.store import Event, Store, Watch
from aiowf.wire.labels import ARGO_COMPLETED

_MAX_LINE = 2000


@frozen
class Journal:
    """Writes lines to the process that started the engine; without a socket, to nobody.

    Attributes:
        pipe: Where to write; a line for which there is no room is lost, nothing waits for it.
    """

    pipe: socket.socket | None = None

    @property
    def is_read(self) -> bool:
        """Return whether anybody reads it."""
        return self.pipe is not None

    def write(self, text: str) -> None:
        """Write a line; what would move a terminal's cursor is written as text."""
        if self.pipe is None:
            return
        shown = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
        with suppress(OSError):
            self.pipe.send(orjson.dumps({"event": shown[:_MAX_LINE]}) + b"\n", socket.MSG_DONTWAIT)

    async def follow(self, store: Store) -> None:
        """Tell of workflows: created, finished, deleted; until the store is closed."""
        if self.pipe is None:
            return
        watch = Watch("", None, lambda labels: True)
        store.watch(watch, str(store.version))
        try:
            while not watch.ended:
                await watch.ready.wait()
                watch.ready.clear()
                while watch.queue:
                    self._tell(watch.queue.popleft()[1])
        finally:
            store.unwatch(watch)

    def _tell(self, event: Event) -> None:
        line = line_of(event)
        if line is not None:
            self.write(line)


def line_of(event: Event) -> str | None:
    """Return the line that tells of an event, or None."""
    name = f"{event.workflow.namespace}/{event.workflow.name}"
    if event.type == "ADDED":
        return f"{name} created"
    if event.type == "DELETED":
        return f"{name} deleted"
    metadata, status = event.head["metadata"], event.head["status"]
    before = (event.labels_before or {}).get(ARGO_COMPLETED)
    if before == "true" or (metadata.get("labels") or {}).get(ARGO_COMPLETED) != "true":
        return None
    seconds = _seconds(status["startedAt"], status["finishedAt"])
    message = f": {status['message']}" if status.get("message") else ""
    return f"{name} {status['phase']} after {seconds} s{message}"


def _seconds(started: str, finished: str) -> int:
    return int((datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds())


def refused(method: str, path: str, refusal: Refusal) -> str:
    """Return the line that tells of a refused request."""
    return f"{method} {path} refused ({int(refusal.status)}): {refusal.message}"
