"""500 creations in flight: this session compared with bare aiohttp posting the same bytes.

`create_raw` is what a client sends with; `create` structures the answer as well.
"""

import asyncio
import multiprocessing
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from time import perf_counter

import aiohttp
import orjson

from aiowf.argo import ArgoSession
from benchmarks.row import Row

_IN_FLIGHT = 500
_REQUESTS = 3_000
_ROUNDS = 4
_TARGET = 0.8

_SPEC = {
    "entrypoint": "main",
    "templates": [
        {
            "name": "main",
            "script": {"image": "python", "command": ["python"], "source": "print(1)\n" * 200},
        }
    ],
}
BODY = orjson.dumps({"workflow": {"metadata": {"name": "w", "labels": {"a": "b"}}, "spec": _SPEC}})
ANSWER = orjson.dumps(
    {
        "metadata": {"name": "w", "namespace": "argo", "uid": "u", "resourceVersion": "5"},
        "spec": _SPEC,
        "status": {"startedAt": None, "finishedAt": None},
    }
)


class Server(asyncio.Protocol):
    """Answers every POST at once, so that the client is what is measured."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        """Answer the requests that are complete."""
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self.received) < end + 4 + length:
                return
            self.received = self.received[end + 4 + length :]
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)
            )


def serve(pipe: Connection) -> None:
    """Serve for ever; tell the port."""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def rate(send: Callable[[], Awaitable[object]]) -> float:
    """Return requests a second."""
    left = iter(range(_REQUESTS))

    async def worker() -> None:
        for _ in left:
            await send()

    began = perf_counter()
    await asyncio.gather(*(worker() for _ in range(_IN_FLIGHT)))
    return _REQUESTS / (perf_counter() - began)


async def measure(port: int) -> dict[str, float]:
    """Return the best rate of each way to send the same bytes."""
    server = f"http://127.0.0.1:{port}"
    headers = {"Content-Type": "application/json", "Authorization": "Bearer x"}
    async with (
        aiohttp.ClientSession() as bare,
        ArgoSession(server, token="Bearer x", namespace="argo") as session,
    ):

        async def post() -> None:
            url = f"{server}/api/v1/workflows/argo"
            async with bare.post(url, data=BODY, headers=headers) as response:
                await response.read()

        ways: dict[str, Callable[[], Awaitable[object]]] = {
            "aiohttp": post,
            "create_raw": lambda: session.workflows.create_raw(BODY),
            "create": lambda: session.workflows.create(BODY),
        }
        rates: dict[str, float] = dict.fromkeys(ways, 0.0)
        for _ in range(_ROUNDS):
            for name, send in ways.items():
                rates[name] = max(rates[name], await rate(send))
    return rates


def rows() -> list[Row]:
    """Measure against a server in a process of its own."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        rates = asyncio.run(measure(here.recv()))
    finally:
        server.kill()
        server.join()
    bare = rates.pop("aiohttp")
    return [
        Row(
            name=f"{_IN_FLIGHT} creations in flight, {name}, to aiohttp posting the same bytes",
            ours=ours,
            peer=bare,
            unit="/s",
            at_least=_TARGET if name == "create_raw" else None,
        )
        for name, ours in rates.items()
    ]
