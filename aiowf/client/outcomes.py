"""The tasks of a run, told one by one when they end."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import frozen

from aiowf.client.execution import give_up
from aiowf.client.planning import name_of_operation
from aiowf.client.remedies import advice
from aiowf.client.waiting import LOG_TAIL, accept
from aiowf.errors import AiowfError, ArgoError, MissingResultsError, OperationFailedError
from aiowf.manifest import NodeStatus, ObjectMeta, structure
from aiowf.manifest.fields import Raw
from aiowf.manifest.rendering import Renderable
from aiowf.wire import nodes
from aiowf.wire.events import WatchEvent
from aiowf.wire.labels import OUTPUT_RETURN
from aiowf.wire.values import large_value

if TYPE_CHECKING:
    from aiowf.client.client import Client
    from aiowf.client.run import Run

T_co = TypeVar("T_co", covariant=True)


@frozen
class Outcome(Generic[T_co]):
    """What came of one task.

    Attributes:
        task: Name of the task.
        value: What its function returned; None if it returns nothing, or failed.
        error: Why there is no value: OperationFailedError for a task that failed; None for one
            that succeeded.
    """

    task: str
    value: T_co | None = None
    error: AiowfError | None = None


async def outcomes(run: "Run[Any]") -> AsyncGenerator[Outcome[Any], None]:
    """Yield the outcome of each task; see `Run.outcomes`."""
    client = run._client
    told: set[str] = set()
    async with client.watching.follow_by_name(run, nodes=True) as subscription:
        with client.stalls.looking(run, subscription):
            event: WatchEvent | None = None
            async for event in subscription:
                run.phase = event.phase or run.phase
                for task, raw in nodes.task_ends(run.name, _nodes_of(event)):
                    if task not in told and _is_complete(run, task, raw, event):
                        told.add(task)
                        yield await _outcome(run, task, raw, event)
            accept(run, await subscription.ended())
            message = event.message if event else ""
            for task in run._plan.terms.decoders if run._plan else ():
                if task not in told:
                    yield Outcome(task, error=_not_run(run, task, message))


async def outcomes_of(
    client: "Client",
    op: Renderable,
    *,
    id: str | None = None,
    said_id: str | None = None,
    pending_timeout: float | None = None,
    on_cancel: str = "stop",
) -> AsyncGenerator[Outcome[Any], None]:
    """Submit an operation, and yield the outcome of each of its tasks when it ends.

    Args:
        client: Where it runs.
        op: The operation.
        id: Makes the execution durable, as for `Client.execute`.
        said_id: What whoever asks said, of which the id was made; None: the id itself.
        pending_timeout: Seconds that a pod may be pending for any reason, or None.
        on_cancel: What becomes of the workflow when whoever asks leaves before the end.

    Raises:
        ConfigurationError: The operation cannot run here; nothing was sent.
        OperationStuckError: A pod of it can never start.
        ArgoError: The server refused.
    """
    run: Run[Any] | None = None
    try:
        async with client.turns:
            name = name_of_operation(op, id)
            run = client.run_of(name, pending_timeout=pending_timeout, id=said_id or id)
            await client.send_operation(op, run, id=id)
        async with aclosing(outcomes(run)) as found:
            async for outcome in found:
                yield outcome
    except BaseException as error:  # GeneratorExit among them: the rest is not wanted
        # After a refusal there is nothing of ours to stop.
        if run is not None and (run._known or not isinstance(error, ArgoError)):
            await give_up(client, run, on_cancel)
        raise


def _nodes_of(event: WatchEvent) -> Mapping[str, Raw]:
    status = event.object.get("status")
    nodes = status.get("nodes") if isinstance(status, dict) else None
    told = nodes.items() if isinstance(nodes, dict) else ()
    return {key: node for key, node in told if isinstance(node, dict)}


def _not_run(run: "Run[Any]", task: str, message: str) -> OperationFailedError:
    why = f": {message}" if message else ""
    return OperationFailedError(
        f"it was not run{why}",
        workflow_name=run.name,
        namespace=run.namespace,
        phase=run.phase,
        node=task,
        task=task,
        hint=advice(run),
    )


def _is_complete(run: "Run[Any]", task: str, raw: Raw, event: WatchEvent) -> bool:
    """Tell whether the server has written down all that it will of a task.

    It may tell that a pod has succeeded, and only then what it returned.
    """
    if raw.get("phase") != "Succeeded" or event.is_final:
        return True
    return _returned(raw) is not None or not (run._plan and task in run._plan.terms.decoders)


def _returned(raw: Raw) -> str | None:
    found = nodes.output_parameters(structure({"outputs": raw.get("outputs")}, NodeStatus))
    return found.get(OUTPUT_RETURN)


async def _outcome(run: "Run[Any]", task: str, raw: Raw, event: WatchEvent) -> Outcome[Any]:
    if raw.get("phase") != "Succeeded":
        return Outcome(task, error=await _failure(run, task, raw, _nodes_of(event)))
    decoder = run._plan.terms.decoders.get(task) if run._plan else json.loads
    if decoder is None:
        return Outcome(task)
    text: str | bytes | None = _returned(raw)
    try:
        if (large := large_value(text)) is not None:
            meta = structure(event.object["metadata"], ObjectMeta)
            text = await run._client.backend.fetch_value(meta, task, large)
        if text:
            return Outcome(task, decoder(text))
    except AiowfError as error:
        return Outcome(task, error=error)
    if run._plan is None:
        return Outcome(task)
    missing = MissingResultsError(
        f"task {task} of {run.name} returned no value",
        workflow_name=run.name,
        hint="Its process ended without returning.",
        task=task,
    )
    return Outcome(task, error=missing)


async def _failure(
    run: "Run[Any]", task: str, raw: Raw, known: Mapping[str, Raw]
) -> OperationFailedError:
    """Return why a task failed: what its last attempt says."""
    attempts = [known[child] for child in nodes.children_of(raw) if child in known]
    last = structure(
        dict(attempts[-1] if raw.get("type") == "Retry" and attempts else raw), NodeStatus
    )
    tail: tuple[str, ...] = ()
    if last.type == "Pod":
        pod = nodes.pod_name(run.name, last.template_name or "", last.name or "")
        tail = await run._client.watching.log_tail(run, pod, LOG_TAIL)
    message = last.message or raw.get("message") or "no reason was given"
    return OperationFailedError(
        message,
        workflow_name=run.name,
        namespace=run.namespace,
        phase=str(raw["phase"]),
        node=last.display_name,
        task=task,
        exit_code=nodes.exit_code(last),
        log_tail=tail,
        hint=advice(run, message, *tail),
    )
