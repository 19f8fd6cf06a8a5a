"""Where a served engine listens, bound before anything is started. Blocks."""

import errno
import ipaddress
import os
import socket
import stat
from contextlib import suppress

from aiowf.errors import EngineError

_BACKLOG = 1024
_THIS_MACHINE = "Name an address of this machine, such as 127.0.0.1."
_HINTS = {
    errno.EADDRNOTAVAIL: _THIS_MACHINE,
    errno.EACCES: "Ports below 1024 belong to the system: choose a higher one.",
}


def listen_on_port(host: str, port: int, *, only_loopback: bool = False) -> socket.socket:
    """Return a socket that listens on a TCP port.

    Args:
        host: A name or an address of this machine.
        port: The port; 0: any that is free.
        only_loopback: Whether other machines must not reach it.

    Raises:
        EngineError: There is no such address, the port is taken, or others could reach it.
    """
    place = f"{host}:{port}"
    if not 0 <= port <= 65535:
        raise EngineError(f"cannot listen on {place}: ports end at 65535")
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )
    except (OSError, UnicodeError) as error:
        raise EngineError(
            f"cannot listen on {place}: {_reason(error)}",
            hint=_THIS_MACHINE,
        ) from None
    family, kind, protocol, _, address = found[0]
    if only_loopback and not is_loopback(str(address[0])):
        raise EngineError(
            f"{place} can be reached from other machines, so requests need a token",
            hint="Without a token serve on 127.0.0.1 or on a Unix socket.",
        )
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise EngineError(
            f"cannot listen on {place}: {_reason(error)}",
            hint=_HINTS.get(error.errno or 0, "Choose another port, or end what listens there."),
        ) from None
    return listener


def listen_on_path(path: str) -> socket.socket:
    """Return a socket that listens on a Unix socket which only this user may open.

    A socket that nobody listens on any more is replaced.

    Raises:
        EngineError: Something is at that path, or nothing can be made there.
    """
    _make_room(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(path)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise EngineError(
            f"cannot listen on {path!r}: {_reason(error)}",
            hint="Name a path, not too long, in a directory that you may write to.",
        ) from None
    finally:
        os.umask(mask)
    return listener


def is_loopback(address: str) -> bool:
    """Return whether an IP address can be reached from this machine only."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _make_room(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return  # nothing is there; or bind says what is wrong
    if not stat.S_ISSOCK(mode):
        raise EngineError(f"{path!r} exists, and is no socket", hint="Choose another path.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(path)
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                os.unlink(path)
            return
        except OSError as error:
            raise EngineError(f"cannot listen on {path!r}: {_reason(error)}") from None
    raise EngineError(
        f"somebody listens on {path!r} already", hint="End it first, or choose another path."
    )


def _reason(error: OSError | UnicodeError) -> str:
    """Return what went wrong, without numbers and the like."""
    return (getattr(error, "strerror", None) or str(error)).lower()
