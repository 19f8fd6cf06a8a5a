"""The engine's own HTTP interface beside Argo's: topics, values and claims, below /aiowf/v1.

Clients may do everything. Pods, with the token of their workflow, may add records to topics, and
put and get the values of that workflow.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from aiohttp import web
from attrs import frozen

from aiowf.engine.authority import Authority, bearer
from aiowf.engine.claims import Claims
from aiowf.engine.topics import Topic, Topics
from aiowf.engine.values import Values
from aiowf.wire.frames import KEEPALIVE, FrameDecoder, FrameError

PREFIX = "/aiowf/v1"
_KEEPALIVE_SECONDS = 15.0
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@frozen
class Api:
    """Handlers of requests.

    Attributes:
        authority: Who may do what.
        topics: The topics.
        values: The values.
        claims: The claims.
    """

    authority: Authority
    topics: Topics
    values: Values
    claims: Claims

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to add to an application."""
        topic = f"{PREFIX}/topics/{{topic}}"
        group = f"{topic}/groups/{{group}}"
        value = f"{PREFIX}/values/{{namespace}}/{{workflow}}/{{task}}"
        claim = f"{PREFIX}/claims/{{namespace}}/{{claim}}"
        return [
            web.post(f"{topic}/records", self._guard(self._post_records, pods=True)),
            web.get(f"{topic}/records", self._guard(self._get_records), allow_head=False),
            web.get(group, self._guard(self._get_group), allow_head=False),
            web.put(group, self._guard(self._put_group)),
            web.delete(topic, self._guard(self._delete_topic)),
            web.put(value, self._guard(self._put_value, pods=True)),
            web.get(value, self._guard(self._get_value, pods=True), allow_head=False),
            web.get(claim, self._guard(self._get_claim), allow_head=False),
            web.put(claim, self._guard(self._put_claim)),
        ]

    def _guard(self, handler: _Handler, *, pods: bool = False) -> _Handler:
        """Check who asks, and turn errors into answers."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            token = bearer(request.headers.get("Authorization"))
            if not self.authority.is_client(token):
                owner = self.authority.workflow_of(token)
                if owner is None:
                    return _refusal(401, 16, "token not valid")
                if not pods or not _is_of(request, owner):
                    return _refusal(403, 7, "a pod may not do that")
            try:
                return await handler(request)
            except ValueError as error:
                return _refusal(400, 3, str(error))
            except ConnectionError:
                raise
            except OSError as error:
                return _refusal(507, 8, f"cannot be stored: {error.strerror}")

        return guarded

    async def _post_records(self, request: web.Request) -> web.Response:
        topic = self._topic(request)
        decoder, first = FrameDecoder(), topic.end
        accepted = 0
        async for chunk in request.content.iter_any():
            if records := decoder.feed(chunk):
                offset = await topic.append(records)
                first = offset if not accepted else first
                accepted += len(records)
        if not decoder.is_between_frames or not accepted:
            raise FrameError(f"the request ends within a frame, after {accepted} whole ones")
        return web.json_response({"offset": first})

    async def _get_records(self, request: web.Request) -> web.StreamResponse:
        topic = self._topic(request)
        offset = _natural(request.query.get("offset", str(topic.end)), "offset")
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        # A reader that has gone is noticed when it is written to.
        try:
            async with aclosing(topic.follow(offset, _KEEPALIVE_SECONDS)) as frames:
                async for data in frames:
                    await response.write(data or KEEPALIVE)
            await response.write_eof()
        except ConnectionError:
            pass
        finally:
            await self.topics.drop_unused()
        return response

    async def _get_group(self, request: web.Request) -> web.Response:
        groups = self._topic(request).groups
        return web.json_response({"offset": groups.get(request.match_info["group"], 0)})

    async def _put_group(self, request: web.Request) -> web.Response:
        offset = _natural((await _json_object(request)).get("offset"), "offset")
        self._topic(request).groups[request.match_info["group"]] = offset
        return web.json_response({"offset": offset})

    async def _delete_topic(self, request: web.Request) -> web.Response:
        if not await self.topics.delete(request.match_info["topic"]):
            return _refusal(404, 5, "there is no such topic")
        return web.json_response({})

    async def _put_value(self, request: web.Request) -> web.Response:
        await self.values.put(*_value_names(request), request.content.iter_any())
        return web.json_response({})

    async def _get_value(self, request: web.Request) -> web.StreamResponse:
        path = self.values.path(*_value_names(request))
        if not await asyncio.to_thread(path.is_file):
            return _refusal(404, 5, "there is no such value")
        return web.FileResponse(path, headers={"Content-Type": "application/octet-stream"})

    async def _get_claim(self, request: web.Request) -> web.Response:
        names = request.match_info["namespace"], request.match_info["claim"]
        exists = await asyncio.to_thread(self.claims.exists, *names)
        return web.json_response({"exists": exists})

    async def _put_claim(self, request: web.Request) -> web.Response:
        names = request.match_info["namespace"], request.match_info["claim"]
        await asyncio.to_thread(self.claims.create, *names)
        return web.json_response({"exists": True})

    def _topic(self, request: web.Request) -> Topic:
        return self.topics.get(request.match_info["topic"])


def _is_of(request: web.Request, owner: tuple[str, str]) -> bool:
    """Return whether a request is about nothing that belongs to another workflow."""
    asked = request.match_info.get("namespace"), request.match_info.get("workflow")
    return asked in ((None, None), owner)


def _value_names(request: web.Request) -> tuple[str, str, str]:
    info = request.match_info
    return info["namespace"], info["workflow"], info["task"]


async def _json_object(request: web.Request) -> dict[str, Any]:
    data = await request.json()
    if not isinstance(data, dict):
        raise ValueError("expected a JSON object")
    return data


def _natural(data: object, name: str) -> int:
    text = str(data)
    if isinstance(data, bool) or not text.isascii() or not text.isdigit():
        raise ValueError(f"{name} has to be a number, 0 or more, not {text!r}")
    return int(text)


def _refusal(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)
