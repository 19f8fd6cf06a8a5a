"""A server that takes workflows and tells of them what a test says; `respx_server` serves it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import respx

WORKFLOWS = "/api/v1/workflows/argo"


def stream(words: AsyncIterator[bytes]) -> httpx.Response:
    """Return an answer that is a stream."""
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=words)


async def silence() -> AsyncIterator[bytes]:
    """Yield the words of a watch of which nothing is told."""
    yield b":\n"
    await asyncio.Event().wait()


class ArgoDouble:
    """What a server remembers: the workflows that were created, and how they fare.

    Attributes:
        router: The routes.
        made: Name → workflow.
        status: The status that every workflow has.
        refusal: What reads are answered instead, or None.
        create: The route of creations; likewise `watch`, `list`, `get` and `stop`.
    """

    def __init__(self, status: dict[str, Any] | None = None) -> None:
        self.router = respx.Router(assert_all_called=False)
        self.made: dict[str, dict[str, Any]] = {}
        self.status = status or {"phase": "Running", "startedAt": None, "finishedAt": None}
        self.refusal: httpx.Response | None = None
        self.create = self.router.post(path=WORKFLOWS).mock(side_effect=self.on_create)
        self.watch = self.router.get(path="/api/v1/workflow-events/argo").mock(
            side_effect=self.on_watch
        )
        self.list = self.router.get(path=WORKFLOWS).mock(side_effect=self.on_list)
        self.get = self.router.get(path__regex=rf"{WORKFLOWS}/[^/]+").mock(side_effect=self.on_get)
        self.stop = self.router.put(path__regex=rf"{WORKFLOWS}/[^/]+/stop").mock(
            side_effect=self.on_stop
        )

    def seen(self, workflow: dict[str, Any]) -> dict[str, Any]:
        """Return a workflow as it is told."""
        return {**workflow, "status": self.status}

    def on_create(self, request: httpx.Request) -> httpx.Response:
        workflow = json.loads(request.content)["workflow"]
        name = workflow["metadata"]["name"]
        if name in self.made:
            text = f'workflows.argoproj.io "{name}" already exists'
            return httpx.Response(409, json={"code": 6, "message": text})
        workflow["metadata"] |= {"uid": f"uid-{name}", "resourceVersion": "1"}
        self.made[name] = workflow
        return httpx.Response(200, json=workflow)

    def on_get(self, request: httpx.Request) -> httpx.Response:
        workflow = self.made.get(request.url.path.rpartition("/")[2])
        return self.refusal or self._answer(workflow and self.seen(workflow))

    def on_list(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        begin, size = int(query.get("listOptions.continue", 0)), int(query["listOptions.limit"])
        items = [self.seen(made) for made in self.made.values()][begin : begin + size]
        return self.refusal or httpx.Response(200, json={"metadata": {}, "items": items})

    def on_watch(self, request: httpx.Request) -> httpx.Response:
        return stream(silence())

    def on_stop(self, request: httpx.Request) -> httpx.Response:
        return self._answer(self.made.get(request.url.path.split("/")[-2]))

    def _answer(self, workflow: dict[str, Any] | None) -> httpx.Response:
        if workflow is None:
            return httpx.Response(404, json={"code": 5, "message": "not found"})
        return httpx.Response(200, json=workflow)


def pending(message: str) -> dict[str, Any]:
    """Return the status of a workflow whose pod is pending."""
    node = {
        "id": "op",
        "name": "op",
        "displayName": "work",
        "type": "Pod",
        "phase": "Pending",
        "templateName": "work",
        "message": message,
    }
    return {"phase": "Running", "nodes": {"op": node}, "startedAt": None, "finishedAt": None}
