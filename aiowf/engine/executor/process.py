"""The process executor: every pod is a process of this machine, in a directory of its own."""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from aiowf.engine.directories import remove_tree
from aiowf.engine.executor.builds import Builds
from aiowf.engine.executor.command import check_command, notice_of
from aiowf.engine.executor.containers import Containers
from aiowf.engine.executor.environment import base_environment, check_environment
from aiowf.engine.executor.interpreter import interpreter_directories, interpreter_paths
from aiowf.engine.executor.life import NEVER_STARTED, Life
from aiowf.engine.executor.log import LogReader, OutputLog
from aiowf.engine.executor.namespace import Namespaces
from aiowf.engine.executor.orphans import Orphans
from aiowf.engine.executor.preparation import Setting
from aiowf.engine.executor.pulling import Pulls
from aiowf.engine.executor.rooms import Rooms
from aiowf.engine.executor.volumes import check_volume
from aiowf.engine.pod import Pod, PodLog, PodResult
from aiowf.manifest import Container, ScriptTemplate, Volume

T = TypeVar("T")


class ProcessExecutor:
    """Runs pods as processes, a limited number at a time, in the order in which they come.

    Use it as an asynchronous context manager, or call `aclose`: all that still runs is killed.
    """

    def __init__(
        self,
        directory: Path,
        *,
        claim: Callable[[str, str], str],
        images: Mapping[str, Sequence[str]] | None = None,
        max_pods: int | None = None,
        namespaces: bool = True,
        keep: Sequence[str] = (),
        pod_environment: Callable[[Pod], Mapping[str, str]] | None = None,
        containers: Containers | None = None,
    ) -> None:
        """Make an executor.

        Args:
            directory: An existing private directory, where the pods have theirs.
            claim: Returns the directory of a claim, which it makes if need be.
            images: What runs in place of an image: name → argument vector.
            max_pods: How many pods run at a time; default: as many as there are CPUs.
            namespaces: Whether pods may have mount namespaces, where the kernel allows it.
            keep: Paths of this machine that pods must see whatever they mount.
            pod_environment: Returns variables that the engine adds to a pod's own.
            containers: How to run pods as containers; None: they are processes, all of them.
        """
        base = base_environment(os.environ, interpreter_directories(directory))
        self._directory = directory
        self._setting = Setting(
            environment=base,
            images={} if images is None else images,
            claim=claim,
            namespaces=Namespaces(allowed=namespaces),
            keep=(str(directory), *interpreter_paths(), *keep),
            pod_environment=pod_environment or (lambda _: {}),
            rooms=Rooms(str(directory)),
            containers=containers,
            builds=Builds(containers) if containers else None,
            pulls=Pulls(containers.command) if containers else None,
            offload=self._offload,
        )
        # How many more pods may run now.
        self._free = max_pods or os.cpu_count() or 1
        # Those that wait for their turn, the first first. There are none while a turn is free. One
        # that was killed is done, and stays until it would be next.
        self._queue: deque[asyncio.Future[bool]] = deque()
        self._numbers = count(1)
        # Every pod that was not forgotten, by its key.
        self._lives: dict[str, Life] = {}
        # Those that have a process, or will have one in a moment.
        self._running: set[Life] = set()
        # What this executor runs in the background: lives, and the removal of what they leave.
        self._tasks: set[asyncio.Future[Any]] = set()
        # Two, so that a slow disk under one pod does not hold up the start of another.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="aiowf-pods")
        # What a pod has left may be much, and nobody waits for its removal.
        self._removal = ThreadPoolExecutor(1, thread_name_prefix="aiowf-removal")
        self._orphans = Orphans(self._pids)

    async def __aenter__(self) -> "ProcessExecutor":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def adopt_orphans(self) -> None:
        """Kill what a pod leaves behind even if it has left the pod's session (Linux).

        For a process that does nothing but run pods: it becomes a sub-reaper and takes SIGCHLD.
        """
        self._orphans.adopt()

    def check(self, container: Container | ScriptTemplate, where: str) -> str | None:
        """Refuse what can never run here; see Executor."""
        check_environment(container, where)
        containers, images = self._setting.containers, self._setting.images
        if containers is not None and containers.takes(container, images):
            return None
        check_command(container, where, images)
        return notice_of(container, where, images)

    def check_volume(self, volume: Volume, where: str) -> None:
        """Refuse a volume that can never be mounted here; see Executor."""
        check_volume(volume, where)

    async def run(self, pod: Pod, started: Callable[[], None]) -> PodResult:
        """Run a pod to its end; see Executor."""
        # Unique on this machine, unlike the directories, which are used again.
        name = f"pod-{next(self._numbers)}"
        self.forget(pod.key)
        log = OutputLog(self._directory, f"{name}.log")
        cookie = f"{self._directory}/{name}"
        life = self._lives[pod.key] = Life(pod, self._setting, cookie, log)
        task = asyncio.ensure_future(self._run(life, started))
        self._own(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            life.kill(grace=0)
            while not task.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
            raise

    def kill(self, pod_key: str, *, grace: float) -> None:
        """Ask a pod to end, and make it end; see Executor."""
        if life := self._lives.get(pod_key):
            life.kill(grace=grace)

    def read_log(self, pod_key: str) -> PodLog | None:
        """Return a reader of the log of a pod; see Executor."""
        life = self._lives.get(pod_key)
        return LogReader(life.log, self._offload) if life else None

    def forget(self, pod_key: str) -> None:
        """Delete what is left of a finished pod; see Executor."""
        life = self._lives.pop(pod_key, None)
        if life and life.log.has_files:
            self._remove(life.log.delete)

    async def aclose(self) -> None:
        """Kill all pods, and wait for their end."""
        for life in self._lives.values():
            life.kill(grace=0)
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._setting.pulls:
            await self._setting.pulls.aclose()
        if self._setting.builds:
            await self._setting.builds.aclose()
        self._orphans.release()
        self._threads.shutdown(wait=False)
        self._removal.shutdown(wait=False)

    async def _run(self, life: Life, started: Callable[[], None]) -> PodResult:
        try:
            await life.pull()
            end = await self._live(life, started) if await self._take_turn(life) else NEVER_STARTED
            return await life.bury(end)
        finally:
            life.log.close()
            if life.room:
                self._remove(partial(remove_tree, life.room))

    async def _live(self, life: Life, started: Callable[[], None]) -> PodResult | int:
        self._running.add(life)
        try:
            end = await life.live(started)
            self._running.discard(life)
            await self._orphans.kill(life.cookie)
            return end
        finally:
            self._running.discard(life)
            self._end_turn()

    async def _take_turn(self, life: Life) -> bool:
        if life.is_doomed:
            return False
        if self._free > 0:
            self._free -= 1
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        life.turn = turn
        self._queue.append(turn)
        return await turn

    def _end_turn(self) -> None:
        """Pass the turn on to the first that still waits for one."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1

    def _pids(self) -> set[int] | None:
        pids = {life.pid for life in self._running}
        return None if None in pids else {pid for pid in pids if pid is not None}

    def _offload(self, function: Callable[[], T]) -> "asyncio.Future[T]":
        return asyncio.get_running_loop().run_in_executor(self._threads, function)

    def _remove(self, function: Callable[[], None]) -> None:
        self._own(asyncio.get_running_loop().run_in_executor(self._removal, function))

    def _own(self, task: "asyncio.Future[Any]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
