"""500 submissions in flight: a client's, and bare aiohttp posting the same ready bytes.

Ours renders the operations, makes names and labels, checks them, reads the answers and makes the
Runs. Hera's asynchronous service is run by the interpreter that HERA_PYTHON names, or by this one
if it has Hera; without Hera its row is left out.
"""

import asyncio
import json
import os
import subprocess
import sys
from time import perf_counter
from typing import Any

import aiohttp

from benchmarks.argo_server import argo_server
from benchmarks.row import Row

IN_FLIGHT = 500
ROUNDS = 12

_HERA = """
import asyncio, json, sys, time, uuid
from hera.shared import global_config
from hera.workflows import Container, Workflow
from hera.workflows.async_service import AsyncWorkflowsService
from hera.workflows.models import WorkflowCreateRequest
async def main(url):
    service = AsyncWorkflowsService(host=url, token="Bearer x", namespace="argo")
    places = asyncio.Semaphore(100)  # beyond its connections it would run into its PoolTimeout
    async def one():
        with Workflow(name=f"hera-{uuid.uuid4().hex}", entrypoint="work") as workflow:
            Container(name="work", image="python:3.11-slim", command=["bash"], args=["true"])
        request = WorkflowCreateRequest(workflow=workflow.build())
        async with places:
            await service.create_workflow(request, namespace="argo")
    best = 0.0
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(IN_FLIGHT)))
        best = max(best, IN_FLIGHT / (time.perf_counter() - begun))
    print(json.dumps(best))
asyncio.run(main(sys.argv[1]))
"""


def rows() -> list[Row]:
    """Measure both in turns, against one server; then Hera."""
    with argo_server() as url:
        ours, bare, made = asyncio.run(measure(url))
        hera = _hera(url)
    name = f"{IN_FLIGHT} submissions in flight"
    found = [
        Row(name=f"{name}, to bare aiohttp", ours=ours, peer=bare, unit="/s", at_least=0.8),
        Row(name=f"{name}: created, of each one", ours=made, unit="", at_least=1, at_most=1),
    ]
    if hera is not None:
        found.append(Row(name=f"{name}, peer: Hera", ours=ours, peer=hera, unit="/s", at_least=1))
    return found


async def measure(url: str) -> tuple[float, float, float]:
    """Return our submissions a second, bare aiohttp's, and how many exist of each of ours."""
    import aiowf
    from aiowf import operations, tasks
    from aiowf.client.planning import name_of_operation, plan_operation

    ops = [
        operations.DistributedSyncOperation(f"sim-{n}-", tasks.PythonTask("sim", _sim, args=(n,)))
        for n in range(IN_FLIGHT)
    ]
    names: list[str] = []
    ours = bare = 0.0
    headers = {"Authorization": "Bearer x", "Content-Type": "application/json"}
    async with (
        aiowf.connect(url, namespace="argo", token="Bearer x") as client,
        aiohttp.ClientSession() as session,
    ):

        async def post(body: bytes) -> None:
            async with session.post(
                f"{url}/api/v1/workflows/argo", data=body, headers=headers
            ) as response:
                await response.read()

        for _ in range(ROUNDS):
            parcels = [
                await plan_operation(op, name_of_operation(op), client.backend) for op in ops
            ]
            begun = perf_counter()
            await asyncio.gather(*(post(parcel.body) for parcel in parcels))
            bare = max(bare, IN_FLIGHT / (perf_counter() - begun))
            begun = perf_counter()
            runs = await asyncio.gather(*(client.submit(op) for op in ops))
            ours = max(ours, IN_FLIGHT / (perf_counter() - begun))
            names += [run.name for run in runs]
        async with session.get(f"{url}/api/v1/counts") as response:
            counts: dict[str, Any] = await response.json()
    assert len(set(names)) == len(names)
    return ours, bare, (counts["made"] - IN_FLIGHT * ROUNDS) / len(names)


def _sim(seed: int) -> float:
    total = 0.0
    for step in range(seed):
        total += step * 0.5
    return total


def _hera(url: str) -> float | None:
    python = os.environ.get("HERA_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import hera"], capture_output=True).returncode:
        return None
    program = _HERA.replace("ROUNDS", "3").replace("IN_FLIGHT", str(IN_FLIGHT))
    done = subprocess.run([python, "-c", program, url], capture_output=True, check=True, text=True)
    return float(json.loads(done.stdout))
