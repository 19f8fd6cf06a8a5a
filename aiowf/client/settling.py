"""What ends the wait for a run: its end as the watch tells it, its exit notice, or its files."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from attrs import frozen

from aiowf.client.outcome import files_of
from aiowf.errors import MissingResultsError, ReplyError
from aiowf.manifest import Workflow
from aiowf.wire import nodes
from aiowf.wire.events import FINAL_PHASES

if TYPE_CHECKING:
    from aiowf.client.run import Run
    from aiowf.replies import Files
    from aiowf.replies.waiting import Pending

# When the files are here, so long the end may take until it is told without it.
_END_AFTER_FILES = 0.3
# What pods sent is there when the workflow has ended; to be read it may need so long, counted anew
# while something comes.
REPLIES_AFTER_END = 10.0
# So many times as long, if Kafka does not answer.
_OUTAGE_SLICES = 12
# A notice may be faster than what the controller writes down: how often, and after how many seconds
# each time, the workflow is looked at.
_LOOKS = (0.0, 0.1, 0.2, 0.4)


@frozen
class Settled:
    """A run whose outcome is known.

    Attributes:
        workflow: As the server has it; its phase may lag behind.
        files: The files that came, or None where none were to come.
        warnings: What went wrong on the way.
        is_early: Whether its pods told that the work is done, and the server does not yet.
    """

    workflow: Workflow
    files: "Files | None" = None
    warnings: tuple[str, ...] = ()
    is_early: bool = False


async def settle(run: "Run[Any]", end: Awaitable[object]) -> Settled:
    """Wait until the outcome of a run is known.

    Args:
        run: The run.
        end: Waits for its end as the watch tells it, and raises if there will be none.

    Raises:
        ReplyError: Its files did not come, or are not what was sent.
    """
    pending = run._client.watching.pending(run)
    if pending is None:
        await end
        return await settled_by_end(run)
    ending = asyncio.ensure_future(end)
    try:
        early = await _before_end(run, pending, ending)
        if early is not None:
            return early
        await ending
        return await _after_end(run, pending)
    finally:
        ending.cancel()
        await asyncio.wait({ending})


async def settled_by_end(run: "Run[Any]") -> Settled:
    """Return the outcome of a run that has ended, and of which no pod sends anything."""
    workflow = await _look(run)
    is_wanted = run._plan is not None and run._plan.terms.wants_files
    return Settled(workflow, files_of(workflow) if is_wanted else None)


async def _before_end(
    run: "Run[Any]", pending: "Pending", ending: "asyncio.Future[object]"
) -> Settled | None:
    """Return what files or notice tell before the end is; None if the end was first."""
    notice_was_seen = False
    while not ending.done():
        await asyncio.wait({ending, *pending.futures()}, return_when=asyncio.FIRST_COMPLETED)
        if pending.files is not None and pending.files.done():
            files = pending.files.result()
            await asyncio.wait({ending}, timeout=_END_AFTER_FILES)
            if not ending.done():
                workflow = await _look(run)
                return Settled(workflow, files, is_early=not _is_final(workflow))
        elif pending.notice.done() and not notice_was_seen:
            notice_was_seen = True
            found = await _after_notice(run, pending, ending)
            if found is not None:
                return found
    return None


async def _after_notice(
    run: "Run[Any]", pending: "Pending", ending: "asyncio.Future[object]"
) -> Settled | None:
    """Return the outcome if the server, or else the notice, leaves no doubt about it.

    A notice is a hint: the server is asked. What only the server can tell, why it failed and what
    it returned, is waited for.
    """
    if pending.notice.exception() is not None:
        return None
    status = pending.notice.result().status
    wants_files = pending.files is not None
    workflow: Workflow | None = None
    for pause in _LOOKS:
        await asyncio.wait({ending}, timeout=pause)
        if ending.done():
            return None
        workflow = await _look(run)
        if _is_final(workflow):
            is_done = not wants_files or nodes.verdict(workflow).phase != "Succeeded"
            return Settled(workflow) if is_done else None
    returns = run._plan is not None and run._plan.terms.decoders
    if workflow is None or status != "Succeeded" or wants_files or returns:
        return None
    return Settled(workflow, is_early=True)


async def _after_end(run: "Run[Any]", pending: "Pending") -> Settled:
    workflow = await _look(run)
    files = None
    if pending.files is not None:
        if nodes.verdict(workflow).phase == "Succeeded":
            files = await _late_files(run, pending, pending.files)
        elif pending.files.done() and pending.files.exception() is None:
            files = pending.files.result()
    warnings: tuple[str, ...] = ()
    if run._client.settings.completion == "notice" and not pending.notice.done():
        await asyncio.wait({pending.notice}, timeout=REPLIES_AFTER_END)
        if not pending.notice.done():
            warnings = ("the workflow has ended, and its exit notice did not come",)
    return Settled(workflow, files, warnings)


async def _late_files(
    run: "Run[Any]", pending: "Pending", files: "asyncio.Future[Files]"
) -> "Files":
    """Wait for the files of a workflow that has ended, as long as they can still come."""
    channel = run._client.backend.channel
    assert channel is not None
    slices = 0
    while True:
        before = pending.progress
        await asyncio.wait({files}, timeout=REPLIES_AFTER_END)
        slices += 1
        if files.done():
            return files.result()
        is_out = channel.is_interrupted and slices < _OUTAGE_SLICES
        if pending.progress == before and not is_out:
            raise _not_come(pending.missing(), channel.trouble)


def _not_come(error: MissingResultsError, trouble: str | None) -> ReplyError:
    error.hint = trouble or (
        "The workflow has ended, so they were sent; was the reply topic emptied, or is "
        "AIOWF_REPLY_KEY another one there?"
    )
    return error


async def _look(run: "Run[Any]") -> Workflow:
    return await run._client.argo.workflows.get(run.name, namespace=run.namespace)


def _is_final(workflow: Workflow) -> bool:
    return nodes.verdict(workflow).phase in FINAL_PHASES
