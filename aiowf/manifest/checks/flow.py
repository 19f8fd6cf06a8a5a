"""Checks of steps and DAGs: what they call, with which arguments, in which order."""

import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import orjson
from attrs import evolve, frozen

from aiowf.manifest.checks.findings import VARIABLE, Findings
from aiowf.manifest.checks.scopes import Call, Scope, unresolved
from aiowf.manifest.converter import unstructure
from aiowf.manifest.flow import Arguments, Artifact, Parameter
from aiowf.manifest.names import nearest, parameter_name, template_name
from aiowf.manifest.template import DAGTask, DAGTemplate, Template
from aiowf.manifest.template import LifecycleHook as Hook

MAX_TASKS = 200
MAX_PARAMETERS = 500

# A task in `depends`, with or without the result that is waited for: `a`, `b.Succeeded`.
_DEPENDENCY = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_]*)(?:\.[A-Za-z]+)?")
_TASK_REFERENCE = re.compile(r"\{\{\s*tasks\.([^.}\s]+)\.")
# Fields of an artifact that do not say where it is.
_NOT_A_LOCATION = frozenset(
    {"archive", "archive_logs", "artifact_gc", "deleted", "extra", "global_name", "mode", "name"}
    | {"optional", "path", "recurse_mode", "sub_path"}
)


@frozen
class Library:
    """The templates of a workflow.

    Attributes:
        templates: Name → template.
        complete: Whether a name that is not among them is unknown; not so where a WorkflowTemplate
            gives more.
    """

    templates: Mapping[str, Template]
    complete: bool

    def called(self, call: Call | Hook) -> Template | None:
        """Return the template that is called, or None where only a server knows it."""
        inline: Template | None = getattr(call, "inline", None)
        return inline or (self.templates.get(call.template) if call.template else None)

    def check_name(self, name: str, where: str, findings: Findings) -> None:
        """Note the name of a template that does not exist."""
        if name not in self.templates and self.complete and VARIABLE not in name:
            findings.add(where, f'there is no template "{name}"', nearest(name, self.templates))


def calls_of(template: Template, where: str) -> Iterator[tuple[Call, str]]:
    """Yield the steps and the tasks of a template with their paths."""
    for row, group in enumerate(template.steps or ()):
        for column, step in enumerate(group or ()):
            if step is not None:
                yield step, f"{where}.steps[{row}][{column}]"
    for index, task in enumerate((template.dag.tasks if template.dag else None) or ()):
        if task is not None:
            yield task, f"{where}.dag.tasks[{index}]"


def check_steps(
    template: Template, where: str, library: Library, scope: Scope, findings: Findings
) -> Scope:
    """Check the steps of a template; return the scope of its outputs."""
    nodes: dict[str, Template | None] = dict(scope.nodes)
    if not scope.everything:
        scope = evolve(scope, nodes=nodes)
    seen: set[str] = set()
    if any(step is None for group in template.steps or () for step in group or ()):
        findings.add(f"{where}.steps", "null is no step")
    for step, at in calls_of(template, where):
        _check_name(step.name, at, seen, findings)
        nodes[f"steps.{step.name}"] = library.called(step)
        _check_call(step, at, library, scope, findings)
    return scope


def check_dag(
    template: Template, where: str, library: Library, scope: Scope, findings: Findings
) -> Scope:
    """Check the tasks of a DAG; return the scope of its outputs."""
    dag, at = template.dag or DAGTemplate(), f"{where}.dag"
    tasks = [task for task in dag.tasks or () if task is not None]
    if not tasks or len(tasks) < len(dag.tasks or ()):
        findings.add(f"{at}.tasks", "a DAG needs at least one task, and null is none")
    if len(tasks) > MAX_TASKS:
        findings.add(f"{at}.tasks", f"{len(tasks)} tasks; Argo takes at most {MAX_TASKS}")
    scope = evolve(scope, nodes={f"tasks.{task.name}": library.called(task) for task in tasks})
    before = _ancestors(tasks, at, findings)
    if any(task.depends for task in tasks) and any(task.dependencies for task in tasks):
        findings.add(at, "`depends` and `dependencies` cannot be mixed in one DAG")
    seen: set[str] = set()
    for task, here in calls_of(template, where):
        assert isinstance(task, DAGTask)
        _check_name(task.name, here, seen, findings)
        _check_call(task, here, library, scope, findings)
        if task.name and task.name[0].isdigit() and (task.depends or task.dependencies):
            findings.add(
                f"{here}.name",
                f'"{task.name}" begins with a digit; a task that depends on others must not',
                f'use "t-{task.name}"',
            )
        _check_task_references(task, here, before.get(task.name or "", set()), findings)
    for target in (dag.target or "").split():
        if target not in seen and VARIABLE not in target:
            findings.add(f"{at}.target", f'there is no task "{target}"', nearest(target, seen))
    return scope


