"""A FastAPI service that runs workflows: `uvicorn fastapi_service:app`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import shop
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

import aiowf

log = logging.getLogger(__name__)
T = TypeVar("T")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep one client open, which all handlers use."""
    async with aiowf.connect():
        yield


app = FastAPI(lifespan=lifespan)


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await work; a caller who goes away cancels it, and that stops the workflow."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.create_task(work), asyncio.create_task(gone())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise HTTPException(499, "the caller has gone")
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait({working, leaving})


@app.post("/orders/{number}/price")
async def price(number: int, request: Request) -> dict[str, float]:
    """Compute a price, and wait for it."""
    result = await while_connected(request, shop.pricing(number).execute(timeout=60))
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
