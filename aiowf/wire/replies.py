"""Reply records: what pods send back, and how it becomes files and notices again.

A record is a key, headers and a value. The key is the name of the workflow. Headers say what the
value is: a chunk of a file, the list of all files ("done"), or a notice. Values are raw bytes.
Whoever sends them, in whatever language, needs nothing but these functions' rules; docs/wire.md
tells them field by field.
"""

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import orjson
from attrs import define, field, frozen

from aiowf.errors import ConfigurationError, CorruptResultsError, MissingResultsError
from aiowf.wire.frames import Record

VERSION = "1"
CHUNK_BYTES = 900 * 1024  # Kafka brokers take records of 1 MiB by default, headers included.
# Files that travel in an output parameter have at most so many bytes together.
MAX_PACKED_BYTES = 256 * 1024

_VERSION = "aiowf-version"
_TYPE = "aiowf-type"
_FILE = "aiowf-file"
_CHUNK = "aiowf-chunk"
_CHUNKS = "aiowf-chunks"
_SHA256 = "aiowf-sha256"
_HMAC = "aiowf-hmac"

TYPE_FILE = "file"
TYPE_DONE = "done"
TYPE_NOTICE = "notice"
# File names are bytes; Python's text for them, as os.fsdecode makes it, goes back to these bytes.
_NAMES = "surrogateescape"
_VERSION_BYTES = VERSION.encode()
_TYPES = {kind.encode(): kind for kind in (TYPE_FILE, TYPE_DONE, TYPE_NOTICE)}


@frozen
class FileEntry:
    """What the last record says of one file: path, bytes, SHA-256 (hex) and number of chunks."""

    path: str
    size: int
    sha256: str
    chunks: int


@frozen
class Notice:
    """What an exit handler says.

    Attributes:
        status: Status of the workflow as Argo names it, such as "Succeeded", or None.
        payload: The payload as it was given, or None; of a message of another shape its text.
        workflow: Name of the workflow, or None.
        raw: The record's own bytes.
    """

    status: str | None
    payload: str | None
    workflow: str | None
    raw: bytes = field(repr=False, default=b"")


def file_records(
    workflow: str, path: str, chunks: Iterable[bytes], count: int, *, key: bytes | None = None
) -> Iterator[Record]:
    """Turn one file into records; an empty file is one empty chunk.

    Args:
        workflow: Name of the workflow.
        path: Path relative to the shared directory, with "/".
        chunks: The content in pieces of at most `CHUNK_BYTES`.
        count: How many pieces there are.
        key: Secret that authenticates the records, or None.
    """
    for index, chunk in enumerate(chunks):
        headers = {
            _TYPE: TYPE_FILE,
            _FILE: path,
            _CHUNK: str(index),
            _CHUNKS: str(count),
            _SHA256: hashlib.sha256(chunk).hexdigest(),
        }
        yield _record(workflow, headers, chunk, key)


def done_record(workflow: str, files: Iterable[FileEntry], *, key: bytes | None = None) -> Record:
    """Make the last record: it names every file, and so proves that none is missing."""
    entries = [
        {"path": file.path, "size": file.size, "sha256": file.sha256, "chunks": file.chunks}
        for file in files
    ]
    return _record(workflow, {_TYPE: TYPE_DONE}, json.dumps({"files": entries}).encode(), key)


def notice_record(notice: Notice, *, key: bytes | None = None) -> Record:
    """Make the record of an exit notice: `{"status": …, "payload": …, "workflow": …}`."""
    value = json.dumps(
        {"status": notice.status, "payload": notice.payload, "workflow": notice.workflow},
        ensure_ascii=False,
    ).encode()
    return _record(notice.workflow, {_TYPE: TYPE_NOTICE}, value, key)


def parse_notice(value: bytes) -> Notice:
    """Read a notice; a message of another shape has no status, and its text as payload."""
    try:
        data = orjson.loads(value)
    except ValueError:
        data = None
    if not isinstance(data, Mapping) or data.keys().isdisjoint(("status", "workflow")):
        return Notice(None, _text(value), None, value)
    status, workflow = data.get("status"), data.get("workflow")
    return Notice(
        status if isinstance(status, str) else None,
        data.get("payload"),
        workflow if isinstance(workflow, str) else None,
        value,
    )


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def pack_files(files: Mapping[str, bytes]) -> str:
    """Turn small files into one text, for an output parameter.

    The text is base64 of zlib-compressed JSON `{"files": [{"path", "sha256", "content"}, …]}`,
    where content is base64.
    """
    entries = [
        {
            "path": path,
            "sha256": hashlib.sha256(content).hexdigest(),
            "content": base64.b64encode(content).decode(),
        }
        for path, content in files.items()
    ]
    return base64.b64encode(zlib.compress(json.dumps({"files": entries}).encode())).decode()


