"""Files that came back: small ones in memory, the rest in one temporary file."""

import hashlib
import json
import os
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from attrs import define, field

from aiowf.errors import ConfigurationError
from aiowf.manifest.names import nearest
from aiowf.wire.replies import FileEntry, safe_path

# A piece up to this size stays in memory, until all that are there have so many bytes together.
SMALL_BYTES = 64 * 1024
IN_MEMORY_BYTES = 8 * 1024 * 1024

# So many paths are compared with one that is not there.
_MOST_COMPARED = 1000
_REUSED_BYTES = 8 * 1024 * 1024

# A piece of a file: its bytes, or its begin and its length in the spool.
Piece = bytes | tuple[int, int]


@define
class _Partial:
    """A file while its pieces come in."""

    pieces: dict[int, Piece] = field(factory=dict)
    # SHA-256 of the pieces before `hashed`: as a rule they come in order, and are hashed then.
    digest: Any = field(factory=hashlib.sha256)
    hashed: int = 0


def shown(path: str) -> str:
    """Return a path as it can be printed, whatever bytes its name has."""
    return path if path.isprintable() else repr(path)


class Files(Mapping[str, bytes]):
    """The files of the shared directory: path relative to it → content.

    What is large is in a temporary file, which is gone with this object. To read it blocks as long
    as a disk takes.
    """

    def __init__(self, contents: Mapping[str, bytes] | None = None) -> None:
        # Path → its pieces in order. Complete when it is handed to the user.
        self._contents: dict[str, tuple[Piece, ...]] = {
            path: (content,) for path, content in (contents or {}).items()
        }
        # Path → what has come of it, until the whole is joined.
        self._partial: dict[str, _Partial] = {}
        # How many bytes of pieces are in memory.
        self._in_memory = 0
        # The temporary file, open and without a name, and its end; made for the first piece that
        # does not stay in memory, gone with this object.
        self._spool: int | None = None
        self._end = 0

    def __getitem__(self, path: str) -> bytes:
        if path not in self._contents:
            raise KeyError(f"{path}: there is no such file, {self._nearest(str(path))}")
        return b"".join([self._read(piece) for piece in self._contents[path]])

    def _nearest(self, path: str) -> str:
        known = [*islice(self._contents, _MOST_COMPARED)]
        for one in known:  # behind a directory that one of them lacks
            if one.endswith(f"/{path}") or path.endswith(f"/{one}"):
                return f'did you mean "{one}"?'
        few = ", ".join(f'"{one}"' for one in known[:3])
        return nearest(path, known) or (
            f"among {len(self)}, such as {few}"
            if known
            else "for none came back: what the tasks of an operation with results write below "
            'os.environ["shared_directory"] does'
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._contents)

    def __len__(self) -> int:
        return len(self._contents)

    def __contains__(self, path: object) -> bool:
        return path in self._contents

    def __repr__(self) -> str:
        return f"Files({', '.join(map(shown, self._contents))})"

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

        Each file is there whole or not at all.

        Raises:
            ConfigurationError: A path would lie outside the directory; nothing is written then.
            OSError: A file cannot be written; `filename` says which. Those before it are there.
        """
        root = Path(directory)
        for path in self._contents:
            if not safe_path(path) or not (root / path).resolve().is_relative_to(root.resolve()):
                raise ConfigurationError(f"the file {path!r} lies outside {str(root)!r}")
        written = []
        for path, pieces in self._contents.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            self._write(target, pieces)
            written.append(target)
        return written

    def _write(self, target: Path, pieces: tuple[Piece, ...]) -> None:
        part = target.with_name(f".aiowf-{os.getpid()}-{id(self):x}.part")
        try:
            with part.open("xb") as file:
                for piece in pieces:
                    file.write(self._read(piece))
            part.replace(target)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(target)) from None

    def has_room(self, size: int) -> bool:
        """Return whether a piece of this size stays in memory: to keep it writes no file."""
        return size <= SMALL_BYTES and self._in_memory + size <= IN_MEMORY_BYTES

    def put(self, path: str, chunk: int, content: bytes) -> None:
        """Keep a chunk until the rest of its file has come."""
        partial = self._partial.setdefault(path, _Partial())
        if chunk == partial.hashed:
            partial.digest.update(content)
            partial.hashed += 1
        partial.pieces[chunk] = self._keep(content)

    def join(self, entry: FileEntry) -> str:
        """Take a file whose chunks have all come; return the SHA-256 (hex) of the whole."""
        partial = self._partial.pop(entry.path)
        for chunk in range(partial.hashed, entry.chunks):
            partial.digest.update(self._read(partial.pieces[chunk]))
        self._contents[entry.path] = tuple(partial.pieces[chunk] for chunk in range(entry.chunks))
        return str(partial.digest.hexdigest())

    def piece(self, path: str, chunk: int) -> bytes:
        """Return a chunk of a file that is joined."""
        return self._read(self._contents[path][chunk])

    def _keep(self, content: bytes) -> Piece:
        size = len(content)
        if self.has_room(size):
            self._in_memory += size
            return content
        if self._spool is None:
            self._spool, name = tempfile.mkstemp(prefix="aiowf-files-")
            os.unlink(name)  # so that nothing of it is left, even by a crash
            weakref.finalize(self, os.close, self._spool)
            # glibc takes what it sees freed for the size of things to come (mallopt(3), dynamic
            # mmap threshold): pieces then use the same memory again, and need not be paged in.
            bytearray(_REUSED_BYTES)
        begin, view = self._end, memoryview(content)
        while view:
            written = os.pwrite(self._spool, view, self._end)
            self._end += written
            view = view[written:]
        return begin, size

    def _read(self, piece: Piece) -> bytes:
        if isinstance(piece, bytes):
            return piece
        assert self._spool is not None
        begin, size = piece
        content = os.pread(self._spool, size, begin)
        assert len(content) == size
        return content
