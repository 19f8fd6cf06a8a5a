"""Starts the engine's server and outlives it: a process of its own, the standard library only.

Its standard input is one end of a socket pair. The client, which holds the other end, writes one
line of JSON, the settings. The supervisor forks the server, which imports what it needs, and waits.
When client or server end, however they end, it kills whatever is left of the server's processes and
deletes the directories. The server does so if the supervisor ends.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress

TYPE_CHECKING = False  # Importing typing takes longer than all that is needed here.
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Seconds that the server has for its own end, and its processes for theirs.
_GRACE = 2.0
_DEADLINE = 4.0


def main() -> int:
    """Supervise one engine; return the exit code."""
    control = socket.socket(fileno=os.dup(0))
    _redirect(os.devnull, 0)
    try:
        settings = _read_settings(control)
        if settings is None:
            return 0
        for directory in settings["directories"]:
            os.mkdir(directory, 0o700)
        link, server_link = socket.socketpair()
        server = os.fork()
        if server == 0:
            link.close()
            _become_server(settings, control, server_link)
        server_link.close()
        if settings.get("listener") is not None:
            os.close(settings["listener"])
        return _supervise(settings, control, link, server)
    except Exception as error:
        _tell(control, {"error": _reason(error)})
        raise


def _read_settings(control: socket.socket) -> dict[str, Any] | None:
    with control.makefile("rb") as file:
        line = file.readline()
    # The client may have ended already.
    return json.loads(line) if line.endswith(b"\n") else None


def _become_server(settings: dict[str, Any], control: socket.socket, link: socket.socket) -> None:
    """Run the server in this process, to its end."""
    try:
        _import_server(settings["path"])(settings, control, link)
    except BaseException as error:
        traceback.print_exc()
        _tell(control, {"error": _reason(error)})
        os._exit(1)
    # Everything has been closed by now; the interpreter's own end would only take time.
    os._exit(0)


def _import_server(
    path: list[str],
) -> Callable[[dict[str, Any], socket.socket, socket.socket], None]:
    """Import the server, as fast as it goes: the client is waiting.

    Args:
        path: Where the client finds its modules; what is not the interpreter's own comes last.
    """
    sys.path += [entry for entry in path if entry not in sys.path]
    # The server speaks no TLS, and reading the machine's certificates takes longer than all else.
    sys.modules["ssl"] = None  # type: ignore[assignment]
    gc.disable()
    from aiowf.engine.assembly import serve

    gc.freeze()
    gc.enable()
    return serve


def _supervise(
    settings: dict[str, Any], control: socket.socket, link: socket.socket, server: int
) -> int:
    from aiowf.engine.processes import end_descendants, set_subreaper

    set_subreaper()
    wakeup, alarm = socket.socketpair()
    for end in (wakeup, alarm):
        end.setblocking(False)
    signal.set_wakeup_fd(alarm.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    _wait([control, wakeup, link, *_client(settings["client"])])
    with suppress(ProcessLookupError):
        os.kill(server, signal.SIGTERM)
    if not _wait([link], _GRACE):
        os.kill(server, signal.SIGKILL)
    _, status = os.waitpid(server, 0)
    if status != 0:
        _tell(control, {"died": _words(status)})
    end_descendants(settings["cookie"], deadline=_DEADLINE)

    from aiowf.engine.addresses import CONTAINERS
    from aiowf.engine.directories import remove_tree

    try:
        if os.path.exists(os.path.join(settings["directory"], CONTAINERS)):
            # What that imports need not be among the interpreter's own.
            sys.path += [entry for entry in settings["path"] if entry not in sys.path]
            from aiowf.engine.executor.containers import remove_containers

            remove_containers(settings["directory"])
    finally:
        for directory in settings["directories"]:
            remove_tree(directory)
    return 0


def _client(pid: int) -> list[int]:
    """Return a descriptor that becomes readable when the client ends, where there are such.

    The end of the socket alone would not do: processes that the client has forked may hold it open.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return []
    # If the client ended before, its id may be somebody else's by now.
    return [descriptor] if os.getppid() == pid else []


def _wait(sources: list[Any], timeout: float | None = None) -> bool:
    """Wait until one of some descriptors is readable, or at its end."""
    poll = select.poll()
    for source in sources:
        poll.register(source, select.POLLIN)
    return bool(poll.poll(None if timeout is None else timeout * 1000))


def _words(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _reason(error: BaseException) -> str:
    """Return what went wrong, without the groups that it came in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return traceback.format_exception_only(error)[-1].strip()


def _tell(control: socket.socket, message: dict[str, str]) -> None:
    with suppress(OSError):
        control.sendall(json.dumps(message).encode() + b"\n")


def _redirect(path: str, descriptor: int) -> None:
    opened = os.open(path, os.O_RDWR)
    os.dup2(opened, descriptor)
    os.close(opened)
