"""What tests do to an engine: set its images and its clock, skip time, and begin afresh."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from attrs import define, field

from aiowf.engine.addresses import REHEARSAL
from aiowf.engine.authority import Authority, bearer
from aiowf.engine.claims import Claims
from aiowf.engine.controller import Controller
from aiowf.engine.directories import remove_tree
from aiowf.engine.executor.command import stand_in
from aiowf.engine.rendering import render
from aiowf.engine.run import WorkflowRun
from aiowf.engine.skipping import SkippingClock
from aiowf.engine.topics import Topics

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@define(eq=False, kw_only=True)
class Rehearsal:
    """Handlers of requests that no engine but one for tests serves.

    Attributes:
        authority: Who may do what.
        controller: Runs the workflows.
        clock: The controller's clock.
        images: What runs in place of an image; shared with the executor.
        topics: The topics; the queues among them are deleted.
        claims: The claims; deleted.
        submissions: A file with a line of JSON for each workflow that was accepted.
    """

    authority: Authority
    controller: Controller
    clock: SkippingClock
    images: dict[str, list[str]]
    topics: Topics
    claims: Claims
    submissions: Path
    # Images of which pods can never start → why.
    _pending: dict[str, str] = field(factory=dict, init=False)

    def install(self, app: web.Application) -> None:
        """Add the routes to an application, and note what it is asked to do."""
        app.router.add_put(REHEARSAL, self._guard(self._begin))
        app.router.add_post(f"{REHEARSAL}/skip", self._guard(self._skip))
        app.middlewares.append(self._hold)
        self.controller.submitted = self._submitted
        self.controller.pods.unstartable = lambda pod: (
            stand_in(self._pending, pod.container.image) or ""
        )

    def _guard(self, handler: _Handler) -> _Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if not self.authority.is_client(bearer(request.headers.get("Authorization"))):
                raise web.HTTPUnauthorized
            return await handler(request)

        return guarded

    async def _begin(self, request: web.Request) -> web.Response:
        """Forget everything; then images and clock are as the body says."""
        given: dict[str, Any] = orjson.loads(await request.read())
        self.clock.skips = False
        await self.controller.clear()
        await self.topics.delete_queues()
        await asyncio.to_thread(self._clean)
        self.images.clear()
        self.images.update(given["images"])
        self._pending = given["pending"]
        self.clock.skips = given["skips"]
        return web.json_response({})

    async def _skip(self, request: web.Request) -> web.Response:
        given: dict[str, Any] = orjson.loads(await request.read())
        await self.clock.skip(given["seconds"])
        return web.json_response({})

    def _clean(self) -> None:
        if self.claims.directory.is_dir():
            remove_tree(str(self.claims.directory))
        with self.submissions.open("wb"):
            pass

    def _submitted(self, run: WorkflowRun) -> None:
        # Into the page cache, before the request is answered: whoever has the answer finds it.
        descriptor = os.open(self.submissions, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, orjson.dumps(render(run)) + b"\n")
        finally:
            os.close(descriptor)

    @web.middleware
    async def _hold(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Hold the clock while a workflow is submitted, or something is done to one."""
        if request.method == "GET" or request.path.startswith(REHEARSAL):
            return await handler(request)
        self.clock.hold()
        try:
            return await handler(request)
        finally:
            self.clock.release()
