"""Which server a command talks to: the global options, and the environment behind them."""

import asyncio
import shlex
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aiowf.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from aiowf.argo import ArgoSession
    from aiowf.client import Client
    from aiowf.client.settings import ClientSettings

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

# Somebody waits at the terminal: a server that is not there is told soon.
_ATTEMPTS = 2


class Target:
    """What the global options say; each may stand before or behind the command's name.

    Attributes:
        server: Address of the server, or None: ARGO_SERVER.
        namespace: Namespace, or None: ARGO_NAMESPACE.
        token_file: File that holds the token, or None: ARGO_TOKEN.
        debug: Whether errors come with a traceback, and the log with all it has.
    """

    def __init__(self) -> None:
        self.server: str | None = None
        self.namespace: str | None = None
        self.token_file: str | None = None
        self.debug = False

    def settings(self, **options: Any) -> "ClientSettings":
        """Return the settings for a client.

        Raises:
            ConfigurationError: One of them makes no sense.
        """
        from aiowf.client.settings import read_settings
        from aiowf.manifest.names import dns_label

        token = None if self.token_file is None else Path(self.token_file)
        found = read_settings(self.server, namespace=self.namespace, token=token, **options)
        if found.namespace is not None:
            dns_label(found.namespace, "ARGO_NAMESPACE")
        return found

    def place(self) -> "ClientSettings":
        """Return the settings as far as they say where the server is; a profile is not read.

        Raises:
            ConfigurationError: One of them makes no sense.
        """
        from aiowf.profile import Profile

        # In a CloudHarness deployment the profile's file says it.
        profile = None if self.server == "cloudharness" else Profile()
        return self.settings(kafka=False, profile=profile)

    @asynccontextmanager
    async def session(self) -> "AsyncIterator[ArgoSession]":
        """Open a session with the server, to look at what it has.

        Raises:
            CommandError: No server is named.
            ArgoError: It does not answer, or not as an Argo Server.
        """
        settings = self.place()
        if settings.is_local:
            raise await asyncio.to_thread(no_server, "there is nothing to look at")
        from aiowf.argo import ArgoSession, from_environment

        place = await asyncio.to_thread(from_environment, server=settings.server)
        async with ArgoSession(
            place, token=settings.token, namespace=settings.namespace, attempts=_ATTEMPTS
        ) as session:
            yield session

    @asynccontextmanager
    async def client(
        self, *, embedded: bool = False, kafka: bool = False, **options: Any
    ) -> "AsyncIterator[Client]":
        """Open a client.

        Args:
            embedded: Whether the embedded engine will do where no server is named.
            kafka: Whether replies may come by Kafka, as KAFKA_* says.
            options: Settings of the embedded engine.

        Raises:
            CommandError: No server is named.
            ArgoError: It does not answer, or not as an Argo Server.
            EngineError: The embedded engine does not start.
        """
        if not (embedded and self.place().is_local):
            async with self.session() as session:
                await session.server.version()
        from aiowf.client import Client

        settings = self.settings(kafka=None if kafka else False, **options)
        async with Client(settings) as client:
            yield client


def no_server(consequence: str) -> CommandError:
    """Return the error where a server is needed and none is named; it says what follows from it."""
    from aiowf.argo.announced import find_all

    message = f"no server is named, so {consequence}"
    hint = "Name one with ARGO_SERVER or --server; `aiowf dev` starts one on this machine."
    running = find_all()
    if running:
        message += f"; `aiowf dev` runs at {running[0].address}"
        hint = f"export ARGO_SERVER={shlex.quote(running[0].address)}"
    return CommandError(message, hint, Exit.UNAVAILABLE)


def connection_options(command: F) -> F:
    """Add the options that say where the server is; they are kept in the Target."""
    options = (
        click.option(
            "--server",
            metavar="ADDRESS",
            help="Argo Server: host:port, an URL or unix:/path; else ARGO_SERVER.",
            **_KEPT,
        ),
        click.option(
            "-n", "--namespace", metavar="NAME", help="Namespace; else ARGO_NAMESPACE.", **_KEPT
        ),
        click.option(
            "--token-file",
            metavar="FILE",
            type=click.Path(dir_okay=False),
            help='File with the token ("Bearer …"); else ARGO_TOKEN.',
            **_KEPT,
        ),
        click.option(
            "--debug",
            is_flag=True,
            default=None,
            help="Show the log, and the traceback of an error.",
            **_KEPT,
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _check_namespace(name: str) -> None:
    from aiowf.errors import ConfigurationError
    from aiowf.manifest.names import dns_label

    try:
        dns_label(name, "-n")
    except ConfigurationError as error:
        raise CommandError(error._lines()[0], error.hint, Exit.USAGE) from None


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is not None and parameter.name is not None:
        if parameter.name == "namespace":
            _check_namespace(value)
        setattr(context.find_object(Target), parameter.name, value)
        if parameter.name == "debug":
            from aiowf.cli.log import show_everything

            show_everything()


_KEPT: dict[str, Any] = {"expose_value": False, "callback": _keep}


def asynchronous(function: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., T]:
    """Make a command of a coroutine function; its first argument is the Target."""

    @click.pass_obj
    @wraps(function)
    def command(target: Target, *args: Any, **kwargs: Any) -> T:
        return run_to_end(target, function(target, *args, **kwargs))

    return command


def run_to_end(target: Target, work: Coroutine[Any, Any, T]) -> T:
    """Run what a command does in an event loop; the library's warnings become lines of ours."""
    from aiowf.cli.log import quietly

    with quietly(debug=target.debug):
        return asyncio.run(work)
