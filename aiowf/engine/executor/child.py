"""A process of a pod: its pipes and its end, watched by the event loop."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from attrs import define, field

# Read at most this much of one pipe before others have their turn.
_TURN_BYTES = 64 * 1024
# A pipe holds at most this much (fs.pipe-max-size for users), so that a drain has an end.
_PIPE_BYTES = 1024 * 1024
# What every pod reads; opened once, and closed by no one.
_NOTHING = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


@define(eq=False)
class Child:
    """A process in a session of its own whose output is read through pipes.

    Its end is the end of this very process: children of it that live on, and may hold the pipes
    open, do not matter.

    Attributes:
        popen: The process.
        pipes: File descriptor of a pipe → what takes the data; non-blocking.
        exited: Set when the process has ended.
    """

    popen: "subprocess.Popen[bytes]"
    # Open descriptors only: `_close` takes them out.
    pipes: dict[int, Callable[[bytes], None]]
    exited: "asyncio.Future[None]" = field(init=False)
    # Open until the process has been reaped; None where there are no pidfds.
    _pidfd: int | None = field(default=None, init=False)
    # Whether the pipes are not read for the moment.
    _paused: bool = field(default=False, init=False)

    def watch(self) -> None:
        """Begin to read the pipes and to wait for the end."""
        loop = asyncio.get_running_loop()
        self.exited = loop.create_future()
        for pipe in self.pipes:
            loop.add_reader(pipe, self._read, pipe)
        try:
            self._pidfd = os.pidfd_open(self.popen.pid)
        except (AttributeError, OSError):
            thread = loop.run_in_executor(None, self.popen.wait)
            thread.add_done_callback(lambda _: self._on_exit())
        else:
            loop.add_reader(self._pidfd, self._on_exit)

    def pause(self) -> None:
        """Stop reading, so that the process waits when its pipes are full."""
        if not self._paused:
            self._paused = True
            for pipe in self.pipes:
                asyncio.get_running_loop().remove_reader(pipe)

    def resume(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            for pipe in self.pipes:
                asyncio.get_running_loop().add_reader(pipe, self._read, pipe)

    def signal_group(self, number: int) -> None:
        """Send a signal to the process and to those of its children that stayed in its group."""
        # Until the process has been reaped its id belongs to nobody else.
        if self.popen.returncode is None:
            self._kill_group(number)
            # It may have joined the group of one of its children.
            self.popen.send_signal(number)

    def finish(self) -> int:
        """Kill the rest of the group, read what is left in the pipes, and return the exit code.

        Returns:
            The exit code; 128 + n after signal n.
        """
        self._kill_group(signal.SIGKILL)
        loop = asyncio.get_running_loop()
        if self._pidfd is not None:
            os.close(self._pidfd)
        for pipe in list(self.pipes):
            loop.remove_reader(pipe)
            self._drain(pipe)
        code = self.popen.wait()
        return 128 - code if code < 0 else code

    def _kill_group(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, number)

    def _on_exit(self) -> None:
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
        if not self.exited.done():
            self.exited.set_result(None)

    def _read(self, pipe: int) -> None:
        try:
            data = os.read(pipe, _TURN_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.pipes[pipe](data)
        else:
            asyncio.get_running_loop().remove_reader(pipe)
            self._close(pipe)

    def _drain(self, pipe: int) -> None:
        left = _PIPE_BYTES
        with suppress(OSError):
            while left > 0 and (data := os.read(pipe, _TURN_BYTES)):
                self.pipes[pipe](data)
                left -= len(data)
        self._close(pipe)

    def _close(self, pipe: int) -> None:
        del self.pipes[pipe]
        os.close(pipe)


def spawn(
    arguments: Sequence[str],
    program: str,
    environment: Mapping[str, str],
    directory: str,
    on_output: Callable[[bytes], None],
    on_stdout: Callable[[bytes], None] | None,
) -> Child:
    """Start a process. Blocks for a moment.

    Args:
        arguments: Its argument vector.
        program: The file to run.
        environment: All of its environment.
        directory: Its working directory.
        on_output: Takes what it writes to standard output and error.
        on_stdout: Takes what it writes to standard output once more.

    Raises:
        OSError: It cannot be started.
    """
    pipes: dict[int, Callable[[bytes], None]] = {}
    writers: list[int] = []
    try:
        error = _pipe(pipes, writers, on_output)
        output = error
        if on_stdout is not None:
            output = _pipe(pipes, writers, partial(_both, on_output, on_stdout))
        popen = subprocess.Popen(
            arguments,
            executable=program,
            env=environment,
            cwd=directory,
            stdin=_NOTHING,
            stdout=output,
            stderr=error,
            start_new_session=True,
        )
    except BaseException:
        for reader in pipes:
            os.close(reader)
        raise
    finally:
        for writer in writers:
            os.close(writer)
    return Child(popen, pipes)


def _pipe(
    pipes: dict[int, Callable[[bytes], None]], writers: list[int], sink: Callable[[bytes], None]
) -> int:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    pipes[reader] = sink
    writers.append(writer)
    return writer


def _both(first: Callable[[bytes], None], second: Callable[[bytes], None], data: bytes) -> None:
    first(data)
    second(data)
