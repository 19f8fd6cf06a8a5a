"""`execute`: submit, wait, and clean up behind whoever does not wait to the end."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aiowf.client.submission import Plan, plan_operation
from aiowf.client.waiting import seconds, wait
from aiowf.errors import (
    AiowfError,
    ConfigurationError,
    NotFoundError,
    OperationStuckError,
    OperationTimeoutError,
)
from aiowf.manifest.rendering import Renderable

if TYPE_CHECKING:
    from aiowf.client.client import Client
    from aiowf.client.run import Run

ON_CANCEL = ("stop", "terminate", "leave")
# How long a timed-out or cancelled caller is held up by the end of its workflow. What takes longer
# goes on in the background, and the client's close awaits it.
_PATIENCE = 5.0
# A POST that was under way when its caller gave up may still arrive: it is looked for this often.
_LOOKS = 5


async def execute(
    client: "Client",
    op: Renderable,
    *,
    id: str | None,
    timeout: float | timedelta | None,
    pending_timeout: float | timedelta | None,
    on_cancel: str,
    check: bool,
) -> Any:
    """Run an operation; see `Client.execute`."""
    if on_cancel not in ON_CANCEL:
        raise ConfigurationError(f'on_cancel={on_cancel!r}: it is "stop", "terminate" or "leave"')
    limit = seconds(timeout, "timeout")
    patience = seconds(pending_timeout, "pending_timeout")
    plan = await plan_operation(op, client.backend, id=id, timeout=limit)
    if not op.is_sync:
        defaults = {"check": check, "pending_timeout": patience}
        return await _submit_in_time(client, plan, limit, on_cancel, defaults)
    run: Run[Any] | None = None
    try:
        async with asyncio.timeout(limit) as scope:
            run = await client.send(plan, check=check, pending_timeout=patience)
            return await wait(run, check=check)
    except TimeoutError:
        if limit is None or not scope.expired():
            raise
        await _end(client, plan, run, on_cancel)
        raise _timed_out(plan, run, limit, on_cancel, client) from None
    except (asyncio.CancelledError, OperationStuckError):
        await _end(client, plan, run, on_cancel)
        raise


async def _submit_in_time(
    client: "Client",
    plan: Plan,
    limit: float | None,
    on_cancel: str,
    defaults: dict[str, Any],
) -> "Run[Any]":
    try:
        async with asyncio.timeout(limit) as scope:
            return await client.send(plan, **defaults)
    except TimeoutError:
        if limit is None or not scope.expired():
            raise
        await _end(client, plan, None, on_cancel)
        raise _timed_out(plan, None, limit, on_cancel, client) from None
    except asyncio.CancelledError:
        await _end(client, plan, None, on_cancel)
        raise


async def _end(client: "Client", plan: Plan, run: "Run[Any] | None", on_cancel: str) -> None:
    """Stop the workflow of a caller who gave up; cancelled again, leave it to the client."""
    if on_cancel == "leave":
        return
    ending = client.keep(_stop(client, plan.name, on_cancel, looks=1 if run else _LOOKS))
    await asyncio.wait({ending}, timeout=_PATIENCE)


async def _stop(client: "Client", name: str, verb: str, looks: int) -> None:
    run = client.get_run(name)
    act = run.stop if verb == "stop" else run.terminate
    for look in range(looks):
        try:
            await act()
        except NotFoundError:
            await asyncio.sleep(0.2 * look)
        except AiowfError:
            return  # it has ended, or the server is gone: its activeDeadlineSeconds ends it
        else:
            return


def _timed_out(
    plan: Plan, run: "Run[Any] | None", limit: float, on_cancel: str, client: "Client"
) -> OperationTimeoutError:
    done = {"stop": "it was stopped", "terminate": "it was terminated", "leave": "it goes on"}
    phase = (run.phase or "submitted") if run else "not submitted yet"
    return OperationTimeoutError(
        f"workflow {plan.name} did not end within {limit:g} s ({phase}): {done[on_cancel]}",
        workflow_name=plan.name,
        namespace=client.backend.namespace,
        timeout=limit,
        phase=run.phase if run else None,
        action=on_cancel,
        hint="Give execute() a longer timeout."
        if on_cancel != "leave"
        else f"Wait on: await client.get_run({plan.name!r}).",
    )
