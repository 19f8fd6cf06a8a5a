"""The events of a watch, from its parameters to its messages."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any, cast

from aiowf.engine.controller import Controller
from aiowf.engine.fields import Fields
from aiowf.engine.listing import find, integer
from aiowf.engine.refusal import Refusal, invalid
from aiowf.engine.rendering import render
from aiowf.engine.run import WorkflowRun
from aiowf.engine.selectors import field_requirements, label_selector
from aiowf.engine.store import Event, Watch

_BOOKMARK_EVERY = 60.0  # seconds; about what kube-apiserver does
_PREFIX = "result.object."
_BATCH = 256


async def watch_events(
    controller: Controller, namespace: str, query: Mapping[str, str], fields: Fields | None
) -> AsyncGenerator[list[Any], None]:
    """Yield batches of messages until the time is over; a Refusal ends them.

    Args:
        controller: The engine.
        namespace: The namespace, or "" for all.
        query: `listOptions.…` as Argo takes them.
        fields: What is wanted of each message.
    """
    watch = Watch(
        namespace,
        _watched_name(controller, namespace, query.get("listOptions.fieldSelector")),
        label_selector(query.get("listOptions.labelSelector")),
    )
    since = query.get("listOptions.resourceVersion")
    initial = _wants_initial_events(query)
    for_ever = 1e9
    timeout = integer(query.get("listOptions.timeoutSeconds")) or for_ever
    bookmarks = query.get("listOptions.allowWatchBookmarks") == "true"
    first = controller.store.watch(watch, since)
    for run in list(controller.store.all(namespace)):
        controller.settle(cast(WorkflowRun, run))
    deadline = asyncio.get_running_loop().time() + timeout
    try:
        seen = ((event.seen_by(watch), event) for event in first)
        chosen = [(kind, event) for kind, event in seen if kind]
        for start in range(0, len(chosen), _BATCH):
            batch = chosen[start : start + _BATCH]
            yield [_message(kind, event, fields) for kind, event in batch]
            await asyncio.sleep(0)  # others have their turn
        if initial:
            yield [_bookmark(controller, fields, initial_end=True)]
        while True:
            async for batch in _next(watch, deadline, bookmarks):
                yield [_message(kind, event, fields) for kind, event in batch]
            yield [_bookmark(controller, fields)]
    finally:
        controller.store.unwatch(watch)


async def _next(
    watch: Watch, deadline: float, bookmarks: bool
) -> AsyncGenerator[list[tuple[str, Event]], None]:
    """Yield events until it is time for a bookmark; the end of the watch is a Refusal."""
    loop = asyncio.get_running_loop()
    pause = loop.time() + _BOOKMARK_EVERY if bookmarks else deadline
    while True:
        while watch.queue:
            yield [watch.queue.popleft() for _ in range(min(_BATCH, len(watch.queue)))]
        if watch.ended:
            raise watch.ended
        watch.ready.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(min(deadline, pause)):
                await watch.ready.wait()
        if watch.queue or watch.ended:
            continue
        if loop.time() >= deadline:
            raise Refusal(8, "EOF")
        if loop.time() >= pause:
            return


def _watched_name(controller: Controller, namespace: str, selector: str | None) -> str | None:
    for name, how, value in field_requirements(selector):
        if name == "metadata.name" and how == "=":
            return find(controller, namespace, value).name
        if name == "metadata.namespace" and how == "=":
            continue
        raise invalid(
            'Unable to find "argoproj.io/v1alpha1, Resource=workflows" that match label selector '
            f'"", field selector "{selector}": field label not supported: {name}'
        )
    return None


def _wants_initial_events(query: Mapping[str, str]) -> bool:
    if query.get("listOptions.sendInitialEvents") != "true":
        return False
    if query.get("listOptions.resourceVersionMatch") != "NotOlderThan":
        raise invalid(
            'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        )
    return True


def _message(kind: str, event: Event, fields: Fields | None) -> Any:
    run = cast(WorkflowRun, event.workflow)
    workflow = render(run, event.head, fields, _PREFIX)
    return _pruned({"result": {"type": kind, "object": workflow}}, fields)


def _bookmark(controller: Controller, fields: Fields | None, *, initial_end: bool = False) -> Any:
    metadata: dict[str, Any] = {"resourceVersion": str(controller.store.version)}
    if initial_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    workflow = {
        "metadata": metadata,
        "spec": {"arguments": {}},
        "status": {"startedAt": None, "finishedAt": None},
    }
    return _pruned({"result": {"type": "BOOKMARK", "object": workflow}}, fields)


def _pruned(message: dict[str, Any], fields: Fields | None) -> Any:
    return message if fields is None else fields.prune(message)
