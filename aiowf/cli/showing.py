"""`aiowf get` and `aiowf watch`: one workflow, as it is and as it changes."""

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from aiowf.cli.errors import Exit, report_failure
from aiowf.cli.naming import NAME
from aiowf.cli.output import json_of, output_option, write, write_data
from aiowf.cli.target import Target, asynchronous, connection_options
from aiowf.errors import AiowfError

if TYPE_CHECKING:
    from aiowf.client import Run
    from aiowf.manifest import Workflow

# Output parameters of aiowf's own templates that are no values.
_HIDDEN = ("stdout-env", "return-env", "files", "stdout")
_LONGEST = 200


@click.command()
@click.argument("name", type=NAME)
@output_option
@connection_options
@asynchronous
async def get(target: Target, name: str, output: str) -> None:
    """Show a workflow.

    That is how it fares, its nodes, what they say and what they give. @latest is the youngest.
    """
    async with target.session() as session:
        found = await session.workflows.get_raw(name)
    if output != "table":
        # Argo leaves out what its own command line and kubectl say of every object.
        write_data({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", **found}, output)
        return
    from aiowf.manifest import Workflow, structure

    show(structure(found, Workflow))


@click.command()
@click.argument("name", type=NAME)
@output_option
@connection_options
@asynchronous
async def watch(target: Target, name: str, output: str) -> int:
    """Follow a workflow to its end.

    A terminal shows a tree that moves, a pipe gets a line per change. With --output json, each
    change is a line of JSON. The exit code tells how it ended; why it failed is told on stderr.
    """
    from aiowf.cli.waiting import exit_of

    async with target.client() as client:
        run = client.get_run(name)
        await (_follow(run) if output == "table" else _write_changes(run, output))
        code = exit_of(run.phase)
        if code is not Exit.DONE:
            await _tell_why(run)
    return code


async def _follow(run: "Run[Any]") -> None:
    """Show a run to its end as people read it."""
    from aiowf.cli.waiting import console
    from aiowf.display.progress import Progress

    async with Progress(console(sys.stdout)) as progress:
        async for change in run.watch():
            progress.take(change.workflow)


async def _write_changes(run: "Run[Any]", output: str) -> None:
    """Write each change of a run as data, to its end."""
    from aiowf.manifest import unstructure

    async for change in run.watch():
        data = unstructure(change.workflow)
        write(json_of(data, indent=False) if output == "json" else "---")
        if output == "yaml":
            write_data(data, output)
        sys.stdout.flush()


async def _tell_why(run: "Run[Any]") -> None:
    """Say on stderr why a run that has ended did not succeed, as `submit --wait` does."""
    sys.stdout.flush()
    try:
        await run.wait()
    except AiowfError as error:
        report_failure(error)


def show(workflow: "Workflow") -> None:
    """Write a workflow as people read it."""
    from aiowf.cli.waiting import console
    from aiowf.display.progress import still
    from aiowf.display.text import terminal_width

    for title, text in _facts(workflow):
        _write_fact(title, text)
    screen = console(sys.stdout)
    width = terminal_width() or 10_000
    write("")
    for line in still(workflow, width):
        screen.print(line, soft_wrap=True)
    values = list(_values(workflow))
    if values:
        write("")
    for node, parameter, text in values:
        _write_fact(node if parameter == "return" else f"{node}.{parameter}", text)


def _write_fact(title: str, text: str) -> None:
    from aiowf.display.escape import visible

    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"
    write(f"{visible(title)}: {visible(short)}")


def _facts(workflow: "Workflow") -> Iterator[tuple[str, str]]:
    from aiowf.display.text import duration
    from aiowf.display.tree import parse_time

    meta, status, spec = workflow.metadata, workflow.status, workflow.spec
    yield "Name", (meta.name if meta else None) or ""
    yield "Namespace", (meta.namespace if meta else None) or ""
    phase = (status.phase if status else None) or "Pending"
    yield "Phase", " ".join(filter(None, (phase, spec.shutdown and f"({spec.shutdown})"
                                          if spec else None)))  # fmt: skip
    if status is None:
        return
    if status.message:
        yield "Message", status.message
    begun, ended = parse_time(status.started_at), parse_time(status.finished_at)
    if begun is not None:
        yield "Started", f"{begun.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    if begun is not None and ended is not None:
        yield "Duration", duration(ended - begun)
    if status.progress:
        yield "Progress", status.progress
    for parameter in (spec.arguments.parameters if spec and spec.arguments else None) or ():
        yield f"Parameter {parameter.name}", "" if parameter.value is None else str(parameter.value)


def _values(workflow: "Workflow") -> Iterator[tuple[str, str, str]]:
    """Yield node, output parameter and value of what the nodes gave."""
    from aiowf.wire.nodes import nodes_of, output_parameters

    nodes: Mapping[str, Any] = nodes_of(workflow)
    for node in sorted(nodes.values(), key=lambda node: (node.started_at or "", node.name or "")):
        if node.node_flag and node.node_flag.retried:
            continue
        for parameter, text in output_parameters(node).items():
            if text and parameter not in _HIDDEN:
                yield node.display_name or node.name or "", parameter, text


COMMANDS = (get, watch)
