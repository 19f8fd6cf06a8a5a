"""The HTTP session with an Argo Server."""

import asyncio
import contextlib
import logging
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import attrs
from yarl import URL

from aiowf.argo.attempts import attempts
from aiowf.argo.calls import CONNECT_DEADLINE, Answer
from aiowf.argo.connections import Connections
from aiowf.argo.faults import FAULTS, translated, wait_before_retry
from aiowf.argo.services import ArchivedWorkflows, Artifacts, Events, Server
from aiowf.argo.settings import Settings, from_environment, from_server
from aiowf.argo.templates import ClusterWorkflowTemplates, CronWorkflows, WorkflowTemplates
from aiowf.argo.tokens import Credentials, Token
from aiowf.argo.workflows import Workflows
from aiowf.errors import AiowfError, ServerError
from aiowf.wire.answers import read_json, read_value
from aiowf.wire.errors import A_PAGE, error_of, unreadable
from aiowf.wire.requests import Request, make_request
from aiowf.wire.sse import MessageReader

T = TypeVar("T")
_log = logging.getLogger("aiowf.argo")

# A stream says something at least every 15 s; its headers come no earlier than its first words.
STREAM_DEADLINE = 45.0
_MAX_ERROR_BYTES = 64 * 1024
# The header Warning of RFC 7234, as Kubernetes sends it: 299 - "text".
_WARNING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_MOST_WARNINGS = 100


