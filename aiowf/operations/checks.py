"""What can be wrong with an operation as a whole, found when it is built."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from aiowf.errors import ConfigurationError
from aiowf.operations.flow import Flow, resolve
from aiowf.operations.lifecycle import EXIT_HANDLER
from aiowf.tasks.containers import SendResultTask
from aiowf.tasks.volumes import check_paths

if TYPE_CHECKING:
    from aiowf.operations.containerized import ContainerizedOperation

MAX_TEMPLATES = 200  # Argo's limit in its definition of the Workflow resource


def check_operation(op: ContainerizedOperation) -> Flow:
    """Check that the tasks of an operation fit together; return how values flow between them.

    Raises:
        ConfigurationError: They do not.
    """
    groups = op.groups
    tasks = [task for group in groups for task in group]
    if not tasks or not all(groups):
        raise ConfigurationError(
            "a group has no tasks" if tasks else "there are no tasks", where="tasks"
        )
    entrypoint = op.entrypoint
    names = [task.name for task in tasks]
    known = {*names}
    if len(known) < len(names):
        twice, _ = Counter(names).most_common(1)[0]
        raise ConfigurationError(
            f"two tasks are called {twice!r}",
            where="tasks",
            hint="give one of them another name: attrs.evolve(task, name=…)",
        )
    if EXIT_HANDLER in known:
        raise ConfigurationError(f"no task can be called {EXIT_HANDLER!r}", where="tasks")
    if len(names) > 1 and entrypoint in known:
        raise ConfigurationError(
            f"a task is called {entrypoint!r}, as the template where the operation begins",
            where="tasks",
        )
    handler = op.on_exit_notify is not None
    if op.shared_template is None and len(known | {entrypoint}) + handler > MAX_TEMPLATES:
        raise ConfigurationError(
            f"{len(names)} tasks are too many: Argo takes {MAX_TEMPLATES} templates, "
            "the entrypoint and the exit handler among them",
            where="tasks",
            hint="split the work into several operations, executed by asyncio.gather",
        )
    for task in tasks:
        if task.volume_mounts:
            check_paths((*op.shared_directory, *task.volume_mounts), f"{task.name}.volume_mounts")
        if isinstance(task, SendResultTask) and not op.shared_directory:
            raise ConfigurationError(
                f"the task {task.name!r} sends the shared directory's files, and there is none",
                where="shared_directory",
            )
    return resolve(groups)
