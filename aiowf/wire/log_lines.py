"""Entries of a log stream → the lines that the user's program wrote, each once."""

import re
from collections import Counter
from typing import Any

from attrs import define, field

# A line of Argo's executor, which shares the output of the main container: logfmt, of which the
# part "argo=true" is the mark. A last line without a newline is glued to the front of one.
_EXECUTOR = re.compile(
    r'time="?\d{4}-\d\d-\d\d[T ][^=]*level=\w+ '
    r'msg=(?:"(?:[^"\\]|\\.)*"|[^\s"]+) (?:.* )?argo=true(?: .*)?$',
    re.DOTALL,
)
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)(?:Z|[+-]\d\d:\d\d) ?")


def without_executor(line: str) -> str | None:
    """Return what a program wrote of a line; None if all of it is Argo's executor's."""
    if " argo=true" not in line:
        return line
    found = _EXECUTOR.search(line)
    if found is None:
        return line
    return line[: found.start()] or None


@define
class LogFilter:
    """Tells lines that have come before from new ones, also when a stream begins anew.

    Lines are told apart by their time stamps (`logOptions.timestamps`); those of a server that does
    not send any, by their number in the log of their pod.
    """

    _stamps_come: bool | None = None  # whether the server sends stamps; decided by the first line
    # Of each pod: the last stamp, and the lines that came with it.
    _stamps: dict[str, str] = field(factory=dict)
    _at_stamp: dict[str, set[str]] = field(factory=dict)
    # Of each pod: lines without a stamp, in all streams (the most) and in this one.
    _known: Counter[str] = field(factory=Counter)
    _here: Counter[str] = field(factory=Counter)

    def restart(self) -> None:
        """Expect the log from its beginning again."""
        self._here.clear()

    def take(self, pod: str, content: str) -> str | None:
        """Return the line if it is new, without its time stamp; None if it came before."""
        found = None if self._stamps_come is False else _STAMP.match(content)
        if self._stamps_come is None:
            self._stamps_come = found is not None
        if found is None:
            self._here[pod] += 1
            if self._here[pod] <= self._known[pod]:
                return None
            self._known[pod] = self._here[pod]
            return content
        stamp, line = _sortable(found[1]), content[found.end() :]
        last = self._stamps.get(pod, "")
        if stamp < last or (stamp == last and line in self._at_stamp[pod]):
            return None
        if stamp > last:
            self._stamps[pod] = stamp
            self._at_stamp[pod] = set()
        self._at_stamp[pod].add(line)
        return line


def read_entry(result: Any) -> tuple[str, str] | None:
    """Return pod and content of a log entry, or None if it is none."""
    content, pod = result.get("content", ""), result.get("podName", "")
    return (pod, content) if isinstance(content, str) and isinstance(pod, str) else None


def _sortable(stamp: str) -> str:
    """Give a time stamp nine digits after the point; Go drops zeros at the end."""
    whole, _, fraction = stamp.partition(".")
    return f"{whole}.{fraction:0<9}"
