"""Waiting for the end of a run, and telling why it does not come."""

import asyncio
import logging
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aiowf.client.backend import client_was_closed
from aiowf.client.outcome import build_result, decoders_of, large_values
from aiowf.client.remedies import advice
from aiowf.client.settling import Settled, settle, settled_by_end
from aiowf.errors import (
    ArgoError,
    ConfigurationError,
    EngineError,
    NotFoundError,
    OperationFailedError,
    OperationTimeoutError,
)
from aiowf.manifest import ObjectMeta
from aiowf.wire import nodes
from aiowf.wire.events import FINAL_PHASES

if TYPE_CHECKING:
    from aiowf.argo import Ending, Subscription
    from aiowf.client.result import Result
    from aiowf.client.run import Run

log = logging.getLogger(__name__)

LOG_TAIL = 20
HAS_ENDED = "it has ended since"
# Seconds for the last look at a workflow whose time is over.
_LATE = 2.0
# Seconds by which a timer is late on an event loop that somebody blocks.
_BLOCKED = 0.2


def seconds(value: float | timedelta | None, name: str) -> float | None:
    """Return a time in seconds.

    Raises:
        ConfigurationError: It is no positive number.
    """
    if value is None:
        return None
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if (
        isinstance(number, bool)
        or not isinstance(number, (int, float))
        or not 0 < number < math.inf
    ):
        raise ConfigurationError(
            f"{name}={value!r}: it must be a number of seconds above 0, or None"
        )
    return float(number)


def check_flag(value: object, name: str) -> None:
    """Check that an option is True or False.

    Raises:
        ConfigurationError: It is neither.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name}={value!r:.60}: it must be True or False")


async def wait(
    run: "Run[Any]", *, timeout: float | timedelta | None = None, check: bool = True
) -> "Result[Any]":
    """Wait for the end of a run; see `Run.wait`."""
    check_flag(check, "check")
    result = run._result
    if result is None:
        if timeout is not None:
            result = await _result_within(run, timeout)
        elif run._subscription is None or run._client.watching.pending(run) is not None:
            result = await _result(run)
        else:  # a case of `_result` that holds less memory while it waits
            with run._client.stalls.looking(run, run._subscription):
                accept(run, await run._subscription.ended())
            result = await _built(run, await settled_by_end(run))
        run._end(result)
    if check and not result.succeeded:
        raise await _failure(run, result)
    return result


async def _result_within(run: "Run[Any]", timeout: float | timedelta) -> "Result[Any]":
    limit = seconds(timeout, "timeout")
    scope = asyncio.timeout(limit)
    try:
        async with scope:
            return await _result(run)
    except TimeoutError:
        if limit is None or not scope.expired():
            raise
    if (found := await late_result(run, scope.when())) is not None:
        return found
    raise _not_yet(run, limit)


async def late_result(run: "Run[Any]", due: float | None) -> "Result[Any] | None":
    """Look once more when the time is over, if the success may have been heard too late.

    Args:
        run: The run.
        due: The event loop's time at which the time was over. Who hears of it much later blocked
            the loop, and hears late of all else too.
    """
    now = asyncio.get_running_loop().time()
    if run.phase not in FINAL_PHASES and now - (due or now) < _BLOCKED:
        return None
    try:
        async with asyncio.timeout(_LATE):
            await run.workflow()
            return await _result(run) if run.phase == "Succeeded" else None
    except (ArgoError, EngineError, TimeoutError):
        return None  # that the time is over matters more


async def _result(run: "Run[Any]") -> "Result[Any]":
    async with run._client.watching.follow(run) as subscription:
        settled = await settle(run, _accepted_end(run, subscription))
    return await _built(run, settled)


async def _accepted_end(run: "Run[Any]", subscription: "Subscription") -> None:
    with run._client.stalls.looking(run, subscription):
        accept(run, await subscription.ended())


async def _built(run: "Run[Any]", settled: Settled) -> "Result[Any]":
    decoders = run._plan.terms.decoders if run._plan else decoders_of(settled.workflow)
    meta = settled.workflow.metadata or ObjectMeta()
    fetched = {
        task: await run._client.backend.fetch_value(meta, task, value)
        for task, value in large_values(settled.workflow, decoders).items()
    }
    run._client.watching.unexpect(run)
    return build_result(settled, decoders, fetched=fetched)


def accept(run: "Run[Any]", ending: "Ending") -> None:
    """Raise if a final phase was not seen."""
    if ending.is_final:
        return
    if ending.reason == "gone":
        raise NotFoundError(
            f"workflow {run.name} was deleted before its end was seen "
            f"(last phase: {ending.phase or 'none'})",
            hint="Somebody deleted it, or its time to live was over: ttl_strategy keeps it longer.",
        )
    raise client_was_closed(run.name, is_local=run._client.settings.is_local)


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
        hint=advice(run, result.message, *tail),
    )


def _not_yet(run: "Run[Any]", limit: float) -> OperationTimeoutError:
    goes_on = run.phase not in FINAL_PHASES
    return OperationTimeoutError(
        f"workflow {run.name} did not end within {limit:g} s ({run.phase or 'submitted'}); "
        f"{'it goes on' if goes_on else HAS_ENDED}",
        workflow_name=run.name,
        namespace=run.namespace,
        timeout=limit,
        phase=run.phase,
        action="leave",
        hint="Wait again: await run.wait(timeout=…), or end it: await run.stop()."
        if goes_on
        else "Look at it: await run.wait().",
    )
