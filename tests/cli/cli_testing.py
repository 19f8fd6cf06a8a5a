"""What tests of the command line share."""

import os
import signal
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


def left_running() -> str:
    """Run the slow operation of the flow, leave it when its second task runs; return its name."""
    words = ("run", "cli_flow.py:slow", "--on-cancel", "leave")
    with start(*words, stdin=subprocess.DEVNULL) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "● sleep Running" in line:
                break
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    name = said.partition("interrupted; ")[2].partition(" ")[0]
    assert name.startswith("slow-"), said
    return name
