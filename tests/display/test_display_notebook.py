"""What notebooks show: pictures of operations, runs and results, in which nothing is markup."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

import aiowf
from aiowf import operations, tasks
from aiowf.client.result import Result, Values
from aiowf.client.watching import Change
from aiowf.display import notebook
from aiowf.display.html import link
from aiowf.display.timeline import timeline
from aiowf.manifest import Workflow, structure
from aiowf.replies.files import Files

EVIL = "<script>alert('1')</script>\x1b[2J\u202e&\""
SVG = "{http://www.w3.org/2000/svg}"


def double(n: int) -> int:
    return 2 * n


def shown(value: Any) -> tuple[str, ElementTree.Element]:
    """Return the text and the HTML that IPython gets; the HTML is well-formed, and harmless."""
    bundle = value._repr_mimebundle_()
    assert {"text/plain", "text/html"} == set(bundle)
    html = bundle["text/html"]
    assert not re.search(r"<script|javascript:|src=|\x1b|\u202e|@import|url\(", html)
    return bundle["text/plain"], ElementTree.fromstring(html)


def texts(picture: ElementTree.Element) -> str:
    """Return all text of a picture."""
    return "|".join(each for each in picture.itertext() if each)


def workflow(phase: str, **nodes: dict[str, Any]) -> Workflow:
    """Return a workflow named w with pods."""
    status = {
        "phase": phase,
        "nodes": {
            key: {"id": key, "name": key, "displayName": key, "type": "Pod", **node}
            for key, node in nodes.items()
        },
    }
    metadata = {"name": "w", "namespace": "n"}
    return structure({"metadata": metadata, "status": status}, Workflow)


def test_an_operation_is_a_graph() -> None:
    """Each task is a box with its name and what it is; groups stand behind each other."""
    op = operations.SimpleDagOperation(
        "etl",
        tasks.BashTask("extract", "true"),
        [tasks.PythonTask(f"double-{n}", double, args=(n,), image="calc:1") for n in range(2)],
        tasks.CommandBasedTask("load", ("echo", EVIL)),
        (tasks.CustomTask("mail", "mailer:1"), tasks.SendResultTask()),
        shared_directory=True,
    )
    text, picture = shown(op)
    assert text.splitlines() == [
        "SimpleDagOperation etl: 6 tasks",
        "extract → (double-0, double-1) → load → (mail, send-result-event)",
    ]
    told = texts(picture)
    for word in ("Bash", "double() in calc:1", "mailer:1", "sends the files", "double-1"):
        assert word in told
    assert "alert" in told
    assert len(picture.findall(f".//{SVG}g")) == 6
    assert len(picture.findall(f".//{SVG}path")) == 3


def test_of_many_tasks_a_few_are_drawn() -> None:
    """The others are counted."""
    calls = [tasks.PythonTask(f"n-{n}", double, args=(n,)) for n in range(1000)]
    text, picture = shown(operations.MapOperation("sim", calls))
    assert text.endswith("(n-0, n-1, n-2, … 996 more …, n-999)")
    assert "… 995 more" in texts(picture)
    assert len(picture.findall(f".//{SVG}g")) == 6


def test_a_result_is_a_timeline_with_values_and_files() -> None:
    """A value that cannot be read hides no other one; the text says the same."""

    def unreadable() -> Any:
        raise aiowf.MissingResultsError(f"no value {EVIL}")

    begin, middle, end = (f"2026-01-01T00:0{n // 60}:{n % 60:02}Z" for n in (0, 30, 90))
    ended = workflow(
        "Failed",
        first={"phase": "Succeeded", "startedAt": begin, "finishedAt": middle},
        second={"phase": "Failed", "message": EVIL, "startedAt": middle, "finishedAt": end},
        third={"phase": "Omitted"},
    )
    result: Result[Any] = Result(
        name="w",
        phase="Failed",
        message=EVIL,
        warnings=("a warning",),
        workflow=ended,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        finished_at=datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC),
        values=Values({"first": lambda: {"a": EVIL}, "second": unreadable}),
        files=Files({f"{EVIL}.txt": b"12345"}),
    )
    text, picture = shown(result)
    assert text.splitlines()[0] == "w Failed · 1m30s"
    told = texts(picture)
    for word in (
        "✗ Failed",
        "a warning",
        "first",
        "MissingResultsError",
        "no value",
        "5",
        "30s",
        "1m",
    ):
        assert word in told
    bars = [each for each in picture.findall(f".//{SVG}rect")]
    assert [round(float(each.attrib["width"])) for each in bars] == [139, 278]


def test_long_lists_are_cut() -> None:
    """Values and files beyond fifty are counted, long values end with an ellipsis."""
    values = Values({f"t{n}": lambda: "x" * 1000 for n in range(60)})
    files = Files({f"f{n}": b"" for n in range(60)})
    result: Result[Any] = Result(
        name="w", phase="Succeeded", workflow=workflow("Succeeded"), values=values, files=files
    )
    _, picture = shown(result)
    assert texts(picture).count("… and 10 more") == 2
    assert "x" * 298 + "…" in texts(picture)


def test_what_runs_ends_now() -> None:
    """The bar of a running task reaches to the present; before a task has begun there is none."""
    now = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    running = workflow("Running", a={"phase": "Running", "startedAt": "2026-01-01T00:00:00Z"})
    assert "timeline of 1 tasks over 1m" in timeline(running, now)
    assert timeline(workflow("Pending", a={"phase": "Pending"}), now) == ""
    many = {f"a{n}": {"phase": "Running", "startedAt": "2026-01-01T00:00:00Z"} for n in range(50)}
    assert "… and 11 more: 11 Running" in timeline(workflow("Running", **many), now)


def test_only_addresses_of_the_web_are_links() -> None:
    """A setting cannot make a script of a name."""
    assert link("w", "javascript:alert(1)") == "w"
    assert link("w", None) == "w"
    assert 'href="https://argo/&quot;"' in link("w", 'https://argo/"')


def test_other_values_are_what_they_are() -> None:
    """An operation without a workflow has no picture."""
    op = operations.DirectOperation("d", double)
    assert not hasattr(op, "_repr_mimebundle_")
    assert notebook.mimebundle(7) == {"text/plain": "7"}


async def test_quick_changes_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook gets the first state, the last, and not all between."""
    monkeypatch.setattr(notebook, "_PAUSE", 0.01)
    states = [workflow("Running") for _ in range(100)] + [workflow("Succeeded")]

    async def changes(run: Any) -> AsyncIterator[Change]:
        for state in states[:100]:
            yield Change("MODIFIED", state)
        await asyncio.sleep(0.05)
        yield Change("MODIFIED", states[100])
        raise aiowf.UnavailableError("gone")

    monkeypatch.setattr(notebook, "changes", changes)
    told: list[Workflow] = []
    await notebook.follow(None, told.append)  # type: ignore[arg-type]
    assert [each is states[99] or each is states[100] for each in told] == [True, True]