def unpack_files(text: str, *, workflow: str) -> dict[str, bytes]:
    """Turn the text of an output parameter into files again.

    Raises:
        CorruptResultsError: It is not what `pack_files` makes.
    """
    try:
        opener = zlib.decompressobj()
        data = opener.decompress(base64.b64decode(text, validate=True), 8 * MAX_PACKED_BYTES)
        entries = json.loads(data)["files"]
        files = {e["path"]: base64.b64decode(e["content"], validate=True) for e in entries}
        good = all(
            safe_path(e["path"]) and hashlib.sha256(files[e["path"]]).hexdigest() == e["sha256"]
            for e in entries
        )
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error):
        good, files = False, {}
    if not good:
        raise CorruptResultsError(
            f"results of {workflow}: the output parameter is not what was sent",
            workflow_name=workflow,
        )
    return files


def header_of(record: Record, name: str) -> str | None:
    """Return the first header of that name as text, or None if there is none.

    What is not UTF-8 becomes what Python makes of such file names: lone surrogates.
    """
    for key, content in record.headers:
        if key == name:
            return content.decode(errors=_NAMES)
    return None


def type_of(record: Record) -> str | None:
    """Return what a record is: "file", "done", "notice", or None for a foreign record."""
    version = kind = b""
    for name, content in record.headers:
        if name == _TYPE:
            kind = kind or content
        elif name == _VERSION:
            version = version or content
    return _TYPES.get(kind) if version == _VERSION_BYTES else None


def is_authentic(record: Record, key: bytes) -> bool:
    """Return whether a record carries the right HMAC of its key, its headers and its value."""
    claimed = header_of(record, _HMAC)
    if claimed is None:
        return False
    return hmac.compare_digest(claimed.encode(errors=_NAMES), _mac(record, key).encode())


def safe_path(path: str) -> bool:
    """Return whether a path is relative, and inside its directory wherever it is saved."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        return False
    return ".." not in path.replace("\\", "/").split("/")


def _record(
    workflow: str | None, headers: dict[str, str], value: bytes, key: bytes | None
) -> Record:
    told = {_VERSION: VERSION, **headers}
    named = tuple((name, text.encode(errors=_NAMES)) for name, text in told.items())
    record = Record(value, workflow, named)
    if key is None:
        return record
    return Record(value, workflow, (*named, (_HMAC, _mac(record, key).encode())))


def _mac(record: Record, key: bytes) -> str:
    digest = hmac.new(key, digestmod=hashlib.sha256)
    parts = [(record.key or "").encode()]
    for name, content in record.headers:
        if name != _HMAC:
            parts += [name.encode(), content]
    # Lengths go in as well, so that no byte can move from one part to the next.
    for part in (*parts, record.value):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


class FileSink(Protocol):
    """Where the chunks of a workflow's files are kept until all of them have come."""

    def put(self, path: str, chunk: int, content: bytes) -> None:
        """Keep a chunk."""
        ...

    def join(self, entry: FileEntry) -> str:
        """Put a file together from its chunks; return the SHA-256 (hex) of the whole."""
        ...

    def piece(self, path: str, chunk: int) -> bytes:
        """Return a chunk of a file that is put together."""
        ...


