"""Testing a service that runs workflows: an engine for each test, in milliseconds, no cluster.

Installing aiowf gives pytest the fixture `aiowf_engine`; see `aiowf.testing.plugin`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiowf.testing.engine import AiowfEngine
    from aiowf.testing.images import Image, Images, Pending
    from aiowf.testing.submissions import Submission

__all__ = ["AiowfEngine", "Image", "Images", "Pending", "Submission"]

# Loaded when they are first used: pytest imports this package when it starts.
_HOMES = {
    "AiowfEngine": "engine",
    "Image": "images",
    "Images": "images",
    "Pending": "images",
    "Submission": "submissions",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
