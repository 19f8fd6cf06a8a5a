"""Who may come in to a real Apache Kafka, and how: certificates, tokens, sessions that end."""

import asyncio
import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from broker import REAUTHENTICATION_MS, Broker

from aiowf.errors import ReplyError
from aiowf.replies import KafkaSettings
from aiowf.replies.kafka import KafkaChannel
from aiowf.replies.values import read_value
from aiowf.replies.waiting import Replies
from aiowf.runtime.__main__ import main
from aiowf.tasks.functions.pod import kafka
from aiowf.wire.frames import Record
from aiowf.wire.replies import Notice, notice_record
from aiowf.wire.values import LargeValue

pytestmark = pytest.mark.kafka
TEXT = b'"' + b"x" * 2_000_000 + b'"'


def notice(workflow: str) -> Record:
    return notice_record(Notice("Succeeded", None, workflow))


def settings(broker: Broker, way: str, **changes: Any) -> KafkaSettings:
    """Return the settings of one of the ways in, with some of them changed."""
    directory = broker.directory
    known: dict[str, dict[str, Any]] = {
        "mutual": {
            "bootstrap_servers": broker.mutual,
            "security_protocol": "SSL",
            "ssl_cafile": directory / "ca.pem",
            "ssl_certfile": directory / "client.crt",
            "ssl_keyfile": directory / "client.key",
        },
        "scram": {
            "bootstrap_servers": broker.sasl,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": "bob",
            "sasl_password": "bob-secret",
            "ssl_ca": (directory / "ca.pem").read_text(),
        },
        "plain": {
            "bootstrap_servers": broker.sasl,
            "security_protocol": "SASL_SSL",
            "sasl_username": "alice",
            "sasl_password": "alice-secret",
            "ssl_cafile": directory / "ca.pem",
        },
        "token": {
            "bootstrap_servers": broker.sasl,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "OAUTHBEARER",
            "sasl_username": "service",
            "sasl_password": "service-secret",
            "ssl_cafile": directory / "ca.pem",
        },
        "none": {"bootstrap_servers": broker.server},
    }
    options = {"start_timeout": 10.0, "topic": f"ways-{way}", "partitions": 1}
    return KafkaSettings(**{**known[way], **options, **changes})


def token(seconds: float = 300) -> str:
    """Return a token that nobody signed, for somebody called service."""
    now = time.time()
    parts = [{"alg": "none"}, {"sub": "service", "iat": now, "exp": now + seconds}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join(part.rstrip("=") for part in encoded) + "."


@contextmanager
def token_endpoint() -> Iterator[str]:
    """Serve tokens to whoever has the secret; give the address."""

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            pair = base64.b64decode(self.headers["Authorization"][6:])
            granted = json.dumps({"access_token": token(), "expires_in": 300}).encode()
            self.send_response(200 if pair == b"service:service-secret" else 401)
            self.send_header("Content-Length", str(len(granted)))
            self.end_headers()
            self.wfile.write(granted)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/token"
        server.shutdown()
        thread.join()


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Give what makes a pod of this process, with the variables of some settings."""

    def become(known: KafkaSettings) -> dict[str, str]:
        environ = {
            **known.local_environment(),
            "AIOWF_REPLY_TOPIC": known.topic,
            "AIOWF_REPLY_PARTITION": "0",
            "AIOWF_REPLY_DEADLINE": "5",
            "AIOWF_WORKFLOW_NAME": "wf-1",
            "AIOWF_TERMINATION_LOG": str(tmp_path / "note"),
            "workflow_result": "Succeeded",
        }
        for name, text in environ.items():
            monkeypatch.setenv(name, text)
        return environ

    return become


@pytest.mark.parametrize("way", ["none", "mutual", "scram", "plain", "token"])
async def test_client_runtime_and_script_come_in(shared: Broker, way: str, pod: Any) -> None:
    """A notice of the runtime and a large value of a script reach the client by every way."""
    with token_endpoint() as url:
        known = settings(shared, way, **({"sasl_token_url": url} if way == "token" else {}))
        environ = pod(known)
        async with asyncio.timeout(60), KafkaChannel(known) as channel, Replies(channel) as replies:
            pending = replies.expect("wf-1")
            assert await asyncio.to_thread(main, ["notify"], environ) == 0
            assert (await pending.notice).status == "Succeeded"
            place = await asyncio.to_thread(kafka.send_by_kafka, "big", TEXT)
            topic, partition, offsets = place
            digest = hashlib.sha256(TEXT).hexdigest()
            value = LargeValue(digest, len(TEXT), topic, partition, tuple(offsets))
            assert await read_value(channel, value, "wf-1") == TEXT
            assert await asyncio.to_thread(kafka.fetch_by_kafka, *place) == TEXT


@pytest.mark.parametrize(
    ("way", "changes", "message"),
    [
        ("plain", {"sasl_password": "wrong"}, "does not accept this user and password"),
        ("scram", {"sasl_password": "wrong"}, "does not accept this user and password"),
        ("scram", {"sasl_mechanism": "SCRAM-SHA-256"}, "does not offer the SASL mechanism"),
        ("scram", {"ssl_ca": None}, "certificate of Kafka is not accepted"),
        ("scram", {"bootstrap_servers": "other_host"}, "mismatch"),
        ("mutual", {"bootstrap_servers": "server"}, "Kafka cannot be used"),
    ],
)
def test_a_script_says_why_it_may_not(
    shared: Broker, way: str, changes: dict[str, Any], message: str, pod: Any
) -> None:
    """Password, mechanism, CA, host name, protocol: the node's message says which is wrong."""
    changes = {"topic": "ways-none", **changes}
    if "bootstrap_servers" in changes:
        changes["bootstrap_servers"] = getattr(shared, changes["bootstrap_servers"])
    environ = pod(settings(shared, way, **changes))
    with pytest.raises(SystemExit):
        kafka.send_by_kafka("big", TEXT)
    told = Path(environ["AIOWF_TERMINATION_LOG"]).read_text()
    assert message in told
    assert "secret" not in told


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ssl_certfile": None, "ssl_keyfile": None}, "asks for a certificate"),
        ({"ssl_certfile": "stranger.pem", "ssl_keyfile": "stranger.key"}, "asks for a certificate"),
    ],
)
async def test_without_the_right_certificate_the_error_says_so(
    shared: Broker, changes: dict[str, Any], message: str
) -> None:
    """A broker that wants a certificate refuses none, and one of another CA."""
    files = {name: shared.directory / file if file else None for name, file in changes.items()}
    with pytest.raises(ReplyError, match=message):
        async with KafkaChannel(settings(shared, "mutual", **files)):
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_token_that_is_over_is_told(shared: Broker) -> None:
    """What the broker says of a token that it does not take is in the error."""
    with pytest.raises(ReplyError, match="does not accept the token"):
        async with KafkaChannel(settings(shared, "token", sasl_token=lambda: token(-60))):
            pass