@define
class Assembly:
    """Puts the files of one workflow together, in whatever order their records come.

    Feed it records; when `feed` returns True every file is whole and verified.
    """

    workflow: str
    sink: FileSink
    # Path → chunk → size and claimed SHA-256 of every chunk that is kept; one that comes again is
    # ignored. Only when the whole is not what was sent are the chunks looked at one by one.
    _kept: dict[str, dict[int, tuple[int, str | None]]] = field(factory=dict, init=False)
    # The list of the last record, None until it has come.
    _listed: tuple[FileEntry, ...] | None = field(default=None, init=False)
    # True once every file has been joined; records that come later are ignored.
    _complete: bool = field(default=False, init=False)

    def feed(self, record: Record) -> bool:
        """Take a record of this workflow.

        Returns:
            Whether everything has come and is verified.

        Raises:
            CorruptResultsError: The record, or a file, is not what was sent.
        """
        if self._complete:
            return True
        if type_of(record) == TYPE_FILE:
            self._take_chunk(record)
        elif type_of(record) == TYPE_DONE and self._listed is None:
            self._listed = self._read_list(record)
        if self._listed is None or self._first_missing() is not None:
            return False
        for file in self._listed:
            self._verify(file)
        self._complete = True
        return True

    def files(self) -> tuple[FileEntry, ...]:
        """Return the files, in the order of the list.

        Raises:
            MissingResultsError: Not everything has come; the message says what is missing.
        """
        if self._complete and self._listed is not None:
            return self._listed
        raise self.missing()

    @property
    def received(self) -> int:
        """Return how many chunks have come."""
        return sum(len(chunks) for chunks in self._kept.values())

    def missing(self) -> MissingResultsError:
        """Return the error that says what has not come."""
        if self._listed is None:
            kept = self.received
            return MissingResultsError(
                f"the results of {self.workflow} did not come whole: {kept} chunks of "
                f"{len(self._kept)} files came, the list of all files did not",
                workflow_name=self.workflow,
                chunks=kept,
            )
        found = self._first_missing()
        assert found is not None
        file, chunk = found
        return MissingResultsError(
            f"the results of {self.workflow} did not come whole: chunk {chunk + 1} "
            f"of {file.chunks} of {file.path!r} is missing",
            workflow_name=self.workflow,
            path=file.path,
            chunk=chunk,
        )

    def _first_missing(self) -> tuple[FileEntry, int] | None:
        """Return the first chunk of the list that has not come, or None."""
        for file in self._listed or ():
            kept = self._kept.get(file.path, {})
            # However many chunks a list claims, the search ends with the first that is missing.
            missing = next((chunk for chunk in range(file.chunks) if chunk not in kept), None)
            if missing is not None:
                return file, missing
        return None

    def _take_chunk(self, record: Record) -> None:
        path, chunk, claimed = (header_of(record, name) for name in (_FILE, _CHUNK, _SHA256))
        if path is None or chunk is None or not chunk.isdecimal() or not safe_path(path):
            raise self._corrupt(f"a record names no file that can be: {path!r}", path=path)
        index = int(chunk)
        if index in self._kept.get(path, {}):
            return
        self.sink.put(path, index, record.value)
        self._kept.setdefault(path, {})[index] = len(record.value), claimed

    def _read_list(self, record: Record) -> tuple[FileEntry, ...]:
        try:
            listed = tuple(
                FileEntry(str(e["path"]), int(e["size"]), str(e["sha256"]), int(e["chunks"]))
                for e in json.loads(record.value)["files"]
            )
        except (ValueError, KeyError, TypeError):
            raise self._corrupt("the list of files cannot be read") from None
        if not all(safe_path(file.path) for file in listed):
            raise self._corrupt("the list names a file outside the shared directory")
        if any(file.chunks < 1 for file in listed) or len({f.path for f in listed}) < len(listed):
            raise self._corrupt("the list of files contradicts itself")
        return listed

    def _verify(self, file: FileEntry) -> None:
        path, kept = file.path, self._kept[file.path]
        size = sum(length for length, _ in kept.values())
        if self.sink.join(file) == file.sha256 and size == file.size:
            return
        for chunk in range(file.chunks):
            if hashlib.sha256(self.sink.piece(path, chunk)).hexdigest() != kept[chunk][1]:
                what = f"chunk {chunk + 1} of {path!r} was changed on its way"
                raise self._corrupt(what, path=path, chunk=chunk)
        if size != file.size:
            raise self._corrupt(f"{path!r} has {size} bytes, not {file.size}", path=path)
        raise self._corrupt(f"{path!r} is not what was sent (SHA-256)", path=path)

    def _corrupt(self, what: str, **details: Any) -> CorruptResultsError:
        return CorruptResultsError(
            f"results of {self.workflow}: {what}", workflow_name=self.workflow, **details
        )


def reply_key(text: str | None) -> bytes | None:
    """Return the secret that authenticates records, from AIOWF_REPLY_KEY.

    Raises:
        ConfigurationError: The secret has fewer than 16 characters.
    """
    if not text:
        return None
    if len(text) < 16:
        raise ConfigurationError("AIOWF_REPLY_KEY is too short", hint="Use 16 characters or more.")
    return text.encode()
