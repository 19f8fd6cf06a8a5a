"""Keeps foreign web pages away: a browser on this machine can reach what only this machine can."""

import ipaddress

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from attrs import frozen


@frozen
class Doorkeeper:
    """Refuses requests that a foreign page has made a browser send.

    A page of another origin says so in `Origin`. One whose name was made to mean this machine after
    it was loaded (DNS rebinding) still says its own name in `Host`.

    Attributes:
        hosts: The names by which the server may be called, beside plain addresses; None: any.
    """

    hosts: frozenset[str] | None = None

    def middleware(self) -> Middleware:
        """Return the middleware of an application that does so."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            refusal = self._refusal(request)
            if refusal is None:
                return await handler(request)
            return web.json_response({"code": 7, "message": refusal}, status=403)

        return check

    def _refusal(self, request: web.Request) -> str | None:
        host = request.headers.get("Host", "").lower()
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower().partition("://")[2] != host:
            return "requests of other web pages are refused (Origin)"
        if self.hosts is None or _is_local(request) or self._is_known(host):
            return None
        return "the server is not known by that name (Host)"

    def _is_known(self, host: str) -> bool:
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        if name in (self.hosts or ()):
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True


def _is_local(request: web.Request) -> bool:
    """Return whether a request came over a Unix socket, which no browser opens."""
    transport = request.transport
    return transport is None or isinstance(transport.get_extra_info("sockname"), (str, bytes))