def check_call(call: Hook, where: str, library: Library, scope: Scope, findings: Findings) -> None:
    """Check what a hook calls."""
    _check_reference(call, where, library, findings)
    _check_arguments(call.arguments, library.called(call), where, findings)
    check_tags(call, where, scope, findings)


def check_arguments(arguments: Arguments | None, where: str, findings: Findings) -> None:
    """Check the names of arguments, and that each has a value."""
    if arguments is None:
        return
    if arguments.parameters:
        findings.names(arguments.parameters, parameter_name, f"{where}.parameters")
        if len(arguments.parameters) > MAX_PARAMETERS:
            findings.add(f"{where}.parameters", f"Argo takes at most {MAX_PARAMETERS} parameters")
        for index, parameter in enumerate(arguments.parameters):
            if parameter is not None and parameter.value is None and parameter.value_from is None:
                findings.add(
                    f"{where}.parameters[{index}]",
                    f'the parameter "{parameter.name}" has neither a value nor a valueFrom',
                )
            elif parameter is not None and parameter.enum is not None:
                _check_enum(parameter, f"{where}.parameters[{index}]", findings)
    if arguments.artifacts:
        findings.names(arguments.artifacts, parameter_name, f"{where}.artifacts")
        for index, artifact in enumerate(arguments.artifacts):
            if artifact is not None and not _has_location(artifact) and not artifact.optional:
                findings.add(
                    f"{where}.artifacts[{index}]",
                    f'the artifact "{artifact.name}" has neither `from` nor a location',
                )


def _check_enum(parameter: Parameter, where: str, findings: Findings) -> None:
    """Note a value that the parameter's own list does not have, as Argo's validation does."""
    choices = [_text(choice) for choice in parameter.enum or ()]
    if not choices:
        findings.add(f"{where}.enum", f'the enum of the parameter "{parameter.name}" is empty')
        return
    if parameter.value is None:
        return
    text = _text(parameter.value)
    if text not in choices and VARIABLE not in text:
        message = f'"{text}" is not in the enum of the parameter "{parameter.name}"'
        findings.add(f"{where}.value", message, nearest(text, choices))


