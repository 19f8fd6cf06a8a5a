"""What `aiowf run` calls itself: functions, and operations that become no workflow."""

import asyncio
from collections.abc import Sequence
from inspect import iscoroutinefunction, signature
from types import ModuleType
from typing import Any

from aiowf.cli.errors import CommandError, Exit
from aiowf.cli.source import is_operation

_LONGEST = 60


def as_operation(value: Any, arguments: Sequence[Any], directory: str | None) -> Any:
    """Return the operation that a function of `@aiowf.task` becomes; others stay as they are.

    Args:
        value: What is to be run.
        arguments: The function's.
        directory: Where its files are wanted, or None: it needs no place for them.

    Raises:
        ConfigurationError: The function or an argument cannot travel.
    """
    from aiowf.operations import DistributedSyncOperation, DistributedSyncOperationWithResults
    from aiowf.operations.functions import TaskFunction

    if not isinstance(value, TaskFunction):
        return value
    kind: Any = DistributedSyncOperationWithResults if directory else DistributedSyncOperation
    return kind(value.name, value.task(value.name, *arguments))


def described(value: Any) -> str:
    """Return what something is that cannot be run, in a few words."""
    if isinstance(value, ModuleType):
        return f"the module {value.__name__}"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def check_arguments(title: str, value: Any, arguments: Sequence[Any]) -> None:
    """Check that a function takes these arguments.

    Raises:
        CommandError: There are too few or too many; an operation has its own.
    """
    if is_operation(value):
        return
    try:
        form = signature(value)
    except ValueError:  # one of C, that does not tell
        return
    try:
        form.bind(*arguments)
    except TypeError as error:
        raise CommandError(
            f"{title}{form} cannot be called so: {error}",
            "Give each argument by an -a, in their order: -a 3 -a text.",
            Exit.USAGE,
        ) from None


def check_calls(
    found: Sequence[tuple[str, Any]], said: Sequence[str], timeout: float | None
) -> None:
    """Check that the options mean something for what is to be run.

    Args:
        found: What is to be run, by its title.
        said: The options that were given and concern workflows.
        timeout: Seconds to wait at most, or None.

    Raises:
        CommandError: Nothing becomes a workflow, or something cannot be ended in time.
    """
    calls = [(title, value) for title, value in found if not becomes_workflow(value)]
    if said and calls and len(calls) == len(found):
        raise CommandError(
            f"{calls[0][0]} runs here and becomes no workflow, so {said[0]} means nothing",
            "Decorate the function with @aiowf.task, or name an operation that holds it.",
            Exit.USAGE,
        )
    for title, value in calls:
        if timeout is not None and not _is_coroutine(value):
            raise CommandError(
                f"{title} runs a plain function, which no --timeout can end",
                "Make it a coroutine function (async def), or decorate it with @aiowf.task.",
                Exit.USAGE,
            )


def becomes_workflow(value: Any) -> bool:
    """Return whether something is run by a server, and not here."""
    return callable(getattr(value, "to_workflow", None))


async def call(title: str, value: Any, arguments: Sequence[Any], timeout: float | None) -> Any:
    """Run what becomes no workflow, and return its value.

    Args:
        title: What it is called.
        value: An operation without containers, or a function.
        arguments: The function's.
        timeout: Seconds that it may take, or None.

    Raises:
        CommandError: It took longer; it was cancelled.
    """
    scope = asyncio.timeout(timeout)
    try:
        async with scope:
            return await _call(value.execute if is_operation(value) else value, arguments)
    except TimeoutError:
        if not scope.expired():
            raise
        raise CommandError(
            f"{title} did not end within {timeout:g} s",
            "It was cancelled, which stops the workflows that it waited for.",
            Exit.UNFINISHED,
        ) from None


async def _call(function: Any, arguments: Sequence[Any]) -> Any:
    if iscoroutinefunction(function):
        return await function(*arguments)
    done = await asyncio.to_thread(function, *arguments)
    return await done if hasattr(done, "__await__") else done


def _is_coroutine(value: Any) -> bool:
    function = getattr(value, "callback", value.execute) if is_operation(value) else value
    return iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)
