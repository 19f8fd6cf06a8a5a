"""The logs of a workflow's pods, as the log endpoint gives them."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from attrs import frozen

from aiowf.engine.controller import Controller
from aiowf.engine.listing import integer
from aiowf.engine.nodes import Node
from aiowf.engine.pod import PodLog
from aiowf.engine.refusal import internal
from aiowf.engine.run import WorkflowRun
from aiowf.engine.selectors import Matches, label_selector

_COMPLETED = "workflows.argoproj.io/completed"
_BATCHES = 64


@frozen
class LogOptions:
    """What of the logs is wanted.

    Attributes:
        pod_name: The only pod of interest, or "".
        matches: Whether the labels of a pod are of interest.
        grep: What a line must contain, or None.
        follow: Whether to go on until the workflow ends.
        tail: How many lines of each pod, counted from its end, or None.
        nothing: Whether the answer is empty whatever the pods said.
    """

    pod_name: str
    matches: Matches
    grep: re.Pattern[str] | None
    follow: bool
    tail: int | None
    nothing: bool


def log_options(query: Mapping[str, str]) -> LogOptions:
    """Read the parameters of a request.

    Raises:
        Refusal: One of them does not parse.
    """
    return LogOptions(
        pod_name=query.get("podName", ""),
        matches=label_selector(query.get("selector")),
        grep=_grep(query.get("grep")),
        follow=query.get("logOptions.follow") == "true",
        tail=integer(tail) if (tail := query.get("logOptions.tailLines")) else None,
        # As a cluster: a pod has several containers, so none is meant unless it is named.
        nothing=query.get("logOptions.container") != "main"
        or query.get("logOptions.previous") == "true",
    )


def _grep(text: str | None) -> re.Pattern[str] | None:
    if not text:
        return None
    try:
        return re.compile(text)
    except re.error as error:
        raise internal(f'failed to compile "{text}": error parsing regexp: {error}') from None


async def log_entries(
    controller: Controller, run: WorkflowRun, options: LogOptions
) -> AsyncGenerator[list[Any], None]:
    """Yield batches of log entries of a workflow's pods."""
    if options.nothing:
        return
    if not options.follow:
        for node in _pods(run, options):
            log = controller.executor.read_log(_key(node))
            if log is not None:
                yield await _all_of(log, node, options)
        return
    async for batch in _followed(controller, run, options):
        yield batch


def _pods(run: WorkflowRun, options: LogOptions) -> list[Node]:
    """The nodes whose pods are of interest and have come out of the queue."""
    found = []
    for node in run.nodes.values():
        if node.pod is None or not node.pod.scheduled:
            continue
        labels = {**node.pod.pod.labels, _COMPLETED: "true" if node.pod.ended else "false"}
        if options.pod_name in ("", node.pod.pod.name) and options.matches(labels):
            found.append(node)
    return found


def _key(node: Node) -> str:
    assert node.pod is not None
    return node.pod.pod.key


async def _all_of(log: PodLog, node: Node, options: LogOptions) -> list[Any]:
    lines: deque[bytes] = deque(maxlen=options.tail)
    while batch := await log.lines(follow=False):
        lines.extend(batch)
    return _entries(list(lines), node, options)


def _entries(lines: list[bytes], node: Node, options: LogOptions) -> list[Any]:
    assert node.pod is not None
    name, grep = node.pod.pod.name, options.grep
    texts = (line.decode(errors="replace").rstrip("\r\n") for line in lines)
    return [
        {"result": {"content": text, "podName": name}}
        for text in texts
        if grep is None or grep.search(text)
    ]


async def _followed(
    controller: Controller, run: WorkflowRun, options: LogOptions
) -> AsyncGenerator[list[Any], None]:
    """Yield entries as they come, until the workflow has ended and all its pods are read."""
    queue: asyncio.Queue[list[Any]] = asyncio.Queue(_BATCHES)
    readers: dict[str, asyncio.Task[None]] = {}
    watcher = asyncio.create_task(_read_pods(controller, run, options, queue, readers))
    try:
        while True:
            getter = asyncio.create_task(queue.get())
            try:
                await asyncio.wait({getter, watcher}, return_when=asyncio.FIRST_COMPLETED)
                if getter.done():
                    yield getter.result()
                    continue
            finally:
                if not getter.done():
                    getter.cancel()
                    await asyncio.wait([getter])
            while not queue.empty():
                yield queue.get_nowait()
            await watcher
            return
    finally:
        for task in (watcher, *readers.values()):
            task.cancel()
        await asyncio.wait([watcher, *readers.values()])


async def _read_pods(
    controller: Controller,
    run: WorkflowRun,
    options: LogOptions,
    queue: asyncio.Queue[list[Any]],
    readers: dict[str, asyncio.Task[None]],
) -> None:
    """Start a reader for every pod as it comes, and wait for all of them at the end."""
    while True:
        news = controller.news_of(run)
        for node in _pods(run, options):
            if node.id not in readers:
                log = controller.executor.read_log(_key(node))
                if log is not None:
                    reading = _read_one(log, node, options, queue)
                    readers[node.id] = asyncio.create_task(reading)
        if news is None or run.finished is not None:
            break
        await news.wait()
    if readers:
        await asyncio.gather(*readers.values())


async def _read_one(
    log: PodLog, node: Node, options: LogOptions, queue: asyncio.Queue[list[Any]]
) -> None:
    tail = options.tail
    if tail is not None:
        await queue.put(await _all_of(log, node, options))
    while lines := await log.lines(follow=True):
        await queue.put(_entries(lines, node, options))
