"""Changes to a workflow on the server: repeated after a failure only where that does no harm."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from aiowf.argo import attempts
from aiowf.errors import (
    ArgoError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    UnavailableError,
)
from aiowf.manifest import Workflow
from aiowf.wire.nodes import nodes_of

if TYPE_CHECKING:
    from aiowf.client.run import Run

T = TypeVar("T")

_ATTEMPTS = 5
_SECONDS = 60.0
# Of these the server says itself that nothing was changed.
_NOTHING_DONE = (RateLimitedError, ConflictError)
# What a verb that was done, and whose answer was lost, is answered when it is sent again.
_DONE_ALREADY = (BadRequestError, NotFoundError)


async def repeat(send: Callable[[], Awaitable[T]]) -> T | None:
    """Send what does no harm when it is done twice; None: an earlier attempt has done it.

    Raises:
        ArgoError: The server refused, or did not answer.
    """
    async for attempt in attempts(_wait, most=_ATTEMPTS, timeout=_SECONDS):
        with attempt:
            try:
                return await send()
            except _DONE_ALREADY:
                if attempt.num == 1:
                    raise
                return None
    raise AssertionError("a retry context ends by returning or raising")  # pragma: no cover


async def once(
    run: "Run[Any]",
    send: Callable[[], Awaitable[Workflow]],
    look: Callable[[Workflow], Any],
) -> Workflow:
    """Send what must not be done twice; after a failure it is looked whether it was done.

    Args:
        run: The workflow.
        send: Sends the request.
        look: Returns of a workflow what the request changes. As long as it is what it was before
            the first attempt, none was done.

    Raises:
        ArgoError: The server refused, or did not answer.
    """
    before = look(await run.workflow())
    async for attempt in attempts(_wait, most=_ATTEMPTS, timeout=_SECONDS):
        with attempt:
            try:
                return await send()
            except ArgoError as error:
                if isinstance(error, _NOTHING_DONE) or not _wait(error):
                    raise
                after = await run.workflow()
                if look(after) == before:
                    raise
                return after
    raise AssertionError("a retry context ends by returning or raising")  # pragma: no cover


def suspended(workflow: Workflow) -> Any:
    """Return what is suspended in a workflow: itself, or nodes, with what was said of them."""
    return bool(workflow.spec and workflow.spec.suspend), {
        id: (each.phase, each.message, each.outputs)
        for id, each in nodes_of(workflow).items()
        if each.type == "Suspend"
    }


def version_of(workflow: Workflow) -> str | None:
    """Return the resourceVersion of a workflow."""
    return workflow.metadata.resource_version if workflow.metadata else None


def _wait(error: Exception) -> bool | float:
    """Return whether the server may answer otherwise next time, or after how many seconds."""
    if isinstance(error, RateLimitedError | UnavailableError):
        wait = error.retry_after
        return True if wait is None else wait <= _SECONDS and wait
    return isinstance(error, ConflictError) or (
        isinstance(error, ServerError) and error.status != 501
    )
