"""The embedded engine: an Argo-compatible server in a process of its own.

`launch` starts one for the process that asks for it; `serve` runs one for any Argo client.
Importing this package loads next to nothing; the supervisor and every client do so.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiowf.engine.launcher import Engine, launch
    from aiowf.engine.serving import Listening, ServeSettings, serve

__all__ = ["Engine", "Listening", "ServeSettings", "launch", "serve"]

_HOMES = {"Engine": "launcher", "launch": "launcher"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOMES.get(name, 'serving')}")
    return getattr(home, name)