def _text(value: str | int | float | bool) -> str:
    """Return a scalar as Argo, to which every parameter is a text, reads it."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def check_supplied(
    template: Template, arguments: Arguments | None, where: str, findings: Findings
) -> None:
    """Note the inputs of a template without a default that the arguments do not give."""
    inputs = template.inputs
    if inputs is None:
        return
    given = (arguments.parameters if arguments is not None else None) or ()
    names = {item.name for item in given if item is not None}
    for parameter in inputs.parameters or ():
        if parameter is not None and _needs_value(parameter) and parameter.name not in names:
            findings.add(where, *_missing("parameter", parameter.name, template.name, names))
    loaded = (arguments.artifacts if arguments is not None else None) or ()
    names = {item.name for item in loaded if item is not None}
    for artifact in inputs.artifacts or ():
        if artifact is None or artifact.optional or artifact.name in names:
            continue
        if not _has_location(artifact):
            findings.add(where, *_missing("artifact", artifact.name, template.name, names))


def _missing(
    kind: str, name: str | None, template: str | None, given: set[str | None]
) -> tuple[str, str | None]:
    message = f'the {kind} "{name}" of template "{template}" is not supplied and has no default'
    return message, nearest(name or "", [other for other in given if other])


def _needs_value(parameter: Parameter) -> bool:
    return parameter.value is None and parameter.default is None and parameter.value_from is None


def _has_location(artifact: Artifact) -> bool:
    return not vars(artifact).keys() <= _NOT_A_LOCATION


def _check_name(name: str | None, where: str, seen: set[str], findings: Findings) -> None:
    if not name:
        findings.add(where, "it has no name")
    elif name in seen:
        findings.add(f"{where}.name", f'the name "{name}" is taken by another one')
    else:
        seen.add(name)
        findings.check(template_name, name, where, "name")


def _check_call(call: Call, where: str, library: Library, scope: Scope, findings: Findings) -> None:
    """Check what a step or a task calls, its loop, its arguments, its hooks and its tags."""
    _check_reference(call, where, library, findings)
    loops = (call.with_items is not None, call.with_param, call.with_sequence is not None)
    if sum(map(bool, loops)) > 1:
        findings.add(where, "only one of withItems, withParam and withSequence is allowed")
    _check_arguments(call.arguments, library.called(call), where, findings)
    if call.on_exit:
        library.check_name(call.on_exit, f"{where}.onExit", findings)
    if not scope.everything and any(loops):
        scope = evolve(scope, items=True)
    for name, hook in (call.hooks or {}).items():
        if hook is not None:
            check_call(hook, f"{where}.hooks.{name}", library, scope, findings)
    # An inline template has a scope of its own.
    check_tags(call, where, scope, findings, skip=("hooks", "inline"))


def _check_reference(call: Call | Hook, where: str, library: Library, findings: Findings) -> None:
    inline = getattr(call, "inline", None)
    ways = bool(call.template) + (call.template_ref is not None) + (inline is not None)
    if ways != 1:
        findings.add(where, "exactly one of template, templateRef and inline is needed")
    elif call.template:
        library.check_name(call.template, f"{where}.template", findings)
    elif call.template_ref is not None and not (
        call.template_ref.name and call.template_ref.template
    ):
        findings.add(f"{where}.templateRef", "a templateRef needs `name` and `template`")


def _check_arguments(
    arguments: Arguments | None, called: Template | None, where: str, findings: Findings
) -> None:
    if arguments is not None:
        check_arguments(arguments, f"{where}.arguments", findings)
    if called is not None and called.inputs is not None:
        check_supplied(called, arguments, f"{where}.arguments", findings)


def check_tags(
    part: Any, where: str, scope: Scope, findings: Findings, skip: tuple[str, ...] = ()
) -> None:
    """Note every `{{…}}` in a part of a workflow, but for some fields, that cannot be resolved."""
    if scope.everything:
        return
    data = {name: item for name, item in unstructure(part).items() if name not in skip}
    for at, tag in unresolved(data, scope, where):
        findings.add(at, f"{{{{{tag}}}}} cannot be resolved here", scope.hint(tag))


def _ancestors(tasks: Sequence[DAGTask], where: str, findings: Findings) -> Mapping[str, set[str]]:
    """Return task → the tasks that end before it begins; note unknown dependencies and cycles."""
    graph = {task.name or "": set(_dependencies(task)) for task in tasks}
    for index, task in enumerate(tasks):
        for name in sorted(graph[task.name or ""] - graph.keys()):
            if VARIABLE not in (task.depends or ""):
                hint = nearest(name, graph)
                findings.add(f"{where}.tasks[{index}]", f'there is no task "{name}"', hint)
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        findings.add(
            f"{where}.tasks", f"the tasks wait for each other: {' ← '.join(error.args[1])}"
        )
        return {name: set(graph) for name in graph}
    before: dict[str, set[str]] = {}
    for name in order:
        direct = graph.get(name, set())
        before[name] = direct.union(*(before[other] for other in direct))
    return before


def _dependencies(task: DAGTask) -> Iterator[str]:
    yield from task.dependencies or ()
    for match in _DEPENDENCY.finditer(task.depends or ""):
        yield match[1]


def _check_task_references(task: DAGTask, where: str, before: set[str], findings: Findings) -> None:
    """Check that the arguments of a task name only tasks that end before it begins."""
    if task.arguments is None:
        return
    for kind, items in _argument_texts(task.arguments):
        for index, text in items:
            for name in _TASK_REFERENCE.findall(text):
                if name not in before and name != "name":
                    findings.add(
                        f"{where}.arguments.{kind}[{index}]",
                        f'the task "{name}" does not end before this one begins',
                        f'add "{name}" to the dependencies of "{task.name}"',
                    )


def _argument_texts(arguments: Arguments) -> Iterator[tuple[str, list[tuple[int, Any]]]]:
    yield (
        "parameters",
        [
            (index, item.value)
            for index, item in enumerate(arguments.parameters or ())
            if item is not None and isinstance(item.value, str)
        ],
    )
    yield (
        "artifacts",
        [
            (index, item.from_)
            for index, item in enumerate(arguments.artifacts or ())
            if item is not None and item.from_
        ],
    )
