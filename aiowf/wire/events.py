"""Messages of a watch → events."""

from typing import Any

import orjson
from attrs import field, frozen

from aiowf.manifest.fields import Raw
from aiowf.wire.errors import stream_error, unreadable
from aiowf.wire.requests import Request

FINAL_PHASES = frozenset({"Succeeded", "Failed", "Error"})

# What is asked of each workflow while it is awaited; a stream's own errors are filtered as well.
WATCHED_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.resourceVersion",
    "metadata.labels",
    "status.phase",
    "status.message",
    "status.progress",
    "status.startedAt",
    "status.finishedAt",
)
# What is asked besides where the outcome of each task is awaited.
NODE_FIELDS = ("metadata.annotations", "status.nodes")
WATCH_FIELDS = ("result.type", *(f"result.object.{name}" for name in WATCHED_FIELDS), "error")
LIST_FIELDS = ("metadata", *(f"items.{name}" for name in WATCHED_FIELDS))

# Seen in a list, not in a watch.
LISTED = "LISTED"


@frozen(slots=False)  # made faster: a stream may tell thousands in a second
class WatchEvent:
    """One change of a workflow.

    Attributes:
        type: "ADDED", "MODIFIED", "DELETED" or "BOOKMARK"; "LISTED" where a list told it.
        uid: The workflow's uid; "" for a bookmark.
        name: Its name; "" for a bookmark.
        resource_version: Its version, or "" if it was not told.
        phase: Its phase; "" before the controller has seen it.
        object: The workflow as the server told it, with the fields that were asked for.
    """

    type: str
    uid: str
    name: str
    resource_version: str
    phase: str
    object: dict[str, Any] = field(repr=False)

    @property
    def labels(self) -> Raw:
        """Return the workflow's labels."""
        return _mapping(self.object["metadata"].get("labels"))

    @property
    def progress(self) -> str:
        """Return "N/M", the nodes done and known, or ""."""
        return _text(self.object.get("status"), "progress")

    @property
    def message(self) -> str:
        """Return the workflow's message, or ""."""
        return _text(self.object.get("status"), "message")

    @property
    def is_final(self) -> bool:
        """Return whether the workflow has ended; nothing more will happen to it but deletion."""
        return self.phase in FINAL_PHASES


def read_event(request: Request, message: bytes) -> WatchEvent | None:
    """Return the event of a watch's message, or None at the stream's normal end.

    Raises:
        ArgoError: The stream ends with an error, or the message cannot be read.
    """
    try:
        result = orjson.loads(message)["result"]
        kind, data = result["type"], result["object"]
        metadata = data["metadata"]
        uid, name, version = metadata["uid"], metadata["name"], metadata["resourceVersion"]
        phase = data["status"]["phase"]
        # Nearly all messages are of this form, and there may be thousands a second.
        if uid and kind and type(uid) is type(name) is type(version) is type(phase) is str:
            return WatchEvent(kind, uid, name, version, phase, data)
    except (ValueError, LookupError, TypeError):
        pass
    try:
        result = orjson.loads(message)["result"]
        event = as_event(result["type"], result["object"])
    except (ValueError, LookupError, TypeError):
        if read_result(request, message) is None:
            return None
        event = None
    if event is None:
        raise unreadable(request, "a message of the watch is no event")
    return event


def read_result(request: Request, message: bytes) -> dict[str, Any] | None:
    """Return what a message of a stream carries, or None at the stream's normal end.

    Raises:
        ArgoError: The stream ends with an error, or the message cannot be read.
    """
    try:
        data = orjson.loads(message)
    except orjson.JSONDecodeError as problem:
        raise unreadable(request, f"a message of the stream is not JSON: {problem}") from None
    if isinstance(data, dict):
        result = data.get("result")
        if isinstance(result, dict):
            return result
        if "error" in data:
            error = stream_error(request, data["error"])
            if error is None:
                return None
            raise error
    raise unreadable(request, "a message of the stream holds neither a result nor an error")


def as_event(kind: Any, data: Any) -> WatchEvent | None:
    """Return a workflow in JSON as an event, or None if it is not one."""
    metadata = data.get("metadata") if isinstance(data, dict) else None
    if not isinstance(kind, str) or not isinstance(metadata, dict):
        return None
    told, status = metadata.get, data.get("status")
    if status is not None and not (
        isinstance(status, dict) and isinstance(status.get("phase") or "", str)
    ):
        return None
    uid, name, version = told("uid"), told("name"), told("resourceVersion")
    phase = _text(status, "phase")
    if not (isinstance(uid, str) and isinstance(name, str) and isinstance(version, str)):
        uid, name, version = (_text(metadata, key) for key in ("uid", "name", "resourceVersion"))
    if not uid and kind != "BOOKMARK":
        return None
    return WatchEvent(kind, uid, name, version, phase, data)


def _text(data: Any, key: str) -> str:
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, str) else ""


def _mapping(data: Any) -> Raw:
    return data if isinstance(data, dict) else {}
