"""The engine's private directories: where they are, and how they go. Standard library only."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress

# Linux allows 107 bytes in the address of a Unix socket, macOS 103.
_SOCKET_PATH_BYTES = 100
_SOCKET_NAME = "engine.sock"


def choose_directories(name: str, parent: str | None) -> tuple[str, str]:
    """Choose where an engine puts its files and its socket; nothing is made.

    Args:
        name: Name of the directory, which is the engine's own.
        parent: Where to put it; None: where temporary files go.

    Returns:
        Path of the directory, and path of the socket: in that directory where it is short enough.
    """
    directory = os.path.join(os.path.abspath(parent or tempfile.gettempdir()), name)
    for place in _short_places(directory, name):
        socket_path = os.path.join(place, _SOCKET_NAME)
        if len(os.fsencode(socket_path)) <= _SOCKET_PATH_BYTES:
            return directory, socket_path
    return directory, os.path.join("/tmp", name, _SOCKET_NAME)


def remove_tree(path: str) -> None:
    """Delete a directory and all in it, as far as we may."""
    shutil.rmtree(path, ignore_errors=True)
    if not os.path.lexists(path):
        return
    # A task may have made directories of its own read-only.
    todo = [path]
    while todo:
        directory = todo.pop()
        with suppress(OSError):
            os.chmod(directory, 0o700)
            with os.scandir(directory) as entries:
                todo += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    shutil.rmtree(path, ignore_errors=True)


def _short_places(directory: str, name: str) -> Iterator[str]:
    yield directory
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK | os.X_OK):
        yield os.path.join(runtime, name)
