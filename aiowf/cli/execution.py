"""How workflows are run: the options that `run` and `submit` have in common, as one value."""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from attrs import frozen

from aiowf.cli.embedded import engine_options, engine_settings
from aiowf.cli.listing import Since
from aiowf.cli.output import output_option
from aiowf.cli.target import Target, connection_options

if TYPE_CHECKING:
    from aiowf.client import Client, Result, Run
    from aiowf.errors import AiowfError


@frozen(kw_only=True)
class Execution:
    """How workflows are run, as the command line says it.

    Attributes:
        id: Makes them durable, or None.
        timeout: Seconds to wait at most, or None.
        on_cancel: What Ctrl-C does where nobody can be asked, or None: the default.
        output: "table", "json" or "yaml".
        engine: Settings of the embedded engine.
    """

    id: str | None
    timeout: float | None
    on_cancel: str | None
    output: str
    engine: Mapping[str, Any]

    @property
    def is_for_people(self) -> bool:
        """Whether people read the output, and no program."""
        return self.output == "table"

    async def wait(
        self,
        client: "Client",
        runs: "Sequence[Run[Any]]",
        *,
        log: bool = False,
        shown: bool = False,
    ) -> "list[Result[Any] | AiowfError]":
        """Show runs until all have ended; return what came of each.

        Args:
            client: Their client.
            runs: The runs.
            log: Whether to write their logs, too.
            shown: Whether what happens is what the command gives, and belongs on stdout.
        """
        from aiowf.cli.waiting import attend, console
        from aiowf.display.progress import Progress

        stream = sys.stdout if shown and self.is_for_people else sys.stderr
        async with Progress(console(stream)) as progress:
            return await attend(
                client,
                runs,
                progress,
                on_cancel=self.on_cancel,
                log=log,
                timeout=self.timeout,
            )


def execution_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options; the command gets them as one value, behind its Target.

    The options of the connection are among them: they stand last in the help.
    """

    @click.pass_obj
    @wraps(command)
    def called(
        target: Target,
        /,
        *,
        id: str | None,
        timeout: timedelta | None,
        on_cancel: str | None,
        containers: bool | None,
        build: str | None,
        images: Mapping[str, Sequence[str]],
        output: str,
        **others: Any,
    ) -> int:
        execution = Execution(
            id=id,
            timeout=timeout.total_seconds() if timeout else None,
            on_cancel=on_cancel,
            output=output,
            engine=engine_settings(target, containers, build, images),
        )
        return command(target, execution, **others)

    found: Callable[..., int] = called
    for option in reversed((*_OPTIONS, engine_options, output_option, connection_options)):
        found = option(found)
    return found


_OPTIONS = (
    click.option("--id", metavar="TEXT", help="The same id attaches to the same workflow."),
    click.option("--timeout", type=Since(), help="Wait no longer than this: 30s, 10m, 2h."),
    click.option(
        "--on-cancel",
        type=click.Choice(("leave", "stop", "terminate")),
        help="What Ctrl-C does where nobody can be asked. Default: leave; on the embedded engine "
        "stop.",
    ),
)
