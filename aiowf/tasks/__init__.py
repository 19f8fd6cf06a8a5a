"""Tasks: the units of work of operations."""

from aiowf.tasks.bash import BashTask
from aiowf.tasks.containers import CommandBasedTask, CustomTask, SendResultTask
from aiowf.tasks.options import TaskOptions
from aiowf.tasks.python import PythonTask, UndeclaredImportWarning
from aiowf.tasks.reference import Reference
from aiowf.tasks.resources import Resources
from aiowf.tasks.task import ContainerizedTask, InlinedTask, Task
from aiowf.tasks.volumes import Volume

__all__ = [
    "BashTask",
    "CommandBasedTask",
    "ContainerizedTask",
    "CustomTask",
    "InlinedTask",
    "PythonTask",
    "Reference",
    "Resources",
    "SendResultTask",
    "Task",
    "TaskOptions",
    "UndeclaredImportWarning",
    "Volume",
]