async def test_sessions_that_end_lose_nothing(shared: Broker) -> None:
    """A broker that wants to see credentials again drops the connections: they are made anew."""
    known = KafkaSettings(
        bootstrap_servers=shared.forgetful,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="bob",
        sasl_password="bob-secret",
        topic="forgetful",
        partitions=1,
    )
    names = [f"w-{n}" for n in range(60)]
    seconds = 4 * REAUTHENTICATION_MS / 1000
    async with asyncio.timeout(60), KafkaChannel(known) as channel, Replies(channel) as replies:
        pending = [replies.expect(name) for name in names]
        for name in names:
            await channel.publish("forgetful", notice(name))
            await asyncio.sleep(seconds / len(names))
        found = [(await each.notice).workflow for each in pending]
        assert (found, replies.skipped, channel.trouble) == (names, 0, None)


async def test_addresses_that_change_are_found_again(own: Broker) -> None:
    """The broker comes back at another address, which the settings name too."""
    known = KafkaSettings(bootstrap_servers=f"{own.server},{own.spare}", partitions=1)
    async with asyncio.timeout(90), KafkaChannel(known) as channel, Replies(channel) as replies:
        before, after = replies.expect("before"), replies.expect("after")
        await channel.publish(known.topic, notice("before"))
        await before.notice
        await asyncio.to_thread(own.stop)
        own.move()
        await own.restart()
        async with KafkaChannel(known) as other:
            await other.publish(known.topic, notice("after"))
        assert (await after.notice).workflow == "after"
        assert channel.trouble is None


async def test_a_leader_that_goes_away_is_followed(
    own: Broker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two brokers: the leader is stopped, the other one takes over, nothing is lost."""
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    second = Broker(tmp_path_factory.mktemp("second"), first=own)
    await asyncio.to_thread(second.start)
    known = KafkaSettings(bootstrap_servers=f"{own.server},{second.server}", partitions=1)
    try:
        admin = AIOKafkaAdminClient(bootstrap_servers=own.server)
        await admin.start()
        topic = NewTopic(known.topic, -1, -1, replica_assignments={0: [2, 1]})
        made: Any = await admin.create_topics([topic])
        assert made.topic_errors[0][1] == 0
        async with asyncio.timeout(90), KafkaChannel(known) as channel, Replies(channel) as replies:
            pending = [replies.expect(f"w-{n}") for n in range(40)]
            for n in range(20):
                await channel.publish(known.topic, notice(f"w-{n}"))
            leaving = asyncio.create_task(asyncio.to_thread(second.stop))
            for n in range(20, 40):
                await channel.publish(known.topic, notice(f"w-{n}"))
                await asyncio.sleep(0.1)
            await leaving
            found = [(await each.notice).workflow for each in pending]
            assert found == [f"w-{n}" for n in range(40)]
        await admin.close()
    finally:
        second.kill()
