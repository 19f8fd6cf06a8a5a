"""Pulls images by podman or docker, before the pods that need them have their turn."""

import asyncio
from collections.abc import Sequence
from subprocess import DEVNULL, PIPE

from aiowf.engine.pod import ImagePullError
from aiowf.manifest import Container, ScriptTemplate


async def pull(command: Sequence[str], container: Container | ScriptTemplate) -> None:
    """Have an image here, as its policy says; cancelling ends it.

    Args:
        command: The program, podman or docker, and its global options.
        container: What is to run in the image.

    Raises:
        ImagePullError: It is not here, and cannot be pulled.
    """
    image, policy = str(container.image), container.image_pull_policy
    if policy == "Never":
        return
    if policy != "Always":
        found, _ = await _ask(*command, "image", "inspect", "--format", "{{.Id}}", image)
        if found:
            return
    pulled, words = await _ask(*command, "pull", "--quiet", image)
    if not pulled:
        raise ImagePullError(image, (words.splitlines() or ["not found"])[-1])


async def _ask(*words: str) -> tuple[str, str]:
    """Run a command; return what it writes to standard output and error."""
    process = await asyncio.create_subprocess_exec(
        *words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return output.decode(errors="replace").strip(), errors.decode(errors="replace").strip()
