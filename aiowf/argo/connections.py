"""The connections of a session: where they go, and when they are opened and closed."""

import asyncio
import ssl
from collections.abc import Callable

import aiohttp
from attrs import frozen

from aiowf.argo.bodies import Bodies
from aiowf.argo.calls import Calls, DirectCalls, SessionCalls, has_known_parts
from aiowf.argo.settings import Settings
from aiowf.errors import AiowfError


@frozen
class Pools:
    """Connections that are open, or open as soon as they are used.

    Attributes:
        calls: For requests whose answers are read whole.
        streams: For answers that go on.
        tls: What aiohttp is to be told about TLS.
    """

    calls: Calls
    streams: aiohttp.ClientSession
    tls: ssl.SSLContext | bool


class Connections:
    """Makes the connections to one server when they are first needed, and closes them.

    Args:
        settings: Where the server is.
        given: A session of the caller's to use for everything; it is not closed.
        tls: What aiohttp is told about TLS, instead of what the settings say.
        deadline: Seconds for one call.
        limit: Connections that calls use at once; further calls wait for one.
        gone: Returns why the server is gone for good, or None.
    """

    _pools: Pools | None  # None before the first use
    _opened: list[aiohttp.ClientSession | aiohttp.BaseConnector]  # what aclose closes
    _opening: asyncio.Lock  # held while the pools are made
    bodies: Bodies  # what is being read; closed by aclose

    def __init__(
        self,
        settings: Settings,
        *,
        given: aiohttp.ClientSession | None,
        tls: ssl.SSLContext | bool | None,
        deadline: float,
        limit: int,
        gone: Callable[[], AiowfError | None] | None = None,
    ) -> None:
        self._settings = settings
        self._given = given
        self._tls = tls
        self._deadline = deadline
        self._limit = limit
        self._pools = None
        self._opened = []
        self._opening = asyncio.Lock()
        self.bodies = Bodies(gone)

    @property
    def is_closed(self) -> bool:
        """Return whether they are closed, for ever."""
        return self.bodies.is_closed

    @property
    def ready(self) -> Pools | None:
        """Return the pools, or None before the first use.

        Raises:
            ConfigurationError: They are closed.
        """
        self.bodies.check_open()
        return self._pools

    async def open(self) -> Pools:
        """Make the pools, unless they are made.

        Raises:
            ConfigurationError: A certificate cannot be read, or they are closed.
        """
        async with self._opening:
            tls = self._tls
            if tls is None:
                tls = await asyncio.to_thread(self._settings.ssl_context)
            pools = self.ready or self._make(tls)
            self._pools = pools
        return pools

    def _make(self, tls: ssl.SSLContext | bool) -> Pools:
        url, proxy = self._settings.url, self._settings.proxy()
        streams = self._given or self._session(0, proxy)
        calls: Calls
        if self._given is not None or proxy is not None or not has_known_parts():
            calling = self._given or self._session(self._limit, proxy)
            calls = SessionCalls(calling, url, tls, self._deadline, self.bodies)
        else:
            connector = self._connector(self._limit)
            self._opened.append(connector)
            calls = DirectCalls(connector, url, tls, self._deadline, self.bodies)
        return Pools(calls, streams, tls)

    def _session(self, limit: int, proxy: str | None) -> aiohttp.ClientSession:
        # aiohttp's own trust_env would look into ~/.netrc in a thread for every request.
        session = aiohttp.ClientSession(
            connector=self._connector(limit), cookie_jar=aiohttp.DummyCookieJar(), proxy=proxy
        )
        self._opened.append(session)
        return session

    def _connector(self, limit: int) -> aiohttp.BaseConnector:
        if self._settings.unix_path:
            return aiohttp.UnixConnector(self._settings.unix_path, limit=limit)
        return aiohttp.TCPConnector(limit=limit)

    async def aclose(self) -> None:
        """Close what was opened here; whoever reads is told."""
        self.bodies.close()
        for each in self._opened:
            await each.close()
