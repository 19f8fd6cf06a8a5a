"""Operations: what a service has done, here or in a workflow."""

from aiowf.operations.composite import (
    CompositeOperation,
    ParallelOperation,
    PipelineOperation,
    SimpleDagOperation,
)
from aiowf.operations.containerized import AsyncOperation, ContainerizedOperation
from aiowf.operations.context import PodExecutionContext
from aiowf.operations.direct import DataQueryOperation, DirectOperation, ResourceQueryOperation
from aiowf.operations.functions import TaskFunction, task
from aiowf.operations.lifecycle import OnExitNotify
from aiowf.operations.managed import ManagedOperation, SyncOperation
from aiowf.operations.mapping import MapOperation
from aiowf.operations.options import OperationOptions
from aiowf.operations.single import (
    DistributedSyncOperation,
    DistributedSyncOperationWithResults,
    SingleTaskOperation,
)
from aiowf.tasks.volumes import Volume

__all__ = [
    "AsyncOperation",
    "CompositeOperation",
    "ContainerizedOperation",
    "DataQueryOperation",
    "DirectOperation",
    "DistributedSyncOperation",
    "DistributedSyncOperationWithResults",
    "ManagedOperation",
    "MapOperation",
    "OnExitNotify",
    "OperationOptions",
    "ParallelOperation",
    "PipelineOperation",
    "PodExecutionContext",
    "ResourceQueryOperation",
    "SimpleDagOperation",
    "SingleTaskOperation",
    "SyncOperation",
    "TaskFunction",
    "Volume",
    "task",
]
