"""A command in a terminal: a real pseudo-terminal, and an emulator that draws what is written."""

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyte
from cli_testing import AIOWF

DEADLINE = 30.0


class Terminal:
    """A command that runs in a terminal.

    Attributes:
        written: All that it has written, as bytes.
    """

    def __init__(self, pid: int, descriptor: int, columns: int, rows: int) -> None:
        self._pid = pid
        self._descriptor = descriptor
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.written = b""
        self.code: int | None = None

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def press(self, keys: str) -> None:
        """Type something."""
        os.write(self._descriptor, keys.encode())

    def until(self, seen: Callable[[str], bool] | str) -> str:
        """Draw until the screen shows something; return what it shows."""
        is_there = seen if callable(seen) else lambda text: seen in text
        end = time.monotonic() + DEADLINE
        while not is_there(self.text):
            assert time.monotonic() < end, f"not seen: {seen}\n{self.text}"
            assert self._draw(), f"ended before it was seen: {seen}\n{self.text}"
        return self.text

    def end(self) -> int:
        """Draw to the end; return the exit code."""
        end = time.monotonic() + DEADLINE
        while self._draw():
            assert time.monotonic() < end, f"no end\n{self.text}"
        return self.close()

    def close(self) -> int:
        """Take the exit code."""
        if self.code is None:
            _, status = os.waitpid(self._pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def _draw(self) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], 0.2)
        if not ready:
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # what Linux says when the other side is closed
            return False
        self.written += data
        self._stream.feed(data)
        return bool(data)


@contextmanager
def terminal(
    *words: str, program: str = AIOWF, columns: int = 80, rows: int = 24, **environ: str
) -> Iterator[Terminal]:
    """Run a command in a terminal; it is killed at the end of the block if it still runs."""
    said = {**os.environ, "TERM": "xterm-256color", **environ}
    for name in ("COLUMNS", "LINES"):
        said.pop(name, None)
    pid, descriptor = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execvpe(program, [program, *words], said)
    shown = Terminal(pid, descriptor, columns, rows)
    try:
        yield shown
    finally:
        if shown.code is None:
            os.kill(pid, 9)
            shown.close()
        os.close(descriptor)
