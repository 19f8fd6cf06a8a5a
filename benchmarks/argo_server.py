"""A small Argo Server for the benchmarks, in a process of its own: quick, and it forgets nothing.

It takes workflows (each name once), answers with them as Argo does, tells of them over watches, and
ends as many of them a second as it is told.
"""

import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

_OK = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
_STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\n:\n\r\n"
)
_TIMES = {"startedAt": "2026-11-23T15:49:15Z", "finishedAt": "2026-11-23T15:49:25Z"}


class State:
    """What all connections share."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {}  # name → workflow with its status
        self.watchers: set[asyncio.Transport] = set()
        self.counts: Counter[str] = Counter()
        self.version = 100
        self.ending: asyncio.Task[None] | None = None

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        """Answer a request; 0 as status opens a watch."""
        url = urlsplit(target)
        parts = url.path.split("/")[3:]
        if parts[0] == "workflow-events":
            self.counts["watch"] += 1
            return 0, None
        if parts[0] == "counts":
            return 200, {**self.counts, "made": len(self.made)}
        if parts[0] == "end":
            self.ending = asyncio.create_task(self.end(float(parts[1])))
            return 200, {}
        if method == "POST":
            self.counts["create"] += 1
            return self.create(orjson.loads(body)["workflow"])
        if len(parts) == 2:
            self.counts["list"] += 1
            return 200, self.page(parse_qs(url.query))
        self.counts["get"] += 1
        found = self.made.get(parts[2])
        return (200, found) if found else (404, {"code": 5, "message": f'"{parts[2]}" not found'})

    def create(self, workflow: dict[str, Any]) -> tuple[int, Any]:
        """Take a workflow."""
        meta = workflow["metadata"]
        name = meta["name"]
        if name in self.made:
            text = f'workflows.argoproj.io "{name}" already exists'
            return 409, {"code": 6, "message": text}
        self.version += 1
        meta["uid"], meta["resourceVersion"] = f"uid-{name}", str(self.version)
        meta["namespace"] = "argo"
        workflow["status"] = {"startedAt": None, "finishedAt": None}
        self.made[name] = workflow
        return 200, workflow

    def page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """Return a page of a list, without what takes place."""
        begin = int(query.get("listOptions.continue", ["0"])[0])
        count = int(query.get("listOptions.limit", ["100000"])[0])
        items = list(self.made.values())[begin : begin + count]
        kept = ("name", "namespace", "uid", "resourceVersion", "labels")
        return {
            "metadata": {},
            "items": [
                {
                    "metadata": {key: each["metadata"][key] for key in kept},
                    "status": each["status"],
                }
                for each in items
            ],
        }

    async def end(self, rate: float) -> None:
        """End all workflows, so many a second; the message of each says when it was told."""
        begun = time.monotonic()
        for number, (name, workflow) in enumerate(self.made.items()):
            if (rest := begun + number / rate - time.monotonic()) > 0:
                await asyncio.sleep(rest)
            node = {"id": name, "name": name, "displayName": name, "type": "Pod"}
            node |= {"templateName": "work", "phase": "Succeeded", **_TIMES}
            self.version += 1
            workflow["metadata"]["resourceVersion"] = str(self.version)
            status = {"phase": "Succeeded", "progress": "1/1", **_TIMES}
            status["message"] = repr(time.monotonic())
            workflow["status"] = {**status, "nodes": {name: node}}
            event = orjson.dumps(
                {
                    "result": {
                        "type": "MODIFIED",
                        "object": {"metadata": workflow["metadata"], "status": status},
                    }
                }
            )
            text = b"data: %b \n\n\n" % event
            for watcher in self.watchers:
                watcher.write(b"%x\r\n%b\r\n" % (len(text), text))


class Talk(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, state: State) -> None:
        self.state = state
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.state.watchers.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        """Answer the requests that are complete."""
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end]
            _, found, rest = head.lower().partition(b"content-length:")
            length = int(rest.split(b"\r\n", 1)[0]) if found else 0
            if len(self.received) < end + 4 + length:
                return
            body = self.received[end + 4 : end + 4 + length]
            self.received = self.received[end + 4 + length :]
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            status, answer = self.state.answer(method, target, body)
            if status == 0:
                self.transport.write(_STREAM)
                self.state.watchers.add(self.transport)
            else:
                text = orjson.dumps(answer)
                self.transport.write(_OK % (status, len(text), text))


def _serve(pipe: Connection) -> None:
    async def main() -> None:
        state = State()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Talk(state), "127.0.0.1", 0, backlog=1000)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def argo_server() -> Iterator[str]:
    """Run the server; give its URL."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.kill()
        process.join()
