"""The `fields` parameter: which parts of an answer are wanted.

A list of dotted paths keeps those; a "-" before the whole list leaves them out. A "-" before a
later item makes that item mean nothing, and so does a blank. A path may name a label whose key has
dots in it.
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen


@frozen
class Fields:
    """A parsed `fields` parameter.

    Attributes:
        paths: The dotted paths.
        excluding: Whether they are left out rather than kept.
    """

    paths: frozenset[str]
    excluding: bool
    _prefixes: frozenset[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        parts = [path.split(".") for path in self.paths]
        heads = frozenset(".".join(p[:n]) for p in parts for n in range(1, len(p)))
        object.__setattr__(self, "_prefixes", heads)

    def wants(self, path: str) -> bool:
        """Return whether anything at or below a path is kept."""
        covered = self._covers(path)
        if self.excluding:
            return not covered
        return covered or path in self._prefixes

    def _covers(self, path: str) -> bool:
        """Whether the path itself, or one above it, is listed."""
        if path in self.paths:
            return True
        return any(path[:at] in self.paths for at, char in enumerate(path) if char == ".")

    def prune_error(self, message: Any) -> Any:
        """Return the message of an error; a list that excludes something never excludes it."""
        return message if self.excluding else self.prune(message)

    def prune(self, data: Any, path: str = "") -> Any:
        """Return a copy of JSON data with what is wanted; elements of lists share their path."""
        if path and self._covers(path):
            return {} if self.excluding else data
        return self._prune(data, path)

    def _prune(self, data: Any, path: str) -> Any:
        """Prune what stands at a path that is not listed, nor is one above it."""
        if isinstance(data, list):
            return [self._prune(item, path) for item in data]
        if not isinstance(data, Mapping):
            return data
        kept: dict[str, Any] = {}
        for key, value in data.items():
            below = f"{path}.{key}" if path else key
            covered = below in self.paths
            if not self.excluding and covered:
                kept[key] = value
            elif below in self._prefixes:
                if not self.excluding and not isinstance(value, (Mapping, list)):
                    continue
                kept[key] = self._prune(value, below)
            elif self.excluding and not covered:
                kept[key] = value
        return kept


def parse_fields(text: str | None) -> Fields | None:
    """Parse the parameter; None means everything."""
    if not text:
        return None
    excluding = text.startswith("-")
    return Fields(frozenset(text.removeprefix("-").split(",")), excluding)


def with_empty_status(workflow: dict[str, Any]) -> dict[str, Any]:
    """Add what Go always writes to a pruned workflow: empty arguments and null times."""
    spec = workflow.get("spec") or {}
    status = workflow.get("status") or {}
    return {
        "metadata": workflow.get("metadata") or {},
        "spec": {"arguments": {}, **spec},
        "status": {"startedAt": None, "finishedAt": None, **status},
    }
