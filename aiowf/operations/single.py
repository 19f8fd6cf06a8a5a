"""Operations of one task."""

from typing import Any, TypeVar

from attrs import field, frozen

from aiowf.errors import ConfigurationError
from aiowf.operations.containerized import AsyncOperation, WaitingOperation
from aiowf.operations.managed import SEVERAL_TASKS
from aiowf.operations.options import SHARED
from aiowf.tasks.containers import SendResultTask
from aiowf.tasks.task import Task
from aiowf.tasks.volumes import Volume

T = TypeVar("T")
_SENDER = SendResultTask()


def as_task(task: Task[T], where: str = "task", several: str = SEVERAL_TASKS) -> Task[T]:
    """Return the task if it is one; `several` tells what to do with more of them.

    Raises:
        ConfigurationError: It is none.
    """
    if isinstance(task, Task):
        return task
    what, hint = f"{task!r:.80}", None
    if isinstance(task, tuple | list):
        what, hint = f"a {type(task).__name__} of {len(task)}", several
    elif callable(task):
        # What @aiowf.task makes has a method for it.
        call = f"{getattr(task, '__name__', 'function')}.task(name, …)"
        hint = f"make one of it: {call if hasattr(task, 'task') else 'PythonTask(name, function)'}"
    raise ConfigurationError(f"expected a task, not {what}", where=where, hint=hint)


@frozen(slots=False)
class SingleTaskOperation(AsyncOperation[T]):
    """Run one task; `execute` gives a Run at once."""

    task: Task[T] = field(converter=as_task)

    @property
    def groups(self) -> tuple[tuple[Task[Any], ...], ...]:
        """The tasks, in groups that run one after the other."""
        return ((self.task,),)

    @property
    def entrypoint(self) -> str:
        """Name of the template where the workflow begins."""
        return self.task.name


@frozen(slots=False)
class DistributedSyncOperation(WaitingOperation[T]):
    """Run one task in a workflow; `execute` waits for the end and gives the Result."""

    task: Task[T] = field(converter=as_task)

    @property
    def groups(self) -> tuple[tuple[Task[Any], ...], ...]:
        """The tasks, in groups that run one after the other."""
        return ((self.task,),)

    @property
    def entrypoint(self) -> str:
        """Name of the template where the workflow begins."""
        return self.task.name


@frozen(slots=False)
class DistributedSyncOperationWithResults(WaitingOperation[T]):
    """Run one task; `execute` gives the Result with the files of the shared directory.

    Without `shared_directory` there is one at /mnt/shared.
    """

    task: Task[T] = field(converter=as_task)

    def __attrs_post_init__(self) -> None:
        if not self.shared_directory:
            vars(self)["shared_directory"] = (Volume(SHARED),)
        super().__attrs_post_init__()

    @property
    def groups(self) -> tuple[tuple[Task[Any], ...], ...]:
        """The tasks, in groups that run one after the other."""
        return ((self.task,), (_SENDER,))

    @property
    def entrypoint(self) -> str:
        """Name of the template where the workflow begins."""
        return f"{self.name}pipeline"
