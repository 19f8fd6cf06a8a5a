"""Operations that run in the service itself."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, overload

from attrs import frozen

from aiowf.errors import ConfigurationError
from aiowf.operations.managed import SyncOperation

T = TypeVar("T")


@frozen(init=False, slots=False)
class DirectOperation(SyncOperation, Generic[T]):
    """Call a function of the service.

    Attributes:
        callback: A coroutine function, which is awaited, or a plain one, which runs in a thread.
    """

    callback: Callable[..., Any]

    @overload
    def __init__(self, name: str, callback: Callable[..., Awaitable[T]]) -> None: ...
    @overload
    def __init__(self, name: str, callback: Callable[..., T]) -> None: ...
    def __init__(self, name: str, callback: Callable[..., Any]) -> None:
        if not callable(callback):
            raise ConfigurationError(f"{callback!r:.80} cannot be called", where="callback")
        super().__init__(name)
        vars(self)["callback"] = callback

    async def execute(self, *args: Any, **kwargs: Any) -> T:
        """Call the callback with these arguments and return its value.

        What runs in a thread cannot be cancelled: it runs to its end, and its value is dropped.
        """
        import asyncio
        from inspect import isawaitable, iscoroutinefunction

        call = self.callback
        if iscoroutinefunction(call) or iscoroutinefunction(type(call).__call__):
            value = call(*args, **kwargs)
        else:
            value = await asyncio.to_thread(call, *args, **kwargs)
        # A plain function may hand out a coroutine as well: a lambda around one, for example.
        result: T = await value if isawaitable(value) else value
        return result


class ResourceQueryOperation(DirectOperation[T]):
    """Ask for a resource."""


class DataQueryOperation(DirectOperation[T]):
    """Ask a database."""
