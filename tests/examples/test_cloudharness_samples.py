"""The samples service of CloudHarness on the embedded engine, with programs for its images."""

import importlib.util
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

import aiowf
from aiowf.profile import ImageCatalogue, Profile

SERVICE = Path(__file__).parents[2] / "examples" / "cloudharness_samples.py"
PROGRAMS = {
    "workflows-extract-download": """
import os, urllib.request
name = os.environ["url"].rpartition("/")[2]
urllib.request.urlretrieve(os.environ["url"], os.path.join(os.environ["shared_directory"], name))
""",
    "samples-print-file": "import os; print(open(os.environ['file_path']).read())",
    "samples-sum": """
import os
with open(os.path.join(os.environ["shared_directory"], "result"), "w") as file:
    file.write(str(float(os.environ["a"]) + float(os.environ["b"])))
""",
}

Service = TestClient[web.Request, web.Application]


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """The service over HTTP, its images replaced by small programs."""
    spec = importlib.util.spec_from_file_location("cloudharness_samples", SERVICE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    connect = partial(
        aiowf.connect,
        "local",
        images={name: [sys.executable, "-c", source] for name, source in PROGRAMS.items()},
        profile=Profile(images=ImageCatalogue({name: f"{name}:1" for name in PROGRAMS})),
    )
    async with TestClient(TestServer(module.make_app(connect=connect))) as caller:
        yield caller


@pytest.fixture
async def page() -> AsyncIterator[str]:
    """The address of a file to download."""

    async def read_me(request: web.Request) -> web.Response:
        return web.Response(text="read me")

    app = web.Application()
    app.router.add_get("/README.md", read_me)
    async with TestServer(app) as server:
        yield str(server.make_url("/README.md"))


async def test_a_pipeline_is_started_and_followed(service: Service, page: str) -> None:
    """/operation_async names a run and its address, which tells how it fares until it is done."""
    answer = await service.get("/operation_async", params={"url": page})
    task = (await answer.json())["task"]
    assert 202 == answer.status
    client = await aiowf.current_client()
    run = client.get_run(task["name"])
    await run.wait(timeout=60)
    answer = await service.session.get(task["href"])
    told = {"name": task["name"], "status": "Succeeded", "running": False}
    assert told == await answer.json()
    assert ["read me"] == [line async for line in run.logs("print-file")]


async def test_a_download_is_waited_for(service: Service, page: str) -> None:
    """/operation_sync answers when the workflow has succeeded."""
    answer = await service.get("/operation_sync", params={"url": page})
    assert "Succeeded" == (await answer.json())["status"]


async def test_a_sum_comes_back(service: Service) -> None:
    """/operation_sync_results answers with the content of the file that the pod wrote."""
    answer = await service.get("/operation_sync_results", params={"a": "10", "b": "32"})
    assert "42.0" == await answer.json()


async def test_a_failure_is_told(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """A task that fails, and an operation that nobody knows, are told shortly; the log has why."""
    answer = await service.get("/operation_sync", params={"url": "http://127.0.0.1:9/README.md"})
    assert 500 == answer.status
    assert {"error": "the operation failed"} == await answer.json()
    assert "Connection refused" in caplog.text
    answer = await service.get("/operations/nobody")
    assert 404 == answer.status
