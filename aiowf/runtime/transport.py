"""How a pod reaches the reply channel."""

import contextlib
import http.client
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlsplit

from aiowf.errors import ConfigurationError, UnavailableError
from aiowf.wire import labels
from aiowf.wire.frames import Record, encode_frame

if TYPE_CHECKING:
    from aiowf.replies.settings import KafkaSettings

TIMEOUT_SECONDS = 30.0


class Transport(Protocol):
    """Sends records, and returns when they are safe."""

    def send(self, topic: str, records: Sequence[Record]) -> None:
        """Send records to a topic, in order."""
        ...

    def flush(self) -> None:
        """Wait until all that was sent is safe."""
        ...


@contextlib.contextmanager
def open_transport(environ: Mapping[str, str], *, deadline: float) -> Iterator[Transport]:
    """Open the channel that the environment names: Kafka's, else the embedded engine's.

    Args:
        environ: The variables of the pod.
        deadline: Seconds in which Kafka must have taken everything; AIOWF_REPLY_DEADLINE overrides.

    Raises:
        ConfigurationError: It names none.
        ReplyError: Something could not be delivered.
    """
    kafka = _read_kafka(environ)
    if kafka is not None:
        from aiowf.runtime.kafka import KafkaTransport

        partition = environ.get(labels.ENV_REPLY_PARTITION, "")
        partitions = {kafka.topic: int(partition)} if partition.isdecimal() else {}
        with KafkaTransport(
            kafka, partitions=partitions, deadline=_deadline(environ, deadline)
        ) as transport:
            yield transport
        return
    connection = connect_engine(environ)
    if connection is None:
        raise ConfigurationError(
            "no reply channel is configured in this pod",
            hint="Set KAFKA_BOOTSTRAP_SERVERS, or run on the embedded engine.",
        )
    with contextlib.closing(connection):
        yield EngineTransport(connection, environ.get(labels.ENV_REPLY_TOKEN, ""))


def _read_kafka(environ: Mapping[str, str]) -> "KafkaSettings | None":
    if not any(name.startswith("KAFKA_") for name in environ):
        return None  # where there is no Kafka, a step should not pay for loading what speaks it
    from aiowf.replies.settings import read_kafka

    return read_kafka(None, environ)


def _deadline(environ: Mapping[str, str], default: float) -> float:
    text = environ.get("AIOWF_REPLY_DEADLINE") or str(default)
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is no number of seconds", where="AIOWF_REPLY_DEADLINE"
        ) from None


class EngineTransport:
    """Sends to the embedded engine over its own socket."""

    def __init__(self, connection: http.client.HTTPConnection, token: str) -> None:
        self._connection = connection
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def flush(self) -> None:
        """Return at once: what was sent is safe."""

    def send(self, topic: str, records: Sequence[Record]) -> None:
        """Send records to a topic, in order.

        Raises:
            UnavailableError: The engine did not take them.
        """
        path = f"/aiowf/v1/topics/{quote(topic, safe='')}/records"
        body = b"".join(encode_frame(record) for record in records)
        try:
            self._connection.request("POST", path, body, self._headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise UnavailableError(
                f"the engine is gone: {error}", method="POST", path=path
            ) from None
        if answer.status != 200:
            raise UnavailableError(
                f"the engine refused: {text[:500].decode(errors='replace')}",
                method="POST",
                path=path,
                status=answer.status,
            )


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def connect_engine(environ: Mapping[str, str]) -> http.client.HTTPConnection | None:
    """Return a connection to the embedded engine that runs this pod, or None if none does."""
    if path := environ.get(labels.ENV_REPLY_SOCKET):
        return _UnixConnection(path)
    if url := environ.get(labels.ENV_REPLY_URL):
        parts = urlsplit(url)
        return http.client.HTTPConnection(
            parts.hostname or "localhost", parts.port, timeout=TIMEOUT_SECONDS
        )
    return None
