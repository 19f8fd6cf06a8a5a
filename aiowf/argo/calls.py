"""Calls: a request is sent whole, and its answer read whole.

Over connections of our own that is all that happens. What aiohttp's session adds to every request
(redirects, cookies, traces, bodies of any kind) no call to an Argo Server needs, and with hundreds
under way at once it is most of the work.
"""

import asyncio
import inspect
import ssl
from typing import Protocol

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from aiowf.argo.bodies import Bodies
from aiowf.argo.faults import FAULTS, translated
from aiowf.wire.requests import Request

# Status, headers and body.
Answer = tuple[int, CIMultiDictProxy[str], bytes]

CONNECT_DEADLINE = 10.0
_JSON = "application/json"
_REPEATED_BY_AIOHTTP = frozenset({"PUT", "DELETE"})
_NO_BODY = b"Content-Length: 0\r\n\r\n"


class Calls(Protocol):
    """What sends calls.

    A read is sent again if a connection that was kept open turns out to be closed; nothing else is
    sent twice.
    """

    async def send(self, request: Request, authorization: str | None) -> Answer:
        """Send a request and read its answer.

        Raises:
            ArgoError: The server cannot be reached, or the answer is not HTTP.
        """
        ...


def has_known_parts() -> bool:
    """Return whether aiohttp has the parts that DirectCalls uses; not all of them are documented.

    Another version may have others: then calls have to go through a session.
    """
    try:
        from aiohttp.client_proto import ResponseHandler
        from aiohttp.connector import Connection

        loop = asyncio.get_running_loop()
        _ = aiohttp.ClientRequest("GET", URL("http://argo"), ssl=True, loop=loop).headers
        inspect.signature(aiohttp.BaseConnector.connect).bind(None, None, [], None)
        inspect.signature(ResponseHandler.set_response_params).bind(None, read_until_eof=True)
        inspect.signature(ResponseHandler.read).bind(None)
    except (AttributeError, ImportError, TypeError):
        return False
    return all(hasattr(Connection, name) for name in ("protocol", "transport", "close", "release"))


class DirectCalls:
    """Sends calls over the connections of a connector.

    Args:
        connector: The connector; it is not closed here.
        url: Where the server is: scheme, host, port and base href.
        tls: What aiohttp is to know about TLS.
        deadline: Seconds for one call.
        bodies: What reads the answers.
    """

    _authorization: str | None  # of the last call
    _head: bytes  # the headers that all calls have, with that authorization

    def __init__(
        self,
        connector: aiohttp.BaseConnector,
        url: str,
        tls: ssl.SSLContext | bool,
        deadline: float,
        bodies: Bodies,
    ) -> None:
        self._bodies = bodies
        self._connector = connector
        self._loop = asyncio.get_running_loop()
        place = URL(url, encoded=True)
        # Tells the connector where to connect to, and us the headers that aiohttp would send.
        self._place = aiohttp.ClientRequest("GET", place, ssl=tls, loop=self._loop)
        self._base = place.raw_path.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(connect=deadline, sock_connect=CONNECT_DEADLINE)
        self._deadline = deadline
        self._authorization = None
        self._head = self._headers(None)

    async def send(self, request: Request, authorization: str | None) -> Answer:
        """Send a request and read its answer; see `Calls`."""
        if authorization != self._authorization:
            self._authorization, self._head = authorization, self._headers(authorization)
        due = self._loop.time() + self._deadline
        again = request.is_read
        while True:
            try:
                return await self._exchange(request, due)
            except asyncio.CancelledError:
                self._bodies.check_cancelled()
                raise
            except FAULTS as error:
                if not again or not _was_dropped(error):
                    reason = translated(request, error, self._deadline)
                    raise self._bodies.reason(reason) from None
                again = False

    async def _exchange(self, request: Request, due: float) -> Answer:
        connection = await self._connector.connect(self._place, [], self._timeout)
        protocol, transport = connection.protocol, connection.transport
        assert protocol is not None
        assert transport is not None
        timer = self._loop.call_at(due, transport.abort)
        try:
            protocol.set_response_params(read_until_eof=True)
            transport.write(self._text(request))
            message, payload = await protocol.read()
            while message.code < 200 and message.code != 101:  # "Continue", "Early Hints"
                message, payload = await protocol.read()
            body = await self._bodies.whole(request, payload)
            if self._loop.time() >= due:  # what ends with its connection ends by the timer too
                raise TimeoutError
        except BaseException as error:
            if transport.get_write_buffer_size():
                transport.abort()  # a close would first send the rest, of what nobody wants
            connection.close()
            if isinstance(error, Exception) and self._loop.time() >= due:
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
        if transport.get_write_buffer_size():
            connection.close()  # the server answered before it had read the request
        else:
            connection.release()
        return message.code, message.headers, body

    def _text(self, request: Request) -> bytes:
        """Return the request as it goes over the line."""
        line = f"{request.method} {self._base}{request.target} HTTP/1.1\r\n".encode()
        if request.body is not None:
            kind = f"Content-Type: {_JSON}\r\nContent-Length: {len(request.body)}\r\n\r\n"
            return b"".join((line, self._head, kind.encode(), request.body))
        return b"".join((line, self._head, b"\r\n" if request.is_read else _NO_BODY))

    def _headers(self, authorization: str | None) -> bytes:
        headers = {**self._place.headers}
        if authorization is not None:
            headers["Authorization"] = authorization
        return "".join(f"{name}: {text}\r\n" for name, text in headers.items()).encode()


def _was_dropped(error: Exception) -> bool:
    """Return whether the server closed a connection that was kept open for the next request."""
    is_drop = isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
    return is_drop and not isinstance(error, aiohttp.ClientConnectorError)


class SessionCalls:
    """Sends calls through a session of aiohttp: the caller's, or one of ours that knows a proxy.

    Args:
        session: The session; it is not closed here.
        url: Where the server is: scheme, host, port and base href.
        tls: What aiohttp is to know about TLS.
        deadline: Seconds for one call.
        bodies: What reads the answers.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        tls: ssl.SSLContext | bool,
        deadline: float,
        bodies: Bodies,
    ) -> None:
        self._bodies = bodies
        self._session = session
        self._url = url
        self._tls = tls
        self._timeout = aiohttp.ClientTimeout(total=deadline, sock_connect=CONNECT_DEADLINE)

    async def send(self, request: Request, authorization: str | None) -> Answer:
        """Send a request and read its answer; see `Calls`."""
        headers = {} if request.body is None else {"Content-Type": _JSON}
        if authorization is not None:
            headers["Authorization"] = authorization
        try:
            async with self._session.request(
                request.method,
                URL(self._url + request.target, encoded=True),
                data=request.body,
                headers=headers,
                allow_redirects=False,
                ssl=self._tls,
                middlewares=(_send_once,) if request.method in _REPEATED_BY_AIOHTTP else (),
                timeout=self._timeout,
            ) as response:
                body = await self._bodies.whole(request, response.content)
                return response.status, response.headers, body
        except asyncio.CancelledError:
            self._bodies.check_cancelled()
            raise
        except FAULTS as error:
            reason = translated(request, error, self._timeout.total or 0.0)
            raise self._bodies.reason(reason) from None


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a PUT or DELETE again by itself: it may have been done."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(str(error) or type(error).__name__) from None