class Display:
    """Stands for IPython's display: what it was given first, and then instead."""

    def __init__(self) -> None:
        self.bundles: list[dict[str, str]] = []

    def __call__(self, bundle: dict[str, str], *, raw: bool, display_id: bool = False) -> "Display":
        assert raw
        self.update(bundle, raw=raw)
        return self

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        self.bundles.append(bundle)


@pytest.mark.parametrize("is_notebook", [True, False])
async def test_a_run_is_displayed(monkeypatch: pytest.MonkeyPatch, is_notebook: bool) -> None:
    """In a notebook its last picture is that of its end; elsewhere it is displayed once."""
    told = Display()
    shell = SimpleNamespace(kernel=None) if is_notebook else SimpleNamespace()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr("IPython.display.display", told)
    async with aiowf.connect("local", ui="https://argo") as client:
        op = operations.SingleTaskOperation("one", tasks.BashTask("one", "true"))
        run = await op.execute(client=client)
        assert (run.client, run.result) == (client, None)
        text, picture = shown(run)
        assert text == repr(run)
        assert run.name in texts(picture)
        run._ipython_display_()
        result = await run
        assert len(told.bundles) > 1 if is_notebook else len(told.bundles) == 1
        assert ("Succeeded" in told.bundles[-1]["text/html"]) is is_notebook
        run._ipython_display_()
        assert "Succeeded" in told.bundles[-1]["text/html"]
        assert "timeline" in run._repr_mimebundle_()["text/html"]
        again: list[object] = []
        run.add_done_callback(again.append)
        assert again == [result]
