"""From a request to a workflow on the server: once, whatever happens on the way."""

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from attrs import frozen

from aiowf.client.pace import Pace
from aiowf.client.planning import Parcel
from aiowf.errors import (
    AlreadyExistsError,
    ArgoError,
    BadRequestError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    UnavailableError,
)
from aiowf.manifest.fields import Raw
from aiowf.wire import labels
from aiowf.wire.errors import NOT_CONNECTED, is_mistaken_address
from aiowf.wire.requests import make_request

if TYPE_CHECKING:
    from aiowf.client.backend import Backend

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
# Seconds for which a server that cannot even be connected to is tried, once it has answered;
UNREACHABLE_SECONDS = 30.0
# and when it never has: then the address may be wrong, and whoever wrote it waits.
NEVER_REACHED_SECONDS = 8.0
# Seconds for which a submission is refused by 429 before it gives up.
RATE_LIMITED_SECONDS = 600.0
# A request whose JSON was whole when it left, and was not when it arrived.
_DAMAGED = ("unexpected EOF", "invalid character", "invalid JSON")


@frozen
class Sent:
    """A workflow that the server has.

    Attributes:
        workflow: It, as the server answered, in JSON data.
        is_new: Whether the server said that this call created it; else it was found there, and may
            be older than this call.
        is_earlier: Whether it certainly is: it was there when this call sent it first.
    """

    workflow: Raw
    is_new: bool
    is_earlier: bool = False


async def send(
    parcel: Parcel,
    backend: "Backend",
    namespace: str,
    pace: Pace,
    heard: Callable[[ArgoError], None],
) -> Sent:
    """Create a workflow, once.

    After a failure that leaves open whether the server has it, the server is asked until it says
    so, before it is sent again; with the full name and the idempotency label the answer is certain.
    That may go on for `terms.window` after the first sending, and no longer: by then a workflow
    that was created may have run and been deleted. Whoever cannot wait so long knows by `heard`
    what went wrong last.

    Raises:
        AlreadyExistsError: Another workflow has this name.
        UnavailableError: The server did not answer within the window, and nobody knows whether the
            workflow exists; the message says its name.
        ArgoError: The server refused it.
    """
    request = make_request(parcel.operation, {"namespace": namespace}, body=parcel.body)
    loop = asyncio.get_running_loop()
    doubt: ArgoError | None = None  # after which the server may have it
    window_ends = float("inf")
    begun = loop.time()
    pauses = _pauses()
    sent_at = 0.0
    while True:
        sent_at = await pace.turn(again=sent_at > 0)
        if doubt is not None and sent_at > window_ends:
            raise _unknown(parcel, doubt)
        try:
            answer = await backend.argo.call_json(request)
            if _name_of(answer) == parcel.plan.name:
                pace.accepted()
                return Sent(answer, True)
            problem: ArgoError = _nonsense(request.method, request.path)
        except RateLimitedError as error:
            heard(error)
            pace.refused(sent_at, error.retry_after)
            if loop.time() + (error.retry_after or 0.0) - begun > RATE_LIMITED_SECONDS:
                raise
            continue  # it was not taken, and whatever was in doubt before is so still
        except ArgoError as error:
            heard(error)
            reached = backend.argo.reached
            is_mistaken = is_mistaken_address(error) and not reached
            # Or a proxy garbled what an Argo Server said, which may have taken the workflow.
            if is_mistaken and (
                error.status is None or not await _is_argo(parcel, backend, namespace)
            ):
                raise
            patience = UNREACHABLE_SECONDS if reached else NEVER_REACHED_SECONDS
            if _is_unreachable(error) and loop.time() - begun < patience:
                await asyncio.sleep(next(pauses))
                continue
            if not _may_exist(error):
                if doubt is not None and _is_unreachable(error):
                    raise _unknown(parcel, doubt) from error  # what was sent first may be late
                raise
            problem = error
        is_earlier = doubt is None and isinstance(problem, AlreadyExistsError)
        if doubt is None:
            window_ends = sent_at + parcel.plan.terms.window
        doubt = problem
        heard(problem)
        found = await _find(parcel, backend, namespace, problem, window_ends)
        if found is not None:
            return Sent(found, False, is_earlier)
        await asyncio.sleep(next(pauses))


