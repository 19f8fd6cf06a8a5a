"""Argo's own checks of a workflow, with Argo's own texts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiowf.engine.collection import POD_GC_STRATEGIES
from aiowf.engine.depends import dependencies_of
from aiowf.engine.plan import KINDS, key_of
from aiowf.engine.references import References
from aiowf.engine.refusal import Refusal, invalid
from aiowf.engine.retries import POLICIES
from aiowf.engine.templates import Library

Data = Mapping[str, Any]
_MAX_NAME = 63
_MAX_TEMPLATES = 200
_STEP_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_ALL_KINDS = (*KINDS, "containerSet", "resource", "data", "http", "plugin")
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_LABEL_VALUE = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"


def validate(
    workflow: Data, namespace: str, library: Library, *, lint: bool = False
) -> dict[str, Data]:
    """Refuse what Argo's server refuses; a lint does not look at names and labels.

    Args:
        workflow: The workflow, with what it takes from the template that it refers to.
        namespace: Where it is to be created.
        library: The templates that it may use.
        lint: Whether it is only looked at.

    Returns:
        Key → template, of those that it uses and that are not its own; and if it refers to a
        template as a whole, of those too that it uses of that one.

    Raises:
        Refusal: With Argo's text.
    """
    metadata, spec = workflow["metadata"], workflow.get("spec") or {}
    _check_namespace(metadata, namespace)
    name = metadata.get("name") or ""
    if len(name) > _MAX_NAME and not lint:
        raise invalid(
            f'workflow name "{name}" must not be more than {_MAX_NAME} characters long '
            f"(currently {len(name)})"
        )
    stored = _Validation(spec, library).run()
    if lint:
        return stored
    _check_metadata(metadata, name, "Workflow")
    _check_count(spec["templates"], f'Workflow.argoproj.io "{name}"')
    return stored


def validate_template(
    template: Data, namespace: str, library: Library, kind: str, *, lint: bool = False
) -> None:
    """Refuse a WorkflowTemplate that Argo's server refuses; its parameters need no values.

    Raises:
        Refusal: With Argo's text.
    """
    metadata, spec = template["metadata"], template.get("spec") or {}
    _check_namespace(metadata, namespace)
    _Validation(spec, library, is_template=True).run()
    if not lint:
        _check_metadata(metadata, metadata.get("name") or "", kind)


def _check_namespace(metadata: Data, namespace: str) -> None:
    if not re.fullmatch(_LABEL, namespace) or len(namespace) > _MAX_NAME:
        raise Refusal(5, f'namespaces "{namespace}" not found')
    if metadata.get("namespace") not in (None, "", namespace):
        raise invalid(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _check_count(templates: Sequence[Data], whole: str) -> None:
    if len(templates) > _MAX_TEMPLATES:
        raise invalid(
            f"{whole} is invalid: spec.templates: Too many: {len(templates)}: "
            f"must have at most {_MAX_TEMPLATES} items"
        )


def _check_metadata(metadata: Data, name: str, kind: str) -> None:
    """What Kubernetes itself refuses, after Argo has agreed."""
    whole = f'{kind}.argoproj.io "{name}" is invalid: metadata'
    if not name and not metadata.get("generateName"):
        raise invalid(f"{whole}.name: Required value: name or generateName is required")
    checked = name or f"{metadata['generateName']}x"
    if not re.fullmatch(_SUBDOMAIN, checked):
        raise invalid(
            f'{whole}.name: Invalid value: "{name or metadata["generateName"]}": a lowercase RFC '
            "1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
            "must start and end with an alphanumeric character (e.g. 'example.com', regex used "
            f"for validation is '{_SUBDOMAIN}')"
        )
    for value in (metadata.get("labels") or {}).values():
        if not isinstance(value, str) or not re.fullmatch(_LABEL_VALUE, value) or len(value) > 63:
            raise invalid(
                f'{whole}.labels: Invalid value: "{value}": a valid label must be an empty string '
                "or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
                "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
                f"regex used for validation is '{_LABEL_VALUE}')"
            )


def _check_names(items: Sequence[Data], where: str) -> None:
    seen: set[str] = set()
    for number, item in enumerate(items):
        place, name = where.format(number), item.get("name") or ""
        if not name:
            raise invalid(f"{place} is required")
        if not _STEP_NAME.fullmatch(name):
            raise invalid(
                f"{place}: '{name}' is invalid: name must consist of alpha-numeric characters or "
                "'-', and must start with an alpha-numeric character (e.g. My-name1-2, 123-NAME)"
            )
        if len(name) > 128:
            raise invalid(f"{place}: '{name}' is invalid: must be no more than 128 characters")
        if name in seen:
            raise invalid(f"{place} '{name}' is not unique")
        seen.add(name)


class _Validation:
    """A walk over the templates, from the entrypoint to all that it uses, and then the rest."""

    def __init__(self, spec: Data, library: Library, *, is_template: bool = False) -> None:
        self._spec = spec
        self._library = library
        self._is_template = is_template
        # Keys of templates that were found good with arguments, so that recursion ends.
        self._visited: set[str] = set()
        # Key → template, of those that are not the specification's own.
        self._stored: dict[str, Data] = {}
        listed = (spec.get("arguments") or {}).get("parameters") or ()
        self._parameters = (
            None if is_template else frozenset(parameter["name"] for parameter in listed)
        )

    def run(self) -> dict[str, Data]:
        spec = self._spec
        entrypoint = spec.get("entrypoint")
        if not entrypoint and not self._is_template:
            raise invalid("spec.entrypoint is required")
        templates = spec.get("templates") or []
        _check_names(templates, "spec.templates[{}].name")
        arguments = None if self._is_template else spec.get("arguments") or {}
        if arguments is not None:
            _check_values(arguments)
        _check_enums(spec.get("arguments") or {})
        for name in (entrypoint, spec.get("onExit")):
            if name:
                self._enter(name, arguments)
        for template in templates:
            if template["name"] not in self._visited:
                self._template(template["name"], template, None, "")
        strategy = (spec.get("podGC") or {}).get("strategy")
        if strategy and strategy not in POD_GC_STRATEGIES:
            raise invalid(f"podGC.strategy unknown strategy '{strategy}'")
        return self._stored

    def _enter(self, name: str, arguments: Data | None) -> None:
        """Check a template that the specification itself names."""
        reference = self._spec.get("workflowTemplateRef")
        if not reference:
            self._call({"template": name}, arguments, "", "")
            return
        if name not in self._library.own:
            raise invalid(f"template reference {reference['name']}.{name} not found")
        self._call({"template": name}, arguments, "", "")
        for key in self._visited - self._stored.keys():
            whole = key_of({"templateRef": {**reference, "template": key}}, "")
            if "/" not in key:
                self._stored[whole] = self._library.own[key]

    def _call(self, caller: Data, arguments: Data | None, prefix: str, scope: str) -> None:
        """Check the use of a template by a step, a task or the workflow."""
        if caller.get("inline") is not None:
            return  # nobody else can use it; whether it runs here is the matter of Admission
        key, template = self._library.find(caller, scope)
        reference = caller.get("templateRef") or {}
        if template is None and reference.get("name"):
            wanted = f"{reference['name']}.{reference.get('template', '')}"
            raise invalid(f"{prefix}template reference {wanted} not found")
        if template is None:
            raise invalid(f"{prefix}template name '{caller.get('template') or ''}' undefined")
        if "/" in key:
            self._stored[key] = template
        self._template(key, template, arguments, prefix)

    def _template(self, key: str, template: Data, arguments: Data | None, prefix: str) -> None:
        scope, _, name = key.rpartition("/")
        here = f"{prefix}templates.{name}"
        kinds = [kind for kind in _ALL_KINDS if template.get(kind) is not None]
        if not kinds:
            raise invalid(f"{prefix}template '{name}' type is unknown")
        if len(kinds) > 1:
            raise invalid(
                f"{here} multiple template types specified. choose one of: container, "
                "containerSet, steps, script, resource, dag, suspend, template, template ref"
            )
        if arguments is not None:
            _check_arguments(template, arguments, here)
        if key in self._visited:
            return
        self._visited.add(key)
        policy = (template.get("retryStrategy") or {}).get("retryPolicy")
        if policy and policy not in POLICIES:
            raise invalid(f"{policy} is not a valid RetryPolicy")
        references = References(
            template,
            lambda caller: caller.get("inline") or self._library.find(caller, scope)[1],
            self._parameters,
        )
        if kinds[0] == "steps":
            self._steps(template, here, references, scope)
        elif kinds[0] == "dag":
            self._dag(template, here, references, scope)
        else:
            _leaf(template, kinds[0], here, references)

    def _steps(self, template: Data, here: str, references: References, scope: str) -> None:
        _check_only_leaf(template, here)
        for number, group in enumerate(template["steps"]):
            _check_names(group, f"{here}.steps[{number}].name")
            for step in group:
                unresolved = references.unresolved(step)
                if unresolved:
                    raise invalid(f"{here}.steps failed to resolve {{{{{unresolved}}}}}")
                prefix = f"{here}.steps[{number}].{step['name']} "
                self._call(step, step.get("arguments") or {}, prefix, scope)
            for step in group:
                references.add("steps", step)

    def _dag(self, template: Data, here: str, references: References, scope: str) -> None:
        _check_only_leaf(template, here)
        tasks = template["dag"].get("tasks") or []
        _check_names(tasks, f"{here}.tasks[{{}}].name")
        by_name = {task["name"]: task for task in tasks}
        if any(task.get("depends") for task in tasks):
            _check_depends(tasks, here)
        for name in _sorted(by_name, here):
            references.add("tasks", by_name[name])
        for task in tasks:
            unresolved = references.unresolved(task)
            if unresolved:
                raise invalid(f"{here}.tasks.{task['name']} failed to resolve {{{{{unresolved}}}}}")
            prefix = f"{here}.tasks.{task['name']} "
            self._call(task, task.get("arguments") or {}, prefix, scope)
        for target in (template["dag"].get("target") or "").split():
            if "{{" not in target and target not in by_name:
                raise invalid(f"{here}.targets target '{target}' is not defined")


def _check_values(arguments: Data) -> None:
    """Refuse parameters of a workflow that have no value."""
    for parameter in arguments.get("parameters") or ():
        if all(parameter.get(key) is None for key in ("value", "valueFrom", "default")):
            name = parameter["name"]
            raise invalid(
                f"spec.arguments.{name}.value or spec.arguments.{name}.valueFrom is required"
            )


def _check_enums(arguments: Data) -> None:
    """Refuse a parameter whose value is not in its own enum."""
    for parameter in arguments.get("parameters") or ():
        choices, value = parameter.get("enum"), parameter.get("value")
        where = f"spec.arguments.{parameter['name']}"
        if choices is not None and not choices:
            raise invalid(f"{where}.enum should contain at least one value")
        if choices and value is not None and value not in choices:
            raise invalid(f"{where}.value should be present in {where}.enum list")


def _check_arguments(template: Data, arguments: Data, here: str) -> None:
    for kind in ("parameters", "artifacts"):
        passed = {
            item["name"]
            for item in arguments.get(kind) or ()
            if kind == "artifacts" or not {"value", "valueFrom", "default"}.isdisjoint(item)
        }
        for item in (template.get("inputs") or {}).get(kind) or ():
            own = item.keys() & {"value", "default", "valueFrom", "raw", "optional"}
            has_source = kind == "artifacts" and item.keys() - {"name", "path", "mode"}
            if item["name"] not in passed and not own and not has_source:
                raise invalid(f"{here} inputs.{kind}.{item['name']} was not supplied")


def _check_only_leaf(template: Data, here: str) -> None:
    for key in ("activeDeadlineSeconds", "timeout"):
        if template.get(key) is not None:
            raise invalid(f"{here}.{key} is only valid for leaf templates")


def _leaf(template: Data, kind: str, here: str, references: References) -> None:
    if template.get("parallelism") is not None:
        raise invalid(f"{here}.parallelism is only valid for steps and dag templates")
    unresolved = references.unresolved(template)
    if unresolved:
        raise invalid(f"{here}: failed to resolve {{{{{unresolved}}}}}")
    container = template[kind]
    if kind not in ("container", "script"):
        return
    if not container.get("image"):
        raise invalid(f"{here}.{kind}.image may not be empty")
    mounted: dict[str, str] = {}
    for number, mount in enumerate(container.get("volumeMounts") or ()):
        path = mount.get("mountPath", "")
        if path in mounted:
            raise invalid(
                f"{here}.{kind}.volumeMounts[{number}].mountPath '{path}' already mounted in "
                f"{kind}.volumeMounts.{mounted[path]}"
            )
        mounted[path] = mount.get("name", "")


def _check_depends(tasks: Sequence[Data], here: str) -> None:
    for task in tasks:
        if task.get("dependencies"):
            raise invalid(
                f"{here} cannot use both 'depends' and 'dependencies' in the same DAG template"
            )
        if task.get("continueOn"):
            raise invalid(
                f"{here} cannot use 'continueOn' when using 'depends'. Instead use "
                "'dep-task.Failed'/'dep-task.Errored'"
            )


def _sorted(tasks: Mapping[str, Data], here: str) -> Iterator[str]:
    """Yield the names of tasks, each after what it depends on."""
    needs: dict[str, set[str]] = {}
    for name, task in tasks.items():
        try:
            needs[name] = set(dependencies_of(task, {}).tasks)
        except ValueError as error:
            raise invalid(f"{here}.tasks.{name} {error}") from None
        for needed in sorted(needs[name]):
            if needed not in tasks:
                raise invalid(f"{here} sorting failed: invalid dependency {needed}")
    while needs:
        ready = [name for name, missing in needs.items() if not missing]
        if not ready:
            raise invalid(f"{here} sorting failed: graph with cycle")
        for name in ready:
            del needs[name]
            yield name
        for missing in needs.values():
            missing.difference_update(ready)
