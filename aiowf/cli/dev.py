"""`aiowf dev`: the embedded engine as a server that stays."""

import html
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiowf.cli.embedded import engine_options
from aiowf.cli.errors import CommandError, Exit, say
from aiowf.cli.output import write
from aiowf.cli.target import Target, connection_options, run_to_end

if TYPE_CHECKING:
    from aiowf.engine import Listening


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=2746,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0: any that is free.",
)
@click.option(
    "--unix-socket",
    metavar="PATH",
    type=click.Path(dir_okay=False),
    help="Unix socket to listen on, instead of a port.",
)
@click.option("--no-auth", is_flag=True, help="Ask for no token; on this machine only.")
@click.option("--max-pods", type=click.IntRange(min=1), help="Pods at a time; else one per CPU.")
@click.option(
    "--claims",
    metavar="DIRECTORY",
    type=click.Path(file_okay=False),
    help="Directory of persistent volume claims, NAMESPACE/CLAIM below it.",
)
@click.option(
    "--db",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="SQLite file that keeps what has finished, and stored templates.",
)
@engine_options
@click.option("--open", "opens", is_flag=True, help="Show its page in a browser.")
@connection_options
@click.pass_obj
def dev(
    target: Target,
    host: str,
    port: int,
    unix_socket: str | None,
    no_auth: bool,
    max_pods: int | None,
    claims: str | None,
    db: str | None,
    containers: bool | None,
    build: str | None,
    images: Mapping[str, Sequence[str]],
    opens: bool,
) -> None:
    """Serve the embedded engine to any Argo client.

    It runs until Ctrl-C. The other commands of the same user need only its address in ARGO_SERVER.
    """
    from aiowf.argo.announced import Announced, announce, find
    from aiowf.engine import ServeSettings, serve

    if opens:
        _check_display(unix_socket)
    settings = ServeSettings(
        host=host,
        port=port,
        unix_socket=unix_socket,
        no_auth=no_auth,
        namespace=target.namespace,
        images=images,
        max_pods=max_pods,
        claims=claims,
        db=db,
        containers=containers,
        build=build,
        token=_token(target),
    )
    running = None if unix_socket is not None else find(f"{host}:{port}")
    if running is not None:
        raise CommandError(
            f"`aiowf dev` runs at {running.address} already: choose another --port for a second "
            "one, or use it",
            f"export ARGO_SERVER={shlex.quote(running.address)}",
            Exit.UNAVAILABLE,
        )
    with ExitStack() as stack:

        def tell(listening: "Listening") -> None:
            note = Announced(listening.server, listening.token, listening.namespace)
            stack.enter_context(announce(note))
            for line in announcement(listening):
                write(line)
            sys.stdout.flush()
            if opens:
                click.launch(stack.enter_context(_pointer(listening.page)))

        run_to_end(target, serve(settings, on_listening=tell, on_event=say))
    say("aiowf: the engine has ended, and what it ran")


def announcement(listening: "Listening") -> list[str]:
    """Return what tells users, in words for a shell, how to reach the engine."""
    is_unix = listening.server.startswith("unix:")
    where = listening.server if is_unix else f"http://{listening.server}"
    lines = [f"The engine listens at {where}; Ctrl-C ends it.", ""]
    lines += ["aiowf, in another terminal:", f"  export ARGO_SERVER={shlex.quote(where)}"]
    if listening.namespace:
        lines.append(f"  export ARGO_NAMESPACE={shlex.quote(listening.namespace)}")
    if listening.page:
        lines += ["", "Its page, for whoever may use it:", f"  {listening.page}"]
    if not is_unix:
        lines += ["", "The argo command line, and other clients:"]
        lines.append(f"  export ARGO_SERVER={listening.server} ARGO_SECURE=false ARGO_HTTP1=true")
        if listening.token and (listening.token_is_new or listening.token_path is None):
            lines.append(f"  export ARGO_TOKEN='Bearer {listening.token}'")
        elif listening.token:
            path = shlex.quote(str(listening.token_path))
            lines.append(f'  export ARGO_TOKEN="Bearer $(cat {path})"')
    if not listening.token:
        lines += ["", "Whoever can reach it on this machine may use it: --no-auth."]
    return lines


@contextmanager
def _pointer(page: str) -> Iterator[str]:
    """Give the address of a private file that leads to a page.

    The page's own address holds the token, and a browser's arguments are seen by everybody here.
    """
    with tempfile.NamedTemporaryFile("w", prefix="aiowf-", suffix=".html") as file:
        file.write(f'<meta http-equiv="refresh" content="0; url={html.escape(page)}">')
        file.flush()
        yield Path(file.name).as_uri()


def _token(target: Target) -> str | None:
    """Return the token that is given; without one the engine makes its own."""
    if target.token_file is None:
        return None
    return Path(target.token_file).read_text(encoding="utf-8").strip()


def _check_display(unix_socket: str | None) -> None:
    """Check that there is where to open a page."""
    if unix_socket is not None:
        raise CommandError(
            "a browser cannot open a Unix socket", "Leave out --open, or --unix-socket."
        )
    seen = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if not seen:
        raise CommandError(
            "there is no display to open a browser on: DISPLAY and WAYLAND_DISPLAY are not set",
            "Leave out --open, and open the address that `aiowf dev` prints where there is one.",
        )


COMMANDS = (dev,)
