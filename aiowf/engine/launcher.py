"""The client's side of the embedded engine: starts it, knows whether it lives, ends it."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from aiowf.engine.directories import choose_directories, remove_tree
from aiowf.errors import EngineError

_ROOT = str(Path(__file__).parents[2])
# This very aiowf, wherever it is, and then nothing of the client's before the interpreter's own.
_SUPERVISOR = (
    "import sys; sys.path.insert(0, sys.argv[1]); from aiowf.engine.supervisor import main;"
    " del sys.path[0]; sys.exit(main())"
)
_TAIL_BYTES = 4096
# Seconds after which an engine that does not end is killed.
_PATIENCE = 8.0


def launch(
    *,
    images: Mapping[str, Sequence[str]] | None = None,
    max_pods: int | None = None,
    directory: str | os.PathLike[str] | None = None,
    claims: str | os.PathLike[str] | None = None,
    namespaces: bool = True,
    db: str | os.PathLike[str] | None = None,
    containers: bool | str | Sequence[str] | None = None,
    build: str | os.PathLike[str] | None = None,
    token: str | None = None,
    environment: Mapping[str, str] | None = None,
    outside: Outside | None = None,
    rehearsal: bool = False,
) -> Engine:
    """Start an embedded engine; it starts while you do something else.

    Wait for it with `engine = await launch()`, which leaves `await engine.aclose()` to you, or with
    `async with launch() as engine`. It ends with this process at the latest.

    Args:
        images: What runs in place of an image: name → argument vector.
        max_pods: How many pods run at a time; default: as many as there are CPUs.
        directory: Where it makes its private directory; default: where temporary files go.
        claims: Directory of persistent claims, `<namespace>/<claim>` below it, that outlive the
            engine; default: none do.
        namespaces: Whether pods may have mount namespaces, where the kernel allows it.
        db: File of a SQLite database that keeps finished workflows and templates; default: they end
            with the engine. Needs `aiowf[dev]`.
        containers: True, "podman", "docker" or a command with options: every pod is a container;
            False: none is; default: those are whose image has no command that could run here, if
            podman or docker is installed.
        build: Directory of applications whose images are built when they are first needed, as
            ImageCatalogue.from_directory names them.
        token: What requests have to carry as bearer token; "": nothing; default: a random one.
        environment: Variables for every pod; they may be secret, for they stand in no manifest.
        outside: How it serves others than this process; default: not at all.
        rehearsal: Whether it serves tests; see `aiowf.testing`.

    Raises:
        EngineError: There is no interpreter to start, or this is not Unix.
    """
    if not sys.executable or not hasattr(os, "fork"):
        raise EngineError(
            "the embedded engine needs a Python interpreter of its own, on Linux or macOS",
            hint="Name an Argo Server instead: aiowf.connect(server=…) or ARGO_SERVER.",
        )
    settings = {
        "token": secrets.token_urlsafe(24) if token is None else token,
        "claims": None if claims is None else os.fspath(claims),
        "db": None if db is None else os.fspath(db),
        "images": {name: list(words) for name, words in (images or {}).items()},
        "max_pods": max_pods,
        "namespaces": namespaces,
        "containers": containers,
        "build": None if build is None else os.fspath(build),
        "environment": dict(environment or {}),
        **(outside.settings() if outside else {}),
        "rehearsal": rehearsal,
    }
    return Engine(settings, None if directory is None else os.fspath(directory), outside)


class Outside(NamedTuple):
    """How an engine serves others than the process that started it.

    Attributes:
        listener: A socket that listens; the engine takes it over.
        on_event: Is called with a line for each event of interest.
        hosts: The names by which requests may call the server; None: any.
        namespace: The namespace that is told to those who ask for it.
    """

    listener: socket.socket
    on_event: Callable[[str], None]
    hosts: Sequence[str] | None = None
    namespace: str | None = None

    def settings(self) -> dict[str, Any]:
        """Return what the server process is told."""
        return {
            "listener": self.listener.fileno(),
            "journal": True,
            "hosts": self.hosts and list(self.hosts),
            "namespace": self.namespace,
        }


class Engine:
    """An embedded engine: a server process, its supervisor, and what they run.

    Attributes:
        socket_path: Path of the Unix socket that it listens on; "" until it is ready.
        token: What requests have to carry as bearer token.
    """

    def __init__(
        self, settings: dict[str, Any], parent: str | None, outside: Outside | None = None
    ) -> None:
        """Start an engine; see `launch`."""
        self.socket_path = ""
        self.token: str = settings["token"]
        # The end of the one tells that supervisor and server have both ended, and the end of the
        # other tells them that we have.
        self._control, theirs = socket.socketpair()
        self._control.setblocking(False)
        # What came from the supervisor or server and is not a whole line yet.
        self._received = b""
        self._pid = 0
        self._closing = False
        # What they have said of their end, or of why they did not start.
        self._reason: str | None = None
        # Why it would not start, and what to do about it, if it has said so itself.
        self._refusal: list[str | None] | None = None
        # These three are made together, when first an event loop waits for the engine.
        self._ready: asyncio.Future[None] | None = None
        self._died: asyncio.Future[str] | None = None
        self._buried: asyncio.Future[None] | None = None
        # The thread below sets these; None if there is nothing that can be started.
        self._popen: subprocess.Popen[bytes] | None = None
        self._settings = settings
        self._outside = outside
        self._errors: IO[bytes] | None = None
        # The last words of the engine, from its standard error; a thread sets it at the end.
        self._tail = ""
        # All this blocks for some milliseconds, too long for an event loop.
        self._starting = threading.Thread(
            target=self._start, args=(theirs, parent), name="aiowf-launch"
        )
        self._starting.start()

    @property
    def server(self) -> str:
        """Return where it listens, as the address of a server: "unix:<path>"."""
        return f"unix:{self.socket_path}"

    @property
    def directory(self) -> str:
        """Return its private directory; "" until it is ready."""
        return str(self._settings.get("directory", ""))

    @property
    def pid(self) -> int:
        """Return the id of the server process; 0 before it is ready."""
        return self._pid

    @property
    def died(self) -> asyncio.Future[str]:
        """Return a future of the reason if the engine ends before it is closed."""
        return self._attach()[1]

    def __await__(self) -> Generator[Any, None, Engine]:
        return self._wait_ready().__await__()

    async def __aenter__(self) -> Engine:
        return await self._wait_ready()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the engine and all it runs; come back when nothing of it is left."""
        self._closing = True
        _, died, buried = self._attach()
        if not died.done():
            died.set_result("the embedded engine was closed")
        with suppress(OSError):  # It may be gone already.
            self._control.shutdown(socket.SHUT_WR)
        done, _ = await asyncio.wait([buried], timeout=_PATIENCE)
        if not done and self._popen:
            self._popen.kill()
        await asyncio.shield(buried)

    def __del__(self) -> None:
        if getattr(self, "_closing", True):
            return
        if sys.is_finalizing():
            # A notebook's kernel ends: no thread can start any more, and none is needed. The
            # supervisor sees the end of the socket, and ends the engine.
            self._control.close()
        else:
            self._abandon()
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)

    def _abandon(self) -> None:
        """Leave the engine to its supervisor, which ends it now."""
        self._control.close()
        if self._errors is not None:
            self._errors.close()
        if self._popen is not None:
            with suppress(RuntimeError):  # At the interpreter's end there are no new threads.
                threading.Thread(target=self._popen.wait, daemon=True).start()

    def __repr__(self) -> str:
        return f"<Engine {self.server}>"

    def _start(self, control: socket.socket, parent: str | None) -> None:
        """Start the supervisor. In a thread."""
        passed = [self._outside.listener] if self._outside else []
        with ExitStack() as stack:
            for end in (control, *passed):
                stack.enter_context(end)
            try:
                settings = self._settings = _complete(self._settings, parent)
                self.socket_path = settings["socket"]
                self._control.sendall(json.dumps(settings).encode() + b"\n")
                # A file without a name goes with us, whatever happens.
                self._errors = tempfile.TemporaryFile()  # noqa: SIM115
                name, _, text = settings["cookie"].partition("=")
                self._popen = subprocess.Popen(
                    [sys.executable, "-I", "-c", _SUPERVISOR, _ROOT],
                    stdin=control.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=self._errors,
                    cwd="/",
                    env={**os.environ, name: text},
                    pass_fds=[end.fileno() for end in passed],
                    # Ctrl-C in a terminal is for the client, which then closes the engine.
                    start_new_session=True,
                )
            except (OSError, EngineError) as error:
                self._reason = str(error)

    async def _wait_ready(self) -> Engine:
        ready, _, _ = self._attach()
        try:
            await asyncio.shield(ready)
        except BaseException:
            await self.aclose()
            raise
        return self

    def _attach(self) -> tuple[asyncio.Future[None], asyncio.Future[str], asyncio.Future[None]]:
        """Begin to listen on the running event loop, if that has not begun."""
        if self._ready is None or self._died is None or self._buried is None:
            loop = asyncio.get_running_loop()
            self._ready, self._died = loop.create_future(), loop.create_future()
            self._buried = loop.create_future()
            # Whoever does not ask for them need not hear of them.
            self._ready.add_done_callback(lambda future: future.cancelled() or future.exception())
            loop.add_reader(self._control, self._on_control)
        return self._ready, self._died, self._buried

    def _on_control(self) -> None:
        try:
            data = self._control.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._on_message(json.loads(line))
        if not data:
            self._on_end()

    def _on_message(self, message: Mapping[str, Any]) -> None:
        if "ready" in message and self._ready and not self._ready.done():
            self._pid = message["ready"]
            self._ready.set_result(None)
        elif "refused" in message:
            self._refusal = message["refused"]
        elif "event" in message and self._outside:
            # On its own: what it raises is its own trouble, and not that of what came with it.
            asyncio.get_running_loop().call_soon(self._outside.on_event, message["event"])
        elif "died" in message or "error" in message:
            self._reason = self._reason or message.get("error") or message["died"]

    def _on_end(self) -> None:
        """Supervisor and server have both ended: sweep up what they could not."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._control)
        self._control.close()
        try:
            sweeping = loop.run_in_executor(None, self._sweep)
        except RuntimeError:  # The loop is about to be closed, and has no threads any more.
            self._sweep()
            self._on_swept()
        else:
            sweeping.add_done_callback(self._on_swept)

    def _on_swept(self, sweeping: asyncio.Future[None] | None = None) -> None:
        if sweeping is not None:
            sweeping.exception()  # What could not be swept up stays.
        ready, died, buried = self._attach()
        why, tail = self._reason or "killed", self._tail
        if not ready.done():
            message, hint = self._refusal or [f"the embedded engine did not start: {why}", tail]
            ready.set_exception(EngineError(str(message), hint=hint))
        if not died.done():
            died.set_result(f"the embedded engine is gone: {why}" + (f"\n{tail}" if tail else ""))
        if not buried.done():
            buried.set_result(None)

    def _sweep(self) -> None:
        """Reap the supervisor, and end what it has left if it was killed. In a thread."""
        self._starting.join()
        if self._popen is not None and self._popen.wait() != 0:
            from aiowf.engine.executor.containers import remove_containers
            from aiowf.engine.processes import end_carriers

            end_carriers(self._settings["cookie"], deadline=_PATIENCE)
            remove_containers(self._settings["directory"])
            for directory in self._settings["directories"]:
                remove_tree(directory)
        if self._errors is not None:
            with self._errors as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                self._tail = file.read().decode(errors="replace").strip()


def _complete(settings: dict[str, Any], parent: str | None) -> dict[str, Any]:
    """Add to the settings what can only be found out by blocking."""
    directory, socket_path = choose_directories(f"aiowf-{secrets.token_hex(6)}", parent)
    return {
        **settings,
        "claims": settings["claims"] and os.path.abspath(settings["claims"]),
        "db": settings["db"] and os.path.abspath(settings["db"]),
        "client": os.getpid(),
        "cookie": f"AIOWF_ENGINE={directory}",
        "directory": directory,
        "directories": list(dict.fromkeys([directory, os.path.dirname(socket_path)])),
        "socket": socket_path,
        "path": [os.path.abspath(path) for path in sys.path],
        **_containers(settings["containers"], settings["build"]),
    }


def _containers(
    wanted: bool | str | Sequence[str] | None, build: str | os.PathLike[str] | None
) -> dict[str, Any]:
    """Return what the server is told of containers; it looks for podman itself if nobody asks."""
    if wanted is None and build is None:
        return {"containers": None}
    from aiowf.engine.executor.containers import dockerfiles_below, find_containers

    command = find_containers(True if wanted is None else wanted)
    return {
        "containers": list(command),
        "all_pods": wanted not in (None, False),
        "dockerfiles": dockerfiles_below(build),
    }
