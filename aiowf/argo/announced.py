"""Servers that this user runs on this machine, and the tokens that they ask for.

Whoever serves notes the address and the token in a file that nobody else can read, and holds a lock
on it as long as it listens there. So a client needs the address alone; and a note that is left
behind by a crash gives nothing away to whoever listens at that address afterwards.
"""

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote

from attrs import field, frozen


@frozen
class Announced:
    """A server that runs.

    Attributes:
        server: The very address that it listens at, as ARGO_SERVER names it.
        token: Its token, without a scheme; "" if it needs none.
        namespace: The namespace that its clients are told to use, or None.
    """

    server: str
    token: str = field(repr=False)
    namespace: str | None = None

    @property
    def address(self) -> str:
        """Return the address for a shell, with its scheme."""
        return self.server if self.server.startswith("unix:") else f"http://{self.server}"


@contextmanager
def announce(server: Announced, environ: Mapping[str, str] | None = None) -> Iterator[None]:
    """Let clients of this user know a server, as long as the block is entered.

    Where the file cannot be written, nobody is told: clients then need the token.
    """
    path = _path(server.server, environ)
    note = {"server": server.server, "token": server.token, "namespace": server.namespace}
    try:
        file = _publish(path, json.dumps(note))
    except OSError:
        yield
        return
    with file:
        try:
            yield
        finally:
            with suppress(OSError):
                _withdraw(path, file)


def _publish(path: Path, text: str) -> IO[str]:
    """Put a note into its place, written and locked: nobody sees it otherwise. Return the lock."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, unfinished = tempfile.mkstemp(prefix=".", dir=path.parent)
    file = os.fdopen(descriptor, "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.write(text)
        file.flush()
        with _alone_in(path.parent):
            os.replace(unfinished, path)
    except BaseException:
        file.close()
        os.unlink(unfinished)
        raise
    return file


def _withdraw(path: Path, file: IO[str]) -> None:
    """Remove a note, unless the next server at its address has put its own there already."""
    with _alone_in(path.parent):
        if os.path.samestat(os.fstat(file.fileno()), path.lstat()):
            path.unlink()


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Keep others from changing notes within the block, which takes no time."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def find(server: str, environ: Mapping[str, str] | None = None) -> Announced | None:
    """Return the server of this user that listens at an address, or None.

    Args:
        server: The address: "host:port", or "unix:/path". "localhost" is not "127.0.0.1": it may
            mean another address too.
        environ: The environment, which says where the notes are.
    """
    try:
        descriptor = os.open(_path(server, environ), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with os.fdopen(descriptor) as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
            return None
        if not _is_locked(descriptor):
            return None
        try:
            note = json.load(file)
            found = Announced(note["server"], note["token"], note["namespace"])
        except (ValueError, LookupError, TypeError):
            return None
    return found if found.server == server else None


def find_all(environ: Mapping[str, str] | None = None) -> list[Announced]:
    """Return the servers of this user that run, by their addresses."""
    try:
        names = sorted(
            path.name for path in _path("", environ).iterdir() if not path.name.startswith(".")
        )
    except OSError:
        return []
    found = (find(unquote(name), environ) for name in names)
    return [each for each in found if each is not None]


def _is_locked(descriptor: int) -> bool:
    """Return whether somebody else holds the lock of a file: a server that lives."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _path(server: str, environ: Mapping[str, str] | None) -> Path:
    """Return the file of a server: below $XDG_STATE_HOME, or ~/.local/state."""
    environ = os.environ if environ is None else environ
    state = environ.get("XDG_STATE_HOME", "")
    home = Path(environ.get("HOME") or "/")
    base = Path(state) if os.path.isabs(state) else home / ".local" / "state"
    return base / "aiowf" / "servers" / quote(server, safe="")
