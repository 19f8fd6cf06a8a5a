"""`python` for pods: the interpreter that runs the engine."""

import os
import shlex
import sys
from pathlib import Path

_NAMES = ("python", "python3")


def interpreter_directories(directory: Path) -> list[str]:
    """Return what PATH has to begin with so that `python` and `python3` are this interpreter.

    Args:
        directory: Where small scripts are written if the interpreter goes by other names.
    """
    own = os.path.dirname(sys.executable)
    if all(_is_this(os.path.join(own, name)) for name in _NAMES):
        return [own]
    shims = directory / "bin"
    shims.mkdir(exist_ok=True)
    for name in _NAMES:
        shim = shims / name
        # A symbolic link would make an interpreter forget its virtual environment.
        shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        shim.chmod(0o755)
    return [str(shims), own]


def interpreter_paths() -> list[str]:
    """Return the directories without which this interpreter does not run."""
    return [sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(sys.executable)]


def _is_this(path: str) -> bool:
    return os.path.exists(path) and os.path.samefile(path, sys.executable)
