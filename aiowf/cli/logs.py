"""`aiowf logs`: the lines that the tasks of a workflow wrote."""

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from aiowf.cli.errors import CommandError, Exit
from aiowf.cli.naming import NAME
from aiowf.cli.output import json_of, write
from aiowf.cli.target import Target, asynchronous, connection_options

if TYPE_CHECKING:
    from aiowf.manifest import Workflow


@click.command()
@click.argument("name", type=NAME)
@click.argument("task", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the workflow ends.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="json: an object per line, with task, pod and content.",
)
@connection_options
@asynchronous
async def logs(target: Target, name: str, task: str | None, follow: bool, output: str) -> None:
    """Show the log of a workflow.

    Each line stands behind its task's name; of one TASK, the lines come alone.
    """
    from aiowf.argo import follow_logs
    from aiowf.display.escape import visible

    async with target.session() as session:
        workflow = await session.workflows.get(name)
        pods = _pods_of(workflow, task) if task is not None else frozenset()
        lines = follow_logs(session, name, follow=follow)
        async with aclosing(lines):
            async for line in lines:
                if task is not None and line.task != task and line.pod not in pods:
                    continue
                if output == "json":
                    fact = {"task": line.task, "pod": line.pod, "content": line.content}
                    write(json_of(fact, indent=False))
                else:
                    write(visible(line.content if task is not None else str(line)))
                if follow:
                    sys.stdout.flush()


def _pods_of(workflow: "Workflow", task: str) -> frozenset[str]:
    """Return the pods of the nodes that are called so.

    Raises:
        CommandError: The workflow has no such task.
    """
    from aiowf.manifest.names import nearest
    from aiowf.wire.nodes import nodes_of, pod_name

    name = (workflow.metadata.name if workflow.metadata else None) or ""
    nodes = nodes_of(workflow).values()
    templates = (workflow.spec.templates if workflow.spec else None) or ()
    known = {template.name for template in templates}
    known |= {each for node in nodes for each in (node.template_name, node.display_name)}
    if task not in known:
        names = sorted(each for each in known if each)
        hint = nearest(task, names) or f"Its tasks: {', '.join(names)}."
        raise CommandError(f"workflow {name} has no task {task}", hint, Exit.NOT_FOUND)
    return frozenset(
        pod
        for node in nodes
        if node.display_name == task
        for pod in (node.id or "", pod_name(name, node.template_name or "", node.name or ""))
    )


COMMANDS = (logs,)
