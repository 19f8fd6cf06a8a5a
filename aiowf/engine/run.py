"""One running workflow: its state, and what moves it."""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from attrs import Factory, define, field

from aiowf.engine.calls import Call
from aiowf.engine.clock import Clock, Timer
from aiowf.engine.closing import close_down, close_late
from aiowf.engine.execution import execute
from aiowf.engine.frames import Frame
from aiowf.engine.node_table import NodeTable
from aiowf.engine.nodes import Node, pod_seconds
from aiowf.engine.plan import Plans, named_by
from aiowf.engine.pods import Ending, claim_volumes, resolve_volumes
from aiowf.engine.rendering import render_head
from aiowf.engine.replay import Replay
from aiowf.engine.root import RootFrame
from aiowf.engine.variables import global_variables
from aiowf.manifest import Volume
from aiowf.wire import labels

_log = logging.getLogger(__name__)
_TOO_DEEP = "Maximum recursion depth exceeded: the templates call one another without an end"


class Host(Protocol):
    """What a running workflow needs from the engine."""

    clock: Clock

    def start_pod(self, run: "WorkflowRun", node: Node) -> None:
        """Run the pod of a node; its end comes back by `pod_ended`."""
        ...

    def kill_pod(self, run: "WorkflowRun", node: Node) -> None:
        """Ask the pod of a node to end."""
        ...

    def changed(self, run: "WorkflowRun", *, at_once: bool) -> None:
        """Take note that the workflow's status has changed."""
        ...

    def completed(self, run: "WorkflowRun") -> None:
        """Take note that the workflow has ended."""
        ...


