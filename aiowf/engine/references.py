"""Which `{{…}}` of a template can be resolved at all."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from attrs import define, field

from aiowf.engine.loops import is_loop
from aiowf.engine.substitution import tags_in

Data = Mapping[str, Any]
# Names that look like references; everything else in braces is the user's own text.
_CHECKED = ("inputs.", "steps.", "tasks.", "workflow.parameters.")
_FACTS = frozenset({"id", "status", "startedAt", "finishedAt", "ip", "hostNodeName", "exitCode"})


@define(eq=False)
class References:
    """What a template may refer to.

    Attributes:
        template: The template.
        find: Returns the template that a step or task names, or None.
        parameters: Names of the workflow's parameters; None: they are not known yet.
    """

    template: Data
    find: Callable[[Data], Data | None]
    parameters: frozenset[str] | None
    _known: set[str] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        inputs = self.template.get("inputs") or {}
        self._known = {f"workflow.parameters.{name}" for name in self.parameters or ()}
        self._known.update({"inputs.parameters", "inputs.artifacts"})
        for parameter in inputs.get("parameters") or ():
            self._known.add(f"inputs.parameters.{parameter['name']}")
        for artifact in inputs.get("artifacts") or ():
            name = f"inputs.artifacts.{artifact['name']}"
            self._known.update({name, f"{name}.path"})

    def add(self, prefix: str, step: Data) -> None:
        """Let later steps, or the other tasks, refer to one."""
        base = f"{prefix}.{step['name']}"
        template = self.find(step) or {}
        outputs = template.get("outputs") or {}
        self._known.update(f"{base}.{fact}" for fact in _FACTS)
        self._known.update({f"{base}.outputs.exitCode"})
        if is_loop(step):
            self._known.add(f"{base}.outputs.parameters")
        if not any(template.get(kind) is not None for kind in ("steps", "dag", "suspend")):
            self._known.add(f"{base}.outputs.result")
        for kind in ("parameters", "artifacts"):
            for item in outputs.get(kind) or ():
                self._known.add(f"{base}.outputs.{kind}.{item['name']}")

    def unresolved(self, data: Data) -> str | None:
        """Return the first reference in JSON data that nothing can resolve, or None."""
        text = orjson.dumps(data)
        if b"{{" not in text:
            return None
        for tag in tags_in(text.decode()):
            if self.parameters is None and tag.startswith("workflow.parameters."):
                continue
            if tag.startswith(_CHECKED) and tag not in self._known:
                return tag
        return None
