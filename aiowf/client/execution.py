"""`execute`: submit, wait, and clean up behind whoever does not wait to the end."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aiowf.client.planning import name_of_operation
from aiowf.client.waiting import HAS_ENDED, check_flag, late_result, seconds, wait
from aiowf.errors import (
    AiowfError,
    ConfigurationError,
    NotFoundError,
    OperationStuckError,
    OperationTimeoutError,
)
from aiowf.manifest.rendering import Renderable
from aiowf.wire.events import FINAL_PHASES

if TYPE_CHECKING:
    from aiowf.client.client import Client
    from aiowf.client.run import Run

ON_CANCEL = ("stop", "terminate", "leave")
# How long a timed-out or cancelled caller is held up by the end of its workflow. What takes longer
# goes on in the background, and the client's close awaits it.
_PATIENCE = 5.0
# A POST that was under way when its caller gave up may still arrive: it is looked for this often.
_LOOKS = 5


def check_on_cancel(on_cancel: str) -> None:
    """Check that what is to become of a workflow is one of the words for it.

    Raises:
        ConfigurationError: It is none.
    """
    if on_cancel not in ON_CANCEL:
        raise ConfigurationError(
            f'on_cancel={on_cancel!r}: it must be "stop", "terminate" or "leave"'
        )


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
    check_on_cancel(on_cancel)
    check_flag(check, "check")
    limit = None if timeout is None else seconds(timeout, "timeout")
    patience = None if pending_timeout is None else seconds(pending_timeout, "pending_timeout")
    run: Run[Any] | None = None
    try:
        if limit is None:
            async with client.turns:
                name = name_of_operation(op, id)
                run = client.run_of(name, check=check, pending_timeout=patience, id=id)
                await client.send_operation(op, run, id=id)
            return await wait(run, check=check) if op.is_sync else run
        name = name_of_operation(op, id)
        run = client.run_of(name, check=check, pending_timeout=patience, id=id)
        return await _execute_within(client, op, run, id, limit, on_cancel)
    except (asyncio.CancelledError, OperationTimeoutError, OperationStuckError):
        if run is not None:
            await give_up(client, run, on_cancel)
        raise
    finally:
        if run is not None and op.is_sync:
            client.watching.unexpect(run)


async def _execute_within(
    client: "Client", op: Renderable, run: "Run[Any]", id: str | None, limit: float, on_cancel: str
) -> Any:
    scope = asyncio.timeout(limit)
    try:
        async with scope:
            # A workflow that is to be left behind has no deadline either.
            deadline = None if on_cancel == "leave" else limit
            async with client.turns:
                await client.send_operation(op, run, id=id, timeout=deadline)
            return await run.wait() if op.is_sync else run
    except TimeoutError:
        if not scope.expired():
            raise
    if op.is_sync and run._known:
        found = await late_result(run, scope.when())
        if found is not None:
            run._end(found)
            return found
    raise _timed_out(run, limit, on_cancel)


async def give_up(client: "Client", run: "Run[Any]", on_cancel: str) -> None:
    """Stop the workflow of a caller who gave up; cancelled again, leave it to the client."""
    if on_cancel == "leave" or not run._posted:
        return
    ending = client.errands.keep(_stop(run, on_cancel, looks=1 if run._known else _LOOKS))
    await asyncio.wait({ending}, timeout=_PATIENCE)


async def _stop(run: "Run[Any]", verb: str, looks: int) -> None:
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


def _timed_out(run: "Run[Any]", limit: float, on_cancel: str) -> OperationTimeoutError:
    done = {"stop": "it was stopped", "terminate": "it was terminated", "leave": "it goes on"}
    if not run._known:
        told = run._trouble.message if run._trouble else "the server has not answered"
        return OperationTimeoutError(
            f"workflow {run.name} could not be submitted within {limit:g} s: {told}",
            workflow_name=run.name,
            namespace=run.namespace,
            timeout=limit,
            action=on_cancel,
            hint="Look at the server's address, and whether it can be reached; the log says more.",
        )
    phase = run.phase or "submitted"
    act = HAS_ENDED if run.phase in FINAL_PHASES else done[on_cancel]
    return OperationTimeoutError(
        f"workflow {run.name} did not end within {limit:g} s ({phase}): {act}",
        workflow_name=run.name,
        namespace=run.namespace,
        timeout=limit,
        phase=run.phase,
        action=on_cancel,
        hint="Give execute() a longer timeout."
        if on_cancel != "leave"
        else f"Wait on: await client.get_run({run.name!r}).",
    )
