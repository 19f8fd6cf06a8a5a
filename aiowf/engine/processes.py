"""Processes as the kernel tells of them: children, environment, sub-reaper. Standard library only.

The supervisor imports this module before anything heavy; nothing here may import more.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Collection
from contextlib import suppress

_PR_SET_CHILD_SUBREAPER = 36
_PIECE = 64 * 1024


def set_subreaper(wanted: bool = True) -> bool:
    """Become the parent of orphaned descendants (Linux), or be it no more; return if it worked."""
    if sys.platform != "linux":
        return False
    import ctypes  # 10 ms that the supervisor spends only after it has forked

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return bool(prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) == 0)


def children_of_main_thread() -> list[int]:
    """Return the children that this process's main thread started, and the orphans that came to it.

    Where the kernel does not keep such lists: the children of all threads.
    """
    own = os.getpid()
    try:
        return [int(pid) for pid in _read(f"/proc/{own}/task/{own}/children").split()]
    except FileNotFoundError:
        return [child for child, parent in _parents().items() if parent == own]


def descendants(pid: int) -> list[int]:
    """Return all descendants of a process, parents first."""
    below: dict[int, list[int]] = {}
    for child, parent in _parents().items():
        below.setdefault(parent, []).append(child)
    found = list(below.get(pid, ()))
    for child in found:
        found += below.get(child, ())
    return found


def environment_of(pid: int) -> list[bytes]:
    """Return the environment that a process was started with; [] if it cannot be read."""
    try:
        return _read(f"/proc/{pid}/environ").split(b"\0")
    except OSError:
        return []


def carriers(cookie: str) -> list[int]:
    """Return the processes that carry a variable, given as NAME=value, in their environment."""
    mark = cookie.encode()
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except FileNotFoundError:
        return []
    return [pid for pid in pids if mark in environment_of(pid)]


def end_descendants(cookie: str, *, spare: Collection[int] = (), deadline: float) -> None:
    """Kill all descendants, and all that carry the cookie, until there are none. Blocks.

    Reaps every child of this process, so it is for processes that are about to end.

    Args:
        cookie: A variable of their environment, as NAME=value.
        spare: Processes to leave alone.
        deadline: Seconds after which to give up, for what cannot be killed.
    """

    def find() -> set[int]:
        _reap()
        return {*descendants(os.getpid()), *carriers(cookie)} - {os.getpid(), *spare}

    _end(find, deadline)


def end_carriers(cookie: str, *, deadline: float) -> None:
    """Kill all that carry the cookie but this process, until there are none. Blocks.

    Args:
        cookie: A variable of their environment, as NAME=value.
        deadline: Seconds after which to give up, for what cannot be killed.
    """
    _end(lambda: set(carriers(cookie)) - {os.getpid()}, deadline)


def _end(find: Callable[[], set[int]], deadline: float) -> None:
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        alive = [pid for pid in find() if _kill(pid)]
        if not alive:
            return
        _await_end(alive, end)


def _kill(pid: int) -> bool:
    """Kill a process; return whether it was alive, and may be killed."""
    try:
        if _is_zombie(pid):
            return False
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    return True


def _await_end(pids: list[int], end: float) -> None:
    """Wait until processes that were killed have ended."""
    poll = select.poll()
    pidfds: list[int] = []
    for pid in pids:
        with suppress(OSError, AttributeError):
            pidfds.append(os.pidfd_open(pid))
            poll.register(pidfds[-1], select.POLLIN)
    waiting = set(pidfds)
    while waiting and (left := end - time.monotonic()) > 0:
        for pidfd, _ in poll.poll(left * 1000):
            poll.unregister(pidfd)
            waiting.discard(pidfd)
    for pidfd in pidfds:
        os.close(pidfd)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _is_zombie(pid: int) -> bool:
    return _stat(pid)[0] in (b"Z", b"X")


def _stat(pid: int) -> list[bytes]:
    """Return the fields of /proc/<pid>/stat from the state on: state, parent, …."""
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def _parents() -> dict[int, int]:
    found: dict[int, int] = {}
    with suppress(FileNotFoundError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with suppress(OSError, IndexError):
                    found[int(name)] = int(_stat(int(name))[1])
    return found


def _read(path: str) -> bytes:
    # A file object would cost three times as many calls of the system, for every pod.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return b"".join(iter(lambda: os.read(descriptor, _PIECE), b""))
    finally:
        os.close(descriptor)
