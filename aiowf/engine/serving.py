"""The engine as a server for any Argo client."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from attrs import field, frozen

from aiowf.engine.launcher import Outside, launch
from aiowf.engine.listeners import is_loopback, listen_on_path, listen_on_port
from aiowf.engine.tokens import stored_token, token_path
from aiowf.errors import EngineError

_log = logging.getLogger("aiowf.engine")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@frozen(kw_only=True)
class ServeSettings:
    """How the engine is served.

    Attributes:
        host: Address or name to listen on.
        port: TCP port; 0: any that is free.
        unix_socket: Path of a Unix socket to listen on, instead of host and port.
        token: What requests must carry as bearer token; default: the one in `aiowf/token` below
            $XDG_STATE_HOME or ~/.local/state, which is made if there is none.
        no_auth: Whether requests need no token: on loopback or a Unix socket only.
        namespace: The namespace that clients are told to use; default: none is told.
        images: What runs in place of an image: name → argument vector.
        max_pods: How many pods run at a time; default: as many as there are CPUs.
        claims: Directory of persistent claims that outlive the engine; default: none do.
        db: File of a SQLite database that keeps finished workflows and templates; default: they end
            with the engine. Needs `aiowf[dev]`.
        containers: True, "podman", "docker" or a command with options: every pod is a container;
            False: none is; None: those are whose image has no command that could run here.
        build: Directory of applications whose images are built when they are first needed.
    """

    host: str = "127.0.0.1"
    port: int = 2746
    unix_socket: str | os.PathLike[str] | None = None
    token: str | None = field(default=None, repr=False)
    no_auth: bool = False
    namespace: str | None = None
    images: Mapping[str, Sequence[str]] = field(factory=dict)
    max_pods: int | None = None
    claims: str | os.PathLike[str] | None = None
    db: str | os.PathLike[str] | None = None
    containers: bool | str | Sequence[str] | None = None
    build: str | os.PathLike[str] | None = None


@frozen(kw_only=True)
class Listening:
    """Where a served engine listens, and what it asks for.

    Attributes:
        server: What ARGO_SERVER has to be: "host:port", or "unix:<path>" for aiowf's own clients.
        url: Address of its page, "" on a Unix socket.
        hosts: The names, beside plain addresses, that requests may call it by; None: any.
        token: The token; "" if none is needed.
        token_path: The file that holds the token, or None.
        token_is_new: Whether the token was made just now, so that nobody knows it yet.
        namespace: The namespace that clients are told to use, or None.
    """

    server: str
    url: str
    hosts: Sequence[str] | None = None
    token: str = field(repr=False)
    token_path: Path | None = None
    token_is_new: bool = False
    namespace: str | None = None

    @property
    def page(self) -> str:
        """Return the address to open in a browser: the fragment with the token goes nowhere else.

        The page takes the token out of the address at once. "" on a Unix socket.
        """
        if not self.url or not self.token:
            return self.url
        return f"{self.url}#token={quote(self.token, safe='')}"


async def serve(
    settings: ServeSettings | None = None,
    *,
    on_listening: Callable[[Listening], None] | None = None,
    on_event: Callable[[str], None] = _log.info,
) -> None:
    """Serve an engine to any Argo client until SIGINT or SIGTERM comes.

    Args:
        settings: How.
        on_listening: Is called once requests are answered.
        on_event: Is called with a line for each event of interest: a workflow created, finished or
            deleted, a request refused. It holds no control characters.

    Raises:
        EngineError: It cannot listen there, it would let everybody in, or it has ended on its own.
    """
    settings = settings or ServeSettings()
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        async with _listener(settings) as listener:
            listening = await asyncio.to_thread(_announcement, settings, listener)
            outside = Outside(listener, on_event, listening.hosts, settings.namespace)
            async with launch(
                token=listening.token,
                images=settings.images,
                max_pods=settings.max_pods,
                claims=settings.claims,
                db=settings.db,
                containers=settings.containers,
                build=settings.build,
                outside=outside,
            ) as engine:
                engine.died.add_done_callback(lambda _: stop.set())
                if on_listening is not None:
                    on_listening(listening)
                await stop.wait()
                if engine.died.done():
                    raise EngineError(engine.died.result())
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _listener(settings: ServeSettings) -> AsyncIterator[socket.socket]:
    """Listen where the settings say; a Unix socket is deleted in the end."""
    with await asyncio.to_thread(_listen, settings) as listener:
        try:
            yield listener
        finally:
            if settings.unix_socket is not None:
                await asyncio.to_thread(_delete, settings.unix_socket)


def _listen(settings: ServeSettings) -> socket.socket:
    if settings.unix_socket is not None:
        return listen_on_path(os.path.abspath(settings.unix_socket))
    return listen_on_port(settings.host, settings.port, only_loopback=settings.no_auth)


def _delete(path: str | os.PathLike[str]) -> None:
    with suppress(OSError):
        os.unlink(path)


def _announcement(settings: ServeSettings, listener: socket.socket) -> Listening:
    """Return what there is to tell; finds or makes the token."""
    server, url, hosts = _addresses(settings, listener)
    path, is_new = None, False
    if settings.no_auth:
        token = ""
    elif settings.token is not None:
        token = _bare(settings.token)
    else:
        path = token_path()
        token, is_new = stored_token(path)
    return Listening(
        server=server,
        url=url,
        hosts=hosts,
        token=token,
        token_path=path,
        token_is_new=is_new,
        namespace=settings.namespace,
    )


def _bare(token: str) -> str:
    """Return a token without its scheme.

    Raises:
        EngineError: Nothing is left, which would let everybody in.
    """
    words = token.split()
    bare = words[-1] if words and words[-1].lower() != "bearer" else ""
    if not bare or len(words) > 2:
        raise EngineError(
            "that is no token: it has to be one word", hint="Leave it out, or say no_auth=True."
        )
    return bare


def _addresses(
    settings: ServeSettings, listener: socket.socket
) -> tuple[str, str, Sequence[str] | None]:
    """Return the server as ARGO_SERVER names it, its page, and the names it may be called by."""
    if settings.unix_socket is not None:
        return f"unix:{os.path.abspath(settings.unix_socket)}", "", None
    address, port = listener.getsockname()[:2]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    server = f"{host}:{port}"
    hosts = ("localhost", settings.host.lower()) if is_loopback(address) else None
    return server, f"http://{server}/", hosts
