"""The workflow endpoints of CloudHarness's samples application, as an aiohttp.web service.

    python -m aiohttp.web -P 8080 cloudharness_samples:make_app

In a deployment of CloudHarness `aiowf.connect("cloudharness")` finds the server, the images and
Kafka in allvalues.yaml; anywhere else `aiowf.connect()` reads the environment.
"""

import logging
from collections.abc import AsyncIterator, Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler

import aiowf
from aiowf import operations, tasks
from aiowf.client import Client

README = "https://github.com/MetaCell/cloud-harness/blob/master/README.md"
SHARED = "/mnt/shared"

log = logging.getLogger(__name__)
routes = web.RouteTableDef()


def download(url: str) -> tasks.CustomTask:
    return tasks.CustomTask("download-file", "workflows-extract-download", url=url)


@routes.get("/operation_async")
async def submit_async(request: web.Request) -> web.Response:
    """Download a file, then print it: two tasks that share a directory. Answers at once."""
    url = request.query.get("url", README)
    shown = tasks.CustomTask(
        "print-file", "samples-print-file", file_path=f"{SHARED}/{url.rpartition('/')[2]}"
    )
    operation = operations.PipelineOperation(
        "test-custom-connected-op-", (download(url), shown), shared_directory=SHARED
    )
    run = await operation.execute()
    href = str(request.url.join(request.app.router["operation"].url_for(name=run.name)))
    return web.json_response({"task": {"href": href, "name": run.name}}, status=202)


@routes.get("/operations/{name}", name="operation")
async def operation_status(request: web.Request) -> web.Response:
    """Tell how an operation fares: what the answer of /operation_async refers to."""
    client = await aiowf.current_client()
    run = client.get_run(request.match_info["name"])
    running = await run.is_running()
    return web.json_response({"name": run.name, "status": run.phase, "running": running})


@routes.get("/operation_sync")
async def submit_sync(request: web.Request) -> web.Response:
    """Download a file, and answer when that is done."""
    operation = operations.DistributedSyncOperation(
        "test-sync-op-", download(request.query.get("url", README)), shared_directory=SHARED
    )
    result = await operation.execute(timeout=300)
    return web.json_response({"name": result.name, "status": result.phase})


@routes.get("/operation_sync_results")
async def submit_sync_with_results(request: web.Request) -> web.Response:
    """Add two numbers in the cluster, and answer with the file that holds the sum."""
    a, b = (float(request.query.get(name, default)) for name, default in (("a", 1), ("b", 2)))
    operation = operations.DistributedSyncOperationWithResults(
        "test-sync-op-results-", tasks.CustomTask("test-sum", "samples-sum", a=a, b=b)
    )
    result = await operation.execute(timeout=300)
    return web.json_response(result.files.text("result"))


@web.middleware
async def tell_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log what aiowf says of a failure; the caller learns no more than its kind."""
    try:
        return await handler(request)
    except aiowf.NotFoundError:
        return web.json_response({"error": "there is no such operation"}, status=404)
    except aiowf.AiowfError as error:
        log.error("%s failed: %s", request.path, error)
        if isinstance(error, aiowf.OperationTimeoutError):
            return web.json_response({"error": "the operation took too long"}, status=504)
        return web.json_response({"error": "the operation failed"}, status=500)


def make_app(
    argv: Sequence[str] = (), connect: Callable[[], Client] = aiowf.connect
) -> web.Application:
    """Make the service; one client, opened with it, serves every request."""

    async def lifespan(app: web.Application) -> AsyncIterator[None]:
        async with connect():
            yield

    app = web.Application(middlewares=[tell_errors])
    app.cleanup_ctx.append(lifespan)
    app.add_routes(routes)
    return app
