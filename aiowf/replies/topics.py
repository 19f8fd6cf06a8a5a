"""What a topic is: whether it exists, how many partitions it has, and whether it is still the same.

aiokafka compares neither cluster nor topic when it comes back to a broker; and a consumer's own
questions may create a topic. So the broker is asked here, by a request that creates nothing.
"""

import asyncio
import logging
from io import BytesIO
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)
from attrs import frozen

from aiowf.errors import ReplyError
from aiowf.replies.connection import Connector, client_of, stop

log = logging.getLogger(__name__)

_EXISTS = 36
_REPLICAS = 3
# The pods' clocks decide nothing: a record stamped in the past would be deleted at once.
CONFIGS = {"message.timestamp.type": "LogAppendTime", "retention.ms": str(3 * 24 * 3600 * 1000)}


@frozen
class Identity:
    """Which log a topic is: the same offset in another log is another record.

    Attributes:
        cluster: Id of the cluster.
        topic: Id of the topic, "" where the broker tells none.
        partitions: How many partitions it has; 0: it does not exist.
    """

    cluster: str
    topic: str
    partitions: int

    @property
    def log(self) -> str:
        """Return the identity as one text, for an annotation."""
        return f"{self.cluster}/{self.topic}"


async def identify(client: Any, topic: str) -> Identity:
    """Ask any broker for the topic; this creates nothing.

    Args:
        client: aiokafka's client of a consumer, producer or admin client that is started.
        topic: Its name.

    Raises:
        KafkaError: No broker answers.
    """
    node = client.get_random_node()
    node = "bootstrap" if node is None else node
    try:
        answer = await client.send(node, _TopicRequest(topic))
    except NotImplementedError:
        answer = await client.send(node, MetadataRequest([topic], allow_auto_topic_creation=False))
    data = answer.to_object()
    (found,) = data["topics"]
    return Identity(
        data.get("cluster_id") or "",
        str(found.get("topic_id", "")),
        0 if found["error_code"] else len(found["partitions"]),
    )


async def ensure(connector: Connector, client: Any, topic: str, partitions: int) -> Identity:
    """Make sure that a topic exists.

    Returns:
        What it is; with 0 partitions if it does not exist and cannot be made.

    Raises:
        KafkaError: No broker answers.
    """
    found = await identify(client, topic)
    if found.partitions:
        return found
    reason = await _create(connector, topic, partitions)
    if reason is not None:
        await _let_it_be_created(connector, topic)
    for pause in (0.0, 0.05, 0.1, 0.2, 0.4, 0.8):  # until every broker has heard of it
        await asyncio.sleep(pause)
        found = await identify(client, topic)
        if found.partitions:
            return found
    log.warning(
        "the topic %s does not exist and cannot be made: %s; it is waited for (kafka-topics.sh "
        "--create --topic %s --partitions %d)",
        *(topic, reason, topic, partitions),
    )
    return found


async def _create(connector: Connector, topic: str, partitions: int) -> str | None:
    """Create a topic; return why it is impossible, or None."""
    admin = AIOKafkaAdminClient(**connector.options)
    try:
        await connector.start(admin)
        replicas = min(_REPLICAS, len(client_of(admin).cluster.brokers()))
        wanted = NewTopic(topic, partitions, replicas, topic_configs=CONFIGS)
        made: Any = await admin.create_topics([wanted], timeout_ms=10_000)
        code, said = made.topic_errors[0][1], made.topic_errors[0][-1]
        return None if code in (0, _EXISTS) else f"{for_code(code).__name__} {said or ''}"
    except (KafkaError, ReplyError, AttributeError, NotImplementedError) as error:
        return repr(error)  # AttributeError: there is no controller
    finally:
        await stop(admin)


async def _let_it_be_created(connector: Connector, topic: str) -> None:
    """Ask for a topic as a producer does, which some brokers answer by creating it."""
    producer = AIOKafkaProducer(**{**connector.options, "request_timeout_ms": 3000})
    try:
        await connector.start(producer)
        await producer.partitions_for(topic)
    except (KafkaError, ReplyError):
        pass
    finally:
        await stop(producer)


class _Uuid(AbstractType[bytes]):  # type: ignore[misc]
    """Sixteen bytes, shown in hexadecimal."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> Any:
        return data.read(16).hex()


_TAGS = ("tags", TaggedFields)
_NAME = CompactString("utf-8")


class _TopicResponse10(Response):  # type: ignore[misc]
    """Metadata response, version 10: the first with topic ids (KIP-516)."""

    API_KEY = 3  # pyright: ignore
    API_VERSION = 10  # pyright: ignore
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32), ("host", _NAME), ("port", Int32), ("rack", _NAME), _TAGS
            ),
        ),
        ("cluster_id", _NAME),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", _NAME),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        _TAGS,
                    ),
                ),
                ("authorized_operations", Int32),
                _TAGS,
            ),
        ),
        ("cluster_authorized_operations", Int32),
        _TAGS,
    )


class _TopicRequest10(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _TopicResponse10
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", _NAME), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    )


class _TopicRequest(Request[_TopicRequest10]):  # type: ignore[misc]
    """Asks for one topic, with its id."""

    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_TopicRequest10]) -> _TopicRequest10:
        return request_struct_class([(bytes(16), self._topic, {})], False, False, False, {})
