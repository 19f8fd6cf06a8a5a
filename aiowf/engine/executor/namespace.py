"""Whether this machine lets pods have mount namespaces; found out once, when first needed."""

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field

_PROGRAM = str(Path(__file__).with_name("mount.py"))
# Kinds in the order of preference: of our own right, or in a user namespace.
_KINDS = ("plain", "user")


@define
class Namespaces:
    """Answers what kind of mount namespace there may be. Thread-safe; blocks the first time.

    Attributes:
        allowed: Whether to use them at all.
    """

    allowed: bool
    # Guards `_kind`.
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    # "" until the probe, then a kind, or None where there are none.
    _kind: str | None = field(default="", init=False)

    def kind(self) -> str | None:
        """Return "plain", "user", or None where the kernel forbids it."""
        if not self.allowed or sys.platform != "linux":
            return None
        with self._lock:
            if self._kind == "":
                self._kind = next(filter(_works, _KINDS), None)
            return self._kind


def launcher(plan: str, program: str | None) -> Sequence[str]:
    """Return the beginning of an argument vector that runs what follows in a namespace.

    Args:
        plan: What mount.py has to do, as JSON.
        program: The file to run, or None to look for it by the first argument, in the namespace.
    """
    return (sys.executable, "-I", "-S", _PROGRAM, plan, program or "")


def _works(kind: str) -> bool:
    probe = subprocess.run(
        [sys.executable, "-I", "-S", _PROGRAM, "probe", kind],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return probe.returncode == 0
