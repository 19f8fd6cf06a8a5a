"""Lint, retry, resubmit, set and stored templates, against the embedded engine."""

from pathlib import Path
from typing import Any

import pytest

import aiowf
from aiowf import operations, tasks
from aiowf.errors import (
    BadRequestError,
    ConfigurationError,
    InvalidWorkflowError,
    NotFoundError,
    OperationFailedError,
)


def twice(number: int) -> int:
    return 2 * number


def script(name: str, source: str, **more: Any) -> dict[str, Any]:
    """Return a template that runs a Bash source."""
    return {
        "name": name,
        "script": {"image": "i", "command": ["bash"], "source": source},
        **more,
    }


async def test_lint() -> None:
    """A good operation comes back as a workflow; what cannot run is refused with its place."""
    good = operations.SingleTaskOperation("lint-", tasks.PythonTask("double", twice, args=(2,)))
    bad = {
        "metadata": {"generateName": "bad-"},
        "spec": {"entrypoint": "h", "templates": [{"name": "h", "http": {"url": "http://x"}}]},
    }
    async with aiowf.connect("local") as client:
        linted = await client.lint(good)
        assert linted.spec is not None
        assert linted.spec.entrypoint == "double"
        with pytest.raises(InvalidWorkflowError, match="does not run this"):
            await client.lint(bad)
        assert await client.list() == []


async def test_retry_and_resubmit(tmp_path: Path) -> None:
    """A run that failed is awaited again after a retry; a resubmission is a run of its own."""
    mark, count = tmp_path / "mark", tmp_path / "count"
    first = tasks.BashTask("first", f"echo x >> {count}")
    second = tasks.BashTask("second", f"test -e {mark}", retry_limit=0)
    pipeline = operations.PipelineOperation("again-", (first, second))
    async with aiowf.connect("local") as client:
        run = await client.submit(pipeline)
        with pytest.raises(OperationFailedError):
            await run
        mark.touch()
        await run.retry()
        result = await run
        assert result.succeeded
        assert count.read_text() == "x\n"
        with pytest.raises(BadRequestError, match="To retry a succeeded workflow"):
            await run.retry()
        other = await run.resubmit()
        assert other.name != run.name
        assert (await other).succeeded
        assert count.read_text() == "x\nx\n"


async def test_submit_from(tmp_path: Path) -> None:
    """A stored template runs with parameters; what it does not know is refused before."""
    said = tmp_path / "said"
    spec = {
        "entrypoint": "say",
        "arguments": {"parameters": [{"name": "word"}, {"name": "end", "value": "!"}]},
        "templates": [
            script(
                "say",
                f"echo {{{{workflow.parameters.word}}}}{{{{workflow.parameters.end}}}} > {said}",
            )
        ],
    }
    async with aiowf.connect("local") as client:
        created = await client.argo.workflow_templates.create(
            {"metadata": {"name": "shared"}, "spec": spec}, namespace="default"
        )
        assert created.metadata is not None
        run = await client.submit_from("shared", {"word": "hello"}, id="one")
        assert (await run).succeeded
        assert said.read_text() == "hello!\n"
        again = await client.submit_from("shared", {"word": "other"}, id="one")
        assert again.name == run.name
        with pytest.raises(ConfigurationError, match="wrod"):
            await client.submit_from("shared", {"wrod": "x"})
        with pytest.raises(NotFoundError):
            await client.submit_from("nope")


async def test_set() -> None:
    """A gate gets its output from outside."""
    gate = {
        "name": "gate",
        "suspend": {},
        "outputs": {"parameters": [{"name": "answer", "valueFrom": {"supplied": {}}}]},
    }
    check = script(
        "check", "test {{inputs.parameters.a}} = yes", inputs={"parameters": [{"name": "a"}]}
    )
    passed = {"parameters": [{"name": "a", "value": "{{steps.gate.outputs.parameters.answer}}"}]}
    steps = [
        [{"name": "gate", "template": "gate"}],
        [{"name": "check", "template": "check", "arguments": passed}],
    ]
    spec = {"entrypoint": "main", "templates": [{"name": "main", "steps": steps}, gate, check]}
    async with aiowf.connect("local") as client:
        run = await client.submit({"metadata": {"generateName": "gate-"}, "spec": spec})
        async for _ in run.watch():
            nodes = (await run.workflow()).status.nodes or {}  # type: ignore[union-attr]
            if any(node.display_name == "gate" for node in nodes.values()):
                break
        await run.set("gate", outputs={"answer": "yes"})
        await run.resume("gate")
        assert (await run).succeeded
