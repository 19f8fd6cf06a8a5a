"""Images that are built where their pods run: each once, for all pods that want it."""

import asyncio
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from attrs import define, field

from aiowf.engine.executor.containers import Containers

# So many images are built at a time.
_AT_A_TIME = 2
# Of what a build that fails has said, pods are told the end.
_TOLD_BYTES = 32 * 1024


@define(eq=False)
class Builds:
    """Builds images of an engine, each on the first demand.

    Attributes:
        containers: What builds them, and from which directories.
    """

    containers: Containers
    # Image → its build: b"", or the end of what a build that failed has said. One that failed is
    # taken out when it ends, so that the next pod tries again.
    _builds: "dict[str, asyncio.Future[bytes]]" = field(factory=dict, init=False)
    # Builds that run. A thread adds its own before it looks at `_closed`, and takes it out.
    _running: "set[subprocess.Popen[bytes]]" = field(factory=set, init=False)
    _closed: bool = field(default=False, init=False)
    # Not the executor's: a build takes long. Children of threads are reaped by nobody else.
    _threads: ThreadPoolExecutor = field(
        factory=partial(ThreadPoolExecutor, _AT_A_TIME, "aiowf-builds"), init=False
    )

    def build(self, image: str) -> "asyncio.Future[bytes] | None":
        """Return a future of the build of an image: b"", or what it says if it fails.

        It may be cancelled, which changes nothing for others. None: the image is not built here.
        """
        words = self.containers.build_command(image)
        if words is None:
            return None
        build = self._builds.get(image)
        if build is None:
            loop = asyncio.get_running_loop()
            build = loop.run_in_executor(self._threads, self._run, words)
            self._builds[image] = build
            build.add_done_callback(partial(self._forget_failed, image))
        return asyncio.shield(build)

    async def aclose(self) -> None:
        """Kill what is being built, and wait for its end."""
        self._closed = True
        for process in list(self._running):
            _kill(process)
        if self._builds:
            await asyncio.wait(self._builds.values())
        self._threads.shutdown(wait=False)

    def _forget_failed(self, image: str, build: "asyncio.Future[bytes]") -> None:
        if build.cancelled() or build.exception() or build.result():
            del self._builds[image]

    def _run(self, words: list[str]) -> bytes:
        """Build an image. Blocks."""
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return f"{words[0]}: {error.strerror}\n".encode()
        self._running.add(process)
        if self._closed:
            _kill(process)
        said, _ = process.communicate()
        self._running.discard(process)
        return said[-_TOLD_BYTES:] or b"the build failed\n" if process.returncode else b""


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
