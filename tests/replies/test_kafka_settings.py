"""Settings of Kafka: from the environment, checked, and without a secret where none belongs."""

import ssl
from typing import Any

import pytest

from aiowf.errors import ConfigurationError
from aiowf.manifest import unstructure
from aiowf.replies import KafkaSettings
from aiowf.replies.connection import make_connector
from aiowf.replies.settings import read_kafka

SASL = {
    "KAFKA_BOOTSTRAP_SERVERS": "a:9093, b:9093",
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "bob",
    "KAFKA_SASL_PASSWORD": "hush-hush",
    "KAFKA_POD_BOOTSTRAP_SERVERS": "kafka:9092",
    "KAFKA_SECRET": "kafka-credentials",
    "AIOWF_REPLY_TOPIC": "answers",
}


def test_everything_comes_from_the_environment() -> None:
    """KAFKA_* name the brokers, for the client and for pods, and what lets them in."""
    kafka = read_kafka(None, SASL)
    assert kafka is not None
    assert (kafka.bootstrap_servers, kafka.mechanism) == ("a:9093,b:9093", "SCRAM-SHA-512")
    assert (kafka.for_pods().bootstrap_servers, kafka.topic) == ("kafka:9092", "answers")
    assert "hush-hush" not in repr(kafka)
    assert read_kafka(None, {}) is None
    assert read_kafka(False, SASL) is None
    assert read_kafka(kafka, {}) is kafka


def test_what_is_said_goes_before_the_environment() -> None:
    """An address or a mapping overrides the environment, which completes it."""
    said = read_kafka("c:1", SASL)
    assert said is not None
    assert (said.bootstrap_servers, said.sasl_username) == ("c:1", "bob")
    given = read_kafka({"bootstrap_servers": ["x:1", "y:2"], "topic": "t"}, {})
    assert given is not None
    assert (given.bootstrap_servers, given.topic) == ("x:1,y:2", "t")


@pytest.mark.parametrize(
    ("kafka", "message"),
    [
        ("host", "is no broker"),
        ({"bootstrap_servers": ""}, None),
        ({"bootstrap_servers": "a:1", "sasl_user": "x"}, 'did you mean "sasl_username"'),
        ({"bootstrap_servers": "a:1", "security_protocol": "SASL_SLL"}, "SASL_SSL"),
        ({"bootstrap_servers": "a:1", "sasl_mechanism": "SCRAM"}, "is none of"),
        ({"bootstrap_servers": "a:1", "sasl_username": "x"}, "does not use them"),
        ({"bootstrap_servers": "a:1", "security_protocol": "SASL_SSL"}, "needs credentials"),
        (
            {
                "bootstrap_servers": "a:1",
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "OAUTHBEARER",
                "sasl_username": "id",
                "sasl_password": "secret",
            },
            "TOKEN_ENDPOINT",
        ),
        (17, "expected KafkaSettings"),
    ],
)
def test_what_is_wrong_is_told(kafka: Any, message: str | None) -> None:
    """A wrong or contradictory setting is an error that says what to set."""
    if message is None:
        assert read_kafka(kafka, {}) is None
        return
    with pytest.raises(ConfigurationError, match=message):
        read_kafka(kafka, {})


def test_credentials_reach_pods_as_references_only() -> None:
    """No manifest holds a password: it names the Secret and its keys."""
    kafka = read_kafka(None, SASL)
    assert kafka is not None
    variables = unstructure(list(kafka.pod_variables(signs=True)))
    assert "hush-hush" not in str(variables)
    plain = {each["name"]: each["value"] for each in variables if "value" in each}
    assert plain == {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    }
    secret = {
        each["name"]: each["valueFrom"]["secretKeyRef"] for each in variables if "valueFrom" in each
    }
    named = {"name": "kafka-credentials"}
    assert secret == {
        "KAFKA_SASL_USERNAME": {**named, "key": "username"},
        "KAFKA_SASL_PASSWORD": {**named, "key": "password"},
        "AIOWF_REPLY_KEY": {**named, "key": "reply-key"},
        "KAFKA_SSL_CA": {**named, "key": "ca.crt", "optional": True},
    }


def test_pods_without_a_secret_is_an_error() -> None:
    """Where pods need credentials, somebody has to say which Secret has them."""
    kafka = KafkaSettings(bootstrap_servers="a:1")
    assert [each.name for each in kafka.pod_variables(signs=False)] == [
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_SECURITY_PROTOCOL",
    ]
    with pytest.raises(ConfigurationError, match="KAFKA_SECRET"):
        kafka.pod_variables(signs=True)


def test_pods_may_use_another_listener() -> None:
    """A client outside may need SASL where pods inside do not."""
    kafka = read_kafka({"pod_security_protocol": "PLAINTEXT"}, SASL)
    assert kafka is not None
    assert kafka.local_environment() == {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
        "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
    }


async def test_tls_is_verified() -> None:
    """Certificates and host names are verified by default; a file that is not there is told."""
    connector = await make_connector(
        KafkaSettings(bootstrap_servers="a:1", security_protocol="SSL")
    )
    context = connector.options["ssl_context"]
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    with pytest.raises(ConfigurationError, match="KAFKA_SSL_CAFILE"):
        await make_connector(
            KafkaSettings(bootstrap_servers="a:1", security_protocol="SSL", ssl_cafile="/none")
        )
