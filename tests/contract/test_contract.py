"""One contract for both sides: what a real Argo Server was asked, asked of the embedded engine."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aiowf.argo import ArgoSession
from aiowf.engine import Engine, launch
from aiowf.errors import ArgoError
from aiowf.manifest import Workflow
from aiowf.wire.answers import read_json, read_value
from aiowf.wire.errors import error_of
from aiowf.wire.requests import Request

DATA = Path(__file__).parents[1] / "data" / "argo" / "http-contract.json"
CASES: dict[str, list[dict[str, Any]]] = json.loads(DATA.read_text())
# What depends on the server's version, its Kubernetes, or its configuration.
ASIDE = {"managedFields", "creator", "annotations", "labels", "gitTag", "links", "columns"}
ASIDE |= {"navColor", "modals"}
# Where the engine differs, and may (the number of the request in its case): it knows no service
# accounts; it makes the namespace that is named; createOptions.dryRun checks the name as well; and
# a workflow that was only tried has a uid and a version all the same.
DIFFERENT = {"info-version-userinfo": {3}, "create-bad-json": {16}, "create-dry-run": {1, 4, 5}}
DRY_RUN = "create-dry-run"


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """An engine that takes the recordings' token."""
    async with launch(token="dummy-token") as running:
        yield running


def shape(data: Any) -> Any:
    """Return keys and types of JSON data; a list is as its first item."""
    if isinstance(data, dict):
        return {key: shape(value) for key, value in data.items() if key not in ASIDE}
    if isinstance(data, list):
        return [shape(item) for item in data[:1]]
    return "number" if isinstance(data, (int, float)) else type(data).__name__


@pytest.mark.parametrize("case", CASES)
async def test_the_engine_answers_as_a_server(engine: Engine, case: str) -> None:
    """Status, content type, keys and types of each answer are those of the real server."""
    connector = aiohttp.UnixConnector(engine.socket_path)
    async with aiohttp.ClientSession(connector=connector) as session:
        for number, row in enumerate(CASES[case]):
            if number in DIFFERENT.get(case, ()):
                continue
            headers = {"Content-Type": row["type"]} if row["type"] else {}
            if row["auth"]:
                headers["Authorization"] = "Bearer dummy-token"
            async with session.request(
                row["method"],
                f"http://argo{row['target']}",
                data=row["body"],
                headers=headers,
            ) as response:
                text = await response.text()
            asked = (row["method"], row["target"], row["body"])
            assert (asked, response.status) == (asked, row["status"])
            kind = response.content_type
            assert (asked, kind) == (asked, row["answer_type"].partition(";")[0])
            if kind == "application/json" and row["answer"]:
                expected, found = shape(json.loads(row["answer"])), shape(json.loads(text))
                if case == DRY_RUN:
                    found.pop("metadata", None), expected.pop("metadata", None)
                assert (asked, expected) == (asked, found)


@pytest.mark.parametrize("case", CASES)
def test_the_client_reads_a_server_s_answers(case: str) -> None:
    """Each answer becomes a value, or an error that names the request and the server's reason."""
    for row in CASES[case]:
        path, _, query = row["target"].partition("?")
        request = Request("WorkflowService_CreateWorkflow", row["method"], path, query)
        headers, body = {"Content-Type": row["answer_type"]}, row["answer"].encode()
        if row["status"] == 200 and "json" in row["answer_type"]:
            data = read_json(request, 200, headers, body)
            assert data == json.loads(body)
            if "spec" in data:
                workflow = read_value(request, 200, headers, body, Workflow)
                assert workflow.metadata is not None
                assert workflow.metadata.name == data["metadata"]["name"]
        elif row["status"] == 200:
            with pytest.raises(ArgoError, match="web page"):
                read_json(request, 200, headers, body)
        else:
            error = error_of(request, row["status"], headers, body)
            assert (error.status, error.method, error.path) == (row["status"], row["method"], path)
            assert path in str(error)


async def test_the_session_says_what_the_recorder_said(engine: Engine) -> None:
    """A creation by the session is answered by the engine with the shape that a server gave."""
    (recorded,) = CASES["create-ok"]
    async with ArgoSession(engine.server, token="Bearer dummy-token", namespace="argo") as argo:
        made = await argo.workflows.create_raw(recorded["body"].encode())
    assert shape(made) == shape(json.loads(recorded["answer"]))
