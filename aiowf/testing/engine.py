"""The engine's process, for all tests of a session, and what one test sees of it."""

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import orjson

from aiowf.argo import ArgoSession
from aiowf.client.waiting import seconds
from aiowf.engine import Engine, launch
from aiowf.engine.addresses import REHEARSAL, SUBMISSIONS
from aiowf.errors import ConfigurationError
from aiowf.testing.images import Images, commands_of, reasons_of
from aiowf.testing.submissions import Record, Submission
from aiowf.wire.requests import Request

T = TypeVar("T")


class EngineProcess:
    """An engine and the event loop that owns it.

    The loop runs in a thread of its own, and only while something is asked of the engine: tests
    have loops of their own, or none.

    Raises:
        EngineError: The engine does not start.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aiowf-testing")
        try:
            self._engine, self._session = self.call(_open()).result()
        except BaseException:
            self._end()
            raise
        self._record = Record(Path(self._engine.directory) / SUBMISSIONS)

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the variables that lead a client here."""
        return {"ARGO_SERVER": self._engine.server, "ARGO_TOKEN": f"Bearer {self._engine.token}"}

    def begin(self, images: Images, *, skips: bool) -> None:
        """Forget everything, and set images and clock."""
        wishes = {
            "images": commands_of(images),
            "pending": reasons_of(images),
            "skips": skips,
        }
        self.call(self.ask("PUT", REHEARSAL, wishes)).result()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine on the loop of the engine."""
        return self._thread.submit(self._loop.run_until_complete, coroutine)

    async def ask(self, method: str, path: str, data: Mapping[str, Any]) -> None:
        """Send a request to the engine, on its loop."""
        await self._session.call_json(
            Request("aiowf.testing", method, path, body=orjson.dumps(data))
        )

    def submissions(self) -> list[Submission]:
        """Return what was submitted since `begin`."""
        return self._record.read()

    def close(self) -> None:
        """End the engine and all it runs."""
        self._record.close()
        self.call(_close(self._engine, self._session)).result()
        self._end()

    def _end(self) -> None:
        self._thread.shutdown()
        self._loop.close()


async def _open() -> tuple[Engine, ArgoSession]:
    engine = await launch(rehearsal=True, containers=False)
    return engine, ArgoSession(engine.server, token=f"Bearer {engine.token}")


async def _close(engine: Engine, session: ArgoSession) -> None:
    await session.aclose()
    await engine.aclose()
    await asyncio.get_running_loop().shutdown_default_executor()


class AiowfEngine:
    """What a test knows of its engine: the fixture `aiowf_engine`."""

    def __init__(self, process: EngineProcess, *, skips: bool) -> None:
        self._process = process
        self._skips = skips

    def __repr__(self) -> str:
        return f"<AiowfEngine {self.server}>"

    @property
    def server(self) -> str:
        """Return the address of the engine, which ARGO_SERVER has during the test."""
        return self._process.environment["ARGO_SERVER"]

    @property
    def submissions(self) -> list[Submission]:
        """Return the workflows that were submitted in this test, in order."""
        return self._process.submissions()

    async def skip(self, time: float | timedelta) -> None:
        """Let time pass at once, with all that happens in it, such as the deletion by a TTL.

        Args:
            time: Seconds, or a timedelta, of the engine's clock. What runs meanwhile takes the
                time that it takes.

        Raises:
            ConfigurationError: The clock of this test is not to skip.
        """
        if not self._skips:
            raise ConfigurationError(
                "the clock of this test is the machine's",
                hint='Mark the test: @pytest.mark.aiowf(clock="skip").',
            )
        amount = seconds(time, "time") or 0.0
        asked = self._process.ask("POST", f"{REHEARSAL}/skip", {"seconds": amount})
        await asyncio.wrap_future(self._process.call(asked))
