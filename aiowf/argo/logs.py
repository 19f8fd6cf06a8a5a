"""The lines that the tasks of a workflow write, while they run or afterwards."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from attrs import frozen

from aiowf.argo.backoff import delay
from aiowf.argo.session import ArgoSession
from aiowf.errors import (
    ArgoError,
    ConfigurationError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from aiowf.manifest import Workflow
from aiowf.manifest.names import nearest
from aiowf.wire.events import FINAL_PHASES, read_result
from aiowf.wire.log_lines import LogFilter, read_entry, without_executor
from aiowf.wire.nodes import archived_logs, pod_tasks, task_names, work_names

_log = logging.getLogger("aiowf.argo")

_FIELDS = ("metadata.name", "metadata.namespace", "status.phase", "status.nodes")
_ATTEMPTS = 5
# New pods are looked up in the workflow's nodes no more often than this.
_LOOK_UP = 2.0


@frozen
class LogLine:
    """A line of a log: `str(line)` has the task's name in front.

    Attributes:
        task: Name of the task that wrote it.
        pod: Name of its pod.
        content: The line, without a newline.
    """

    task: str
    pod: str
    content: str

    def __str__(self) -> str:
        return f"{self.task}: {self.content}"


async def follow_logs(
    session: ArgoSession,
    name: str,
    *,
    namespace: str | None = None,
    task: str | None = None,
    pod: str | None = None,
    follow: bool = True,
) -> AsyncGenerator[LogLine, None]:
    """Give the lines that a workflow's tasks wrote and, with follow, write until it ends.

    Each line comes once, also when the connection breaks meanwhile; what Argo's executor writes
    into the same log does not come. The logs of pods that are gone come, at the end, from their
    artifact `main-logs`, if the workflow archives logs.

    Args:
        session: The session.
        name: Name of the workflow.
        namespace: Its namespace; None for the session's.
        task: Only the lines of this task.
        pod: Only the lines of this pod.
        follow: Whether to wait for more until the workflow ends.

    Raises:
        NotFoundError: There is no such workflow.
        ConfigurationError: It has no such task.
        ArgoError: The server refused, or could not be reached several times in a row.
    """
    names = _Names(session, name, namespace)
    if task is not None:
        await names.check(task)
    lines = LogFilter()
    told: set[str] = set()
    failures = 0
    while True:
        try:
            async for origin, content in _entries(session, names, pod, follow=follow):
                failures = 0
                told.add(origin)
                new = lines.take(origin, content)
                text = None if new is None else without_executor(new)
                if text is not None:
                    who = await names.task_of(origin)
                    if task in (None, who):
                        yield LogLine(who, origin, text)
            if not follow or await names.has_ended():
                break
        except NotFoundError:
            break
        except (UnavailableError, RateLimitedError) as error:
            if failures >= _ATTEMPTS:
                raise
            _log.info("the log of %s is read again: %s", name, error)
        await asyncio.sleep(delay(failures))
        failures += 1
        lines.restart()
    async for line in _archived(session, names, told):
        if task in (None, line.task) and pod in (None, line.pod):
            yield line


class _Names:
    """Knows which task runs in which pod of a workflow, and whether it has ended."""

    workflow: Workflow | None  # as last read, with its nodes
    _tasks: Mapping[str, str]  # pod → task, of `workflow`
    _read_at: float  # loop time of the last reading

    def __init__(self, session: ArgoSession, name: str, namespace: str | None) -> None:
        self.name = name
        self.namespace = namespace
        self.workflow = None
        self._session = session
        self._tasks = {}
        self._read_at = float("-inf")

    async def task_of(self, pod: str) -> str:
        """Return the task of a pod; by the pod's name if the workflow does not tell (yet)."""
        if pod not in self._tasks and self._now() - self._read_at > _LOOK_UP:
            await self.read()
        return self._tasks.get(pod) or self._by_name(pod)

    async def check(self, task: str) -> None:
        """Check that the workflow has a task.

        Raises:
            ConfigurationError: It has none of this name, and never will; the hint is the nearest.
        """
        found = await self._session.workflows.get(
            self.name, namespace=self.namespace, fields=("spec", *_FIELDS)
        )
        known = task_names(found)
        if known is not None and task not in known:
            raise ConfigurationError(
                f"workflow {self.name} has no task {task!r}",
                where="task",
                hint=nearest(task, work_names(found) or known),
            )

    async def has_ended(self) -> bool:
        """Ask whether the workflow has ended, or is gone."""
        try:
            found = await self._session.workflows.get(
                self.name, namespace=self.namespace, fields=("metadata.name", "status.phase")
            )
        except NotFoundError:
            return True
        return (found.status.phase if found.status else None) in FINAL_PHASES

    async def read(self) -> Workflow:
        """Read the workflow's nodes."""
        self._read_at = self._now()
        self.workflow = await self._session.workflows.get(
            self.name, namespace=self.namespace, fields=_FIELDS
        )
        self._tasks = pod_tasks(self.workflow)
        return self.workflow

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _by_name(self, pod: str) -> str:
        return re.sub(r"-\d+$", "", pod.removeprefix(f"{self.name}-")) or pod


async def _entries(
    session: ArgoSession, names: _Names, pod: str | None, *, follow: bool
) -> AsyncIterator[tuple[str, str]]:
    """Give pod and content of the entries of one stream; it ends when the workflow has ended.

    Argo ends a stream that follows when the workflow ends. Should it not, the end is noticed when
    there were only keepalives for a while.
    """
    request = session.workflows.log_request(
        names.name, namespace=names.namespace, pod=pod, follow=follow, timestamps=True
    )
    async with session.stream(request) as batches:
        async for batch in batches:
            silent = True
            for message in batch:
                silent = False
                result = read_result(request, message)
                if result is None:
                    return
                entry = read_entry(result)
                if entry is not None:
                    yield entry
            if silent and follow and await names.has_ended():
                return


async def _archived(session: ArgoSession, names: _Names, told: set[str]) -> AsyncIterator[LogLine]:
    """Give the archived logs of the pods of which nothing was told."""
    workflow = await names.read()
    for node_id, pods, task in archived_logs(workflow):
        if told.isdisjoint(pods):
            try:
                async with session.artifacts.output(
                    names.name, node_id, "main-logs", namespace=names.namespace
                ) as chunks:
                    async for text in _lines(chunks):
                        own = without_executor(text)
                        if own is not None:
                            yield LogLine(task, pods[-1], own)
            except ArgoError as error:
                _log.warning("the archived log of %s cannot be read: %s", node_id, error)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    parts: list[bytes] = []  # of a line that is not complete: it may be very long
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            yield b"".join((*parts, line)).decode("utf-8", "replace")
            parts.clear()
        if rest:
            parts.append(rest)
    if parts:
        yield b"".join(parts).decode("utf-8", "replace")
