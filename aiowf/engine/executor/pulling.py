"""Pulls images by podman or docker, before the pods that need them have their turn."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from subprocess import DEVNULL, PIPE

from attrs import define, field

from aiowf.engine.pod import ImagePullError
from aiowf.manifest import Container, ScriptTemplate


@define(eq=False)
class _Pull:
    task: "asyncio.Task[None]"
    # How many pods wait for it.
    waiting: int = 0


@define(eq=False)
class Pulls:
    """Pulls images, each once for all pods that wait for it at a time.

    Attributes:
        command: The program, podman or docker, and its global options.
    """

    command: Sequence[str]
    # Image and policy → its pull, as long as somebody waits for it.
    _pulls: dict[tuple[str, str | None], _Pull] = field(factory=dict, init=False)
    # Every pull that has not ended, those that nobody waits for included.
    _tasks: "set[asyncio.Task[None]]" = field(factory=set, init=False)

    async def have(self, container: Container | ScriptTemplate) -> None:
        """Have an image here, as its policy says; a pull ends when all who wait are cancelled.

        Raises:
            ImagePullError: It is not here, and cannot be pulled.
        """
        key = (str(container.image), container.image_pull_policy)
        one = self._pulls.get(key)
        if one is None:
            one = self._pulls[key] = _Pull(asyncio.create_task(pull(self.command, container)))
            self._tasks.add(one.task)
            one.task.add_done_callback(self._tasks.discard)
        one.waiting += 1
        try:
            await asyncio.shield(one.task)
        finally:
            one.waiting -= 1
            if not one.waiting or one.task.done():
                one.task.cancel()
                if self._pulls.get(key) is one:  # the next pod has another
                    del self._pulls[key]

    async def aclose(self) -> None:
        """Wait for the end of what was cancelled."""
        if self._tasks:
            await asyncio.wait(self._tasks)


async def pull(command: Sequence[str], container: Container | ScriptTemplate) -> None:
    """Have an image here, as its policy says; cancelling ends it.

    Args:
        command: The program, podman or docker, and its global options.
        container: What is to run in the image.

    Raises:
        ImagePullError: It is not here, and cannot be pulled.
    """
    image, policy = str(container.image), container.image_pull_policy
    if policy != "Always":
        found, _ = await _ask(*command, "image", "inspect", "--format", "{{.Id}}", image)
        if found:
            return
        if policy == "Never":
            raise ImagePullError.never(image)
    pulled, words = await _ask(*command, "pull", "--quiet", image)
    if not pulled:
        raise ImagePullError.failed(image, (words.splitlines() or ["not found"])[-1])


async def _ask(*words: str) -> tuple[str, str]:
    """Run a command; return what it writes to standard output and error."""
    # Not cancelled while it starts: asyncio would leave children of it behind.
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
    )
    try:
        await asyncio.wait([starting])
        output, errors = await starting.result().communicate()
    except asyncio.CancelledError:
        process = await starting
        with suppress(ProcessLookupError, PermissionError):  # it may have ended just now
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()
        raise
    return output.decode(errors="replace").strip(), errors.decode(errors="replace").strip()
