"""Who asks: the Authorization header, from a fixed token, a file that rotates, or a callable."""

import asyncio
import base64
import inspect
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from aiowf.errors import ConfigurationError

# A token, with its scheme ("Bearer …", "Basic …") or without ("Bearer" is meant); a file that holds
# one; or what returns one.
Token = str | Path | Callable[[], "str | Awaitable[str]"]

# Projected service account tokens rotate on disk well before they expire.
_MAX_AGE = 60.0
_DEADLINE = 60.0


def basic(username: str, password: str) -> str:
    """Return the token for HTTP basic authentication."""
    pair = f"{username}:{password}".encode()
    return "Basic " + base64.b64encode(pair).decode()


class Credentials:
    """Knows the Authorization header and renews it when it is old or was refused.

    Nothing of the token is shown by `repr` or in an error.

    Args:
        token: The token or where it comes from; None sends no header.
        max_age: Seconds after which a file or a callable is asked again.
        deadline: Seconds in which it has to answer.

    Raises:
        ConfigurationError: This is no token.
    """

    _token: Token | None
    _max_age: float
    _deadline: float
    _header: str | None  # the last header made; None before the first, or without a token
    _read_at: float  # monotonic time at which _header was made
    _lock: asyncio.Lock  # held while the source is asked, so that a burst asks once

    def __init__(
        self, token: Token | None, *, max_age: float = _MAX_AGE, deadline: float = _DEADLINE
    ) -> None:
        if not (token is None or isinstance(token, str | Path) or callable(token)):
            raise ConfigurationError(
                f"a token is a text, a path or a callable, not {type(token).__name__}",
                where="token",
            )
        self._token = token
        self._deadline = deadline
        self._max_age = max_age
        self._header = _header(token) if isinstance(token, str) else None
        self._read_at = 0.0
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Credentials {'none' if self._token is None else 'hidden'}>"

    @property
    def known(self) -> str | None:
        """Return the Authorization header, if there is one and it need not be made first."""
        if self._token is None or isinstance(self._token, str):
            return self._header
        is_old = time.monotonic() - self._read_at > self._max_age
        return None if is_old else self._header

    async def header(self) -> str | None:
        """Return the Authorization header, or None for no token.

        Raises:
            ConfigurationError: The source gives no token.
        """
        if self.known is None:
            await self.renew(self._header)
        return self._header

    async def renew(self, refused: str | None) -> bool:
        """Ask the source again, unless another request has since; return whether the header is new.

        Args:
            refused: The header that the server refused.

        Raises:
            ConfigurationError: The source gives no token, or not in time.
        """
        if self._token is None or isinstance(self._token, str):
            return False
        try:
            async with asyncio.timeout(self._deadline), self._lock:
                if self._header == refused:
                    self._header = _header(await _ask(self._token))
                    self._read_at = time.monotonic()
        except TimeoutError:
            raise ConfigurationError(
                f"whoever gives the token has not answered within {self._deadline:g} s",
                where="token",
            ) from None
        return self._header != refused


async def _ask(source: Path | Callable[[], str | Awaitable[str]]) -> object:
    try:
        if isinstance(source, Path):
            return await asyncio.to_thread(source.read_text)
        answer: object
        if inspect.iscoroutinefunction(source):
            answer = source()
        else:
            answer = await asyncio.to_thread(cast("Callable[[], str]", source))
        return await answer if inspect.isawaitable(answer) else answer
    except OSError as error:
        place = f"the token file {source}" if isinstance(source, Path) else "the token provider"
        raise ConfigurationError(
            f"{place} cannot be read: {error.strerror or type(error).__name__}", where="token"
        ) from None


def _header(token: object) -> str:
    text = token.strip() if isinstance(token, str) else ""
    is_scheme_alone = text.lower() in ("bearer", "basic")
    if not text or is_scheme_alone or not text.isprintable() or not text.isascii():
        raise ConfigurationError(
            "the token is empty or no printable ASCII text",
            where="token",
            hint='A token looks like "Bearer eyJhbGci…"; ARGO_TOKEN and token=… take one.',
        )
    return text if " " in text else f"Bearer {text}"
