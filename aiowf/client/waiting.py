"""Waiting for the end of a run, and telling why it does not come."""

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aiowf.client.outcome import build_result, large_values
from aiowf.errors import (
    AiowfError,
    ArgoError,
    ConfigurationError,
    NotFoundError,
    OperationFailedError,
    OperationStuckError,
    OperationTimeoutError,
)
from aiowf.wire import nodes

if TYPE_CHECKING:
    from aiowf.argo import Ending, Subscription
    from aiowf.client.result import Result
    from aiowf.client.run import Run
    from aiowf.replies import Files

log = logging.getLogger(__name__)

# A run that shows no progress is looked at after this many seconds, then ever more rarely.
FIRST_LOOK = 20.0
RAREST_LOOK = 600.0
# Errors of an image or of the configuration do not heal by themselves, but registries have outages.
HOPELESS_AFTER = 120.0
# Files that the workflow sent arrive at about the time of its end: before it, or shortly after.
_FILES_AFTER_END = 10.0
_END_AFTER_FILES = 0.3
LOG_TAIL = 20
_HINTS = {
    True: "Look at the image, its pull secret and what the container refers to.",
    False: "No node has room for it, or may run it: look at its resources and its affinity.",
}


def seconds(value: float | timedelta | None, name: str) -> float | None:
    """Return a time in seconds.

    Raises:
        ConfigurationError: It is no positive number.
    """
    if value is None:
        return None
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not number > 0:
        raise ConfigurationError(f"{name}={value!r}: it is a number of seconds above 0, or None")
    return float(number)


async def wait(
    run: "Run[Any]", *, timeout: float | timedelta | None = None, check: bool = True
) -> "Result[Any]":
    """Wait for the end of a run; see `Run.wait`."""
    limit = seconds(timeout, "timeout")
    if run._result is None:
        try:
            async with asyncio.timeout(limit) as scope:
                result = await _result(run)
        except TimeoutError:
            if limit is None or not scope.expired():
                raise
            raise _not_yet(run, limit) from None
        run._result, run.phase = result, result.phase
    if check and not run._result.succeeded:
        raise await _failure(run, run._result)
    return run._result


async def _result(run: "Run[Any]") -> "Result[Any]":
    async with run._client.watching.follow(run) as subscription:
        files = await _settled(run, subscription)
        workflow = await run._client.argo.workflows.get(run.name, namespace=run.namespace)
    decoders = run._plan.decoders if run._plan else {}
    fetched = {
        task: await run._client.backend.fetch_value(run.namespace, run.name, task)
        for task in large_values(workflow, decoders)
    }
    run._client.watching.unexpect(run)
    return build_result(workflow, decoders, files=files, fetched=fetched)


async def _settled(run: "Run[Any]", subscription: "Subscription") -> "Files | None":
    """Wait until the run has ended, and its files, if any are to come, have come."""
    replies = run._client.watching.replies
    if run._plan is None or not run._plan.wants_files or replies is None:
        _accept(run, await _end(run, subscription))
        return None
    files: asyncio.Future[Any] = replies.expect(run.name).done
    ending: asyncio.Future[Any] = asyncio.create_task(_end(run, subscription))
    try:
        await asyncio.wait((files, ending), return_when=asyncio.FIRST_COMPLETED)
        if files.done() and not ending.done():
            # The verdict of the work is known; Argo may need seconds more to say so itself.
            await asyncio.wait({ending}, timeout=_END_AFTER_FILES)
        if ending.done():
            return await _files_of_ended(run, files, _accept(run, ending.result()))
        found: Files = await files
        return found
    finally:
        ending.cancel()
        await asyncio.wait({ending})


async def _files_of_ended(
    run: "Run[Any]", files: "asyncio.Future[Files]", phase: str
) -> "Files | None":
    if phase != "Succeeded" and not files.done():
        return None
    await asyncio.wait({files}, timeout=_FILES_AFTER_END)
    if files.done():
        return files.result()
    replies = run._client.watching.replies
    assert replies is not None
    raise replies.missing(run.name)


def _accept(run: "Run[Any]", ending: "Ending") -> str:
    """Return the final phase; raise if there will be none."""
    if ending.is_final:
        return ending.phase
    if ending.reason == "gone":
        raise NotFoundError(
            f"workflow {run.name} was deleted before its end was seen "
            f"(last phase: {ending.phase or 'none'})",
            hint="Somebody deleted it, or its time to live was over: ttl_strategy keeps it longer.",
        )
    raise AiowfError(
        f"the client was closed while workflow {run.name} was awaited; it goes on",
        hint=f"Wait on from another client: await client.get_run({run.name!r}).",
    )


async def _end(run: "Run[Any]", subscription: "Subscription") -> "Ending":
    """Wait for the end; look now and then at a run that shows no progress."""
    loop = asyncio.get_running_loop()
    patience = run._pending_timeout
    pause = FIRST_LOOK if patience is None else min(FIRST_LOOK, patience)
    while True:
        try:
            async with asyncio.timeout(pause):
                return await subscription.ended()
        except TimeoutError:
            pass
        run.phase = subscription.phase or run.phase
        still = loop.time() - subscription.changed_at
        if still < pause * 0.99:
            pause = max(pause - still, 0.1)
            continue
        due = await _look(run, still, patience)
        pause = min(max(still, 1.0), RAREST_LOOK) if due is None else due


async def _look(run: "Run[Any]", still: float, patience: float | None) -> float | None:
    """Look why a run does not get on; return the seconds until the next look, or None.

    Raises:
        OperationStuckError: It never will.
    """
    try:
        workflow = await run.workflow()
    except (ArgoError, ConfigurationError) as error:
        log.warning("%s cannot be looked at: %s", run.name, error)
        return None
    pending = next(iter(nodes.pending_nodes(workflow)), None)
    if pending is None:
        return None
    log.warning("%s: node %s is pending: %s", run.name, pending.node, pending.message)
    limits = [HOPELESS_AFTER] if pending.can_never_start else []
    limits += [patience] if patience is not None else []
    if not limits:
        return None
    if still < min(limits):
        return min(limits) - still
    raise OperationStuckError(
        f"workflow {run.name} cannot get on: node {pending.node} is pending for {still:.0f} s: "
        f"{pending.message}",
        workflow_name=run.name,
        namespace=run.namespace,
        node=pending.node,
        reason=pending.reason,
        waited=still,
        hint=_HINTS[pending.can_never_start],
    )


async def _failure(run: "Run[Any]", result: "Result[Any]") -> OperationFailedError:
    failed = nodes.verdict(result.workflow).node
    tail: tuple[str, ...] = ()
    if failed is not None and failed.type == "Pod":
        pod = nodes.pod_name(run.name, failed.template_name or "", failed.name or "")
        tail = await run._client.watching.log_tail(run, pod, LOG_TAIL)
    return OperationFailedError(
        result.message or "no reason was given",
        workflow_name=run.name,
        namespace=run.namespace,
        phase=result.phase,
        result=result,
        node=failed.display_name if failed else None,
        task=failed.template_name if failed else None,
        exit_code=nodes.exit_code(failed) if failed else None,
        log_tail=tail,
    )


def _not_yet(run: "Run[Any]", limit: float) -> OperationTimeoutError:
    return OperationTimeoutError(
        f"workflow {run.name} did not end within {limit:g} s ({run.phase or 'submitted'}); "
        "it goes on",
        workflow_name=run.name,
        namespace=run.namespace,
        timeout=limit,
        phase=run.phase,
        action="leave",
        hint="Wait again: await run.wait(timeout=…), or end it: await run.stop().",
    )
