"""The engine: all workflows, the pods that they run, and what happens to them afterwards."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

from attrs import Factory, define, field

from aiowf.engine import naming
from aiowf.engine.admission import Admitted
from aiowf.engine.clock import Clock, Timer, timestamp
from aiowf.engine.collection import forget_after, ttl_of, wants_claims_deleted
from aiowf.engine.nodes import Node
from aiowf.engine.pod import Executor
from aiowf.engine.pod_tasks import PodTasks
from aiowf.engine.pods import Ending
from aiowf.engine.replay import Replay
from aiowf.engine.run import WorkflowRun
from aiowf.engine.store import Store

# Changes of one workflow that come faster than this are told together: who watches its nodes gets
# all of them each time, and so a large one is told more rarely.
_QUIET = 0.02
_QUIET_PER_NODE = 0.0001
Gone = Callable[[str, str], None]


def ignore(_namespace: str, _name: str) -> None:
    """Do nothing about a claim or workflow that is gone."""


@define(eq=False)
class Controller:
    """Runs workflows.

    Attributes:
        executor: Runs their pods.
        clock: Tells the time.
        grace: Seconds between SIGTERM and SIGKILL.
        claim_gone: Is called with namespace and name of a claim that is to be deleted.
        workflow_gone: Is called with namespace and name of a workflow that was deleted.
        submitted: Is called with a workflow that was accepted, before its creator knows.
        pods: Their tasks.
    """

    executor: Executor
    clock: Clock = field(factory=Clock)
    grace: float = 10.0
    claim_gone: Gone = ignore
    workflow_gone: Gone = ignore
    submitted: Callable[[WorkflowRun], None] = lambda _: None
    pods: PodTasks = field(
        init=False,
        default=Factory(
            lambda self: PodTasks(
                self.executor, self.clock, self.grace, self._wake, self._pod_ended
            ),
            takes_self=True,
        ),
    )
    store: Store = field(factory=Store)
    # Workflows whose changes are not told yet, with the timers that will do it.
    _pending: dict[WorkflowRun, asyncio.Handle] = field(factory=dict)
    # When changes of a workflow were told last.
    _told: dict[WorkflowRun, float] = field(factory=dict)
    # Labels as they were told last.
    _labels: dict[WorkflowRun, Mapping[str, str]] = field(factory=dict)
    # What is to happen to finished workflows: TTL and pod GC.
    _timers: dict[WorkflowRun, list[Timer]] = field(factory=dict)
    # Workflows deleted or retried → how many of their pods have not ended.
    _leaving: dict[tuple[str, str], int] = field(factory=dict)
    # Workflows to start of such a name, which wait for those pods.
    _held: dict[tuple[str, str], WorkflowRun] = field(factory=dict)
    # Names of claims that are to be deleted when the last pod of their workflow has ended.
    _unclaimed: dict[WorkflowRun, list[str]] = field(factory=dict)
    # Set, and replaced, whenever a pod starts or a workflow ends: for those who follow logs.
    _news: dict[WorkflowRun, asyncio.Event] = field(factory=dict)

    async def open(self) -> None:
        """Begin to run pods."""
        await self.pods.open()

    async def aclose(self) -> None:
        """Kill all pods, end all watches and forget all timers."""
        self.store.close()
        for run in list(self._told):
            self._forget(run)
        await self.pods.aclose()

    # Workflows.

    def create(self, admitted: Admitted, namespace: str) -> WorkflowRun:
        """Store a workflow that was admitted, and start it in a moment.

        Raises:
            Refusal: Its name is taken.
        """
        run = self.prepare(admitted, namespace)
        self.store.add(run)
        self._labels[run], self._told[run] = run.labels, 0.0
        self._news[run] = asyncio.Event()
        self.submitted(run)
        self._begin_soon(run)
        return run

    def _begin_soon(self, run: WorkflowRun) -> None:
        self.clock.hold()
        asyncio.get_running_loop().call_soon(self._begin, run)

    def _begin(self, run: WorkflowRun) -> None:
        try:
            self._start(run)
        finally:
            self.clock.release()

    def prepare(self, admitted: Admitted, namespace: str) -> WorkflowRun:
        """Return a workflow as it would be stored."""
        given, spec = admitted.workflow["metadata"], dict(admitted.workflow["spec"])
        name = given.get("name") or naming.generated_name(given["generateName"])
        metadata = {"name": name}
        if given.get("generateName"):
            metadata["generateName"] = given["generateName"]
        metadata.update(
            namespace=namespace,
            uid=str(uuid4()),
            creationTimestamp=timestamp(self.clock.time()),
        )
        more = spec.get("workflowMetadata") or {}
        for key in ("annotations", "finalizers", "ownerReferences"):
            if given.get(key):
                metadata[key] = given[key]
        if more.get("annotations"):
            metadata["annotations"] = {**(given.get("annotations") or {}), **more["annotations"]}
        labels = {**(given.get("labels") or {}), **(more.get("labels") or {})}
        return WorkflowRun(self, metadata, spec, labels, admitted.given, admitted.stored)

    def _start(self, run: WorkflowRun) -> None:
        key = (run.namespace, run.name)
        if key in self._leaving:
            self._held[key] = run
        elif run in self._told and not run.phase:
            run.start()

    def retry(self, run: WorkflowRun, replay: Replay, arguments: dict[str, Any]) -> None:
        """Run a finished workflow again, but for what is kept of it.

        Args:
            run: The workflow.
            replay: What is kept.
            arguments: Its arguments from now on.
        """
        for timer in self._timers.pop(run, ()):
            timer.cancel()
        self._unclaimed.pop(run, None)
        for node in run.rewind(replay, arguments):
            if node.pod is not None:
                self._remove_pod(node)
        self.tell(run)
        self._begin_soon(run)

    def restore(self, runs: Sequence[WorkflowRun], version: int) -> None:
        """Take over finished workflows of an earlier engine; their time to live goes on.

        Args:
            runs: The workflows, the oldest first.
            version: The latest resource version of that engine.
        """
        self.store.restore(runs, version)
        for run in runs:
            self._labels[run], self._told[run] = run.labels, asyncio.get_running_loop().time()
            self._news[run] = asyncio.Event()
            ttl = ttl_of(run.spec, run.phase)
            if ttl is not None and run.finished is not None:
                left = run.finished + ttl - self.clock.time()
                self._later(run, max(0.0, left), partial(self.delete, run))

    def delete(self, run: WorkflowRun) -> None:
        """Delete a workflow; its pods are killed, its claims go with it."""
        self._forget(run)
        run.close()
        for node in run.nodes.values():
            if node.pod is not None:
                self._remove_pod(node)
        self.store.remove(run)
        self._delete_claims(run)
        self.workflow_gone(run.namespace, run.name)

    def _remove_pod(self, node: Node) -> None:
        assert node.pod is not None
        node.pod.abandoned = True
        if node.pod.ended:
            self.executor.forget(node.pod.pod.key)
        else:
            self.pods.kill(node.pod)
            node.pod.leaving = True
            key = (node.pod.pod.namespace, node.pod.pod.workflow_name)
            self._leaving[key] = self._leaving.get(key, 0) + 1

    def _forget(self, run: WorkflowRun) -> None:
        """Forget everything that would happen to a workflow."""
        run.close()
        for timer in self._timers.pop(run, ()):
            timer.cancel()
        pending = self._pending.pop(run, None)
        if pending is not None:
            pending.cancel()
        self._told.pop(run, None)
        self._labels.pop(run, None)
        news = self._news.pop(run, None)
        if news is not None:
            news.set()

    # Being told of changes (see run.Host), and telling those who watch.

    def changed(self, run: WorkflowRun, *, at_once: bool = False) -> None:
        """Tell the changes of a workflow, soon or at once."""
        if run not in self._told:
            return
        since = asyncio.get_running_loop().time() - self._told[run]
        if at_once or not self._told[run]:
            self.tell(run)
        elif run not in self._pending:
            loop = asyncio.get_running_loop()
            quiet = _QUIET + _QUIET_PER_NODE * len(run.nodes)
            self._pending[run] = loop.call_later(max(0.0, quiet - since), self.tell, run)

    def tell(self, run: WorkflowRun) -> None:
        """Tell the changes of a workflow now."""
        pending = self._pending.pop(run, None)
        if pending is not None:
            pending.cancel()
        self._told[run] = asyncio.get_running_loop().time()
        before, self._labels[run] = self._labels[run], run.labels
        run.generation += 1
        self.store.publish("MODIFIED", run, before)

    def settle(self, run: WorkflowRun) -> WorkflowRun:
        """Tell what is not told yet, so that a reader sees one version of the workflow."""
        if run in self._pending:
            self.tell(run)
        return run

    def completed(self, run: WorkflowRun) -> None:
        """Arrange for what follows the end of a workflow."""
        if run not in self._told:
            return
        if wants_claims_deleted(run.spec, run.phase):
            self._delete_claims(run)
        self._wake(run)
        ttl = ttl_of(run.spec, run.phase)
        if ttl is not None:
            self._later(run, ttl, lambda: self.delete(run))
        delay = forget_after(run.spec, "workflow", run.phase)
        if delay is not None:
            self._later(run, delay, lambda: self._forget_pods(run))

    def _later(self, run: WorkflowRun, delay: float, action: Callable[[], None]) -> None:
        timer = self.clock.call_later(delay, action, awaited=False)
        self._timers.setdefault(run, []).append(timer)

    def _forget_pods(self, run: WorkflowRun) -> None:
        for node in run.nodes.values():
            if node.pod is not None:
                self._forget_pod(node)

    def _forget_pod(self, node: Node) -> None:
        assert node.pod is not None
        node.pod.abandoned = True
        if node.pod.ended:
            self.executor.forget(node.pod.pod.key)

    def _delete_claims(self, run: WorkflowRun) -> None:
        """Delete a workflow's claims, as soon as none of its pods runs any more."""
        if run.claims:
            claims = [volume["persistentVolumeClaim"]["claimName"] for volume in run.claims]
            self._unclaimed[run] = claims
            run.claims = []
        self._sweep_claims(run)

    def _sweep_claims(self, run: WorkflowRun) -> None:
        if run not in self._unclaimed or not all(
            node.pod is None or node.pod.ended for node in run.nodes.values()
        ):
            return
        for claim in self._unclaimed.pop(run):
            self.claim_gone(run.namespace, claim)

    # Pods.

    def start_pod(self, run: WorkflowRun, node: Node) -> None:
        """Run the pod of a node."""
        self.pods.start(run, node)

    async def clear(self) -> None:
        """Delete all workflows; come back when none of their pods runs any more."""
        for run in list(self._told):
            self.delete(run)
        await self.pods.clear()

    def _pod_ended(self, run: WorkflowRun, node: Node, ending: Ending) -> None:
        assert node.pod is not None
        run.pod_ended(node, ending)
        self._sweep_claims(run)
        if node.pod.leaving:
            self._left(run)
        if node.pod.abandoned:
            self.executor.forget(node.pod.pod.key)
            return
        delay = forget_after(run.spec, "pod", ending.phase)
        if delay is not None:
            self._later(run, delay, lambda: self._forget_pod(node))

    def _left(self, run: WorkflowRun) -> None:
        """Note the end of a pod that somebody waits for; the last one makes room for its heir."""
        key = (run.namespace, run.name)
        if key not in self._leaving:  # The engine is about to end.
            return
        self._leaving[key] -= 1
        if not self._leaving[key]:
            del self._leaving[key]
            heir = self._held.pop(key, None)
            if heir is not None:
                self._start(heir)

    def kill_pod(self, run: WorkflowRun, node: Node) -> None:
        """Ask the pod of a node to end."""
        assert node.pod is not None
        self.pods.kill(node.pod)

    # News for those who follow logs.

    def _wake(self, run: WorkflowRun) -> None:
        news = self._news.get(run)
        if news is not None:
            news.set()
            self._news[run] = asyncio.Event()

    def news_of(self, run: WorkflowRun) -> asyncio.Event | None:
        """Return what is set when the next pod starts, or the workflow ends; None if deleted."""
        return self._news.get(run)
