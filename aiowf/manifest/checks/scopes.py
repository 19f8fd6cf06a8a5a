"""Checks that every `{{…}}` can be resolved where it stands, by the rules of Argo's validation.

Argo looks only at tags that begin with one of its own roots; any other `{{…}}`, and an expression
`{{=…}}`, passes unseen. What only a server can know (the outputs of a template of a
WorkflowTemplate, labels, global outputs) is taken to resolve.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from attrs import evolve, field, frozen

from aiowf.manifest.converter import unstructure
from aiowf.manifest.names import nearest
from aiowf.manifest.template import DAGTask, Template, WorkflowStep
from aiowf.manifest.workflow import Workflow

Call = WorkflowStep | DAGTask  # what runs a template

# Roots of the tags that Argo checks (`{{item}}`, `{{retries}}` and the like are not among them).
_ROOTS = ("inputs.", "item.", "outputs.", "pod.", "steps.", "tasks.", "workflow.")
_TAG = re.compile(rb"\{\{(.*?)\}\}", re.DOTALL)

_ALWAYS = frozenset(
    {
        "pod.name",
        "steps.name",
        "tasks.name",
        "workflow.annotations",
        "workflow.annotations.json",
        "workflow.labels",
        "workflow.labels.json",
        "workflow.mainEntrypoint",
        "workflow.name",
        "workflow.namespace",
        "workflow.parameters",
        "workflow.parameters.json",
        "workflow.priority",
        "workflow.serviceAccountName",
        "workflow.uid",
    }
)
_ALWAYS_PREFIXES = (
    "outputs.",
    "workflow.annotations.",
    "workflow.creationTimestamp",
    "workflow.duration",
    "workflow.labels.",
    "workflow.outputs.",
    "workflow.scheduledTime",
)
_AT_EXIT = frozenset({"workflow.failures", "workflow.status"})
# What every node gives, besides its output parameters and artifacts.
_NODE_FIELDS = frozenset(
    {
        "exitCode",
        "finishedAt",
        "hostNodeName",
        "id",
        "ip",
        "outputs.artifacts",
        "outputs.exitCode",
        "outputs.parameters",
        "outputs.result",
        "startedAt",
        "status",
    }
)


@frozen
class Scope:
    """What can be named at one place.

    Attributes:
        names: Full tags, such as "inputs.parameters.n".
        nodes: "steps.a" or "tasks.a" → the template that it runs, None where nobody knows it.
        items: Whether a loop gives `{{item.…}}`.
        parameters: Whether any `workflow.parameters.…` resolves.
        everything: Whether any tag resolves.
    """

    names: frozenset[str] = frozenset()
    nodes: Mapping[str, Template | None] = field(factory=dict)
    items: bool = False
    parameters: bool = False
    everything: bool = False

    def resolves(self, tag: str) -> bool:
        """Return whether a tag, without its braces, resolves here."""
        if (
            self.everything
            or tag in _ALWAYS
            or tag in self.names
            or tag.startswith(_ALWAYS_PREFIXES)
        ):
            return True
        root, _, rest = tag.partition(".")
        if root == "item":
            return self.items
        if root == "workflow":
            return self.parameters and rest.startswith("parameters.")
        name, _, rest = rest.partition(".")
        node = f"{root}.{name}"
        return node in self.nodes and _gives(self.nodes[node], rest)

    def hint(self, tag: str) -> str | None:
        """Return the nearest tag that resolves here."""
        return nearest(tag, [*self.names, *_outputs(self.nodes), *_ALWAYS])


EVERYTHING = Scope(everything=True)  # where nobody knows what can be named


def global_scope(workflow: Workflow) -> Scope:
    """Return what can be named everywhere in a workflow."""
    spec = workflow.spec
    names: set[str] = set()
    if spec is not None:
        arguments = spec.arguments.parameters if spec.arguments is not None else None
        names = {f"workflow.parameters.{item.name}" for item in arguments or () if item is not None}
        if spec.on_exit or spec.hooks:
            names |= _AT_EXIT
    from_elsewhere = spec is None or spec.workflow_template_ref is not None
    return Scope(frozenset(names), parameters=from_elsewhere)


def template_scope(template: Template, outer: Scope) -> Scope:
    """Return what can be named inside a template, besides the nodes of its steps or tasks."""
    if template.inputs is None or outer.everything:
        return outer
    names = set(outer.names)
    for parameter in template.inputs.parameters or ():
        if parameter is not None:
            names |= {"inputs.parameters", f"inputs.parameters.{parameter.name}"}
    for artifact in template.inputs.artifacts or ():
        if artifact is not None:
            name = f"inputs.artifacts.{artifact.name}"
            names |= {name, f"{name}.path"}
    return evolve(outer, names=frozenset(names))


def all_resolve(text: bytes, scope: Scope) -> bool:
    """Return whether every `{{…}}` in JSON text resolves.

    This one look at a whole workflow is all that most of them need; `unresolved` says what is
    wrong, and where.
    """
    tags = (tag.decode().strip() for tag in _TAG.findall(text))
    return all(not tag.startswith(_ROOTS) or scope.resolves(tag) for tag in tags)


def unresolved(data: Any, scope: Scope, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and the tag of everything in JSON data that does not resolve."""
    for match in _TAG.finditer(orjson.dumps(data, default=unstructure)):
        tag = match[1].decode().strip()
        if tag.startswith(_ROOTS) and not scope.resolves(tag):
            yield _path_of(match[1].decode(), data, where) or where, tag


def _path_of(text: str, data: Any, where: str) -> str | None:
    """Return the path of the first string in JSON data that has the text."""
    if isinstance(data, str):
        return where if text in data else None
    items: Iterable[tuple[str, Any]] = ()
    if isinstance(data, dict):
        items = ((f"{where}.{name}" if where else name, item) for name, item in data.items())
    elif isinstance(data, list):
        items = ((f"{where}[{index}]", item) for index, item in enumerate(data))
    return next(filter(None, (_path_of(text, item, at) for at, item in items)), None)


def _gives(template: Template | None, rest: str) -> bool:
    """Return whether a node of a template has a field, such as "outputs.parameters.n"."""
    if rest in _NODE_FIELDS or template is None:
        return True
    return rest in _output_names(template)


def _output_names(template: Template) -> Iterator[str]:
    outputs = template.outputs
    if outputs is not None:
        for parameter in outputs.parameters or ():
            yield f"outputs.parameters.{parameter.name}"
        for artifact in outputs.artifacts or ():
            yield f"outputs.artifacts.{artifact.name}"


def _outputs(nodes: Mapping[str, Template | None]) -> Iterator[str]:
    for node, template in nodes.items():
        yield f"{node}.outputs.result"
        for name in _output_names(template) if template is not None else ():
            yield f"{node}.{name}"
