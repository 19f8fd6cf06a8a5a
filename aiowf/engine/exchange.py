"""What the handlers of requests share: the parts of the application, bodies and answers."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from aiowf.engine.admission import Admission
from aiowf.engine.controller import Controller
from aiowf.engine.journal import Journal
from aiowf.engine.normalise import check_depth, normalise
from aiowf.engine.refusal import invalid
from aiowf.engine.templates import Templates

CONTROLLER = web.AppKey("controller", Controller)
ADMISSION = web.AppKey("admission", Admission)
JOURNAL = web.AppKey("journal", Journal)
TEMPLATES = web.AppKey("templates", Templates)
# Where anything is kept: is awaited before anything is answered, so that clients hear of nothing
# that could still be lost.
KEPT = web.AppKey[Callable[[], Awaitable[None]]]("kept")
NO_TIMES = {"startedAt": None, "finishedAt": None}


async def when_kept(request: web.Request) -> None:
    """Return once what an answer tells of is kept, where anything is."""
    kept = request.app.get(KEPT)
    if kept is not None:
        await kept()


def answer(data: Any, status: int = 200) -> web.Response:
    """Return an answer of JSON data."""
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")


async def body_of(request: web.Request) -> dict[str, Any]:
    """Return the body as an object; an empty one is an empty object.

    Raises:
        Refusal: It is something else.
    """
    try:
        text = await request.read()
    except web.RequestPayloadError:
        raise invalid("the body cannot be decoded: see Content-Encoding") from None
    if not text.strip():
        return {}
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        at_end = "unexpected end" in str(error) or "EOF" in str(error)
        raise invalid("unexpected EOF" if at_end else f"invalid JSON: {error}") from None
    if not isinstance(data, dict):
        raise invalid(
            "json: cannot unmarshal array into Go value of type workflow.WorkflowCreateRequest"
        )
    return data


def decoded(given: Any) -> dict[str, Any]:
    """Return a workflow or template as Argo's server would take it.

    Raises:
        Refusal: It cannot be read.
    """
    check_depth(given)
    data = normalise(given)
    return {"metadata": data.get("metadata", {}), "spec": data.get("spec", {})}