async def _is_argo(parcel: Parcel, backend: "Backend", namespace: str) -> bool:
    """Ask for the workflow: only an Argo Server has it, or says in its own way that it has not."""
    try:
        await backend.argo.workflows.get_raw(parcel.plan.name, namespace=namespace)
    except ArgoError as error:
        return error.code is not None
    return True


async def _find(
    parcel: Parcel, backend: "Backend", namespace: str, problem: ArgoError, window_ends: float
) -> Raw | None:
    """Ask for the workflow until the server says that it has it, or (None) that it has not."""
    name = parcel.plan.name
    loop = asyncio.get_running_loop()
    for pause in _pauses():
        try:
            found = await backend.argo.workflows.get_raw(name, namespace=namespace)
            if _name_of(found) == name:
                if _key_of(found) == parcel.plan.key:
                    return found
                raise _taken(parcel, problem)
        except NotFoundError:
            return None
        except AlreadyExistsError:
            raise
        except ArgoError as error:
            if not isinstance(error, RateLimitedError) and not _may_exist(error):
                raise _unknown(parcel, error) from error  # it may not be asked for
        if loop.time() + pause > window_ends:
            break
        await asyncio.sleep(pause)
    raise _unknown(parcel, problem) from problem


def _may_exist(error: ArgoError) -> bool:
    """Return whether the server may have the workflow in spite of this answer, or lack of one."""
    if isinstance(error, AlreadyExistsError):
        return True
    if isinstance(error, UnavailableError | ServerError):
        return not _is_unreachable(error) and error.status != 501
    if not isinstance(error, BadRequestError):
        return False
    # The request was damaged on its way; Argo itself would have named a code.
    is_foreign = error.code is None and error.status in (400, 408)
    return is_foreign or any(text in error.message for text in _DAMAGED)


def _is_unreachable(error: ArgoError) -> bool:
    """Return whether there was no connection over which the request could have gone."""
    return (
        isinstance(error, UnavailableError)
        and error.status is None
        and error.message.startswith(NOT_CONNECTED)
    )


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1.5)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _name_of(workflow: Any) -> str | None:
    meta = workflow.get("metadata") if isinstance(workflow, dict) else None
    name = meta.get("name") if isinstance(meta, dict) else None
    return name if isinstance(name, str) else None


def _key_of(workflow: Raw) -> str | None:
    tags = workflow["metadata"].get("labels")
    found = tags.get(labels.IDEMPOTENCY_KEY) if isinstance(tags, dict) else None
    return found if isinstance(found, str) else None


def _nonsense(method: str, path: str) -> ServerError:
    return ServerError(
        "the server answered what is not the workflow that was sent",
        method=method,
        path=path,
        status=200,
        hint="Something between this client and the server mixes up answers.",
    )


def _taken(parcel: Parcel, problem: ArgoError) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"another workflow is called {parcel.plan.name}",
        method=problem.method,
        path=problem.path,
        status=problem.status,
        code=problem.code,
        hint="Give the operation another id, or wait until that workflow is deleted."
        if parcel.plan.durable
        else "Give the workflow another name, or use generateName.",
    )


def _unknown(parcel: Parcel, problem: ArgoError) -> UnavailableError:
    name = parcel.plan.name
    return UnavailableError(
        f"nobody knows whether workflow {name} was created: {problem.message}",
        method=problem.method,
        path=problem.path,
        status=problem.status,
        code=problem.code,
        hint=f"It is not sent again, since it may have run already. Once the server answers: "
        f"client.get_run({name!r}). With execute(id=…) the same call can simply be made again.",
    )
