"""The page that shows the engine in a browser: its files, and how they are served.

The files are public; what they show is not. The page asks Argo's API for it, with the token that
the fragment of its address carried. It is served as it stands in `assets`: no build step, nothing
from other hosts, and a policy that lets nothing else in.
"""

import asyncio
import hashlib
from pathlib import Path

from aiohttp import ETag, web
from attrs import define, field, frozen

_ASSETS = Path(__file__).parent / "assets"
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    # No text can become markup, whatever a script does with it.
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
_HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {what}" for name, what in _POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Kept, and asked for again each time: a new aiowf never meets old files.
    "Cache-Control": "no-cache",
}


@frozen
class _Asset:
    """One file, as it is sent."""

    content: bytes
    type: str
    tag: ETag


@define
class Page:
    """Serves the page: one document at every address, and the files that it is made of."""

    # By name; None until the first request has read them.
    _assets: dict[str, _Asset] | None = field(default=None, init=False)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to add behind all others of an application."""
        return [
            web.get("/assets/{name}", self._asset),
            web.get("/{rest:(?!aiowf/).*}", self._document),
        ]

    async def _asset(self, request: web.Request) -> web.Response:
        return await self._send(request, request.match_info["name"])

    async def _document(self, request: web.Request) -> web.Response:
        # As Argo's server does; what stands at an address, if anything, is the page's business.
        return await self._send(request, "index.html")

    async def _send(self, request: web.Request, name: str) -> web.Response:
        if self._assets is None:
            self._assets = await asyncio.to_thread(_read)
        asset = self._assets.get(name)
        if asset is None:
            return web.Response(status=404, text="404: Not Found", headers=_HEADERS)
        known = request.if_none_match or ()
        if any(tag.value in (asset.tag.value, "*") for tag in known):
            response = web.Response(status=304, headers=_HEADERS)
        else:
            response = web.Response(
                body=asset.content, content_type=asset.type, charset="utf-8", headers=_HEADERS
            )
        response.etag = asset.tag
        return response


def _read() -> dict[str, _Asset]:
    return {path.name: _load(path) for path in _ASSETS.iterdir() if path.suffix in _TYPES}


def _load(path: Path) -> _Asset:
    content = path.read_bytes()
    return _Asset(content, _TYPES[path.suffix], ETag(hashlib.sha256(content).hexdigest()[:32]))
