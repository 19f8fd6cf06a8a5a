"""The demo, as a newcomer runs it."""

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

AIOWF = str(Path(sys.executable).with_name("aiowf"))


def test_the_demo_succeeds_in_plain_lines() -> None:
    """Not in a terminal the demo prints a line per change, and says that all results were right."""
    began = time.monotonic()
    done = subprocess.run([AIOWF, "demo"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "✓ estimate-pi Succeeded" in done.stdout
    assert "ZeroDivisionError: division by zero" in done.stdout
    assert done.stdout.endswith("All results were right.\n")
    assert time.monotonic() - began < 30


def test_the_demo_moves_in_a_terminal() -> None:
    """In a terminal the progress is drawn over itself."""
    parent, child = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(
        [AIOWF, "demo"], stdin=child, stdout=child, stderr=child, env=environ, close_fds=True
    ) as process:
        os.close(child)
        shown = bytearray()
        while True:
            try:
                data = os.read(parent, 65536)
            except OSError:  # what Linux says when the other side is closed
                break
            if not data:
                break
            shown += data
        os.close(parent)
    assert process.returncode == 0
    assert b"\x1b[1A" in shown
    assert b"All results were right." in shown
