"""The reply channel of the embedded engine: its topics, over its own socket."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Self
from urllib.parse import quote

import aiohttp
import orjson

from aiowf.errors import EngineError
from aiowf.replies.channel import Place
from aiowf.wire.frames import FrameDecoder, FrameError, Record, encode_frame

_PATH = "/aiowf/v1/topics"
_CHUNK = 256 * 1024


class EngineChannel:
    """Carries records to and from the topics of an embedded engine.

    Args:
        place: Path of the engine's Unix socket, or "http://host:port" of one that is served.
        token: The engine's token.
        topic: The topic to which the pods of this client reply.

    Attributes:
        topic: That topic.
    """

    def __init__(self, place: str, token: str, *, topic: str) -> None:
        self.topic = topic
        self._socket_path = None if place.startswith("http://") else place
        self._base = f"{'http://engine' if self._socket_path else place}{_PATH}"
        header = token if " " in token else f"Bearer {token}"
        self._headers = {"Authorization": header} if token else {}
        # Open exactly between __aenter__ and __aexit__.
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(self._socket_path, limit=0)
            if self._socket_path
            else aiohttp.TCPConnector(limit=0),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=None),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def place(self) -> Place:
        """Return where the replies of this client begin: its topic is its own."""
        return Place(self.topic)

    @property
    def is_interrupted(self) -> bool:
        """Return False: the engine is there, or it is gone for good."""
        return False

    @property
    def trouble(self) -> str | None:
        """Return None: see `is_interrupted`."""
        return None

    def replies(self) -> AsyncGenerator[list[Record], None]:
        """Yield the records of the reply topic, from its beginning on, for ever."""
        return self.read(self.place)

    async def publish(self, topic: str, record: Record) -> None:
        """Send a record, and return when it is safe."""
        await self._call("POST", f"{self._topic(topic)}/records", encode_frame(record))

    async def subscribe(self, topic: str, group: str) -> AsyncGenerator[Record, None]:
        """Yield the records of a queue; one is committed when the next one is asked for."""
        path = f"{self._topic(topic)}/groups/{quote(group, safe='')}"
        begin = orjson.loads(await self._call("GET", path))["offset"] or 0
        async with aclosing(self.read(Place(topic, offset=begin))) as batches:
            async for batch in batches:
                for record in batch:
                    yield record
                    assert record.offset is not None
                    await self._call("PUT", path, orjson.dumps({"offset": record.offset + 1}))

    async def read(self, place: Place) -> AsyncGenerator[list[Record], None]:
        """Yield the records from a place on, for ever."""
        url = f"{self._topic(place.topic)}/records?offset={place.offset}"
        try:
            async with self._opened().get(url) as answer:
                await _check(answer)
                decoder = FrameDecoder()
                async for chunk in answer.content.iter_chunked(_CHUNK):
                    if records := decoder.feed(chunk):
                        yield records
        except (aiohttp.ClientError, OSError, FrameError) as error:
            raise EngineError(f"the embedded engine is gone: {error}") from error
        raise EngineError(f"the embedded engine ended the stream of topic {place.topic}")

    def _topic(self, topic: str) -> str:
        return f"{self._base}/{quote(topic, safe='')}"

    async def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        try:
            async with (
                asyncio.timeout(30),
                self._opened().request(method, path, data=body) as answer,
            ):
                await _check(answer)
                return await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            raise EngineError(f"the embedded engine is gone: {error}") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise EngineError("the channel is not open")
        return self._session


async def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status != 200:
        text = (await answer.read())[:500].decode(errors="replace")
        raise EngineError(f"the embedded engine answered {answer.status}: {text}")
