"""aiowf: the asyncio-native client SDK for Argo Workflows, with an embedded engine.

In three lines::

    import aiowf
    from aiowf import operations, tasks

    async with aiowf.connect() as client:
        result = await operations.DistributedSyncOperation(
            "sim-", tasks.PythonTask("simulate", simulate, args=(1,))
        ).execute()

Everything is loaded when it is first used: `import aiowf` costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiowf import display, errors, manifest, operations, tasks
    from aiowf.client import Client, Result, Run, connect, current_client
    from aiowf.errors import (
        AiowfError,
        AiowfWarning,
        AlreadyExistsError,
        ArgoError,
        BadRequestError,
        ConfigurationError,
        ConflictError,
        CorruptResultsError,
        EngineError,
        InvalidWorkflowError,
        ItemFailedError,
        MissingResultsError,
        NotFoundError,
        OperationFailedError,
        OperationStuckError,
        OperationTimeoutError,
        PermissionDeniedError,
        RateLimitedError,
        ReplyError,
        ServerError,
        UnauthenticatedError,
        UnavailableError,
    )
    from aiowf.operations.functions import task
    from aiowf.profile import ImageCatalogue, Profile

__version__ = "0.1.0"

_ERRORS = [
    "AiowfError",
    "AiowfWarning",
    "AlreadyExistsError",
    "ArgoError",
    "BadRequestError",
    "ConfigurationError",
    "ConflictError",
    "CorruptResultsError",
    "EngineError",
    "InvalidWorkflowError",
    "ItemFailedError",
    "MissingResultsError",
    "NotFoundError",
    "OperationFailedError",
    "OperationStuckError",
    "OperationTimeoutError",
    "PermissionDeniedError",
    "RateLimitedError",
    "ReplyError",
    "ServerError",
    "UnauthenticatedError",
    "UnavailableError",
]
# Name → the module that it comes from.
_HOMES = {
    **dict.fromkeys(_ERRORS, "aiowf.errors"),
    **dict.fromkeys(("Client", "Result", "Run", "connect", "current_client"), "aiowf.client"),
    "task": "aiowf.operations.functions",
    **dict.fromkeys(("ImageCatalogue", "Profile"), "aiowf.profile"),
}
_ROOMS = ("display", "errors", "manifest", "operations", "tasks")

__all__ = [
    "AiowfError",
    "AiowfWarning",
    "AlreadyExistsError",
    "ArgoError",
    "BadRequestError",
    "Client",
    "ConfigurationError",
    "ConflictError",
    "CorruptResultsError",
    "EngineError",
    "ImageCatalogue",
    "InvalidWorkflowError",
    "ItemFailedError",
    "MissingResultsError",
    "NotFoundError",
    "OperationFailedError",
    "OperationStuckError",
    "OperationTimeoutError",
    "PermissionDeniedError",
    "Profile",
    "RateLimitedError",
    "ReplyError",
    "Result",
    "Run",
    "ServerError",
    "UnauthenticatedError",
    "UnavailableError",
    "connect",
    "current_client",
    "display",
    "errors",
    "manifest",
    "operations",
    "task",
    "tasks",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _ROOMS:
        return import_module(f"aiowf.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'aiowf' has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
