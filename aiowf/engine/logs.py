"""The logs of a workflow's pods, as the log endpoint gives them."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

from attrs import frozen

from aiowf.engine.clock import nano_timestamp
from aiowf.engine.controller import Controller
from aiowf.engine.listing import integer
from aiowf.engine.nodes import Node
from aiowf.engine.patterns import SlowPatternError, search
from aiowf.engine.pod import LogLine
from aiowf.engine.refusal import internal
from aiowf.engine.run import WorkflowRun
from aiowf.engine.selectors import Matches, label_selector

_COMPLETED = "workflows.argoproj.io/completed"
_BATCHES = 8
_NANOSECONDS = 1_000_000_000


@frozen
class LogOptions:
    """What of the logs is wanted.

    Attributes:
        pod_name: The only pod of interest, or "".
        matches: Whether the labels of a pod are of interest.
        grep: What a line must contain, or None.
        follow: Whether to go on until the workflow ends.
        tail: How many lines of each pod, counted from its end, or None.
        since: Seconds before now; what is older is left out. None: nothing is.
        limit: How many bytes of each pod, time stamps included, or None.
        timestamps: Whether each line begins with its time.
        nothing: Whether the answer is empty whatever the pods said.
    """

    pod_name: str
    matches: Matches
    grep: re.Pattern[str] | None
    follow: bool
    tail: int | None
    since: int | None
    limit: int | None
    timestamps: bool
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
        tail=_optional(query, "tailLines"),
        since=_optional(query, "sinceSeconds"),
        limit=_optional(query, "limitBytes"),
        timestamps=query.get("logOptions.timestamps") == "true",
        # As a cluster: a pod has several containers, so none is meant unless it is named.
        nothing=query.get("logOptions.container") != "main"
        or query.get("logOptions.previous") == "true",
    )


def _optional(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(f"logOptions.{name}")
    return integer(text) if text else None


def _grep(text: str | None) -> re.Pattern[str] | None:
    if not text:
        return None
    try:
        return re.compile(text)
    except re.error as error:
        raise internal(f'failed to compile "{text}": error parsing regexp: {error}') from None


def _contains(grep: re.Pattern[str], text: str) -> bool:
    try:
        return search(grep, text)
    except SlowPatternError as error:
        raise internal(str(error)) from None


async def log_entries(
    controller: Controller, run: WorkflowRun, options: LogOptions
) -> AsyncGenerator[list[Any], None]:
    """Yield batches of log entries of a workflow's pods."""
    if options.nothing:
        return
    if options.follow:
        async for batch in _followed(controller, run, options):
            yield batch
        return
    for node in _pods(run, options):
        async for batch in _entries(controller, node, options):
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


async def _entries(
    controller: Controller, node: Node, options: LogOptions
) -> AsyncGenerator[list[Any], None]:
    """Yield batches of entries of one pod, to its end if that is wanted."""
    assert node.pod is not None
    key, name = node.pod.pod.key, node.pod.pod.name
    log = controller.executor.read_log(key)
    if log is None:
        return
    excerpt = _Excerpt(options, controller.clock.time(), await _skipped(controller, key, options))
    while not excerpt.is_full and (lines := await log.lines(follow=options.follow)):
        yield [{"result": {"content": text, "podName": name}} for text in excerpt.take(lines)]


async def _skipped(controller: Controller, key: str, options: LogOptions) -> int:
    """Count the lines before those that are wanted of the log's end."""
    log = None if options.tail is None else controller.executor.read_log(key)
    if log is None or options.tail is None:
        return 0
    count = 0
    while lines := await log.lines(follow=False):
        count += len(lines)
    return max(0, count - options.tail)


class _Excerpt:
    """What is wanted of the lines of one pod, as Argo's server makes it of kubelet's answer."""

    def __init__(self, options: LogOptions, now: float, skipped: int) -> None:
        self._options = options
        self._skipped = skipped
        self._since = 0 if options.since is None else int((now - options.since) * _NANOSECONDS)
        # Bytes that may still be sent.
        self._left = options.limit

    @property
    def is_full(self) -> bool:
        """Whether nothing more is wanted."""
        return self._left is not None and self._left <= 0

    def take(self, lines: list[LogLine]) -> Iterator[str]:
        """Yield the contents of entries."""
        skip = min(self._skipped, len(lines))
        self._skipped -= skip
        grep = self._options.grep
        for line in lines[skip:]:
            if line.time >= self._since and not self.is_full:
                text = self._text(line)
                if grep is None or _contains(grep, text):
                    yield text

    def _text(self, line: LogLine) -> str:
        if self._left is None and not self._options.timestamps:
            return line.text.decode(errors="replace").rstrip("\r")
        stamped = b"%b %b\n" % (nano_timestamp(line.time).encode(), line.text)
        if self._left is not None:
            # Kubelet counts the time stamps too, which Argo's server always asks for.
            stamped = stamped[: self._left]
            self._left -= len(stamped)
        whole = stamped.decode(errors="replace").rstrip("\r\n")
        stamp, blank, content = whole.partition(" ")
        return whole if self._options.timestamps else content if blank else stamp


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

    async def read(node: Node) -> None:
        async for batch in _entries(controller, node, options):
            await queue.put(batch)

    while True:
        news = controller.news_of(run)
        for node in _pods(run, options):
            if node.id not in readers:
                readers[node.id] = asyncio.create_task(read(node))
        if news is None or run.finished is not None:
            break
        await news.wait()
    if readers:
        await asyncio.gather(*readers.values())
