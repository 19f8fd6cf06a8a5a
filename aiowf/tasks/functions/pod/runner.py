"""Call the function."""

import sys
from typing import Any, Callable

from .loading import report
from .output import note


def begin() -> None:
    """Let the task's output flow line by line, and its errors be told by `report`."""
    sys.excepthook = report
    out: Any = sys.stdout
    out.reconfigure(line_buffering=True)


def call(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Call the function; await what is awaitable; take a clean exit for None."""
    try:
        value = function(*args, **kwargs)
        if hasattr(value, "__await__"):
            import asyncio

            async def wait() -> Any:
                return await value

            value = asyncio.run(wait())
        return value
    except SystemExit as end:
        if isinstance(end.code, str):
            note(end.code)
        if end.code not in (None, 0):
            raise
