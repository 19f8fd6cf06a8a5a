"""The files of a pod: what it is given, and what it leaves."""

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from aiowf.engine.executor.view import View, is_private

# Larger outputs do not fit into a workflow's status anyway; etcd takes 1.5 MB for all of it.
MAX_OUTPUT_BYTES = 4 * 1024 * 1024
# Kubernetes' limit for the message of a container (TerminationMessagePath).
_MESSAGE_BYTES = 4096
_COPIED_BYTES = 1024 * 1024


class OutputTooLargeError(Exception):
    """An output that nobody could keep; the text says which."""


def write_inputs(view: View, files: Mapping[str, bytes]) -> None:
    """Write the files that a pod is given, from their paths in the pod."""
    for path, content in files.items():
        real = Path(view.real(os.path.normpath(path)))
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(content)


def make_room(view: View, outputs: Mapping[str, str], keep: Iterable[str]) -> None:
    """Make the directories that a pod leaves its outputs in; a file that it may see is copied."""
    for path in outputs.values():
        real = view.real(os.path.normpath(path))
        os.makedirs(os.path.dirname(real), exist_ok=True)
        if path in view.named and not is_private(path, keep):
            _copy(path, real)


def read_outputs(view: View, outputs: Mapping[str, str]) -> dict[str, str]:
    """Read the outputs that there are, each without one newline at its end, as Argo does.

    Raises:
        OutputTooLargeError: An output has more than 4 MiB.
    """
    found = {}
    for name, path in outputs.items():
        data = _read(view.real(os.path.normpath(path)), MAX_OUTPUT_BYTES + 1)
        if data is None:
            continue
        if len(data) > MAX_OUTPUT_BYTES:
            raise OutputTooLargeError(
                f"output parameter {name!r} ({path}) has more than {MAX_OUTPUT_BYTES} bytes"
            )
        found[name] = data.decode(errors="replace").removesuffix("\n")
    return found


def read_message(path: str) -> str:
    """Read what a pod wrote to its termination log."""
    return (_read(path, _MESSAGE_BYTES) or b"").decode(errors="replace").strip()


def _read(path: str, limit: int) -> bytes | None:
    """Read a regular file; None for whatever else it is, or is not."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return file.read(limit)


def _copy(path: str, real: str) -> None:
    if os.path.isfile(path) and os.path.getsize(path) <= _COPIED_BYTES:
        shutil.copyfile(path, real)
