"""Kafka without a JVM: librdkafka's mock cluster, and how tests speak to it."""

import ctypes
import importlib.util
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

from confluent_kafka import Producer

from aiowf.wire.frames import Record


def _library() -> ctypes.CDLL:
    """Return the very library that confluent_kafka uses."""
    spec = importlib.util.find_spec("confluent_kafka")
    assert spec is not None
    assert spec.origin is not None
    (path,) = glob(str(Path(spec.origin).parent.parent / "confluent_kafka.libs/librdkafka-*"))
    library = ctypes.CDLL(path)
    for name in ("rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


class MockCluster:
    """A cluster of brokers in threads of this process.

    Attributes:
        servers: Their addresses.
    """

    def __init__(self, brokers: int = 1) -> None:
        self._library = _library()
        error = ctypes.create_string_buffer(512)
        self._client = ctypes.c_void_p(
            self._library.rd_kafka_new(0, None, error, ctypes.c_size_t(512))
        )
        self._cluster = ctypes.c_void_p(
            self._library.rd_kafka_mock_cluster_new(self._client, brokers)
        )
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        found = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        self.servers = found.decode()
        self._producer: Producer | None = None

    def close(self) -> None:
        """End it."""
        self._producer = None
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    def create(self, topic: str, partitions: int = 1, replicas: int = 1) -> None:
        """Make a topic."""
        code = self._library.rd_kafka_mock_topic_create(
            self._cluster, topic.encode(), partitions, replicas
        )
        assert code == 0

    def down(self, broker: int = 1) -> None:
        """Cut a broker off."""
        self._library.rd_kafka_mock_broker_set_down(self._cluster, broker)

    def up(self, broker: int = 1) -> None:
        """Let a broker answer again."""
        self._library.rd_kafka_mock_broker_set_up(self._cluster, broker)

    def lead(self, topic: str, partition: int, broker: int) -> None:
        """Make a broker the leader of a partition."""
        code = self._library.rd_kafka_mock_partition_set_leader(
            self._cluster, topic.encode(), partition, broker
        )
        assert code == 0

    def fail(self, api: int, *codes: int) -> None:
        """Answer the next requests of a kind with these error codes."""
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster,
            ctypes.c_int16(api),
            ctypes.c_size_t(len(codes)),
            (ctypes.c_int * len(codes))(*codes),
        )

    def send(self, topic: str, partition: int, records: Iterable[Record]) -> None:
        """Send records, as a pod of any language would."""
        producer = self._producer = self._producer or Producer(
            {"bootstrap.servers": self.servers, "log_level": 0, "message.max.bytes": 2_000_000}
        )
        for record in records:
            producer.produce(
                topic, record.value, record.key, partition, headers=list(record.headers)
            )
        assert producer.flush(10) == 0


@contextmanager
def mock_cluster(brokers: int = 1) -> Iterator[MockCluster]:
    """Run a cluster."""
    cluster = MockCluster(brokers)
    try:
        yield cluster
    finally:
        cluster.close()
