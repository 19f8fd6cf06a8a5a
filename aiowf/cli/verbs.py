"""Commands that change workflows on a server: each takes one name or several."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aiowf.cli.errors import Exit, code_of, line_of, say
from aiowf.cli.manifests import parse_parameters
from aiowf.cli.naming import LATEST, NAME
from aiowf.cli.output import write
from aiowf.cli.target import Target, asynchronous, connection_options

if TYPE_CHECKING:
    from aiowf.client import Run

F = TypeVar("F", bound=Callable[..., Any])
Act = Callable[["Run[Any]"], Awaitable[str]]


def names_argument(command: F) -> F:
    """Add the names, and where they are."""
    return click.argument("names", nargs=-1, required=True, type=NAME, metavar="NAME…")(
        connection_options(command)
    )


def node_option(command: F) -> F:
    """Add the choice of nodes."""
    return click.option(
        "--node",
        metavar="SELECTOR",
        help="Only these nodes: a task's name, or Argo's selector (displayName=…).",
    )(command)


def parameter_option(command: F) -> F:
    """Add other values for parameters."""
    return click.option(
        "-p",
        "--parameter",
        "parameters",
        multiple=True,
        metavar="NAME=VALUE",
        help="Another value for a parameter of the workflow.",
    )(command)


@click.command()
@names_argument
@node_option
@click.option("--message", help="Why; with --node.")
@asynchronous
async def stop(target: Target, names: Sequence[str], node: str | None, message: str | None) -> int:
    """End workflows. Their exit handlers still run."""

    async def act(run: "Run[Any]") -> str:
        await run.stop(node, message=message)
        return "stopped"

    return await _each(target, names, act)


@click.command()
@names_argument
@asynchronous
async def terminate(target: Target, names: Sequence[str]) -> int:
    """End workflows at once, without their exit handlers."""

    async def act(run: "Run[Any]") -> str:
        await run.terminate()
        return "terminated"

    return await _each(target, names, act)


@click.command()
@names_argument
@asynchronous
async def suspend(target: Target, names: Sequence[str]) -> int:
    """Let workflows start nothing further. What runs goes on."""

    async def act(run: "Run[Any]") -> str:
        await run.suspend()
        return "suspended"

    return await _each(target, names, act)


@click.command()
@names_argument
@node_option
@asynchronous
async def resume(target: Target, names: Sequence[str], node: str | None) -> int:
    """Let suspended workflows go on, or only suspended nodes of them."""

    async def act(run: "Run[Any]") -> str:
        await run.resume(node)
        return "resumed"

    return await _each(target, names, act)


@click.command()
@names_argument
@node_option
@parameter_option
@click.option(
    "--restart-successful", is_flag=True, help="Also what succeeded, of the nodes of --node."
)
@asynchronous
async def retry(
    target: Target,
    names: Sequence[str],
    node: str | None,
    parameters: Sequence[str],
    restart_successful: bool,
) -> int:
    """Run what failed of workflows once more."""
    from aiowf.errors import BadRequestError

    values = parse_parameters(parameters) or None

    async def act(run: "Run[Any]") -> str:
        try:
            await run.retry(restart_successful=restart_successful, nodes=node, parameters=values)
        except BadRequestError as error:
            if "restartSuccessful" in error.message:  # the library's hint speaks of its own calls
                error.hint = (
                    "It has succeeded: --restart-successful --node TASK runs a task of it again, "
                    "`aiowf resubmit` all."
                )
            raise
        return "is running again"

    return await _each(target, names, act)


@click.command()
@names_argument
@parameter_option
@click.option("--memoized", is_flag=True, help="Take over what succeeded instead of running it.")
@asynchronous
async def resubmit(
    target: Target, names: Sequence[str], parameters: Sequence[str], memoized: bool
) -> int:
    """Create new workflows like these."""
    values = parse_parameters(parameters) or None

    async def act(run: "Run[Any]") -> str:
        again = await run.resubmit(memoized=memoized, parameters=values)
        return f"resubmitted as {again.name}"

    return await _each(target, names, act)


@click.command()
@names_argument
@asynchronous
async def delete(target: Target, names: Sequence[str]) -> int:
    """Delete workflows from the server, running or not."""

    async def act(run: "Run[Any]") -> str:
        await run.delete()
        return "deleted"

    return await _each(target, names, act)


async def _each(target: Target, names: Sequence[str], act: Act) -> int:
    """Do something to each; one that cannot be done does not keep the others from it."""
    code = Exit.DONE
    async with target.client() as client:
        for name in names:
            try:
                run = client.get_run(name)
                if name == LATEST:  # said by its name: another may be the youngest by then
                    meta = (await run.workflow()).metadata
                    run = client.get_run((meta and meta.name) or name)
                write(f"{run.name} {await act(run)}")
            except Exception as error:
                if len(names) == 1 or code_of(error) is Exit.INTERNAL:
                    raise
                say(f"aiowf: {name}: {line_of(error)}")
                code = code or code_of(error)
    return code


COMMANDS = (stop, terminate, suspend, resume, retry, resubmit, delete)
