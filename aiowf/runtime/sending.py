"""The two things that a pod sends: the notice of the end, and the files of the shared directory."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from aiowf.errors import ConfigurationError, MissingResultsError
from aiowf.runtime.transport import Transport, open_transport
from aiowf.wire import labels
from aiowf.wire.replies import (
    CHUNK_BYTES,
    MAX_PACKED_BYTES,
    FileEntry,
    Notice,
    done_record,
    file_records,
    notice_record,
    pack_files,
    reply_key,
    safe_path,
)

# Seconds in which Kafka must have taken a notice, or all the files.
_NOTICE_SECONDS = 60.0
_RESULTS_SECONDS = 600.0


def notify(environ: Mapping[str, str]) -> str:
    """Send the notice of the workflow's end to the user's queue, to the reply topic, or to both."""
    notice = Notice(
        environ.get("workflow_result"),
        environ.get("payload"),
        environ.get(labels.ENV_WORKFLOW_NAME),
    )
    topics = [
        topic for topic in (environ.get("queue_name"), environ.get(labels.ENV_REPLY_TOPIC)) if topic
    ]
    if not topics:
        raise ConfigurationError(
            "there is nowhere to send the notice to", hint="Set queue_name or AIOWF_REPLY_TOPIC."
        )
    key = reply_key(environ.get(labels.ENV_REPLY_KEY))
    with open_transport(environ, deadline=_NOTICE_SECONDS) as transport:
        for topic in dict.fromkeys(topics):
            transport.send(topic, [notice_record(notice, key=key)])
        transport.flush()
    return f"sent: {notice.status} of {notice.workflow} to {', '.join(topics)}"


def send_results(environ: Mapping[str, str]) -> str:
    """Send every file of the shared directory to the reply topic, and then the list of them."""
    directory = Path(_required(environ, labels.ENV_SHARED_DIRECTORY))
    if not directory.is_dir():
        raise ConfigurationError(f"the shared directory {str(directory)!r} is not there")
    if environ.get(labels.ENV_RESULTS_PATH):
        return _write_results(directory, Path(environ[labels.ENV_RESULTS_PATH]))
    workflow = _required(environ, labels.ENV_WORKFLOW_NAME)
    topic = _required(environ, labels.ENV_REPLY_TOPIC)
    key = reply_key(environ.get(labels.ENV_REPLY_KEY))
    with open_transport(environ, deadline=_RESULTS_SECONDS) as transport:
        entries = [
            _send_file(transport, topic, workflow, directory, path, key)
            for path in sorted(_files(directory))
        ]
        transport.send(topic, [done_record(workflow, entries, key=key)])
        transport.flush()
    return f"sent: {len(entries)} files, {sum(entry.size for entry in entries)} bytes"


def _write_results(directory: Path, target: Path) -> str:
    """Write the files where an output parameter takes them from."""
    paths = sorted(_files(directory))
    size = sum((directory / path).stat().st_size for path in paths)
    if size > MAX_PACKED_BYTES:
        raise MissingResultsError(
            f"the results have {size:,} bytes, and without Kafka {MAX_PACKED_BYTES:,} at most can "
            "be sent: set KAFKA_BOOTSTRAP_SERVERS where the client runs, or aiowf.connect(kafka=…)"
        )
    text = pack_files({path: (directory / path).read_bytes() for path in paths})
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    return f"written: {len(paths)} files, {size} bytes"


def _send_file(
    transport: Transport, topic: str, workflow: str, directory: Path, path: str, key: bytes | None
) -> FileEntry:
    with (directory / path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        count = max(1, -(-size // CHUNK_BYTES))
        digest = hashlib.sha256()

        def chunks() -> Iterator[bytes]:
            # Exactly what was there at the start: a file that still grows is cut, and stays whole.
            for index in range(count):
                chunk = file.read(min(CHUNK_BYTES, size - index * CHUNK_BYTES))
                digest.update(chunk)
                yield chunk

        for record in file_records(workflow, path, chunks(), count, key=key):
            transport.send(topic, [record])
    return FileEntry(path, size, digest.hexdigest(), count)


def _files(directory: Path) -> Iterator[str]:
    """Yield the regular files below a directory; symbolic links are not followed."""
    for parent, _, names in os.walk(directory, followlinks=False):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                relative = path.relative_to(directory).as_posix()
                if not safe_path(relative):
                    raise ConfigurationError(
                        f"the file {relative!r} of the shared directory cannot be sent: elsewhere "
                        "its name would lead out of the directory",
                        hint="Give it a name without '..\\'.",
                    )
                yield relative


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name)
    if not value:
        raise ConfigurationError(f"the environment variable {name} is not set")
    return value