class ArgoSession:
    """A session with an Argo Server: `await session.workflows.get("my-workflow")`.

    It opens its connections when first used, in two pools, one for calls and one for streams, and
    closes what it opened. GETs are repeated when the server could not answer; nothing else is.

    Args:
        server: "host:port", an URL, "unix:/path", or Settings; None reads the environment.
        token: Instead of the token of the settings: text, the path of a file that is read again
            when it rotates, or a callable that returns it (plain or a coroutine function).
        namespace: Instead of the namespace of the settings.
        session: A session of the caller's to use for everything; it is not closed.
        ssl: What aiohttp is told about TLS, instead of what the settings say.
        timeout: Seconds for one call, connecting included.
        connections: Connections that calls use at once; further calls wait for one.
        attempts: How often a GET is tried.
        gone: Asked when a request fails: returns why the server is gone for good, or None if it is
            not known to be.

    Raises:
        ConfigurationError: The server, or the environment, makes no sense.
    """

    settings: Settings
    _credentials: Credentials
    _connections: Connections
    _warned: set[str]  # warnings that were logged
    reached: bool  # whether an Argo Server has ever answered here; never False again

    def __init__(
        self,
        server: str | Settings | None = None,
        *,
        token: Token | None = None,
        namespace: str | None = None,
        session: aiohttp.ClientSession | None = None,
        ssl: ssl.SSLContext | bool | None = None,
        timeout: float = 60.0,
        connections: int = 100,
        attempts: int = 5,
        gone: Callable[[], AiowfError | None] | None = None,
    ) -> None:
        settings = _settings(server)
        self.settings = attrs.evolve(
            settings,
            token=settings.token if token is None else token,
            namespace=namespace or settings.namespace,
        )
        self._credentials = Credentials(self.settings.token, deadline=timeout)
        self._connections = Connections(
            self.settings, given=session, tls=ssl, deadline=timeout, limit=connections, gone=gone
        )
        self._timeout = timeout
        self._attempts = attempts
        self.reached = False
        self._warned = set()
        self.workflows = Workflows(self)
        self.workflow_templates = WorkflowTemplates(self)
        self.cluster_workflow_templates = ClusterWorkflowTemplates(self)
        self.cron_workflows = CronWorkflows(self)
        self.archived_workflows = ArchivedWorkflows(self)
        self.events = Events(self)
        self.artifacts = Artifacts(self)
        self.server = Server(self)

    def __repr__(self) -> str:
        state = " closed" if self.is_closed else ""
        return f"<ArgoSession {self.settings.server} namespace={self.namespace}{state}>"

    @property
    def is_closed(self) -> bool:
        """Return whether it is closed, for ever."""
        return self._connections.is_closed

    @property
    def namespace(self) -> str:
        """Return the namespace meant where none is named."""
        return self.settings.namespace

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that this session opened; what is read over them ends."""
        await self._connections.aclose()

    async def call(self, request: Request, cls: type[T]) -> T:
        """Send a request and return the value in its answer.

        Raises:
            ArgoError: The server refused, cannot be reached, or answered nonsense.
        """
        return await self._repeat(request, lambda: self._call(request, cls))

    async def call_json(self, request: Request) -> Any:
        """Send a request and return the JSON of its answer, as `call` does."""
        if not request.is_read:
            return await self._call_json(request)
        return await self._repeat(request, lambda: self._call_json(request))

    async def clock(self) -> datetime | None:
        """Return what the server's clock says, to the second; None if the server does not say.

        Raises:
            ArgoError: It cannot be reached.
        """
        _, headers, _ = await self._exchange(make_request("InfoService_GetVersion"))
        try:
            found = parsedate_to_datetime(headers.get("Date", ""))
        except ValueError:
            return None
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)

    @contextlib.asynccontextmanager
    async def stream(
        self, request: Request, *, deadline: float = STREAM_DEADLINE
    ) -> AsyncIterator[AsyncIterator[list[bytes]]]:
        """Open a stream and give its messages as JSON text, as many at a time as have come.

        Args:
            request: The request.
            deadline: Seconds of silence after which the connection is taken to be dead.

        Raises:
            ArgoError: The server refused, cannot be reached, or the connection broke. None of this
                is tried again here.
        """
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        async with self._open_stream(request, headers, deadline) as response:
            if response.content_type == "text/html":
                raise unreadable(request, f"the server answered {A_PAGE}", status=200)
            yield _messages(request, response)

    @contextlib.asynccontextmanager
    async def download(
        self, request: Request, *, deadline: float = STREAM_DEADLINE
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open what is no JSON, an artifact, and give its bytes as they come.

        Raises:
            ArgoError: The server refused, cannot be reached, or the connection broke.
        """
        async with self._open_stream(request, {}, deadline) as response:
            yield _chunks(request, response)

    async def _repeat(self, request: Request, send: Callable[[], Awaitable[T]]) -> T:
        """Send a read again when the server could not answer; anything else once."""
        if not request.is_read or self._attempts < 2:
            return await send()
        async for attempt in attempts(
            wait_before_retry, most=self._attempts, timeout=self._timeout
        ):
            with attempt:
                return await send()
        raise AssertionError("a retry context ends by returning or raising")  # pragma: no cover

    async def _call(self, request: Request, cls: type[T]) -> T:
        status, headers, body = await self._exchange(request)
        value = read_value(request, status, headers, body, cls)
        self.reached = True
        return value

    async def _call_json(self, request: Request) -> Any:
        status, headers, body = await self._exchange(request)
        value = read_json(request, status, headers, body)
        self.reached = True
        return value

    async def _exchange(self, request: Request) -> Answer:
        """Send a call; after 401 ask for a new token once, and send it once again."""
        calls = (self._connections.ready or await self._connections.open()).calls
        authorization = self._credentials.known or await self._credentials.header()
        answer = await calls.send(request, authorization)
        if answer[0] == 401 and await self._credentials.renew(authorization):
            answer = await calls.send(request, await self._credentials.header())
        if "Warning" in answer[1]:
            self._warn(answer[1].getall("Warning"))
        return answer

    def _warn(self, warnings: list[str]) -> None:
        """Log what a server finds odd of a request that it took; the same words once."""
        for warning in warnings:
            if warning not in self._warned and len(self._warned) < _MOST_WARNINGS:
                self._warned.add(warning)
                found = _WARNING.search(warning)
                _log.warning("the server says: %s", found[1] if found else warning)

    @contextlib.asynccontextmanager
    async def _open_stream(
        self, request: Request, headers: dict[str, str], deadline: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            # The headers have a deadline of their own: they might come for ever.
            async with asyncio.timeout(deadline):
                response = await self._answer(request, headers, deadline)
        except TimeoutError as error:
            raise translated(request, error, deadline) from None
        try:
            with self._connections.bodies.reading(response.content):
                if response.status != 200:
                    raise await _refusal(request, response)
                yield response
        finally:
            response.release()

    async def _answer(
        self, request: Request, headers: dict[str, str], deadline: float
    ) -> aiohttp.ClientResponse:
        """Begin a stream; after 401 ask for a new token once, and begin it once again."""
        authorization = await self._credentials.header()
        response = await self._begin(request, headers, authorization, deadline)
        if response.status != 401:
            return response
        try:
            renewed = await self._credentials.renew(authorization)
        except BaseException:
            response.release()
            raise
        if renewed:
            response.release()
            authorization = await self._credentials.header()
            response = await self._begin(request, headers, authorization, deadline)
        return response

    async def _begin(
        self,
        request: Request,
        headers: dict[str, str],
        authorization: str | None,
        deadline: float,
    ) -> aiohttp.ClientResponse:
        pools = self._connections.ready or await self._connections.open()
        if authorization is not None:
            headers = {**headers, "Authorization": authorization}
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_DEADLINE, sock_read=deadline
        )
        try:
            return await pools.streams.request(
                request.method,
                URL(self.settings.url + request.target, encoded=True),
                data=request.body,
                headers=headers,
                allow_redirects=False,
                ssl=pools.tls,
                middlewares=(),
                timeout=timeout,
            )
        except FAULTS as error:
            raise self._connections.bodies.reason(translated(request, error, deadline)) from None


def _settings(server: str | Settings | None) -> Settings:
    if server is None:
        return from_environment()
    return from_server(server) if isinstance(server, str) else server


async def _refusal(request: Request, response: aiohttp.ClientResponse) -> AiowfError:
    try:
        body = await response.content.read(_MAX_ERROR_BYTES)
    except FAULTS as error:
        return translated(request, error, STREAM_DEADLINE)
    return error_of(request, response.status, response.headers, body)


async def _messages(
    request: Request, response: aiohttp.ClientResponse
) -> AsyncIterator[list[bytes]]:
    reader = MessageReader()
    async for chunk in _chunks(request, response):
        try:
            yield reader.feed(chunk)
        except ServerError as error:
            raise unreadable(request, error.message) from None
    yield reader.close()


async def _chunks(request: Request, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    content = response.content
    while True:
        try:
            chunk = await content.readany()
        except FAULTS as error:
            raise translated(request, error, STREAM_DEADLINE) from None
        if not chunk:
            return
        yield chunk
