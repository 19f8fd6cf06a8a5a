"""One function, many times."""

from collections.abc import Iterable
from typing import Any, ClassVar

from attrs import evolve, field, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest import Arguments, Parameter
from aiowf.operations.composite import CompositeOperation, as_tasks
from aiowf.tasks.python import PythonTask
from aiowf.wire.labels import PARAMETER_CALL, PARAMETER_TASK

Calls = tuple[PythonTask[Any], ...]


def as_calls(tasks: PythonTask[Any] | Iterable[PythonTask[Any]]) -> Calls:
    """Return Python tasks that differ in nothing but their names and arguments.

    Raises:
        ConfigurationError: One of them is none, or differs.
    """
    calls: list[PythonTask[Any]] = []
    for n, task in enumerate(as_tasks(tasks)):
        where = f"tasks[{n}]"
        if not isinstance(task, PythonTask):
            raise ConfigurationError(
                f"{task.name!r} is a {type(task).__name__}, and a PythonTask is needed",
                where=where,
                hint="tasks of other types run beside each other in a ParallelOperation",
            )
        if calls and not task.may_share(calls[0]):
            raise ConfigurationError(
                f"{task.name!r} differs from {calls[0].name!r} in more than name and arguments",
                where=where,
                hint="one function with the same options; others go into a ParallelOperation",
            )
        calls.append(task)
    return tuple(calls)


@frozen(slots=False)
class MapOperation(CompositeOperation):
    """Run one function many times, with other arguments each time, the calls beside each other.

    All tasks share one template, so that their number is bounded by the size of the workflow alone
    (1.5 MB, and about 1 MB for the status), not by Argo's 200 templates.
    """

    _suffix: ClassVar[str] = "map"

    tasks: Calls = field(converter=as_calls)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        arguments = {task.name: _arguments(task) for task in self.tasks}
        vars(self)["_flow"] = evolve(self._flow, arguments=arguments)

    @property
    def groups(self) -> tuple[Calls, ...]:
        """The tasks, in groups that run one after the other."""
        return (self.tasks,)

    @property
    def shared_template(self) -> str:
        """Name of the one template of all tasks."""
        return f"{self.name}task"


def _arguments(task: PythonTask[Any]) -> Arguments:
    return Arguments(
        parameters=(
            Parameter(name=PARAMETER_TASK, value=task.name),
            Parameter(name=PARAMETER_CALL, value=task.call),
        )
    )
