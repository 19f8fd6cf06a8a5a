"""Operations of several tasks."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Unpack

from attrs import field, frozen

from aiowf.errors import ConfigurationError
from aiowf.operations.containerized import AsyncOperation
from aiowf.operations.options import OperationOptions
from aiowf.operations.single import as_task
from aiowf.tasks.task import Task

Tasks = tuple[Task[Any], ...]


_BESIDE = "tasks beside each other, between others: SimpleDagOperation(name, a, (b, c), d)"
_NO_DEPTH = "a group holds tasks only; what runs after them is the next group: (a, b), (c, d)"


def as_tasks(
    tasks: Task[Any] | Iterable[Task[Any]], where: str = "tasks", several: str = _BESIDE
) -> Tasks:
    """Return tasks from one or several.

    Raises:
        ConfigurationError: One of them is none.
    """
    if isinstance(tasks, Task):
        return (tasks,)
    if isinstance(tasks, str) or not isinstance(tasks, Iterable):
        raise ConfigurationError(f"expected tasks, not {tasks!r:.80}", where=where)
    return tuple(as_task(task, f"{where}[{n}]", several) for n, task in enumerate(tasks))


class CompositeOperation(AsyncOperation[Any]):
    """An operation of several tasks."""

    _suffix: ClassVar[str]

    @property
    def entrypoint(self) -> str:
        """Name of the template where the workflow begins."""
        return self.name + self._suffix


@frozen(slots=False)
class PipelineOperation(CompositeOperation):
    """Run tasks one after the other."""

    _suffix: ClassVar[str] = "pipeline"

    tasks: Tasks = field(converter=as_tasks)

    @property
    def groups(self) -> tuple[Tasks, ...]:
        """The tasks, in groups that run one after the other."""
        return tuple((task,) for task in self.tasks)


@frozen(slots=False)
class ParallelOperation(CompositeOperation):
    """Run tasks beside each other."""

    _suffix: ClassVar[str] = "parallel"

    tasks: Tasks = field(converter=as_tasks)

    @property
    def groups(self) -> tuple[Tasks, ...]:
        """The tasks, in groups that run one after the other."""
        return (self.tasks,)


@frozen(init=False, slots=False)
class SimpleDagOperation(CompositeOperation):
    """Run groups of tasks one after the other, the tasks of a group beside each other.

    Args:
        name: Begin of the workflows' names.
        task_or_tasks: The groups: each a task, or several.
        tasks: The groups as one sequence, instead.
        options: The options of every operation; see OperationOptions.
    """

    _suffix: ClassVar[str] = "simpledag"

    tasks: tuple[Tasks, ...]

    def __init__(
        self,
        name: str,
        *task_or_tasks: Task[Any] | Iterable[Task[Any]],
        tasks: Sequence[Task[Any] | Iterable[Task[Any]]] = (),
        **options: Unpack[OperationOptions],
    ) -> None:
        groups = enumerate((*task_or_tasks, *tasks))
        vars(self)["tasks"] = tuple(as_tasks(g, f"tasks[{n}]", _NO_DEPTH) for n, g in groups)
        super().__init__(name, **options)

    @property
    def groups(self) -> tuple[Tasks, ...]:
        """The tasks, in groups that run one after the other."""
        return self.tasks
