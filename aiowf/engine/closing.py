"""How a workflow is ended before its time: by its deadline, and by a stop."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiowf.engine.run import WorkflowRun

_STEP_DEADLINE = "Step exceeded its deadline"


def close_late(run: "WorkflowRun") -> None:
    """End what runs when the deadline has passed; the exit handler goes on."""
    for node in list(run.nodes.values()):
        if node.frame is not None:
            node.frame.give_up()
        if node.on_exit or node.fulfilled or not node.counted:
            continue
        run.settle(node, "Failed", _STEP_DEADLINE)
        if node.pod is not None:
            run.host.kill_pod(run, node)


def close_down(run: "WorkflowRun") -> None:
    """End what runs after a stop; pods that run end in their own way."""
    for node in list(run.nodes.values()):
        if node.frame is not None:
            node.frame.give_up()
        if node.fulfilled or not node.counted or not run.closing(node):
            continue
        if node.pod is not None:
            run.host.kill_pod(run, node)
            if node.pod.started is None:
                run.settle(node, "Failed", not_started_message(run))
        else:
            run.settle(node, "Failed", closing_message(run))


def closing_message(run: "WorkflowRun") -> str:
    """Why nothing new may start."""
    return f"Stopped with strategy '{run.shutdown}'" if run.shutdown else _STEP_DEADLINE


def not_started_message(run: "WorkflowRun") -> str:
    """What is said of a pod that does not start any more."""
    return f"workflow shutdown with strategy:  {run.shutdown}" if run.shutdown else _STEP_DEADLINE
