"""Keeps what the engine knows in its database, and brings it back at the next start."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from aiowf.engine.controller import Controller
from aiowf.engine.records import interrupt, run_of
from aiowf.engine.run import WorkflowRun
from aiowf.engine.store import Stored
from aiowf.engine.templates import Templates
from aiowf.errors import EngineError

if TYPE_CHECKING:
    from aiowf.engine.database import Database


@asynccontextmanager
async def keep(
    database: "Database", controller: Controller, templates: Templates
) -> AsyncIterator[Callable[[object], Awaitable[None]]]:
    """Restore workflows and templates, and write their changes within the context.

    Yields:
        What is to be called before the engine ends: what becomes of workflows that run is not kept.

    Raises:
        EngineError: The database cannot be read, or is broken.
    """
    await _restore(database, controller, templates)

    def noted(kind: str, workflow: Stored) -> None:
        database.note_workflow(cast(WorkflowRun, workflow), deleted=kind == "DELETED")

    async def settle(_: object) -> None:
        controller.store.noted = lambda kind, workflow: None
        await database.flush()

    database.version = lambda: controller.store.version
    controller.store.noted, templates.changed = noted, database.note_template
    writing = asyncio.create_task(database.write_changes(), name="engine-database")
    try:
        yield settle
    finally:
        writing.cancel()
        await asyncio.wait([writing])


async def _restore(database: "Database", controller: Controller, templates: Templates) -> None:
    records, stored, version = await database.read()
    try:
        version = int(version)
        runs = [run_of(controller, record) for record in records]
    except (KeyError, TypeError, ValueError):
        raise EngineError(
            f"the database {database.path!r} holds a record that cannot be read",
            hint="Name another file, or restore this one from a copy.",
        ) from None
    for key, template in stored.items():
        templates.put(key, template)
    controller.restore(runs, version)
    for run in runs:
        if run.finished is None:
            interrupt(run, controller.clock.time())
            controller.tell(run)
            database.note_workflow(run, deleted=False)
            controller.completed(run)
