"""Outcomes of tasks as an Argo Server tells them: a node at a time, and the value after the end."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from argo_double import ArgoDouble, stream
from respx_server import serve

import aiowf
from aiowf.client import stalls


@aiowf.task
def double(n: int) -> int:
    return 2 * n


class Server(ArgoDouble):
    """It tells of the workflow that is watched by name the statuses that a test puts in `told`."""

    def __init__(self) -> None:
        super().__init__({"phase": "Running", "nodes": {}})
        self.told: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    def on_watch(self, request: httpx.Request) -> httpx.Response:
        _, _, name = request.url.params.get("listOptions.fieldSelector", "").partition("=")
        return stream(self.events(name)) if name else super().on_watch(request)

    async def events(self, name: str) -> AsyncIterator[bytes]:
        """Yield what is told of a workflow."""
        yield b":\n"
        version = 1
        while True:
            kind, status = await self.told.get()
            version += 1
            meta = {**self.made[name]["metadata"], "resourceVersion": str(version)}
            if kind == "DELETED":
                del self.made[name]
            event = {"type": kind, "object": {"metadata": meta, "status": status}}
            yield b"data: %s\n\n" % json.dumps({"result": event}).encode()

    def tell(
        self, phase: str, *nodes: dict[str, Any], message: str = "", type: str = "MODIFIED"
    ) -> None:
        status = {"phase": phase, "message": message, "nodes": {each["id"]: each for each in nodes}}
        self.told.put_nowait((type, status))


@pytest.fixture
def server() -> Server:
    """A server whose workflows do what the test says."""
    return Server()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[aiowf.Client]:
    """A client of that server."""
    async with (
        serve(server.router) as url,
        aiowf.connect(url, namespace="argo", token="Bearer hush-hush") as opened,
    ):
        yield opened


def node(name: str, phase: str, kind: str = "Pod", **fields: Any) -> dict[str, Any]:
    """Return the node of a call."""
    return {"id": name, "name": name, "displayName": name, "type": kind, "phase": phase, **fields}


def returned(value: str) -> dict[str, Any]:
    """Return the outputs of a call."""
    return {"outputs": {"parameters": [{"name": "return", "value": value}]}}


async def test_a_value_that_comes_after_its_end_is_waited_for(
    server: Server, client: aiowf.Client
) -> None:
    """A pod may have succeeded before the server has written down what it returned."""
    found = double.map([1, 2], client=client, max_active=8)
    first = asyncio.ensure_future(anext(found))
    server.tell("Running", node("double-0", "Succeeded"), node("double-1", "Running"))
    other = node("double-1", "Succeeded", **returned("4"))
    server.tell("Running", node("double-0", "Succeeded"), other)
    assert await first == (2, 4)
    server.tell("Running", node("double-0", "Succeeded", **returned("2")), other)
    assert await anext(found) == (1, 2)
    server.tell("Succeeded")
    assert [each async for each in found] == []


async def test_attempts_are_no_calls_of_their_own(server: Server, client: aiowf.Client) -> None:
    """The node of all attempts counts; the last one tells why the call failed."""
    found = double.map([1], client=client, return_exceptions=True)
    first = asyncio.ensure_future(anext(found))
    attempts = [
        node("double-0(0)", "Error", message="node lost"),
        node("double-0(1)", "Failed", message="Error (exit code 3)", templateName="double-task"),
    ]
    attempts[1]["outputs"] = {"exitCode": "3"}
    children = [each["id"] for each in attempts]
    server.tell("Running", node("double-0", "Running", "Retry", children=children), *attempts)
    whole = node("double-0", "Failed", "Retry", children=children, message="No more retries left")
    server.tell("Failed", whole, *attempts)
    item, error = await first
    assert item == 1
    assert isinstance(error, aiowf.ItemFailedError)
    cause = error.cause
    assert isinstance(cause, aiowf.OperationFailedError)
    assert (cause.message, cause.exit_code) == ("Error (exit code 3)", 3)
    assert (cause.task, cause.node) == ("double-0", "double-0(1)")
    await found.aclose()


async def test_calls_without_a_value_or_an_end_are_told(
    server: Server, client: aiowf.Client
) -> None:
    """When the workflow has ended nothing more will come."""
    gathering = asyncio.ensure_future(
        double.gather([1, 2], client=client, return_exceptions=True, max_active=8)
    )
    server.tell("Error", node("double-0", "Succeeded"), message="spec is broken")
    values = await gathering
    causes = [each.cause for each in values if isinstance(each, aiowf.ItemFailedError)]
    assert [type(each) for each in causes] == [
        aiowf.MissingResultsError,
        aiowf.OperationFailedError,
    ]
    assert causes[1].message == "it was not run: spec is broken"


async def test_a_pod_that_cannot_start_ends_the_loop(
    server: Server, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All calls have the same image: no item is blamed, and the workflow is stopped."""
    monkeypatch.setattr(stalls, "FIRST_LOOK", 0.05)
    monkeypatch.setattr(stalls, "HOPELESS_AFTER", 0.2)
    waiting = node("double-0", "Pending", message="ErrImagePull: no such image")
    server.status = {"phase": "Running", "nodes": {"double-0": waiting}}
    with pytest.raises(aiowf.OperationStuckError, match="no such image"):
        await double.gather([1], client=client)
    assert server.stop.call_count == 1


async def test_a_workflow_that_is_deleted_is_told(server: Server, client: aiowf.Client) -> None:
    """Nobody waits for what is gone."""
    gathering = asyncio.ensure_future(double.gather([1], client=client))
    server.tell("", type="DELETED")
    with pytest.raises(aiowf.NotFoundError, match="was deleted before its end was seen"):
        await gathering
