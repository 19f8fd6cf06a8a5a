"""Files that came back: small ones in memory, large ones in a temporary directory."""

import hashlib
import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aiowf.errors import ConfigurationError
from aiowf.wire.replies import FileEntry, safe_path

IN_MEMORY_BYTES = 1024 * 1024


class Files(Mapping[str, bytes]):
    """The files of the shared directory: path relative to it → content.

    Files of up to 1 MiB are in memory, larger ones in a temporary directory that is deleted with
    this object.
    """

    def __init__(self, contents: Mapping[str, bytes] | None = None) -> None:
        # Path → content, or the file that holds it. Complete when it is handed to the user.
        self._contents: dict[str, bytes | Path] = dict(contents or {})
        # Chunks that wait for the rest of their file: path → chunk → content, or the file that
        # holds it.
        self._chunks: dict[str, dict[int, bytes | Path]] = {}
        # Made when the first large chunk comes; deleted with this object.
        self._directory: Path | None = None

    def __getitem__(self, path: str) -> bytes:
        content = self._contents[path]
        return content.read_bytes() if isinstance(content, Path) else content

    def __iter__(self) -> Iterator[str]:
        return iter(self._contents)

    def __len__(self) -> int:
        return len(self._contents)

    def __repr__(self) -> str:
        return f"Files({', '.join(self._contents)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Files, (dict(self),)

    def text(self, path: str, encoding: str = "utf-8") -> str:
        """Return the content of a file as text."""
        return self[path].decode(encoding)

    def json(self, path: str) -> Any:
        """Return the content of a file as JSON data."""
        return json.loads(self[path])

    def save(self, directory: str | Path) -> list[Path]:
        """Write all files below a directory, which is created; return their paths.

        Raises:
            ConfigurationError: A path would lie outside the directory; nothing is written then.
        """
        root = Path(directory)
        for path in self._contents:
            if not safe_path(path) or not (root / path).resolve().is_relative_to(root.resolve()):
                raise ConfigurationError(f"the file {path!r} lies outside {str(root)!r}")
        written = []
        for path, content in self._contents.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, target)
            else:
                target.write_bytes(content)
            written.append(target)
        return written

    def put(self, path: str, chunk: int, content: bytes) -> None:
        """Keep a chunk until the rest of its file has come."""
        self._chunks.setdefault(path, {})[chunk] = (
            content if chunk == 0 and len(content) < IN_MEMORY_BYTES else self._keep(content)
        )

    def join(self, entry: FileEntry) -> str:
        """Put a file together; return the SHA-256 (hex) of the whole."""
        chunks = self._chunks.pop(entry.path, {})
        digest = hashlib.sha256()
        if entry.chunks <= 1:
            content = _content(chunks.get(0, b""))
            digest.update(content)
            self._contents[entry.path] = content
            return digest.hexdigest()
        target = self._new_file()
        with target.open("wb") as file:
            for index in range(entry.chunks):
                content = _content(chunks[index])
                digest.update(content)
                file.write(content)
                if isinstance(chunks[index], Path):
                    chunks[index].unlink()  # type: ignore[union-attr]
        self._contents[entry.path] = target
        return digest.hexdigest()

    def _keep(self, content: bytes) -> Path:
        path = self._new_file()
        path.write_bytes(content)
        return path

    def _new_file(self) -> Path:
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="aiowf-files-"))
            weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        handle, name = tempfile.mkstemp(dir=self._directory)
        with open(handle, "wb"):
            return Path(name)


def _content(chunk: bytes | Path) -> bytes:
    return chunk.read_bytes() if isinstance(chunk, Path) else chunk
