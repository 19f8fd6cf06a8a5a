"""Which client `op.execute()` uses, when none is named.

The innermost `async with` of the current context; else the one client open on this event loop (a
service opens it in its lifespan, and its handlers run in other contexts); else a default client,
opened from the environment and closed when the loop shuts down, so that a notebook cell or a
script may say `await op.execute()` alone. Nothing here loads aiohttp.
"""

from __future__ import annotations

import asyncio
import atexit
import weakref
from collections.abc import AsyncGenerator
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field

from aiowf.errors import ConfigurationError

if TYPE_CHECKING:
    from aiowf.client.client import Client

__all__ = ["current_client", "entered", "left", "open_client"]


@define
class _Loop:
    """What is open on one event loop."""

    loop: weakref.ref[asyncio.AbstractEventLoop]
    # Clients between open and close, in the order of opening; the default client is not among them.
    clients: list[Client] = field(factory=list)
    # The default client, once somebody has asked for it; it is set before its opening is awaited,
    # so that a thousand first calls open one client.
    default: asyncio.Future[Client] | None = None
    # Keeps the default client open until the loop's asynchronous generators are shut down.
    keeper: AsyncGenerator[Client, None] | None = None


_Entered: TypeAlias = "tuple[tuple[Client, _Loop], ...]"
# One entry per running loop; it goes away with the loop.
_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = weakref.WeakKeyDictionary()
# The clients entered by `async with` in this context, each with its loop, the innermost last.
_entered: ContextVar[_Entered] = ContextVar("aiowf_clients", default=())


async def current_client() -> Client:
    """Return the client that serves the caller.

    Raises:
        ConfigurationError: Several clients are open and none of them is the caller's.
    """
    return open_client() or await _default(_here())


def open_client() -> Client | None:
    """Return the client that serves the caller; None: none was opened, but for a default one.

    Raises:
        ConfigurationError: Several clients are open and none of them is the caller's.
    """
    for client, there in reversed(_entered.get()):
        if client in there.clients and there.loop() is asyncio.get_running_loop():
            return client
    clients = _here().clients
    if len(clients) > 1:
        names = ", ".join(repr(client) for client in clients)
        raise ConfigurationError(
            f"{len(clients)} clients are open on this event loop: {names}",
            hint="Say which one: await op.execute(client=client).",
        )
    return clients[0] if clients else None


def entered(client: Client) -> Token[_Entered]:
    """Note that a client is open on this loop, and the innermost of this context."""
    here = _here()
    here.clients.append(client)
    return _entered.set((*_entered.get(), (client, here)))


def left(client: Client, token: Token[_Entered] | None) -> None:
    """Note that a client is closed; it may be closed from another context than it was opened in."""
    here = _here()
    if client in here.clients:
        here.clients.remove(client)
    try:
        if token is not None:
            _entered.reset(token)
    except ValueError:
        pass  # another context: there the client is skipped, since it is no longer open


def _here() -> _Loop:
    loop = asyncio.get_running_loop()
    here = _loops.get(loop)
    if here is None:
        here = _loops[loop] = _Loop(weakref.ref(loop))
    return here


async def _default(here: _Loop) -> Client:
    if here.default is not None and not _failed(here.default):
        return await asyncio.shield(here.default)
    here.default = asyncio.get_running_loop().create_future()
    here.keeper = _keep_open(here)
    try:
        client = await anext(here.keeper)
    except BaseException as error:
        here.default.set_exception(
            error
            if isinstance(error, Exception)
            else ConfigurationError("the opening of the default client was cancelled")
        )
        here.default.exception()  # it is raised here; whoever waits with us gets it as well
        raise
    here.default.set_result(client)
    return client


@atexit.register
def _close_at_exit() -> None:
    """Close the default clients of loops that nobody ends, as that of a notebook."""
    for loop, here in list(_loops.items()):
        if here.keeper is not None and not loop.is_closed() and not loop.is_running():
            loop.run_until_complete(here.keeper.aclose())


def _failed(future: asyncio.Future[Client]) -> bool:
    return future.done() and (future.cancelled() or future.exception() is not None)


async def _keep_open(here: _Loop) -> AsyncGenerator[Client, None]:
    """Hold the default client open.

    An event loop closes its asynchronous generators last (`asyncio.run` does it after it has
    cancelled all tasks), and so this is where a client can outlive the tasks that use it, and
    still be closed.
    """
    from aiowf.client.client import connect

    client = connect()
    await client.open()
    try:
        yield client
    finally:
        here.default = here.keeper = None
        await client.aclose()
