"""Values that are too large for a parameter: files, by workflow and task, as pods put them."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterable
from pathlib import Path
from urllib.parse import quote

from attrs import frozen

from aiowf.engine.directories import remove_tree
from aiowf.engine.threads import finish_in_thread

_WRITE_BYTES = 1024 * 1024


@frozen
class Values:
    """The values of all workflows.

    Attributes:
        directory: Where they are; need not exist.
    """

    directory: Path

    def path(self, namespace: str, workflow: str, task: str) -> Path:
        """Return the file of a value, which need not exist.

        Raises:
            ValueError: These are no names.
        """
        return self._directory(namespace, workflow) / _safe(task)

    async def put(
        self, namespace: str, workflow: str, task: str, chunks: AsyncIterable[bytes]
    ) -> None:
        """Keep a value; the former one is replaced when the new one is complete.

        Raises:
            OSError: It cannot be written.
            ValueError: These are no names.
        """
        path = self.path(namespace, workflow, task)
        partial = path.with_name(f".{secrets.token_hex(8)}")
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        try:
            await _write(partial, chunks)
            await finish_in_thread(os.replace, partial, path)
        except BaseException:
            await asyncio.to_thread(partial.unlink, missing_ok=True)
            raise

    async def forget(self, namespace: str, workflow: str) -> None:
        """Delete the values of a workflow."""
        await asyncio.to_thread(remove_tree, str(self._directory(namespace, workflow)))

    def _directory(self, namespace: str, workflow: str) -> Path:
        return self.directory / _safe(namespace) / _safe(workflow)


async def _write(path: Path, chunks: AsyncIterable[bytes]) -> None:
    buffer = bytearray()
    await finish_in_thread(path.touch, 0o600)
    async for chunk in chunks:
        buffer += chunk
        if len(buffer) >= _WRITE_BYTES:
            await finish_in_thread(_append, path, bytes(buffer))
            buffer.clear()
    await finish_in_thread(_append, path, bytes(buffer))


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def _safe(name: str) -> str:
    """Return a name as a file name; one that begins with a dot is no name."""
    if not name or name.startswith("."):
        raise ValueError(f"{name!r} is no name")
    return quote(name, safe="")