@define(eq=False)
class WorkflowRun:
    """A workflow that was accepted.

    Attributes:
        host: The engine.
        metadata: Its metadata, without labels and resource version.
        spec: The specification that is run, as JSON data.
        given: The specification as it was submitted, if that takes the rest from a template.
        stored: Key → template, of those that are not its own.
    """

    host: Host
    metadata: dict[str, Any]
    spec: dict[str, Any]
    # Never changed in place: events keep what was.
    labels: Mapping[str, str]
    given: Mapping[str, Any] | None = None
    stored: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    version: int = 0
    generation: int = 1
    # "" until it has started; then Running until everything, exit handler included, has ended.
    phase: str = ""
    message: str = ""
    started: float | None = None
    finished: float | None = None
    table: NodeTable = field(
        default=Factory(lambda self: NodeTable(self.name, self.host.clock), takes_self=True)
    )
    # Whether the controller has looked at the workflow again after its start.
    revisited: bool = False
    # Output parameters with a global name, in order.
    exported: dict[str, str] = field(factory=dict)
    # The volumes of its own claims, while those exist.
    claims: list[dict[str, Any]] = field(factory=list)
    # Whether nothing moves it any more: it has ended, or was deleted.
    closed: bool = False
    shutdown: str = ""
    too_late: bool = False
    variables: dict[str, str] = field(factory=dict)
    # Frames that would start a child but for the workflow's parallelism, or its suspension.
    starved: dict[Frame, None] = field(factory=dict)
    _events: deque[Node] = field(factory=deque)
    _timers: set[Timer] = field(factory=set)
    _plans: Plans = field(factory=Plans)
    volumes: list[Volume] = field(factory=list)
    retried: bool = False

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.metadata["name"])

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.metadata["namespace"])

    @property
    def nodes(self) -> dict[str, Node]:
        """Its nodes by id."""
        return self.table.by_id

    @property
    def is_suspended(self) -> bool:
        """Whether it starts nothing until resumed."""
        return bool(self.spec.get("suspend")) and not self.shutdown and not self.too_late

    @property
    def is_full(self) -> bool:
        """Whether as many pods run as the specification allows."""
        limit = self.spec.get("parallelism")
        return limit is not None and self.table.active_pods >= limit

    def start(self) -> None:
        """Start the entrypoint."""
        self.started = self.host.clock.time()
        self.phase = "Running"
        self.table.clear()
        self._relabel()
        self._move(self._enter)
        self.revisited = self.finished is None

    def rewind(self, replay: Replay, arguments: dict[str, Any]) -> list[Node]:
        """Go back to before the start; return the nodes that are not kept.

        Args:
            replay: What is kept.
            arguments: The workflow's arguments from now on.
        """
        now = self.host.clock.time()
        left = self.table.rewind(replay, now)
        self.retried = True
        self.spec = {key: value for key, value in self.spec.items() if key != "shutdown"}
        self.spec["arguments"] = arguments
        if self.given is not None:
            self.given = {**self.given, "arguments": arguments}
        self.phase = self.message = self.shutdown = ""
        self.started, self.finished = now, None
        self.too_late = self.closed = False
        self.exported = {}
        self.labels = {k: v for k, v in self.labels.items() if k != labels.ARGO_COMPLETED}
        return left

    def _enter(self) -> None:
        self.variables = global_variables(self.metadata, self.labels, self.spec)
        deadline = self.spec.get("activeDeadlineSeconds")
        if deadline is not None:
            self.later(deadline, self._deadline)
        self._plans = Plans.of(self.spec["templates"], self.stored)
        self.claims = claim_volumes(self.name, self.spec)
        volumes = [*(self.spec.get("volumes") or ()), *self.claims]
        self.volumes = resolve_volumes(volumes, self.variables)
        RootFrame(self).start()

    # What moves the workflow: every change goes through _move, and so does its failure.

    def _move(self, action: Callable[[], None]) -> None:
        """Do something, and then everything that follows from it."""
        try:
            action()
            self._pump()
        except RecursionError:
            self.end("Error", _TOO_DEEP)
        except Exception as error:  # one workflow must not take the others along
            _log.exception("the workflow %s/%s failed the engine", self.namespace, self.name)
            self.end("Error", f"the embedded engine failed: {type(error).__name__}: {error}")
        self.host.changed(self, at_once=self.finished is not None)

    def _pump(self) -> None:
        while self.finished is None and not self.is_suspended:
            if self._events:
                node = self._events.popleft()
                assert node.owner is not None
                node.owner.child_done(node)
            elif self.starved and not self.is_full:
                frame = next(iter(self.starved))
                del self.starved[frame]
                frame.fill()
            else:
                return

    def later(self, delay: float, action: Callable[[], None]) -> None:
        """Do something after `delay` seconds, if the workflow has not ended by then."""

        def fire() -> None:
            self._timers.discard(handle)
            if self.finished is None:
                self._move(action)

        handle = self.host.clock.call_later(delay, fire)
        self._timers.add(handle)

    # Nodes.

    def skip(
        self,
        name: str,
        step: Mapping[str, Any],
        boundary: Node,
        owner: Frame,
        phase: str,
        message: str,
    ) -> Node:
        """Add the node of a step or task that does not run."""
        node = self.table.add(
            name,
            step["name"],
            "Skipped",
            **named_by(step),
            scope=boundary.inside,
            boundary=boundary.id,
            owner=owner,
            flag={},
        )
        self.settle(node, phase, message)
        return node

    def settle(self, node: Node, phase: str, message: str = "") -> None:
        """End a node, and let its owner know."""
        self.table.mark(node, phase, message)
        self._events.append(node)

    def reuse(self, name: str, owner: Frame) -> Node | None:
        """Put a node of the run before a retry into its place, if it is kept."""
        taken = self.table.take(name)
        if not taken:
            return None
        for node in taken:
            self.export((node.outputs or {}).get("parameters") or ())
        taken[0].owner = owner
        self._events.append(taken[0])
        return taken[0]

    def execute(self, call: Call, owner: Frame) -> Node:
        """Run a template as a new node; see execution.execute."""
        return execute(self, self._plans[call.template], call, owner)

    # What comes from outside: pods, time, and people.

    def pod_started(self, node: Node) -> None:
        """Take note that the process of a pod runs."""
        assert node.pod is not None
        node.pod.started = self.host.clock.time()
        if self.closed or not self.table.holds(node):
            return
        self.table.running_pods += 1
        if node.fulfilled:
            return
        node.phase = "Running"
        self.host.changed(self, at_once=False)

    def pod_waits(self, node: Node, reason: str) -> None:
        """Take note that a pod cannot start, and why."""
        if not (self.closed or node.fulfilled):
            node.message = reason
            self.host.changed(self, at_once=True)

    def pod_ended(self, node: Node, ending: Ending) -> None:
        """Take note of the end of a pod."""
        assert node.pod is not None
        node.pod.ended = True
        if self.closed or not self.table.holds(node):
            return
        self.table.running_pods -= node.pod.started is not None
        if node.fulfilled:
            return

        def end() -> None:
            node.outputs = ending.outputs
            self.export((ending.outputs or {}).get("parameters") or ())
            self.settle(node, ending.phase, ending.message)
            self.table.spend(pod_seconds(node))

        self._move(end)

    def export(self, parameters: Any) -> None:
        """Keep the output parameters that have a global name."""
        for parameter in parameters:
            name = parameter.get("globalName")
            if name and "value" in parameter:
                self.exported[name] = parameter["value"]
                self.variables[f"workflow.outputs.parameters.{name}"] = parameter["value"]

    def _deadline(self) -> None:
        self.too_late = True
        close_late(self)

    def shut_down(self, strategy: str) -> None:
        """Stop ("Stop", "Terminate"): end what runs; after a Stop the exit handler still runs."""
        self.shutdown = strategy
        self.spec = {**self.spec, "shutdown": strategy}
        self._move(lambda: close_down(self))

    def act(self, action: Callable[[], None]) -> None:
        """Change nodes by hand, and let everything follow from it."""
        self._move(action)

    def closing(self, node: Node) -> bool:
        """Return whether nothing new may start for a node."""
        if self.shutdown == "Terminate":
            return True
        return not node.on_exit and bool(self.shutdown or self.too_late)

    # The end.

    def end(self, phase: str, message: str) -> None:
        """End the workflow: kill what still runs, and forget what would follow."""
        self.phase, self.message = phase, message
        self.finished = self.host.clock.time()
        self.close()
        self._relabel()
        for node in self.nodes.values():
            # A finished workflow may be kept for a long time; what moved it is not needed any more.
            node.owner = node.frame = None
            if node.pod is not None and not node.pod.ended:
                self.host.kill_pod(self, node)
        self._plans, self.table.replay = Plans(), Replay()
        self.variables, self.volumes = {}, []
        self.host.completed(self)

    def close(self) -> None:
        """Forget all timers and whatever would happen next."""
        self.closed = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._events.clear()
        self.starved.clear()

    def _relabel(self) -> None:
        self.labels = {
            **self.labels,
            labels.ARGO_COMPLETED: "true" if self.finished is not None else "false",
            labels.ARGO_PHASE: self.phase,
        }

    def head(self) -> dict[str, Any]:
        """Return metadata and status without nodes."""
        return render_head(self)
