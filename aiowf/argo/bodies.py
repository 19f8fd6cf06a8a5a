"""The bodies of answers: read whole but not without bound, and ended with the session."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aiohttp

from aiowf.errors import AiowfError, ConfigurationError
from aiowf.wire.errors import unreadable
from aiowf.wire.requests import Request
from aiowf.wire.sse import MAX_MESSAGE_BYTES


class Bodies:
    """The bodies that are being read over the connections of a session.

    aiohttp closes connections without a word to those who read from them: they are told here.

    Args:
        gone: Returns why the server is gone for good, or None if it is not known to be.
    """

    _open: set[aiohttp.StreamReader]  # none after close
    is_closed: bool  # True for ever after close

    def __init__(self, gone: Callable[[], AiowfError | None] | None = None) -> None:
        self._gone = gone
        self._open = set()
        self.is_closed = False

    def check_open(self) -> None:
        """Raise if the session is closed.

        Raises:
            ConfigurationError: It is.
        """
        if self.is_closed:
            raise _closed()

    def reason(self, error: AiowfError) -> AiowfError:
        """Return why something failed: that the session is closed, or the server gone, is why."""
        if self.is_closed:
            return _closed()
        return (self._gone and self._gone()) or error

    def check_cancelled(self) -> None:
        """Raise if it was the close of the session that cancelled this task, and nobody else.

        aiohttp's connector, when it is closed, cancels whoever waits for a connection.

        Raises:
            ConfigurationError: It was.
        """
        task = asyncio.current_task()
        if self.is_closed and task is not None and not task.cancelling():
            raise _closed() from None

    @contextmanager
    def reading(self, content: aiohttp.StreamReader) -> Iterator[None]:
        """End the reading of a body, by a ConfigurationError, when the session is closed."""
        self.check_open()
        self._open.add(content)
        try:
            yield
        finally:
            self._open.discard(content)

    async def whole(self, request: Request, content: aiohttp.StreamReader) -> bytes:
        """Return a body: one that has no end, or unpacks to none, must not fill the memory.

        Raises:
            ServerError: It is longer than any answer of an Argo Server.
        """
        if content.is_eof():  # all has come
            body = await content.read()
            if len(body) <= MAX_MESSAGE_BYTES:
                return body
        else:
            parts: list[bytes] = []
            size = 0
            with self.reading(content):
                while size <= MAX_MESSAGE_BYTES:
                    part = await content.readany()
                    if not part:
                        return b"".join(parts)
                    parts.append(part)
                    size += len(part)
        raise unreadable(request, f"the answer is longer than {MAX_MESSAGE_BYTES:,} bytes")

    def close(self) -> None:
        """Tell all who read that the session is closed."""
        self.is_closed = True
        for content in self._open:
            content.set_exception(_closed())


def _closed() -> ConfigurationError:
    return ConfigurationError("this ArgoSession is closed", hint="Use it within its `async with`.")
