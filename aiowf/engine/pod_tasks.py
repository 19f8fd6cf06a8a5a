"""The tasks in which pods run: who owns them, and how pods start, hang and end."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from attrs import define, field

from aiowf.engine.clock import Clock
from aiowf.engine.nodes import Node
from aiowf.engine.pod import Executor, ImagePullError, Pod, PodResult
from aiowf.engine.pods import Ending, PodRun, check_image, ending_of
from aiowf.engine.run import WorkflowRun

# The end of a pod that was to end before it could start.
_KILLED = PodResult(exit_code=143, reason="Error")
_log = logging.getLogger(__name__)


@define(eq=False)
class PodTasks:
    """Runs pods, each in a task of its own.

    Attributes:
        executor: Runs their processes.
        clock: Tells the time.
        grace: Seconds between SIGTERM and SIGKILL.
        started: Is called with the workflow when the process of a pod runs.
        ended: Is called with the workflow, the node and what came of its pod.
        unstartable: Returns why a pod can never start, or "".
    """

    executor: Executor
    clock: Clock
    grace: float
    started: Callable[[WorkflowRun], None]
    ended: Callable[[WorkflowRun, Node, Ending], None]
    unstartable: Callable[[Pod], str] = lambda _: ""
    # Owns all tasks; there is one from `open` to `aclose`.
    _group: asyncio.TaskGroup | None = None
    _owner: asyncio.Task[None] | None = None
    _closing: asyncio.Event = field(factory=asyncio.Event)
    # The tasks of the pods that have not ended → these pods.
    _pods: dict[asyncio.Task[None], PodRun] = field(factory=dict)

    async def open(self) -> None:
        """Begin to run pods."""
        opened = asyncio.Event()
        self._owner = asyncio.create_task(self._own(opened), name="engine-pods")
        await opened.wait()

    async def _own(self, opened: asyncio.Event) -> None:
        with suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as self._group:
                opened.set()
                await self._closing.wait()
                raise asyncio.CancelledError

    async def aclose(self) -> None:
        """Kill all pods."""
        self._closing.set()
        if self._owner is not None:
            await asyncio.wait([self._owner])

    def start(self, run: WorkflowRun, node: Node) -> None:
        """Run the pod of a node."""
        assert self._group is not None
        assert node.pod is not None
        task = self._group.create_task(self._run(run, node, node.pod))
        self._pods[task] = node.pod
        self.clock.hold()
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._pods[task]
        self.clock.release()

    def kill(self, state: PodRun) -> None:
        """Ask a pod to end."""
        state.killed.set()
        self.executor.kill(state.pod.key, grace=self.grace)

    async def clear(self) -> None:
        """Kill all pods at once; come back when none runs any more."""
        while self._pods:
            for state in self._pods.values():
                state.killed.set()
                self.executor.kill(state.pod.key, grace=0)
            await asyncio.wait(self._pods)

    async def _run(self, run: WorkflowRun, node: Node, state: PodRun) -> None:
        pod = state.pod

        def started() -> None:
            run.pod_started(node)
            self._limit(state)
            self.started(run)

        try:
            result = await self._result(run, node, state, started)
            ending = ending_of(state, result)
        except Exception as error:  # the pod's trouble is not the other pods'
            ending = Ending("Error", f"{type(error).__name__}: {error}", None)
        if state.timer is not None:
            state.timer.cancel()
        try:
            self.ended(run, node, ending)
        except Exception:  # nor is the workflow's trouble the other workflows'
            _log.exception("the end of pod %s failed the engine", pod.key)

    async def _result(
        self, run: WorkflowRun, node: Node, state: PodRun, started: Callable[[], None]
    ) -> PodResult:
        """Run a pod to its end; leave one that cannot start pending until it is asked to end."""
        trouble = self.unstartable(state.pod)
        try:
            check_image(state.pod.container.image)
            if not trouble and not state.killed.is_set():
                return await self.executor.run(state.pod, started)
        except ImagePullError as error:
            trouble = trouble or str(error)
            self._limit(state)  # a kubelet counts from when it takes the pod, not from its start
        if trouble:
            await self._hang(run, node, state, trouble)
        return _KILLED

    async def _hang(self, run: WorkflowRun, node: Node, state: PodRun, why: str) -> None:
        """Leave a pod pending until it is asked to end; nothing is at work meanwhile."""
        run.pod_waits(node, why)
        self.clock.release()
        try:
            await state.killed.wait()
        finally:
            self.clock.hold()

    def _limit(self, state: PodRun) -> None:
        if state.deadline is not None:
            state.timer = self.clock.call_later(state.deadline, lambda: self._too_late(state))

    def _too_late(self, state: PodRun) -> None:
        state.too_late = True
        self.kill(state)
