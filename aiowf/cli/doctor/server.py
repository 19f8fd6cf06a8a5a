"""Checks of an Argo Server: each asks, and hands the facts to a judgement."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiowf.cli.doctor.finding import (
    Answer,
    Finding,
    judge_clock,
    judge_permissions,
    judge_version,
    told,
)
from aiowf.errors import (
    AiowfError,
    ConfigurationError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from aiowf.manifest import GetUserInfoResponse
from aiowf.wire.errors import NOT_CONNECTED

if TYPE_CHECKING:
    from aiowf.argo import ArgoSession

_NOBODY = "aiowf-doctor-looks-for-nobody"
# A watch that was not refused within this many seconds is allowed: nothing need be told on it.
_PATIENCE = 3.0
# A pause: it needs no pod, and ends and goes by itself where it may be created and not deleted.
_PROBE: Mapping[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "aiowf-doctor-"},
    "spec": {
        "entrypoint": "nothing",
        "templates": [{"name": "nothing", "suspend": {"duration": "30"}}],
        "ttlStrategy": {"secondsAfterCompletion": 30},
    },
}


async def check_server(session: "ArgoSession", *, tries: bool) -> AsyncIterator[Finding]:
    """Check connection, version, token, permissions and clock; stop where nothing can follow.

    Args:
        session: The server's.
        tries: Whether to create, stop and delete a workflow, which pauses and needs no pod. Nothing
            less tells: Argo looks for the workflow before it looks whether it may be changed.
    """
    try:
        version = await session.server.version()
    except (UnauthenticatedError, PermissionDeniedError) as error:
        yield Finding("connection", "ok", f"{session.settings.server} answers")
        yield _token_refused(session, error)
        return
    except AiowfError as error:
        said, hint = told(error)
        if error.message.startswith(NOT_CONNECTED):
            more = await asyncio.to_thread(lambda: list(_elsewhere(session)))
            hint = " ".join(filter(None, (hint, *more)))
        yield Finding("connection", "fail", said, hint)
        return
    yield Finding("connection", "ok", f"{session.settings.server} answers")
    yield judge_version(version.version)
    finding = await _check_token(session)
    yield finding
    if finding.state != "fail":
        yield await _check_permissions(session, tries=tries)
    yield judge_clock(datetime.now(UTC), await session.clock())


def _elsewhere(session: "ArgoSession") -> Iterator[str]:
    """Yield where a server may be, if nobody listens at the address."""
    from aiowf.argo.announced import find_all

    parts = urlsplit(session.settings.url)
    if parts.port is None and session.settings.unix_path is None:
        host = parts.netloc
        yield f"No port is named, and Argo's own is 2746: ARGO_SERVER={host}:2746."
    running = find_all()
    if running:
        yield f"`aiowf dev` runs at {running[0].address}."


async def _check_token(session: "ArgoSession") -> Finding:
    user = GetUserInfoResponse()
    try:
        user = await session.server.user_info()
        await session.workflows.get(_NOBODY, fields=("metadata.name",))
    except UnauthenticatedError as error:
        return _token_refused(session, error)
    except ConfigurationError as error:
        return Finding("token", "fail", *told(error))
    except AiowfError:
        pass  # what else is wrong is the matter of the other checks
    if session.settings.token is None:
        return Finding("token", "ok", "none is given, and none is asked for")
    name = user.service_account_name or user.email or user.subject
    return Finding("token", "ok", f"accepted, of {name}" if name else "accepted")


def _token_refused(session: "ArgoSession", error: AiowfError) -> Finding:
    if session.settings.token is None:
        hint = 'Set ARGO_TOKEN to "Bearer …"; of `aiowf dev`, ask on the machine where it runs.'
        return Finding("token", "fail", "none is given, and the server asks for one", hint)
    said, advice = told(error)
    given = os.environ.get("ARGO_TOKEN", "")
    if given == session.settings.token and " " not in given:
        advice = f'ARGO_TOKEN has no scheme, so "Bearer " was put before it. {advice or ""}'
    return Finding("token", "fail", said, advice)


async def _check_permissions(session: "ArgoSession", *, tries: bool) -> Finding:
    attempts: dict[str, Callable[[], Awaitable[object]]] = {
        "list": lambda: session.workflows.list(limit=1, fields=("items.metadata.name",)),
        "get": lambda: session.workflows.get(_NOBODY, fields=("metadata.name",)),
        "create": lambda: session.workflows.create(dict(_PROBE), server_dry_run=True),
        "watch": lambda: _watch(session),
    }
    answers: dict[str, Answer] = {
        verb: await _answer(attempt()) for verb, attempt in attempts.items()
    }
    if tries and answers["create"] == "allowed":
        answers |= await _try_changes(session)
    return judge_permissions(session.namespace, answers)


async def _try_changes(session: "ArgoSession") -> dict[str, Answer]:
    """Create a workflow, stop it and delete it."""
    try:
        created = await session.workflows.create(dict(_PROBE))
    except AiowfError as error:
        return {"create": _judged(error)}
    name = (created.metadata.name if created.metadata else None) or ""
    stopped = await _answer(session.workflows.stop(name))
    return {"stop": stopped, "delete": await _answer(session.workflows.delete(name))}


async def _answer(attempt: Awaitable[object]) -> Answer:
    try:
        await attempt
    except AiowfError as error:
        return _judged(error)
    return "allowed"


def _judged(error: AiowfError) -> Answer:
    if isinstance(error, NotFoundError):
        return "allowed"  # who may not look is not told that there is nothing
    denied = isinstance(error, PermissionDeniedError | UnauthenticatedError)
    return "denied" if denied else "unknown"


async def _watch(session: "ArgoSession") -> None:
    request = session.workflows.watch_request(
        field_selector=f"metadata.name={_NOBODY}", fields=("result.type", "error")
    )
    try:
        async with asyncio.timeout(_PATIENCE), session.stream(request):
            return
    except TimeoutError:
        return
