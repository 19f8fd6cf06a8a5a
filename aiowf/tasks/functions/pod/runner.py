"""Call the function, write its value."""

import json
import sys
from typing import Any, Callable

from .env import write_env
from .inputs import fill
from .loading import report
from .output import MARK, deliver, note


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


def run(
    function: Callable[..., Any],
    arguments: str,
    inputs: Any = (),
    structure: Any = None,
    env: bool = False,
) -> None:
    """Call the function with the arguments and deliver its value."""
    given = json.loads(arguments)
    if inputs:
        fill(given, inputs)
    value = call(function, *(structure(*given) if structure else given))
    marked = isinstance(value, dict) and MARK in value
    deliver("return", {MARK: None, "value": value} if marked else value)
    if env:
        write_env("return-env", value)
