"""What is accepted: what Argo accepts, and the embedded engine can run."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from attrs import frozen

from aiowf.engine import durations
from aiowf.engine.expressions import compile_expression
from aiowf.engine.functions import ExpressionError
from aiowf.engine.pod import Executor
from aiowf.engine.refusal import invalid
from aiowf.engine.substitution import expressions_in
from aiowf.engine.templates import Kind, Library, Templates, effective_spec
from aiowf.engine.validation import validate, validate_template
from aiowf.errors import ConfigurationError
from aiowf.manifest import Container, ScriptTemplate, Template, Workflow, structure

Data = Mapping[str, Any]
NOT_RUN = "the embedded engine does not run this"
# Fields that change what a workflow does, and that the engine has no answer to.
_SPEC = ("hooks", "synchronization", "templateDefaults", "podSpecPatch", "executorPlugins")
_TEMPLATE = (
    "containerSet",
    "daemon",
    "data",
    "http",
    "initContainers",
    "memoize",
    "plugin",
    "podSpecPatch",
    "resource",
    "sidecars",
    "synchronization",
)
_STEP = ("hooks", "inline", "onExit")
_OUTPUT_SOURCES = frozenset({"path", "parameter", "expression", "supplied", "default"})
_RAW_ARTIFACT = frozenset({"name", "path", "raw", "mode", "optional"})


@frozen
class Admitted:
    """A workflow that was admitted.

    Attributes:
        workflow: The workflow, with what it takes from the template that it refers to.
        given: The specification as it was submitted, if it refers to a template.
        stored: Key → template, of those that are not its own.
        notices: What whoever submits it should know.
    """

    workflow: Data
    given: Data | None
    stored: Mapping[str, Data]
    notices: tuple[str, ...] = ()


@frozen
class Admission:
    """Checks workflows when they are submitted, and templates when they are stored.

    Attributes:
        executor: Says which containers and volumes it can have.
        templates: The templates that are stored.
    """

    executor: Executor
    templates: Templates

    def check(self, workflow: Data, namespace: str, *, lint: bool = False) -> Admitted:
        """Refuse a workflow that is wrong, or that cannot run here.

        Args:
            workflow: The workflow, normalised.
            namespace: Where it is to be created.
            lint: Whether it is only looked at, so that its name does not matter.

        Raises:
            Refusal: What is wrong, and where.
        """
        given, typed = workflow.get("spec") or {}, _typed(workflow)
        spec = effective_spec(self.templates, namespace, given)
        whole = {**workflow, "spec": spec}
        if spec is not given:
            typed = _typed(whole)
        # First: Argo's checks below know nothing of what the fields refused here make of it.
        _check_fields(spec)
        stored = validate(whole, namespace, self._library(spec, namespace), lint=lint)
        notices = self._check_runs(typed, stored)
        return Admitted(whole, None if spec is given else given, stored, tuple(notices))

    def check_template(self, kind: Kind, template: Data, namespace: str) -> None:
        """Refuse a template that Argo's server would not store.

        Raises:
            Refusal: What is wrong, and where.
        """
        _typed(template)
        library = self._library(template.get("spec") or {}, namespace)
        validate_template(template, namespace, library, kind.name)

    def lint_template(self, kind: Kind, template: Data, namespace: str) -> None:
        """Refuse a template that is wrong, or of which something cannot run here.

        Raises:
            Refusal: What is wrong, and where.
        """
        spec = template.get("spec") or {}
        typed = _typed(template)
        library = self._library(spec, namespace)
        _check_fields(spec)
        validate_template(template, namespace, library, kind.name, lint=True)
        self._check_runs(typed, {})

    def _library(self, spec: Data, namespace: str) -> Library:
        own = {one["name"]: one for one in spec.get("templates") or () if one.get("name")}
        return Library(own, self.templates, namespace)

    def _check_runs(self, typed: Workflow, stored: Mapping[str, Data]) -> list[str]:
        """Refuse what cannot run here, and return what there is to know of the rest."""
        try:
            notices = self._check_typed(typed)
            for key, template in stored.items():
                where = f"storedTemplates[{key}]"
                _template(template, where)
                notices += self._check_template(structure(template, Template), where)
        except ConfigurationError as error:
            raise invalid(str(error)) from None
        return notices

    def _check_typed(self, workflow: Workflow) -> list[str]:
        assert workflow.spec is not None
        notices: list[str] = []
        for number, volume in enumerate(workflow.spec.volumes or ()):
            self.executor.check_volume(volume, f"spec.volumes[{number}]")
        for number, template in enumerate(workflow.spec.templates or ()):
            notices += self._check_template(template, f"spec.templates[{number}]")
        return notices

    def _check_template(self, template: Template, here: str) -> list[str]:
        for index, volume in enumerate(template.volumes or ()):
            self.executor.check_volume(volume, f"{here}.volumes[{index}]")
        container: Container | ScriptTemplate | None = template.container or template.script
        if container is not None:
            kind = "container" if template.container is not None else "script"
            notice = self.executor.check(container, f"{here}.{kind}")
            return [notice] if notice else []
        return []


def _typed(workflow: Data) -> Workflow:
    try:
        return structure(workflow, Workflow)
    except ConfigurationError as error:
        raise invalid(f"json: {error}") from None


def _check_fields(spec: Data) -> None:
    """Refuse a specification with a field that cannot be had here."""
    try:
        _check_spec(spec)
    except ConfigurationError as error:
        raise invalid(str(error)) from None


def _check_spec(spec: Data) -> None:
    _refuse_fields(spec, _SPEC, "spec")
    metadata = spec.get("workflowMetadata") or {}
    _refuse_fields(metadata, ("labelsFrom",), "spec.workflowMetadata")
    collection = spec.get("podGC") or {}
    _duration(collection.get("deleteDelayDuration"), "spec.podGC.deleteDelayDuration")
    _arguments(spec.get("arguments") or {}, "spec.arguments")
    _retry(spec.get("retryStrategy") or {}, "spec.retryStrategy")
    for number, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        if not (claim.get("metadata") or {}).get("name"):
            where = f"spec.volumeClaimTemplates[{number}].metadata.name"
            raise ConfigurationError("a claim needs a name", where=where)
    for number, template in enumerate(spec.get("templates") or ()):
        _template(template, f"spec.templates[{number}]")


def _template(template: Data, here: str) -> None:
    _refuse_fields(template, _TEMPLATE, here)
    _retry(template.get("retryStrategy") or {}, f"{here}.retryStrategy")
    inputs, outputs = template.get("inputs") or {}, template.get("outputs") or {}
    _artifacts(inputs, f"{here}.inputs")
    for number, parameter in enumerate(inputs.get("parameters") or ()):
        where = f"{here}.inputs.parameters[{number}].valueFrom"
        _refuse_fields(parameter.get("valueFrom") or {}, ("configMapKeyRef",), where)
    if outputs.get("artifacts"):
        raise ConfigurationError(NOT_RUN, where=f"{here}.outputs.artifacts")
    _output_parameters(template, outputs, here)
    for where, step in _steps(template, here):
        _refuse_fields(step, _STEP, where)
        _arguments(step.get("arguments") or {}, f"{where}.arguments")
    _expressions(template, here)
    suspend = template.get("suspend") or {}
    _duration(suspend.get("duration"), f"{here}.suspend.duration")
    _duration(template.get("timeout"), f"{here}.timeout")


def _output_parameters(template: Data, outputs: Data, here: str) -> None:
    is_pod = template.get("container") is not None or template.get("script") is not None
    for number, parameter in enumerate(outputs.get("parameters") or ()):
        where = f"{here}.outputs.parameters[{number}].valueFrom"
        source = parameter.get("valueFrom") or {}
        _refuse_fields(source, tuple(sorted(source.keys() - _OUTPUT_SOURCES)), where)
        if is_pod and not source.get("path"):
            raise ConfigurationError("a pod's output parameter needs a path", where=where)
        if source.get("expression"):
            _expression(source["expression"], f"{where}.expression")


def _steps(template: Data, here: str) -> Iterator[tuple[str, Data]]:
    for number, group in enumerate(template.get("steps") or ()):
        for index, step in enumerate(group):
            yield f"{here}.steps[{number}][{index}]", step
    for number, task in enumerate((template.get("dag") or {}).get("tasks") or ()):
        yield f"{here}.dag.tasks[{number}]", task


def _refuse_fields(data: Data, names: tuple[str, ...], where: str) -> None:
    for name in names:
        if data.get(name):
            raise ConfigurationError(NOT_RUN, where=f"{where}.{name}")
        if name in data and isinstance(data[name], dict):
            raise ConfigurationError(NOT_RUN, where=f"{where}.{name}")


def _arguments(arguments: Data, where: str) -> None:
    _artifacts(arguments, where)
    for number, parameter in enumerate(arguments.get("parameters") or ()):
        if parameter.get("valueFrom"):
            raise ConfigurationError(NOT_RUN, where=f"{where}.parameters[{number}].valueFrom")


def _artifacts(holder: Data, where: str) -> None:
    """Refuse artifacts that are not raw: there is no artifact repository."""
    for number, artifact in enumerate(holder.get("artifacts") or ()):
        here = f"{where}.artifacts[{number}]"
        _refuse_fields(artifact, tuple(sorted(artifact.keys() - _RAW_ARTIFACT)), here)


def _retry(strategy: Data, where: str) -> None:
    expression = strategy.get("expression") or ""
    if expression and "{{" not in expression:
        _expression(expression, f"{where}.expression")
    backoff = strategy.get("backoff") or {}
    for name in ("duration", "maxDuration", "cap"):
        _duration(backoff.get(name), f"{where}.backoff.{name}")


def _duration(text: str | None, where: str) -> None:
    if text and "{{" not in str(text):
        try:
            durations.seconds(str(text))
        except ValueError as error:
            raise ConfigurationError(str(error), where=where) from None


def _expression(text: str, where: str) -> None:
    try:
        compile_expression(text)
    except ExpressionError as error:
        raise ConfigurationError(
            f"the embedded engine cannot evaluate {text!r}: {error}", where=where
        ) from None


def _expressions(template: Data, where: str) -> None:
    """Refuse `{{=…}}` that the engine cannot read."""
    if b"{{=" not in orjson.dumps(template):
        return
    for path, text in _texts(template, where):
        for expression in expressions_in(text):
            _expression(expression, path)


def _texts(data: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield all strings of JSON data with their paths."""
    if isinstance(data, str):
        yield where, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from _texts(value, f"{where}.{key}")
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _texts(value, f"{where}[{number}]")
