"""Directories of pods, used again where a pod has left nothing behind."""

import os
import stat
from collections import deque
from contextlib import suppress
from itertools import count

from attrs import define, field

# In every pod's directory: where it works, and its TMPDIR. Further there may be `script`,
# `termination-log`, `volumes`, `root`, and what it writes as /tmp/aiowf, which is the directory.
WORK = "work"
TEMPORARY = "tmp"
SCRIPT = "script"
TERMINATION = "termination-log"
_MODE = 0o700
# A directory with more in it is not worth the time that a pod would wait for it.
_FEW = 16


@define(eq=False)
class Rooms:
    """Makes directories for pods. Thread-safe; blocks.

    To make and delete directories and files costs a file system more than all else that is done for
    a short pod, so those that are as good as new are kept for the next one.

    Attributes:
        directory: An existing directory to make them in.
    """

    directory: str
    # Made, and not in use.
    _spare: deque[str] = field(factory=deque, init=False)
    _numbers: "count[int]" = field(factory=lambda: count(1), init=False)

    def take(self) -> str:
        """Return a directory for one pod.

        Raises:
            OSError: It cannot be made.
        """
        with suppress(IndexError):
            return self._spare.pop()
        room = f"{self.directory}/{next(self._numbers)}"
        for path in (room, f"{room}/{WORK}", f"{room}/{TEMPORARY}"):
            os.mkdir(path, _MODE)
        return room

    def give_back(self, room: str) -> bool:
        """Keep a directory for another pod; return False if it has to be deleted instead."""
        try:
            clean = _sweep(room) and all(_is_new(f"{room}/{name}") for name in (WORK, TEMPORARY))
        except OSError:
            return False
        if clean:
            self._spare.append(room)
        return clean


def _sweep(room: str) -> bool:
    """Delete the files that a pod has left in its directory itself, if that is all it has left."""
    names = os.listdir(room)
    for name in names if len(names) <= _FEW else ():
        if name not in (WORK, TEMPORARY):
            os.unlink(f"{room}/{name}")
    return len(names) <= _FEW


def _is_new(path: str) -> bool:
    mode = os.lstat(path).st_mode
    return stat.S_ISDIR(mode) and stat.S_IMODE(mode) == _MODE and not os.listdir(path)
