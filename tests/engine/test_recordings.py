"""Real manifests end as they did on a real controller, or are refused as docs/engine.md says."""

import asyncio
import json
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bed import Bed, FastClock, bed

from aiowf.engine.claims import Claims
from aiowf.engine.executor import ProcessExecutor

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "argo"
ASIDE = {"startedAt", "finishedAt", "resourcesDuration", "hostNodeName"}
FACTOR = 8.0
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (equal|refused|differs)(?:: `([^`]+)`)?")


def table() -> dict[str, tuple[str, str]]:
    """Return the table of docs/engine.md: recording → verdict, and the field that is refused."""
    lines = (ROOT / "docs" / "engine.md").read_text().splitlines()
    rows = [match for line in lines if (match := ROW.match(line))]
    return {match[1]: (match[2], match[3] or "") for match in rows}


def recording(name: str) -> Any:
    """Return a recording."""
    return json.loads((DATA / f"status-{name}.json").read_text())


def comparable(data: Any) -> Any:
    """Leave out what cannot be equal; the order of siblings means nothing."""
    if isinstance(data, dict):
        kept = {key: comparable(value) for key, value in data.items() if key not in ASIDE}
        return {key: sorted(v) if key in SETS else v for key, v in kept.items()}
    return [comparable(item) for item in data] if isinstance(data, list) else data


SETS = {"children", "outboundNodes"}


@asynccontextmanager
async def engine() -> AsyncIterator[Bed]:
    """Run an engine with real processes, whose deadlines come early."""
    with tempfile.TemporaryDirectory() as directory:
        claims = Claims(Path(directory) / "claims")
        (Path(directory) / "pods").mkdir()
        made = await asyncio.to_thread(ProcessExecutor, Path(directory) / "pods", claim=claims.path)
        async with (
            made as executor,
            bed(executor, clock=FastClock(FACTOR)) as running,
        ):
            yield running


def test_the_table_has_every_recording() -> None:
    """The table of docs/engine.md tells of all recordings, and of no others."""
    assert set(table()) == {path.stem.removeprefix("status-") for path in DATA.glob("status-*")}


@pytest.mark.parametrize("name", sorted(n for n, row in table().items() if row[0] == "equal"))
async def test_it_ends_as_on_a_cluster(name: str) -> None:
    """The final status is equal to that of the real controller."""
    recorded = recording(name)
    spec, workflow = recorded["manifest"]["spec"], recorded["manifest"]["metadata"]["name"]
    async with engine() as running:
        await running.create(spec, workflow)
        for action in recorded.get("actions", ()):
            await running.until(partial(is_ready, action["body"]), workflow)
            status, answer = await running.put(action["verb"], action["body"], workflow)
            assert status == 200, answer
        found = await running.finished(workflow)
    # The namespace differs, and it is nowhere in the status.
    assert comparable(found["status"]) == comparable(recorded["status"])
    assert found["metadata"]["labels"] == recorded["labels"]


def is_ready(action: dict[str, str], workflow: Any) -> bool:
    """Return whether the node at which an action aims runs."""
    wanted = action.get("nodeFieldSelector", "").removeprefix("displayName=")
    return any(
        node["phase"] == "Running" and node["type"] in ("Pod", "Suspend")
        for node in workflow["status"].get("nodes", {}).values()
        if wanted in ("", node["displayName"])
    )


def test_what_differs_is_tested() -> None:
    """Each manifest that ends otherwise here has a test below of where it ends equal."""
    differing = {name for name, row in table().items() if row[0] == "differs"}
    assert {"bad-image", "killed-by-signal", "pending-pods-2"} == differing


async def test_two_dollars_of_an_argument_are_one() -> None:
    """As Kubernetes expands arguments, a shell gets its own number by four of them."""
    recorded = recording("killed-by-signal")
    spec, workflow = recorded["manifest"]["spec"], recorded["manifest"]["metadata"]["name"]
    container = spec["templates"][0]["container"]
    assert ["kill -9 $$"] == container["args"]
    async with engine() as running:
        await running.create(spec, "as-recorded")
        found = await running.finished("as-recorded")
        assert "main: Error (exit code 137)" != found["status"]["message"]
        container["args"] = ["kill -9 $$$$"]
        await running.create(spec, workflow)
        found = await running.finished(workflow)
    assert comparable(recorded["status"]) == comparable(found["status"])


@pytest.mark.parametrize("name", ["bad-image", "pending-pods-2"])
async def test_an_image_that_can_be_nowhere_is_not_pulled(name: str) -> None:
    """Its pod is pending as on a cluster, until it is stopped or its time is over."""
    recorded = recording(name)
    spec, workflow = recorded["manifest"]["spec"], recorded["manifest"]["metadata"]["name"]
    spec["templates"][0]["container"]["image"] = "registry.invalid/image:1"
    trouble = 'ErrImagePull: failed to pull and unpack image "registry.invalid/image:1": not found'
    async with engine() as running:
        await running.create(spec, workflow)
        found = await running.until(lambda now: "message" in one_node(now), workflow)
        assert ("Pending", trouble) == (one_node(found)["phase"], one_node(found)["message"])
        for action in recorded.get("actions", ()):
            await running.put(action["verb"], action["body"], workflow)
        found = await running.finished(workflow)
    assert comparable(recorded["status"]) == comparable(found["status"])


async def test_an_image_that_is_not_there_in_time() -> None:
    """The deadline of a template counts for a pod that waits for its image, too."""
    container = {"image": "x.invalid/i:1", "command": ["true"]}
    template = {"name": "main", "activeDeadlineSeconds": 1, "container": container}
    async with engine() as running:
        await running.create({"entrypoint": "main", "templates": [template]}, "late")
        node = one_node(await running.finished("late"))
    deadline = "Pod was active on the node longer than the specified deadline"
    assert ("Failed", deadline, None) == (node["phase"], node["message"], node.get("outputs"))


def one_node(workflow: Any) -> dict[str, Any]:
    """Return the only node, or nothing while there is none."""
    return next(iter((workflow["status"].get("nodes") or {}).values()), {})


@pytest.mark.parametrize("name", sorted(n for n, row in table().items() if row[0] == "refused"))
async def test_it_is_refused(name: str) -> None:
    """What the engine does not run is refused when it is submitted, with the field."""
    async with engine() as running:
        message = await running.refused(recording(name)["manifest"]["spec"])
    assert message.partition(":")[0] == table()[name][1]


def refusals() -> list[Any]:
    """Return requests that a real server refused, or took although they are odd."""
    recorded = json.loads((DATA / "refusals.json").read_text())
    return [pytest.param(rows, id=name) for name, rows in recorded.items()]


@pytest.mark.parametrize("rows", refusals())
async def test_refusals_are_worded_as_on_a_server(rows: list[dict[str, Any]]) -> None:
    """Status and body of a refused request are those of a real server."""
    token = "dummy-token" if any("authorization" in row for row in rows) else None
    async with bed(token=token) as running:
        for row in rows:
            headers = {"Authorization": row["authorization"]} if row.get("authorization") else {}
            url = running.client.make_url("/").joinpath(encoded=True)
            url = url.with_path(row["path"].partition("?")[0], encoded=True)
            url = url.with_query(row["path"].partition("?")[2])
            async with running.client.session.request(
                row["method"], url, data=row.get("body"), headers=headers
            ) as response:
                text = await response.text()
            assert (row, response.status) == (row, row["status"])
            if row.get("answer", "").startswith("{"):
                assert json.loads(text) == json.loads(row["answer"])
