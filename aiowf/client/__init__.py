"""Clients, runs and results: what users hold in their hands."""

from typing import TYPE_CHECKING, Any

from aiowf.client.current import current_client

if TYPE_CHECKING:
    from aiowf.client.client import Client, connect
    from aiowf.client.result import Result
    from aiowf.client.run import Run

__all__ = ["Client", "Result", "Run", "connect", "current_client"]

# Loaded when they are first used: `import aiowf` must not cost what a client costs.
_HOMES = {"Client": "client", "connect": "client", "Result": "result", "Run": "run"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
