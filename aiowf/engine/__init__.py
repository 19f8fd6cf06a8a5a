"""The embedded engine: an Argo-compatible server in a process of its own.

Importing this package loads next to nothing; the supervisor and every client do so.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiowf.engine.launcher import Engine, launch

__all__ = ["Engine", "launch"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from aiowf.engine import launcher

    return getattr(launcher, name)
