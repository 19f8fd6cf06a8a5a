"""WorkflowTemplates and ClusterWorkflowTemplates, and what workflows take from them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

from attrs import define, field, frozen

from aiowf.engine.plan import key_of
from aiowf.engine.refusal import Refusal, invalid

Data = Mapping[str, Any]
# Lists of a specification whose items are known by their names.
_BY_NAME = frozenset({"parameters", "artifacts", "templates", "volumes", "imagePullSecrets"})
_NAMES = ("name", "generateName")


@frozen
class Kind:
    """A kind of template.

    Attributes:
        name: Its name in a manifest.
        scope: The first part of the keys of its templates in `storedTemplates`.
        label: The label of workflows that were submitted from one.
    """

    name: str
    scope: str
    label: str

    @property
    def resource(self) -> str:
        """The name that Kubernetes has for it."""
        return f"{self.name.lower()}s.argoproj.io"

    def not_found(self, name: str) -> Refusal:
        """Return the refusal of a template that is not there (404)."""
        return Refusal(5, f'{self.resource} "{name}" not found')


NAMESPACED = Kind("WorkflowTemplate", "namespaced", "workflows.argoproj.io/workflow-template")
CLUSTER = Kind(
    "ClusterWorkflowTemplate", "cluster", "workflows.argoproj.io/cluster-workflow-template"
)
KINDS = {kind.scope: kind for kind in (NAMESPACED, CLUSTER)}
Key = tuple[str, str, str]


@define(eq=False)
class Templates:
    """All templates.

    Attributes:
        next_version: Gives a new resource version.
        now: Gives the time as Kubernetes writes it.
        changed: Is called with the key of a template that was stored, or with None deleted.
    """

    next_version: Callable[[], int]
    now: Callable[[], str]
    changed: Callable[[Key, Data | None], None] = lambda key, data: None
    # Scope, namespace ("" in a cluster's scope) and name → template; values are never changed.
    _stored: dict[Key, Data] = field(factory=dict)

    def get(self, kind: Kind, namespace: str, name: str) -> Data:
        """Return a template.

        Raises:
            Refusal: There is none of that name.
        """
        try:
            return self._stored[_key(kind, namespace, name)]
        except KeyError:
            raise kind.not_found(name) from None

    def all(self, kind: Kind, namespace: str) -> Iterator[Data]:
        """Yield the templates of a namespace, or of all ("")."""
        for (scope, place, _), template in self._stored.items():
            if scope == kind.scope and namespace in ("", place):
                yield template

    def create(self, kind: Kind, namespace: str, template: Data) -> Data:
        """Store a new template, and return it as it is stored.

        Raises:
            Refusal: Its name is taken.
        """
        given = template["metadata"]
        key = _key(kind, namespace, given["name"])
        if key in self._stored:
            raise Refusal(6, f'{kind.resource} "{given["name"]}" already exists')
        metadata = {name: given[name] for name in _NAMES if given.get(name)}
        if kind is NAMESPACED:
            metadata["namespace"] = namespace
        metadata |= {
            "uid": str(uuid4()),
            "resourceVersion": str(self.next_version()),
            "generation": 1,
            "creationTimestamp": self.now(),
            **_described(given),
        }
        return self.put(key, {"metadata": metadata, "spec": template["spec"]})

    def update(self, kind: Kind, namespace: str, name: str, template: Data) -> Data:
        """Replace a template, and return it as it is stored.

        Raises:
            Refusal: There is none, or it has changed since it was read.
        """
        old, given = self.get(kind, namespace, name), template["metadata"]
        version = given.get("resourceVersion")
        if not version:
            raise invalid(
                f'{kind.resource} "{name}" is invalid: metadata.resourceVersion: Invalid value: '
                "0x0: must be specified for an update"
            )
        if version != old["metadata"]["resourceVersion"]:
            raise Refusal(
                6,
                f'Operation cannot be fulfilled on {kind.resource} "{name}": the object has been '
                "modified; please apply your changes to the latest version and try again",
            )
        metadata = {
            key: value
            for key, value in old["metadata"].items()
            if key not in ("labels", "annotations")
        }
        metadata["resourceVersion"] = str(self.next_version())
        metadata["generation"] += template["spec"] != old["spec"]
        stored = {"metadata": {**metadata, **_described(given)}, "spec": template["spec"]}
        return self.put(_key(kind, namespace, name), stored)

    def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete a template.

        Raises:
            Refusal: There is none of that name.
        """
        self.get(kind, namespace, name)
        del self._stored[_key(kind, namespace, name)]
        self.changed(_key(kind, namespace, name), None)

    def put(self, key: Key, template: Data) -> Data:
        """Store a template that is complete."""
        self._stored[key] = template
        self.changed(key, template)
        return template


def _key(kind: Kind, namespace: str, name: str) -> Key:
    return kind.scope, namespace if kind is NAMESPACED else "", name


def _described(metadata: Data) -> dict[str, Any]:
    return {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}


@frozen
class Library:
    """The templates that one workflow may use: its own, and those that are stored.

    Attributes:
        own: Its own templates, by name.
        templates: All that are stored.
        namespace: The workflow's namespace.
    """

    own: Mapping[str, Data]
    templates: Templates
    namespace: str

    def find(self, caller: Data, scope: str) -> tuple[str, Data | None]:
        """Return the key of the template that a step or task names, and the template.

        Args:
            caller: The step, task or the like.
            scope: Where it stands itself: "", or "namespaced/…" or "cluster/…".
        """
        key = key_of(caller, scope)
        scope, _, name = key.rpartition("/")
        if not scope:
            return key, self.own.get(name)
        kind, _, resource = scope.partition("/")
        try:
            stored = self.templates.get(KINDS[kind], self.namespace, resource)
        except Refusal:
            return key, None
        listed = stored["spec"].get("templates") or ()
        return key, next((one for one in listed if one.get("name") == name), None)


def effective_spec(templates: Templates, namespace: str, spec: Data) -> Data:
    """Return a specification with what it takes from the template that it refers to.

    Raises:
        Refusal: There is no such template.
    """
    reference = spec.get("workflowTemplateRef") or {}
    if not reference.get("name"):
        return spec
    if spec.get("templates"):
        raise invalid(
            "Templates is invalid field in spec if workflow referred WorkflowTemplate reference"
        )
    kind = CLUSTER if reference.get("clusterScope") else NAMESPACED
    return _merged(templates.get(kind, namespace, reference["name"])["spec"], spec)


def _merged(base: Data, over: Data) -> dict[str, Any]:
    """Lay one object over another, as Kubernetes merges them strategically."""
    result = dict(base)
    for key, value in over.items():
        below = base.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = _merged(below, value)
        elif key in _BY_NAME and isinstance(value, list) and isinstance(below, list):
            result[key] = _merged_by_name(below, value)
        else:
            result[key] = value
    return result


def _merged_by_name(base: list[Data], over: list[Data]) -> list[Data]:
    given = {item.get("name"): item for item in over}
    merged = [_merged(item, given.pop(item.get("name"), {})) for item in base]
    return [*merged, *given.values()]
