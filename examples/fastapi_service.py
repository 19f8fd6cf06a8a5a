"""A FastAPI service that runs workflows: `uvicorn fastapi_service:app`."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import shop
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import aiowf

log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep one client open, which all handlers use."""
    async with aiowf.connect():
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/orders/{number}/price")
async def price(number: int) -> dict[str, float]:
    """Compute a price, and wait for it."""
    result = await shop.pricing(number).execute(timeout=60)
    return {"price": result.value}


@app.post("/reports/{month}", status_code=202)
async def start_report(month: str) -> dict[str, str]:
    """Start a report, or find the one that was started before."""
    run = await shop.report(month).execute(id=month)
    return {"workflow": run.name}


@app.get("/reports/{workflow}")
async def report(workflow: str) -> dict[str, str]:
    """Tell how a report gets on."""
    client = await aiowf.current_client()
    run = client.get_run(workflow)
    await run.workflow()
    return {"phase": run.phase}


@app.exception_handler(aiowf.OperationFailedError)
async def failed(request: Request, error: aiowf.OperationFailedError) -> JSONResponse:
    """Log why, and tell the caller only that it was no fault of his."""
    log.error("%s failed: %s", request.url.path, error)
    return JSONResponse({"error": "the work could not be done"}, status_code=502)
