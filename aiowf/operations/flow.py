"""Values between tasks: references → the arguments of steps."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest import Arguments, Parameter
from aiowf.manifest.names import nearest
from aiowf.tasks.python import PythonTask
from aiowf.tasks.rendering import Input
from aiowf.tasks.task import Task
from aiowf.wire.labels import OUTPUT_RETURN, OUTPUT_STDOUT

Groups = Sequence[Sequence[Task[Any]]]


@frozen
class Flow:
    """How values flow in an operation.

    Attributes:
        wanted: Task name → the outputs of it that other tasks take.
        texts: Task name → those of its inputs that hold raw text: the output of foreign images.
        arguments: Task name → the arguments of its step.
    """

    wanted: Mapping[str, frozenset[str]]
    texts: Mapping[str, tuple[str, ...]]
    arguments: Mapping[str, Arguments]


NO_FLOW = Flow({}, {}, {})


def resolve(groups: Groups) -> Flow:
    """Resolve the references of tasks, which run group after group.

    Raises:
        ConfigurationError: A reference to a task that does not run before, or has no such value.
    """
    taking = [
        (n, task, inputs)
        for n, group in enumerate(groups)
        for task in group
        if (inputs := task.inputs)
    ]
    if not taking:
        return NO_FLOW
    place = {task.name: (n, task) for n, group in enumerate(groups) for task in group}
    wanted: dict[str, set[str]] = {}
    texts: dict[str, tuple[str, ...]] = {}
    arguments: dict[str, Arguments] = {}
    for n, task, inputs in taking:
        parameters = []
        for each in inputs:
            producer = _producer(each, task, n, place)
            output = _output(each, producer, task)
            if output is None:
                texts[task.name] = (*texts.get(task.name, ()), each.name)
            else:
                wanted.setdefault(producer.name, set()).add(output)
            source = "outputs.result" if output is None else f"outputs.parameters.{output}"
            value = f"{{{{steps.{producer.name}.{source}}}}}"
            parameters.append(Parameter(name=each.name, value=value))
        arguments[task.name] = Arguments(parameters=tuple(parameters))
    return Flow({name: frozenset(outputs) for name, outputs in wanted.items()}, texts, arguments)


def _producer(
    each: Input, task: Task[Any], n: int, place: Mapping[str, tuple[int, Task[Any]]]
) -> Task[Any]:
    name = each.reference.task
    what = f"the task {task.name!r} takes {name}.{each.reference.kind}"
    if name not in place:
        raise ConfigurationError(
            f"{what}, but the operation has no task {name!r}",
            where="tasks",
            hint=nearest(name, place) or "put it into the operation, in a step before",
        )
    before, producer = place[name]
    if before >= n:
        when = "is the task itself" if name == task.name else "runs beside it"
        raise ConfigurationError(
            f"{what}, which {when if before == n else 'runs after it'}",
            where="tasks",
            hint=f"let {name!r} run in an earlier step: "
            "PipelineOperation, or an earlier group of SimpleDagOperation",
        )
    return producer


def _output(each: Input, producer: Task[Any], task: Task[Any]) -> str | None:
    """Return the producer's output parameter, or None for Argo's own `outputs.result`."""
    if each.reference.kind == "stdout":
        if not producer.keeps_stdout:
            return None
        name = OUTPUT_STDOUT
    elif isinstance(producer, PythonTask):
        name = OUTPUT_RETURN
    else:
        raise ConfigurationError(
            f"the task {task.name!r} takes {producer.name}.output, but that task returns no value",
            where="tasks",
            hint=f"take {producer.name}.stdout, what it prints",
        )
    return f"{name}-env" if each.raw else name
