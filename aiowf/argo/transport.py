"""What the services of a session have in common."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from attrs import field, frozen

from aiowf.manifest import dumps
from aiowf.wire.requests import Request

T = TypeVar("T")


class Transport(Protocol):
    """What the services need of a session."""

    @property
    def namespace(self) -> str:
        """Return the namespace meant where none is named."""
        ...

    async def call(self, request: Request, cls: type[T]) -> T:
        """Send a request and return the value in its answer."""
        ...

    async def call_json(self, request: Request) -> Any:
        """Send a request and return the JSON of its answer."""
        ...

    def stream(
        self, request: Request, *, deadline: float = ...
    ) -> AbstractAsyncContextManager[AsyncIterator[list[bytes]]]:
        """Open a stream of messages."""
        ...

    def download(
        self, request: Request, *, deadline: float = ...
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a stream of bytes."""
        ...


@frozen
class Service:
    """Base of the services: frozen, and nothing but a way to call the session."""

    _session: Transport = field(repr=False)

    def _path(self, namespace: str | None, **more: str) -> dict[str, str]:
        return {"namespace": self._session.namespace if namespace is None else namespace, **more}


def body_of(manifest: Any, key: str, **more: Any) -> bytes:
    """Return the body of a request: bytes as they are, a value or mapping under a key."""
    return manifest if isinstance(manifest, bytes) else dumps({key: manifest, **more})
