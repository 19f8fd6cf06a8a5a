"""Running a template as a node: what each kind of template becomes."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from aiowf.engine import naming
from aiowf.engine.closing import closing_message, not_started_message
from aiowf.engine.dag import DagFrame
from aiowf.engine.durations import seconds
from aiowf.engine.frames import Frame, template_limits
from aiowf.engine.nodes import Node
from aiowf.engine.plan import Bound, ExecutionError, Plan
from aiowf.engine.pods import PodRun, build_pod
from aiowf.engine.retries import RetryFrame
from aiowf.engine.steps import StepsFrame

if TYPE_CHECKING:
    from aiowf.engine.calls import Call
    from aiowf.engine.run import WorkflowRun

# Argo's controller takes this many calls of templates within one another for an endless recursion.
_MAX_DEPTH = 100


@frozen
class _Start:
    """A node that is about to run.

    Attributes:
        run: The workflow.
        node: The node.
        bound: Its template with its inputs.
        local: Variables of this execution alone.
        capture_stdout: Whether its standard output is an output.
    """

    run: "WorkflowRun"
    node: Node
    bound: Bound
    local: Mapping[str, str] = field(factory=dict)
    capture_stdout: bool = False


def execute(run: "WorkflowRun", plan: Plan, call: "Call", owner: Frame) -> Node:
    """Run a template as a new node.

    Args:
        run: The workflow.
        plan: The template.
        call: How it is called.
        owner: The frame that is told of its end.

    Raises:
        ExecutionError: It cannot run. Its node exists, and is in phase Error.
        RecursionError: Too many templates are around it.
    """
    kept = run.reuse(call.name, owner)
    if kept is not None:
        return kept
    around = call.boundary or owner.node
    strategy = plan.data.get("retryStrategy")  # an empty one retries without a limit
    strategy = run.spec.get("retryStrategy") if strategy is None else strategy
    strategy = None if call.is_attempt else strategy
    node = run.table.add(
        call.name,
        call.display_name,
        "Retry" if strategy is not None else _KINDS[plan.kind][0],
        template=None if call.reference else plan.name,
        reference=call.reference,
        scope=around.scope if call.is_attempt else around.inside,
        inside=plan.scope,
        boundary=around.boundary if call.is_attempt else around.id,
        owner=owner,
        flag=call.flag,
        on_exit=call.on_exit or around.on_exit,
        depth=around.depth + (not call.is_attempt),
    )
    if node.depth > _MAX_DEPTH:  # an end of this branch would leave all the others without one
        raise RecursionError
    try:
        if strategy is not None:
            _start_retries(
                run, node, call, plan.retry_strategy(call.arguments, strategy, run.variables)
            )
        else:
            _start(run, node, plan, call)
    except ExecutionError as error:
        run.settle(node, "Error", str(error))
        raise
    return node


def _start_retries(
    run: "WorkflowRun", node: Node, call: "Call", strategy: Mapping[str, Any]
) -> None:
    frame = RetryFrame(run, node, call=call, strategy=strategy)
    node.frame = frame
    frame.start()


def _start(run: "WorkflowRun", node: Node, plan: Plan, call: "Call") -> None:
    local = {"node.name": call.name, **call.local}
    if plan.runs_a_pod:
        local["pod.name"] = naming.pod_name(run.name, call.name, plan.name)
    bound = plan.bind(call.arguments, {**run.variables, **local})
    node.inputs = bound.inputs
    _KINDS[plan.kind][1](_Start(run, node, bound, local, call.capture_stdout))


def _steps(start: _Start) -> None:
    limit, fail_fast = template_limits(start.bound.data)
    frame = StepsFrame(start.run, start.node, limit, fail_fast, bound=start.bound)
    start.node.frame = frame
    frame.start()


def _dag(start: _Start) -> None:
    limit, fail_fast = template_limits(start.bound.data)
    frame = DagFrame(start.run, start.node, limit, fail_fast, bound=start.bound)
    start.node.frame = frame
    frame.start()


def _suspend(start: _Start) -> None:
    run, node, data = start.run, start.node, start.bound.data
    declared = (data.get("outputs") or {}).get("parameters")
    if declared:
        node.outputs = {"parameters": declared}
    if run.closing(node):
        run.settle(node, "Failed", closing_message(run))
        return
    duration = data["suspend"].get("duration")
    if not duration:
        return

    def wake() -> None:
        if not node.fulfilled:
            run.settle(node, "Succeeded", node.message)

    try:
        run.later(seconds(str(duration)), wake)
    except ValueError as error:
        raise ExecutionError(str(error)) from None


def _pod(start: _Start) -> None:
    run, node = start.run, start.node
    node.phase = "Pending"
    data = start.bound.for_pod({**run.variables, **start.local})
    pod = build_pod(
        name=start.local["pod.name"],
        node_id=node.id,
        node_name=node.name,
        workflow={"name": run.name, "namespace": run.namespace, "uid": run.metadata["uid"]},
        bound=start.bound,
        data=data,
        volumes=run.volumes,
        metadata=run.spec.get("podMetadata") or {},
        on_exit=node.on_exit,
        capture_stdout=start.capture_stdout,
    )
    declared = (data.get("outputs") or {}).get("parameters") or ()
    node.pod = PodRun(pod, _deadline(data), declared, start.capture_stdout)
    run.table.active_pods += 1
    if run.closing(node):
        node.pod.ended = True
        run.settle(node, "Failed", not_started_message(run))
    else:
        run.host.start_pod(run, node)


def _deadline(data: Mapping[str, Any]) -> float | None:
    """The seconds that a pod may run: the lesser of activeDeadlineSeconds and timeout."""
    limits = []
    try:
        if data.get("activeDeadlineSeconds") is not None:
            limits.append(float(data["activeDeadlineSeconds"]))
        if data.get("timeout"):
            limits.append(seconds(str(data["timeout"])))
    except ValueError as error:
        raise ExecutionError(f"Invalid timeout format. {error}") from None
    return min(limits, default=None)


# Kind of template → type of its node, and what starts it.
_KINDS: Mapping[str, tuple[str, Callable[[_Start], None]]] = {
    "container": ("Pod", _pod),
    "script": ("Pod", _pod),
    "steps": ("Steps", _steps),
    "dag": ("DAG", _dag),
    "suspend": ("Suspend", _suspend),
}
