"""The HTTP server: Argo's routes over the controller."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from aiowf.engine import again, submission, template_api, verbs
from aiowf.engine.admission import Admission
from aiowf.engine.authority import is_same
from aiowf.engine.browsers import Doorkeeper
from aiowf.engine.clock import Clock, timestamp
from aiowf.engine.controller import Controller, Gone, ignore
from aiowf.engine.exchange import (
    ADMISSION,
    CONTROLLER,
    JOURNAL,
    TEMPLATES,
    answer,
    body_of,
    when_kept,
)
from aiowf.engine.fields import parse_fields
from aiowf.engine.journal import Journal, refused
from aiowf.engine.listing import find, integer, list_workflows
from aiowf.engine.logs import log_entries, log_options
from aiowf.engine.page import Page
from aiowf.engine.pod import Executor
from aiowf.engine.refusal import Refusal, internal, invalid, not_implemented
from aiowf.engine.rendering import pruned, render
from aiowf.engine.streams import Stream, run_stream
from aiowf.engine.templates import Templates
from aiowf.engine.watching import watch_events

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_TOKEN = web.AppKey("token", str)
_MAX_BODY = 3 * 1024 * 1024
_NO_TOKEN = "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/"
_VERSION = {
    "version": "v4.1.2+aiowf",
    "buildDate": "1970-01-01T00:00:00Z",
    "gitCommit": "",
    "gitTag": "",
    "gitTreeState": "clean",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
_NO_ARCHIVE: dict[str, Any] = {"metadata": {}, "items": None}
_INFO = {"modals": {"feedback": False, "firstTimeUser": False, "newVersion": False}}


def create_app(
    executor: Executor,
    *,
    token: str | None = None,
    clock: Clock | None = None,
    grace: float = 10.0,
    claim_gone: Gone = ignore,
    workflow_gone: Gone = ignore,
    journal: Journal | None = None,
    doorkeeper: Doorkeeper | None = None,
    namespace: str | None = None,
) -> web.Application:
    """Make the server of an engine.

    Args:
        executor: Runs the pods.
        token: What `Authorization: Bearer` must carry; None: everybody is served.
        clock: Tells the time; default: the machine's.
        grace: Seconds between SIGTERM and SIGKILL of a pod.
        claim_gone: Is called with namespace and name of a claim that is to be deleted.
        workflow_gone: Is called with namespace and name of a workflow that was deleted.
        journal: Is told of refused requests; default: nobody is.
        doorkeeper: Refuses what foreign web pages ask for; default: requests of another origin.
        namespace: The namespace that clients are told to use, if any.
    """
    door = (doorkeeper or Doorkeeper()).middleware()
    app = web.Application(
        middlewares=[door, _authenticate, _refuse, _keep], client_max_size=_MAX_BODY
    )
    controller = Controller(
        executor, clock or Clock(), grace, claim_gone=claim_gone, workflow_gone=workflow_gone
    )
    templates = Templates(
        controller.store.next_version, lambda: str(timestamp(controller.clock.time()))
    )
    app[CONTROLLER], app[TEMPLATES] = controller, templates
    app[ADMISSION] = Admission(executor, templates)
    app[_TOKEN] = token or ""
    app[JOURNAL] = journal or Journal()
    app.cleanup_ctx.append(_life_of(controller))
    _add_routes(app, {**_INFO, "managedNamespace": namespace} if namespace else _INFO)
    return app


def _life_of(controller: Controller) -> Callable[[web.Application], AsyncIterator[None]]:
    async def life(app: web.Application) -> AsyncIterator[None]:
        app.on_shutdown.append(_close)
        await controller.open()
        yield
        await controller.aclose()

    async def _close(_: web.Application) -> None:
        controller.store.close()

    return life


def _add_routes(app: web.Application, info: Mapping[str, Any]) -> None:
    one = "/api/v1/workflows/{namespace}/{name}"
    app.router.add_get("/api/v1/info", _constant(info), allow_head=False)
    app.router.add_get("/api/v1/version", _constant(_VERSION), allow_head=False)
    app.router.add_get("/api/v1/userinfo", _constant({}), allow_head=False)
    app.add_routes([*submission.routes(), *template_api.routes()])
    app.router.add_get("/api/v1/workflows/{namespace:[^/]*}", _list, allow_head=False)
    app.router.add_get(one, _get, allow_head=False)
    app.router.add_delete(one, _delete)
    for verb in verbs.VERBS:
        app.router.add_put(f"{one}/{verb}", _verb)
    app.router.add_put(f"{one}/retry", _retry)
    app.router.add_get(f"{one}/log", _log, allow_head=False)
    app.router.add_get(f"{one}/{{podName}}/log", _log, allow_head=False)
    app.router.add_get("/api/v1/workflow-events/{namespace:[^/]*}", _watch, allow_head=False)
    app.router.add_get("/api/v1/workflows/{namespace}/", _no_name, allow_head=False)
    app.router.add_get("/artifacts/{rest:.*}", _no_artifact)
    app.router.add_get("/api/v1/archived-workflows", _constant(_NO_ARCHIVE), allow_head=False)
    app.router.add_get("/api/v1/archived-workflows-label-keys", _constant({}), allow_head=False)
    app.router.add_get("/api/v1/archived-workflows-label-values", _constant({}), allow_head=False)
    app.router.add_route("*", "/api/v1/archived-workflows/{rest:.*}", _archive)
    app.router.add_route("*", "/api/v1/cron-workflows/{rest:.*}", _cron)
    app.router.add_route("*", "/api/{rest:.*}", _unknown)
    app.add_routes(Page().routes())


@web.middleware
async def _authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    token = request.app[_TOKEN]
    if token and request.path.startswith("/api/"):
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        refusal = None
        if scheme != "Bearer" or not given.strip():
            refusal = Refusal(16, _NO_TOKEN)
        elif not is_same(given.strip(), token):
            refusal = Refusal(16, "Unauthorized")
        if refusal is not None:
            request.app[JOURNAL].write(refused(request.method, request.path, refusal))
            if _is_stream(request):
                return await Stream(request).end(refusal.stream_error(), refusal.status)
            return answer(refusal.answer(), refusal.status)
    return await handler(request)


def _is_stream(request: web.Request) -> bool:
    return request.path.startswith("/api/v1/workflow-events/") or request.path.endswith("/log")


@web.middleware
async def _refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        if request.method != "GET":
            request.app[JOURNAL].write(refused(request.method, request.path, refusal))
        return answer(refusal.answer(), refusal.status)
    except web.HTTPRequestEntityTooLarge:
        return answer(invalid(f"Request entity too large: limit is {_MAX_BODY}").answer(), 400)


@web.middleware
async def _keep(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    if not response.prepared:
        await when_kept(request)
    return response


def _constant(data: Any) -> Handler:
    async def constant(_: web.Request) -> web.Response:
        return answer(data)

    return constant


async def _unknown(_: web.Request) -> web.Response:
    raise not_implemented()


async def _archive(_: web.Request) -> web.Response:
    raise internal("getting archived workflows not supported")


async def _cron(_: web.Request) -> web.Response:
    raise Refusal(12, "the embedded engine has no cron workflows")


async def _no_name(_: web.Request) -> web.Response:
    raise internal("resource name may not be empty")


async def _no_artifact(_: web.Request) -> web.Response:
    return web.Response(text="Internal Server Error\n", status=500)


async def _get(request: web.Request) -> web.Response:
    controller = request.app[CONTROLLER]
    run = find(controller, request.match_info["namespace"], request.match_info["name"])
    uid = request.query.get("uid")
    if uid and uid != run.metadata["uid"]:
        raise Refusal(13, "runtime error: invalid memory address or nil pointer dereference")
    return answer(pruned(controller.settle(run), parse_fields(request.query.get("fields"))))


async def _list(request: web.Request) -> web.Response:
    controller = request.app[CONTROLLER]
    return answer(list_workflows(controller, request.match_info["namespace"], request.query))


async def _delete(request: web.Request) -> web.Response:
    controller = request.app[CONTROLLER]
    run = find(controller, request.match_info["namespace"], request.match_info["name"])
    controller.delete(run)
    return answer({})


async def _verb(request: web.Request) -> web.Response:
    controller = request.app[CONTROLLER]
    body = await body_of(request)
    run = find(controller, request.match_info["namespace"], request.match_info["name"])
    verbs.VERBS[request.path.rpartition("/")[2]](run, body)
    return answer(render(controller.settle(run)))


async def _retry(request: web.Request) -> web.Response:
    controller = request.app[CONTROLLER]
    body = await body_of(request)
    run = find(controller, request.match_info["namespace"], request.match_info["name"])
    return answer(render(again.retry(controller, run, body)))


async def _watch(request: web.Request) -> web.StreamResponse:
    for name in ("limit", "timeoutSeconds"):
        integer(request.query.get(f"listOptions.{name}"))
    fields = parse_fields(request.query.get("fields"))
    events = watch_events(
        request.app[CONTROLLER], request.match_info["namespace"], request.query, fields
    )
    return await run_stream(request, events, fields.prune_error if fields is not None else None)


async def _log(request: web.Request) -> web.StreamResponse:
    controller = request.app[CONTROLLER]
    query = {**request.query, **{k: v for k, v in request.match_info.items() if k == "podName"}}
    integer(query.get("logOptions.tailLines"))

    async def entries() -> AsyncGenerator[list[Any], None]:
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        run = find(controller, namespace, name)
        async for batch in log_entries(controller, run, log_options(query)):
            yield batch

    return await run_stream(request, entries())
