"""An aiohttp.web service that runs workflows: `python aiohttp_service.py`."""

import logging
from collections.abc import AsyncIterator

import shop
from aiohttp import web

import aiowf

log = logging.getLogger(__name__)


async def workflows(app: web.Application) -> AsyncIterator[None]:
    """Keep one client open, which all handlers use."""
    async with aiowf.connect():
        yield


async def price(request: web.Request) -> web.Response:
    """Compute a price, and wait for it."""
    number = int(request.match_info["number"])
    try:
        result = await shop.pricing(number).execute(timeout=60)
    except aiowf.OperationFailedError as error:
        log.error("order %d has no price: %s", number, error)
        return web.json_response({"error": "the price could not be computed"}, status=502)
    return web.json_response({"price": result.value})


async def start_report(request: web.Request) -> web.Response:
    """Start a report, or find the one that was started before."""
    month = request.match_info["month"]
    run = await shop.report(month).execute(id=month)
    return web.json_response({"workflow": run.name}, status=202)


def make_app(argv: list[str] | None = None) -> web.Application:
    """Make the application."""
    app = web.Application()
    app.cleanup_ctx.append(workflows)
    app.router.add_post("/orders/{number}/price", price)
    app.router.add_post("/reports/{month}", start_report)
    return app


if __name__ == "__main__":
    # A caller who goes away cancels the handler, and that stops the workflow.
    web.run_app(make_app(), handler_cancellation=True)
