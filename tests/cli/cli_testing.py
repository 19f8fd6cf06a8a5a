"""What tests of the command line share."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from attrs import frozen

AIOWF = str(Path(sys.executable).with_name("aiowf"))


@frozen
class Done:
    """What came of a command."""

    code: int
    out: str
    err: str


def start(*words: str, **options: Any) -> "subprocess.Popen[str]":
    """Start a command in a process of its own."""
    options.setdefault("stdout", subprocess.PIPE)
    environ = {**os.environ, **options.pop("env", {})}
    return subprocess.Popen(
        [AIOWF, *words], stderr=subprocess.PIPE, text=True, env=environ, **options
    )


def ended(process: "subprocess.Popen[str]") -> Done:
    """Wait for a command; return what came of it."""
    with process:
        out, err = process.communicate(timeout=60)
    return Done(process.returncode, out or "", err)
