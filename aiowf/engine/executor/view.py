"""Where the paths of a pod are on this machine, and how the pod comes to see them.

A pod has paths that the machine knows nothing of: where volumes are mounted, files that it is
given, files that it leaves as outputs, /dev/termination-log. Each of them stands for a real file or
directory. Most pods of ours need no more than AIOWF_DIR, which tells them the real directory behind
/tmp/aiowf. The others see their paths through a mount namespace, or, where the kernel forbids it,
have the paths in their command, environment and source replaced by the real ones.
"""

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import frozen

from aiowf.wire.labels import ENV_DIRECTORY, ENV_TERMINATION_LOG, POD_DIRECTORY, TERMINATION_LOG

_PRIVATE = "/tmp"


@frozen
class Mount:
    """A real file or directory that stands at another path in the pod.

    Attributes:
        target: Path in the pod.
        source: Path on this machine.
        read_only: Whether the pod may only read it.
    """

    target: str
    source: str
    read_only: bool = False


@frozen(kw_only=True)
class View:
    """The paths of one pod.

    Attributes:
        places: All that stands elsewhere, the deepest target first.
        mounts: Those of them that the pod must see, in order of their targets.
        named: Further paths that the pod reads or leaves files at.
        root: Real directory that the other paths of the pod are below.
    """

    places: tuple[Mount, ...]
    mounts: tuple[Mount, ...]
    named: tuple[str, ...]
    root: str

    @property
    def needed(self) -> bool:
        """Return whether the pod must see its paths; else the variables tell it enough."""
        return bool(self.mounts or self.named)

    def real(self, path: str) -> str:
        """Return where a path of the pod is on this machine."""
        for place in self.places:
            if is_below(path, place.target):
                return place.source + path[len(place.target) :]
        return self.root + os.path.realpath(path)

    def covers(self, path: str) -> bool:
        """Return whether a path is the pod's own, and not the machine's."""
        return path in self.named or any(is_below(path, place.target) for place in self.places)

    def substitute(self, text: str) -> str:
        """Replace the paths of the pod in a text by the real ones."""
        paths = sorted({*(place.target for place in self.places), *self.named}, key=len)
        if not any(path in text for path in paths):
            return text
        return _whole(reversed(paths)).sub(lambda match: self.real(match[0]), text)

    def plan(self, *, user: bool, keep: Iterable[str], directory: str, log: str) -> dict[str, Any]:
        """Return what mount.py has to do, as JSON data.

        Args:
            user: Whether it needs a user namespace.
            keep: Paths of this machine that must not be hidden.
            directory: The working directory, in the pod.
            log: Where to write why the program cannot be run.
        """
        # The machine's own symbolic links are kept, so what is behind them has to be made.
        mounts = [(os.path.realpath(m.target), m.source, m.read_only) for m in self.mounts]
        targets = [target for target, _, _ in mounts]
        named = map(os.path.realpath, self.named)
        anew = {parent for path in (*targets, *named) for parent in _parents(path)}
        anew = {path for path in anew if not any(is_below(path, target) for target in targets)}
        keep = list(keep)
        bare = {path for path in anew if is_private(path, keep)}
        hiding = [*targets, *bare]
        return {
            "root": self.root,
            "user": user,
            "anew": sorted(anew),
            "bare": sorted(bare),
            "keep": sorted({path for path in keep if any(is_below(path, h) for h in hiding)}),
            "mounts": mounts,
            "directory": directory,
            "log": log,
        }


def make_view(
    pod_directory: str,
    volumes: Sequence[Mount],
    named: Sequence[str],
    texts: Sequence[str],
    termination_log: str = TERMINATION_LOG,
) -> View:
    """Decide which paths a pod has, and which of them it must see.

    Args:
        pod_directory: The pod's directory; it stands for /tmp/aiowf, `termination-log` in it for
            its termination log, and `root` holds whatever else is the pod's own.
        volumes: Its volumes.
        named: Paths at which it is given files, leaves files, or works.
        texts: Its command, arguments, environment and source.
        termination_log: Where it expects its termination log.
    """
    ours = {
        Mount(POD_DIRECTORY, pod_directory): ENV_DIRECTORY,
        Mount(termination_log, f"{pod_directory}/termination-log"): ENV_TERMINATION_LOG,
    }
    # Who knows the variable asks it; who only knows the path must find something there.
    spoken = [
        place
        for place, variable in ours.items()
        if place.target not in (POD_DIRECTORY, TERMINATION_LOG)
        or any(_names(text, place.target) and variable not in text for text in texts)
    ]
    places = sorted((*volumes, *ours), key=lambda place: -len(place.target))
    elsewhere = [path for path in named if not any(is_below(path, p.target) for p in places)]
    return View(
        places=tuple(places),
        mounts=tuple(sorted((*volumes, *spoken), key=lambda place: place.target)),
        named=tuple(elsewhere),
        root=f"{pod_directory}/root",
    )


def _whole(paths: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern of whole paths: /mnt/a is no part of /mnt/ab, nor of x/mnt/a."""
    pattern = "|".join(re.escape(path) for path in paths)
    return re.compile(rf"(?<![\w.~-])(?:{pattern})(?![\w-]|\.\w)")


def _names(text: str, path: str) -> bool:
    """Return whether a text names a path, or one below it."""
    return path in text and _whole([path]).search(text) is not None


def is_private(path: str, keep: Iterable[str]) -> bool:
    """Return whether a path of the machine is hidden: /tmp is, but for what has to be kept."""
    return is_below(path, _PRIVATE) and not any(is_below(path, kept) for kept in keep)


def is_below(path: str, directory: str) -> bool:
    """Return whether a path is a directory, or in it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _parents(path: str) -> list[str]:
    parents = []
    while path not in ("/", ""):
        path = os.path.dirname(path)
        parents.append(path)
    return parents
