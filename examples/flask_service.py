"""A Flask service that runs workflows: `python flask_service.py`."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import shop
from anyio.from_thread import BlockingPortal, start_blocking_portal
from flask import Flask, request

import aiowf

log = logging.getLogger(__name__)


def make_app(portal: BlockingPortal) -> Flask:
    """Make the application; its handlers run in threads, and call through the portal."""
    app = Flask(__name__)

    @app.post("/orders/<int:number>/price")
    def price(number: int) -> dict[str, float]:
        """Compute a price, and wait for it."""
        result = portal.call(partial(shop.pricing(number).execute, timeout=60))
        return {"price": result.value}

    @app.post("/reports/<month>")
    def start_report(month: str) -> tuple[dict[str, str], int]:
        """Start a report, or find the one that was started before."""
        run = portal.call(partial(shop.report(month).execute, id=month))
        return {"workflow": run.name}, 202

    @app.errorhandler(aiowf.OperationFailedError)
    def failed(error: aiowf.OperationFailedError) -> tuple[dict[str, str], int]:
        """Log why, and tell the caller only that it was no fault of his."""
        log.error("%s failed: %s", request.path, error)
        return {"error": "the work could not be done"}, 502

    return app


@contextmanager
def service() -> Iterator[Flask]:
    """Keep an event loop in a thread, and one client open on it, which all handlers use."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(aiowf.connect()):
        yield make_app(portal)


if __name__ == "__main__":
    with service() as app:
        app.run()
