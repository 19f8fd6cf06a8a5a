"""`aiowf run`: operations and functions of a Python file."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from aiowf.cli.calling import (
    as_operation,
    becomes_workflow,
    call,
    check_arguments,
    check_calls,
    described,
)
from aiowf.cli.completion import OPERATION
from aiowf.cli.errors import CommandError, Exit
from aiowf.cli.execution import Execution, execution_options
from aiowf.cli.target import Target, run_to_end
from aiowf.cli.telling import tell

if TYPE_CHECKING:
    from aiowf.client import Run


@click.command()
@click.argument("targets", nargs=-1, required=True, type=OPERATION, metavar="FILE.py:OP…")
@click.option("--files", "directory", type=click.Path(file_okay=False), metavar="DIRECTORY",
              help="Save the files that come back there.")  # fmt: skip
@click.option("-a", "--arg", "arguments", multiple=True, metavar="VALUE",
              help="An argument for a function, in their order: JSON, or else text.")  # fmt: skip
@execution_options
def run(
    target: Target,
    execution: Execution,
    targets: Sequence[str],
    arguments: Sequence[str],
    directory: str | None,
) -> int:
    """Run operations of a Python file.

    They run to their end, and what they give is shown: values on stdout, everything else on stderr.
    OP is the name of an operation, of a list of them, or of a function: one that @aiowf.task has
    decorated runs in a workflow, any other here, while a client is open. Without a server the
    embedded engine serves.
    """
    from aiowf.cli.source import is_operation, load

    found = load(targets)
    for title, value in found:
        if not (is_operation(value) or callable(value)):
            raise CommandError(f"{title} is {described(value)}, which cannot be run",
                               "Name an operation, a list of them, or a function.")  # fmt: skip
        if arguments and is_operation(value):
            raise CommandError(f"{title} is an operation, and takes no --arg",
                               "Its arguments are part of it.", Exit.USAGE)  # fmt: skip
    values = [_argument(each) for each in arguments]
    for title, value in found:
        check_arguments(title, value, values)
    found = [(title, as_operation(value, values, directory)) for title, value in found]
    said = {"--id": execution.id, "--files": directory, "--on-cancel": execution.on_cancel}
    names = [name for name, each in said.items() if each is not None]
    check_calls(found, names, execution.timeout)
    outcomes = run_to_end(target, _run(target, execution, found, values))
    return tell(outcomes, execution.output, directory)


async def _run(
    target: Target,
    execution: Execution,
    found: Sequence[tuple[str, Any]],
    arguments: Sequence[Any],
) -> list[tuple[str, Any]]:
    """Run operations and functions; return what came of each, by its title."""
    outcomes: list[tuple[str, Any]] = []
    async with target.client(embedded=True, kafka=True, **execution.engine) as client:
        runs: list[tuple[str, Run[Any]]] = []
        for title, value in found:
            if becomes_workflow(value):
                runs.append((title, await client.submit(value, id=execution.id)))
            else:
                outcomes.append((title, await call(title, value, arguments, execution.timeout)))
        if runs:
            ended = await execution.wait(client, [each for _, each in runs])
            outcomes += zip([title for title, _ in runs], ended, strict=True)
    return outcomes


def _argument(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


COMMANDS = (run,)
