"""The workflows that were submitted in a test."""

import mmap
import os
import re
from pathlib import Path
from typing import Any

import orjson
from attrs import frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest import Template, Workflow, structure
from aiowf.manifest.names import nearest
from aiowf.wire.labels import IDEMPOTENCY_KEY

# A client makes the name of a workflow from the operation's and ten characters of its own.
_MADE = re.compile(r"(.+-)[0-9a-z]{10}")


@frozen(kw_only=True)
class Submission:
    """A workflow that the engine has accepted, as it was submitted.

    Attributes:
        operation: Name of the operation, such as "order-"; of a workflow that is none of ours its
            generateName, or its name.
        name: Full name of the workflow.
        namespace: Its namespace.
        parameters: The arguments of the workflow: name → value, as text.
        workflow: All of it.
    """

    operation: str
    name: str
    namespace: str
    parameters: dict[str, str]
    workflow: Workflow

    def template(self, name: str) -> Template:
        """Return a template by its name; the template of a task has the name of the task.

        Raises:
            ConfigurationError: There is none of this name.
        """
        known = {str(one.name): one for one in self._templates()}
        if name not in known:
            raise ConfigurationError(
                f"{self.name} has no template {name!r}", hint=nearest(name, known)
            )
        return known[name]

    def _templates(self) -> "tuple[Template, ...]":
        spec = self.workflow.spec
        return tuple(spec.templates or ()) if spec else ()


def submission_of(data: dict[str, Any]) -> Submission:
    """Return a submission from a workflow as JSON data."""
    meta = data["metadata"]
    name = meta["name"]
    made = _MADE.fullmatch(name) if IDEMPOTENCY_KEY in (meta.get("labels") or {}) else None
    arguments = data["spec"].get("arguments") or {}
    return Submission(
        operation=meta.get("generateName") or (made[1] if made else name),
        name=name,
        namespace=meta["namespace"],
        parameters={one["name"]: one.get("value", "") for one in arguments.get("parameters") or ()},
        workflow=structure(data, Workflow),
    )


class Record:
    """The file in which the engine notes each workflow before it answers, mapped into memory.

    Reading it waits for nobody, so that an event loop may do so.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def read(self) -> list[Submission]:
        """Return all submissions, the first first."""
        if not os.fstat(self._descriptor).st_size:
            return []
        with mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ) as lines:
            return [submission_of(orjson.loads(line)) for line in iter(lines.readline, b"")]

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
