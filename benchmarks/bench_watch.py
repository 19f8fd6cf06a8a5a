"""Reading a watch: bytes of a socket → events, compared with orjson.loads alone on the same bytes.

Every size of message is read from a server in a process of its own; the best of some rounds counts.
"""

import asyncio
import multiprocessing
import socket
import time
from multiprocessing.connection import Connection
from typing import Any

import orjson

from aiowf.argo import ArgoSession, Watch
from benchmarks.row import Row

_TARGETS = {1_000: 0.35, 50_000: 0.6, 2_000_000: 0.8}
_VOLUME = 60_000_000  # bytes read for each size
_ROUNDS = 5


def message(size: int, phase: str, version: int) -> bytes:
    """Return JSON text of a watch's message of about this size."""
    nodes: dict[str, Any] = {}
    body: dict[str, Any] = {
        "result": {
            "type": "MODIFIED",
            "object": {
                "metadata": {
                    "name": "etl-4f9c2a",
                    "namespace": "argo",
                    "uid": "487d0e28-8b39-402e-92ba-64f5d1abce8f",
                    "resourceVersion": str(version),
                    "labels": {"aiowf.dev/session": "s1", "workflows.argoproj.io/phase": phase},
                },
                "status": {"phase": phase, "progress": "0/1", "finishedAt": None, "nodes": nodes},
            },
        }
    }
    empty = len(orjson.dumps(body))
    node = {
        "name": "etl-4f9c2a[0].load",
        "displayName": "load",
        "type": "Pod",
        "templateName": "load",
        "phase": "Succeeded",
        "startedAt": "2026-11-23T15:53:44Z",
        "finishedAt": "2026-11-23T15:53:54Z",
        "outputs": {"exitCode": "0", "parameters": [{"name": "return", "value": "3.14"}]},
        "children": ["etl-4f9c2a-2129060721"],
    }
    each = len(orjson.dumps(node)) + 30
    for number in range(max(0, size - empty) // each):
        nodes[f"etl-4f9c2a-{number:010d}"] = node
    return orjson.dumps(body)


def chunk(text: bytes) -> bytes:
    """Return a message as an Argo Server sends it: one event in one HTTP chunk."""
    event = b"data: " + text + b" \n\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


def serve(pipe: Connection, size: int, count: int) -> None:
    """Send the same stream to everybody who connects; the workflow ends with the last message."""
    listener = socket.create_server(("127.0.0.1", 0))
    pipe.send(listener.getsockname()[1])
    body = chunk(message(size, "Running", 1))
    at_once = max(1, 262_144 // len(body))
    while True:
        connection, _ = listener.accept()
        if b"workflow-events" not in connection.recv(65_536):
            connection.close()
            continue
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for start in range(0, count - 1, at_once):
            connection.sendall(body * min(at_once, count - 1 - start))
        connection.sendall(chunk(message(size, "Succeeded", 2)))


async def read(port: int) -> float:
    """Return the seconds from opening a watch to the end of the workflow that it tells."""
    async with (
        ArgoSession(f"http://127.0.0.1:{port}", namespace="argo") as session,
        Watch(session, label_selector="aiowf.dev/session=s1") as watch,
    ):
        began = time.perf_counter()
        subscription = watch.follow("etl-4f9c2a", "487d0e28-8b39-402e-92ba-64f5d1abce8f")
        await subscription.ended()
        return time.perf_counter() - began


def alone(text: bytes, count: int) -> float:
    """Return the seconds that orjson needs for the same messages."""
    began = time.perf_counter()
    for _ in range(count):
        orjson.loads(text)
    return time.perf_counter() - began


def rows() -> list[Row]:
    """Measure all sizes."""
    return [measure(size, target) for size, target in _TARGETS.items()]


def measure(size: int, target: float) -> Row:
    """Measure one size, and compare the best round of each side."""
    text = message(size, "Running", 1)
    count = max(10, _VOLUME // len(text))
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there, size, count), daemon=True)
    server.start()
    port = here.recv()
    try:
        pairs = [(alone(text, count), asyncio.run(read(port))) for _ in range(_ROUNDS)]
    finally:
        server.kill()
        server.join()
    megabytes = len(text) * count / 1e6
    return Row(
        name=f"watch, messages of {size / 1000:,.0f} KB, to orjson.loads alone",
        ours=megabytes / min(watched for _, watched in pairs),
        peer=megabytes / min(bare for bare, _ in pairs),
        unit="MB/s",
        at_least=target,
    )
