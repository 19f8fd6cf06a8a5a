"""What a notebook shows of operations, runs and results."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import singledispatch
from typing import Any

from aiowf.client import Result, Run
from aiowf.client.watching import changes
from aiowf.display.graph import graph
from aiowf.display.html import badge, frame, link, table, text
from aiowf.display.timeline import timeline, took
from aiowf.errors import AiowfError
from aiowf.manifest import Workflow
from aiowf.operations import ContainerizedOperation
from aiowf.replies.files import shown
from aiowf.wire import nodes
from aiowf.wire.events import FINAL_PHASES

Bundle = dict[str, str]

_MOST = 50  # values, and files
_LONGEST = 300  # characters of a value
_PAUSE = 0.2  # seconds between two pictures of a run


@singledispatch
def mimebundle(value: Any) -> Bundle:
    """Return what a notebook shows of a value: HTML, and text where there is no HTML."""
    return {"text/plain": repr(value)}


@mimebundle.register(ContainerizedOperation)
def _operation(op: ContainerizedOperation) -> Bundle:
    count = sum(map(len, op.groups))
    tasks = "1 task" if count == 1 else f"{count:,} tasks"
    head = f"{type(op).__name__} {op.name.rstrip('-')}: {tasks}"
    about = f"{text(op.name.rstrip('-'))} · {tasks}"
    names = " → ".join(_names([task.name for task in group]) for group in op.groups)
    return {
        "text/plain": f"{head}\n{names}",
        "text/html": frame(f"<div><b>{text(type(op).__name__)}</b> {about}</div>", graph(op)),
    }


def _names(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    shown = names if len(names) <= 4 else [*names[:3], f"… {len(names) - 4} more …", names[-1]]
    return f"({', '.join(shown)})"


@mimebundle.register(Run)
def _run(run: Run[Any]) -> Bundle:
    if run.result is not None:
        return run_bundle(run, run.result.workflow)
    return {"text/plain": repr(run), "text/html": frame(_title(run, run.phase))}


def run_bundle(run: "Run[Any]", workflow: Workflow) -> Bundle:
    """Return what is shown of a run whose workflow is known."""
    phase = (workflow.status.phase if workflow.status else None) or ""
    message = nodes.verdict(workflow).message if phase in FINAL_PHASES else ""
    picture = timeline(workflow, datetime.now(UTC))
    said = f"<div>{text(message)}</div>" if message else ""
    return {"text/plain": repr(run), "text/html": frame(_title(run, phase), said, picture)}


def _title(run: "Run[Any]", phase: str) -> str:
    return (
        f"<div><b>{link(run.name, run.ui_url)}</b> · {text(run.namespace)} · {badge(phase)}</div>"
    )


@mimebundle.register(Result)
def _result(result: Result[Any]) -> Bundle:
    time = f" · {took(result.duration)}" if result.duration is not None else ""
    parts = [f"<div><b>{text(result.name)}</b> · {badge(result.phase)}{text(time)}</div>"]
    parts += [f"<div>{text(each)}</div>" for each in (result.message, *result.warnings) if each]
    parts.append(timeline(result.workflow, datetime.now(UTC)))
    values = _values(result)
    if values:
        parts.append(table(("task", "value"), values))
    if result.files:
        parts.append(table(("file", "bytes"), _files(result)))
    lines = [f"{result.name} {result.phase}{time}", *filter(None, (result.message,))]
    lines += [f"  {name}: {_value(result, name)}" for name in list(result.values)[:_MOST]]
    return {"text/plain": "\n".join(lines), "text/html": frame(*parts)}


def _values(result: "Result[Any]") -> list[tuple[str, str]]:
    names = list(result.values)
    rows = [
        (text(name), f"<code>{text(_value(result, name), _LONGEST)}</code>")
        for name in names[:_MOST]
    ]
    return rows + _others(len(names))


def _value(result: "Result[Any]", name: str) -> str:
    try:
        return repr(result.values[name])
    except Exception as error:  # a value that cannot be read hides no other one
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _files(result: "Result[Any]") -> list[tuple[str, str]]:
    names = sorted(result.files)
    rows = [(text(shown(name), _LONGEST), f"{len(result.files[name]):,}") for name in names[:_MOST]]
    return rows + _others(len(names))


def _others(count: int) -> list[tuple[str, str]]:
    return [(f"… and {count - _MOST:,} more", "")] if count > _MOST else []


def show(run: "Run[Any]") -> None:
    """Display a run in IPython; in a notebook the picture changes until the run ends."""
    from importlib import import_module

    ipython: Any = import_module("IPython")
    bundle = mimebundle(run)
    is_notebook = hasattr(ipython.get_ipython(), "kernel")
    if not is_notebook or run.result is not None or asyncio._get_running_loop() is None:
        ipython.display.display(bundle, raw=True)
        return
    handle = ipython.display.display(bundle, raw=True, display_id=True)

    def update(workflow: Workflow) -> None:
        handle.update(run_bundle(run, workflow), raw=True)

    following = run.client.errands.attend(follow(run, update))

    def end(result: "Result[Any]") -> None:
        following.cancel()
        update(result.workflow)

    run.add_done_callback(end)  # a cell that awaits the run ends with the last picture


async def follow(run: "Run[Any]", update: Callable[[Workflow], None]) -> None:
    """Tell the state of a run again and again, to its end; of quick changes the last."""
    latest: list[Workflow] = []
    news = asyncio.Event()

    async def read() -> None:
        with suppress(AiowfError):  # whoever awaits the run is told
            async for change in changes(run):
                latest[:] = [change.workflow]
                news.set()

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read())
        reading.add_done_callback(lambda _: news.set())
        while not reading.done() or latest:
            await news.wait()
            news.clear()
            while latest:
                update(latest.pop())
                await asyncio.sleep(_PAUSE)
