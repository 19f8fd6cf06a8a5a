"""Values too large for a parameter, over Kafka: sent and fetched by scripts, read by clients."""

import asyncio
import base64
import hashlib
import hmac
import http.server
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from mock_kafka import MockCluster, mock_cluster

import aiowf
from aiowf import operations, tasks
from aiowf.engine import launch
from aiowf.engine.launcher import Outside
from aiowf.errors import CorruptResultsError, MissingResultsError, ReplyError
from aiowf.manifest import ObjectMeta, dumps
from aiowf.manifest.rendering import ReplyTarget, Submission
from aiowf.replies import KafkaSettings, Place, values
from aiowf.replies.kafka import KafkaChannel
from aiowf.tasks.functions import reply_client, ship
from aiowf.tasks.functions.pod import kafka
from aiowf.wire.frames import Record
from aiowf.wire.replies import header_of, is_authentic
from aiowf.wire.values import LargeValue, large_value

TOPIC = "aiowf-replies"
KEY = "a key of 16 bytes and more"
TEXT = b'"' + bytes(range(97, 123)) * 80_000 + b'"'


@pytest.fixture
def pod(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> pytest.MonkeyPatch:
    """Let this process be a pod; give what changes its environment."""
    for name, text in {
        "KAFKA_BOOTSTRAP_SERVERS": cluster.servers,
        "AIOWF_REPLY_TOPIC": TOPIC,
        "AIOWF_REPLY_PARTITION": "2",
        "AIOWF_REPLY_DEADLINE": "5",
        "AIOWF_WORKFLOW_NAME": "wf-1",
        "AIOWF_TERMINATION_LOG": str(tmp_path / "note"),
    }.items():
        monkeypatch.setenv(name, text)
    return monkeypatch


def sent(text: bytes = TEXT) -> LargeValue:
    """Send a value as a script does; return what its marker says."""
    topic, partition, offsets = kafka.send_by_kafka("big", text)
    return LargeValue(hashlib.sha256(text).hexdigest(), len(text), topic, partition, tuple(offsets))


async def read(
    cluster: MockCluster, value: LargeValue, *, key: str | None = None, log: str = ""
) -> bytes:
    """Read a value as a client does."""
    settings = KafkaSettings(bootstrap_servers=cluster.servers, start_timeout=5)
    async with asyncio.timeout(30), KafkaChannel(settings) as channel:
        return await values.read_value(
            channel, value, "wf-1", log=log, key=key.encode() if key else None
        )


def repeat(text: str, times: int) -> str:
    return text * times


def length(text: str) -> int:
    return len(text)


@asynccontextmanager
async def served() -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Serve an engine as an Argo Server is; give its address and what else a client is told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        outside = Outside(listener, lambda _: None)
        async with asyncio.timeout(60), launch(outside=outside) as engine:
            yield url, {"token": f"Bearer {engine.token}", "namespace": "default"}


async def test_a_large_value_travels_on_a_server(cluster: MockCluster) -> None:
    """On a server with Kafka a value over 256 KB comes back, and reaches a later task."""
    large = tasks.PythonTask("large", repeat, args=("é{{x}}$", 200_000))
    size = tasks.PythonTask("size", length, args=(large.output,))
    op = operations.PipelineOperation("large-", (large, size))
    async with served() as (url, options):
        async with aiowf.connect(url, kafka=cluster.servers, **options) as client:
            run = await op.execute(client=client)
            result = await run
            workflow = json.loads(dumps(await run.workflow()))
        assert (result.value, result.values[large]) == (1_400_000, "é{{x}}$" * 200_000)
        async with aiowf.connect(url, kafka=False, **options) as client:
            with pytest.raises(
                MissingResultsError, match=r"value of large is in Kafka(.|\n)*KAFKA"
            ):
                await client.get_run(run.name)
    (node,) = [
        each for each in workflow["status"]["nodes"].values() if each["displayName"] == "large"
    ]
    marker = large_value(node["outputs"]["parameters"][0]["value"])
    assert marker is not None
    assert (marker.topic, len(marker.offsets) > 1) == (TOPIC, True)


async def test_a_value_that_the_engine_keeps_is_fetched_from_it(cluster: MockCluster) -> None:
    """Without Kafka an engine in a process of its own keeps the value, for any client of it."""
    op = operations.DistributedSyncOperation(
        "large-", tasks.PythonTask("large", repeat, args=("x", 300_000))
    )
    async with served() as (url, options), aiowf.connect(url, kafka=False, **options) as client:
        assert (await op.execute(client=client)).value == "x" * 300_000
        missing = LargeValue("0", 1)
        with pytest.raises(MissingResultsError, match="the value of large is not on this server"):
            await client.backend.fetch_value(
                ObjectMeta(name="other", namespace="default"), "large", missing
            )


def test_only_what_may_be_large_brings_the_code_along() -> None:
    """The code is in the workflow once; passwords are references to the Secret."""
    settings = KafkaSettings(
        bootstrap_servers="kafka:9092",
        security_protocol="SASL_PLAINTEXT",
        sasl_username="bob",
        sasl_password="bob-secret",
        secret="kafka-credentials",
    )
    target = ReplyTarget(env=settings.pod_variables(signs=True), values=True)
    known = Submission(workflow_name="w-1", reply=target)
    large = tasks.PythonTask("large", repeat, args=("x", 3))
    size = tasks.PythonTask("size", length, args=("x",))
    takes = tasks.PythonTask("takes", length, args=(large.output,))
    bash = tasks.BashTask("bash", "true")
    op = operations.PipelineOperation("w-", (large, size, takes, bash))
    spec = json.loads(dumps(op.to_workflow(submission=known)))["spec"]
    (parameter,) = spec["arguments"]["parameters"]
    assert parameter == {"name": "aiowf-reply-client", "value": reply_client()}
    env = {
        template["name"]: {each["name"]: each for each in template["script"]["env"]}
        for template in spec["templates"]
        if "script" in template
    }
    users = [name for name, each in env.items() if "AIOWF_REPLY_CLIENT" in each]
    assert users == ["large", "takes"]
    variable = env["large"]["AIOWF_REPLY_CLIENT"]["value"]
    assert variable == "{{workflow.parameters.aiowf-reply-client}}"
    assert env["large"]["KAFKA_SASL_PASSWORD"]["valueFrom"]["secretKeyRef"]["key"] == "password"
    assert "bob-secret" not in str(spec)
    small = operations.PipelineOperation("w-", (size, bash)).to_workflow(submission=known)
    assert small.spec is not None
    assert small.spec.arguments is None
    assert len(reply_client()) < 10_500


@pytest.mark.parametrize("key", [None, KEY])
async def test_a_value_is_read_where_its_marker_says(
    cluster: MockCluster, pod: pytest.MonkeyPatch, key: str | None
) -> None:
    """Sent in pieces of their own records, signed with the key, it is the same for all readers."""
    if key:
        pod.setenv("AIOWF_REPLY_KEY", key)
    await asyncio.to_thread(cluster.send, TOPIC, 2, [Record(b"foreign", "other")])
    value = await asyncio.to_thread(sent)
    await asyncio.to_thread(cluster.send, TOPIC, 2, [Record(b"foreign", "other")])
    assert (value.partition, value.offsets) == (2, (1, 2, 3))
    assert await read(cluster, value, key=key) == TEXT
    fetched = await asyncio.to_thread(kafka.fetch_by_kafka, TOPIC, 2, list(value.offsets))
    assert fetched == TEXT


async def test_every_piece_is_a_record_like_the_others(
    cluster: MockCluster, pod: pytest.MonkeyPatch
) -> None:
    """Key, headers and signature are those of docs/wire.md."""
    pod.setenv("AIOWF_REPLY_KEY", KEY)
    value = await asyncio.to_thread(sent)
    settings = KafkaSettings(bootstrap_servers=cluster.servers)
    async with asyncio.timeout(20), KafkaChannel(settings) as channel:
        place = Place(TOPIC, 2, value.offsets[1])
        record = (await anext(channel.read(place)))[0]
    assert record.key == "wf-1"
    assert is_authentic(record, KEY.encode())
    names = ("version", "type", "value", "chunk", "chunks")
    found = [header_of(record, f"aiowf-{name}") for name in names]
    assert found == ["1", "value", "big", "1", "3"]


async def test_what_was_changed_is_told(
    cluster: MockCluster, pod: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another piece, no signature, another digest: the error says which piece."""
    value = await asyncio.to_thread(sent)
    with pytest.raises(CorruptResultsError, match="changed on its way: piece 1 of 3"):
        await read(cluster, value, key=KEY)
    with pytest.raises(CorruptResultsError, match="changed on its way: the whole"):
        await read(cluster, evolve(value, sha256="0" * 64))
    await asyncio.to_thread(cluster.send, TOPIC, 2, [Record(b"foreign", "wf-1")])
    with pytest.raises(CorruptResultsError, match="piece 3 of 3"):
        await read(cluster, evolve(value, offsets=(0, 1, 3)))


async def test_what_does_not_come_is_told(
    cluster: MockCluster, pod: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A piece that is not there any more, or not yet: the error says which, and where."""
    monkeypatch.setattr(values, "PATIENCE", 0.5)
    value = await asyncio.to_thread(sent)
    with pytest.raises(MissingResultsError, match=r"piece 3 of 3 .*offset 9\) is missing"):
        await read(cluster, evolve(value, offsets=(0, 1, 9)))
    with pytest.raises(MissingResultsError, match=r"piece 2 of 3 .*offset 0\) is missing"):
        await read(cluster, evolve(value, offsets=(1, 0, 2)))


class Flaky:
    """A channel that fails so often before it works."""

    def __init__(self, channel: KafkaChannel, *errors: ReplyError) -> None:
        self.channel, self.errors = channel, list(errors)
        self.trouble = None

    async def read(self, place: Any) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        async for batch in self.channel.read(place):
            yield batch


async def test_an_outage_is_waited_out(
    cluster: MockCluster, pod: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the brokers are away it is asked for again, and in the end the reason is told."""
    monkeypatch.setattr(values, "_PAUSE", 0.01)
    value = await asyncio.to_thread(sent)
    settings = KafkaSettings(bootstrap_servers=cluster.servers)
    async with asyncio.timeout(20), KafkaChannel(settings) as channel:
        flaky: Any = Flaky(channel, ReplyError("away"))
        assert await values.read_value(flaky, value, "wf-1") == TEXT
        monkeypatch.setattr(values, "PATIENCE", 0.1)
        flaky = Flaky(channel, *[ReplyError("Kafka is away")] * 1000)
        with pytest.raises(MissingResultsError, match=r"piece 1 of 3(.|\n)*Kafka is away"):
            await values.read_value(flaky, value, "wf-1")


def test_markers_are_told_from_values() -> None:
    """Only what is whole and begins with the mark is a marker."""
    mark = {"aiowf.dev/value": "0" * 64, "size": 3}
    assert large_value(json.dumps(mark)) == LargeValue("0" * 64, 3)
    assert large_value(json.dumps({**mark, "place": ["t", 1, [5]]}).encode()) == LargeValue(
        "0" * 64, 3, "t", 1, (5,)
    )
    for other in ("", None, '"aiowf.dev/value"', '{"aiowf.dev/value": null}', '{"aiowf.dev/value'):
        assert large_value(other) is None
    assert large_value(json.dumps({"aiowf.dev/value": "0"})) is None
    assert large_value(json.dumps({**mark, "place": [1]})) is None


def test_the_checksum_is_castagnolis() -> None:
    """The check value of CRC-32C."""
    assert kafka.crc32c(b"123456789") == 0xE3069283
    assert [kafka.varint(n) for n in (0, 63, 64, 300)] == [b"\0", b"\x7e", b"\x80\1", b"\xd8\4"]
    assert [kafka.reader(kafka.varint(n))("v") for n in (0, 63, 64, 921600)] == [0, 63, 64, 921600]


@pytest.mark.parametrize("error", [5, 6, 7, 19])
async def test_errors_that_pass_are_tried_again(
    cluster: MockCluster, pod: pytest.MonkeyPatch, error: int
) -> None:
    """No leader yet, another leader, a time-out, too few replicas: sent once more."""
    cluster.fail(0, error)
    assert (await asyncio.to_thread(sent)).offsets == (0, 1, 2)


async def test_a_leader_that_moves_is_followed(pod: pytest.MonkeyPatch) -> None:
    """The partition has another leader at each piece, and one of the brokers goes away."""
    with mock_cluster(3) as cluster:
        cluster.create(TOPIC, 4, 3)
        cluster.lead(TOPIC, 2, 3)
        pod.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1, " + cluster.servers)
        value = await asyncio.to_thread(sent)
        cluster.lead(TOPIC, 2, 1)
        assert (await asyncio.to_thread(sent)).offsets[0] == value.offsets[-1] + 1


def note_of(pod: pytest.MonkeyPatch, act: Callable[[], object]) -> str:
    """Let a script fail; return what it says."""
    with pytest.raises(SystemExit):
        act()
    return Path(os.environ["AIOWF_TERMINATION_LOG"]).read_text()


def test_what_kafka_refuses_is_told(cluster: MockCluster, pod: pytest.MonkeyPatch) -> None:
    """What does not pass ends the task at once; what might, at the deadline."""
    cluster.fail(0, 10)
    assert "max.message.bytes" in note_of(pod, sent)
    cluster.fail(0, 29)
    assert "may not write" in note_of(pod, sent)
    value = sent()
    gone = note_of(pod, lambda: kafka.fetch_by_kafka(TOPIC, 2, [value.offsets[-1] + 1000]))
    assert gone == f"a large value is not in topic {TOPIC} any more"
    pod.setenv("AIOWF_REPLY_DEADLINE", "0.1")
    pod.setenv("AIOWF_REPLY_PARTITION", "9")
    assert "partition 9 of aiowf-replies has no leader" in note_of(pod, sent)
    pod.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert "refused" in note_of(pod, sent)


async def test_what_a_broker_compressed_is_told(
    cluster: MockCluster, pod: pytest.MonkeyPatch
) -> None:
    """The standard library cannot read every codec: the error names the topic's setting."""
    from confluent_kafka import Producer

    options = {"bootstrap.servers": cluster.servers, "compression.type": "zstd", "log_level": 0}
    producer = Producer(options)
    producer.produce(TOPIC, b"x" * 1000, "wf-1", 2)
    assert await asyncio.to_thread(producer.flush, 10) == 0
    told = await asyncio.to_thread(note_of, pod, lambda: kafka.fetch_by_kafka(TOPIC, 2, [0]))
    assert "compression.type" in told


def test_the_script_of_the_oldest_python(cluster: MockCluster, tmp_path: Path) -> None:
    """A script sends by the code in its environment, on each Python that pods may have."""
    oldest = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python"))
    for number, python in enumerate([Path(sys.executable), *oldest[:1]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        script = folder / "script"
        script.write_text(ship(repeat).script('[["x", 300000], {}]'))
        env = {
            "AIOWF_DIR": str(folder),
            "AIOWF_TASK": "big",
            "AIOWF_WORKFLOW_NAME": "wf-1",
            "AIOWF_REPLY_CLIENT": reply_client(),
            "AIOWF_REPLY_TOPIC": TOPIC,
            "AIOWF_REPLY_PARTITION": "3",
            "KAFKA_BOOTSTRAP_SERVERS": cluster.servers,
        }
        done = subprocess.run(
            [str(python), str(script)], env=env, capture_output=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
        assert large_value((folder / "return").read_text()) == LargeValue(
            hashlib.sha256(b'"' + b"x" * 300_000 + b'"').hexdigest(), 300_002, TOPIC, 3, (number,)
        )


class Broker:
    """The login of a broker, to which `ask` speaks; it knows alice."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.refuses = self.is_false = False

    def ask(self, _: object, api: int, version: int, body: bytes) -> Callable[[str], Any]:
        if api == 17:
            return kafka.reader(struct.pack(">h", 33 if body == kafka.as_text("NTLM") else 0))
        self.said.append(body[4:])
        reason = kafka.as_text("bad credentials")
        if self.refuses:
            return kafka.reader(struct.pack(">h", 58) + reason + kafka.as_bytes(b""))
        answer = self.answer(body[4:].decode())
        return kafka.reader(struct.pack(">hh", 0, -1) + kafka.as_bytes(answer.encode()))

    def answer(self, text: str) -> str:
        """Answer as SCRAM-SHA-512 says."""
        if text.startswith("n,,n="):
            nonce = "" if self.is_false else text.partition("r=")[2]
            self.first, self.challenge = text[3:], f"r={nonce}more,s=c2FsdA==,i=4096"
            return self.challenge
        if not text.startswith("c="):
            return '{"status":"invalid_token"}' if text.startswith("n,,") and self.is_false else ""
        last, _, proof = text.partition(",p=")
        salted = hashlib.pbkdf2_hmac("sha512", b"alice-secret", b"salt", 4096)
        whole = f"{self.first},{self.challenge},{last}".encode()
        client = hmac.digest(salted, b"Client Key", "sha512")
        signed = hmac.digest(hashlib.sha512(client).digest(), whole, "sha512")
        expected = bytes(a ^ b for a, b in zip(client, signed, strict=True))
        assert base64.b64decode(proof) == expected
        server = hmac.digest(salted, b"Server Key", "sha512")
        return "v=" + base64.b64encode(hmac.digest(server, whole, "sha512")).decode()


@pytest.fixture
def login(pod: pytest.MonkeyPatch) -> Broker:
    """Give the login of a broker, and alice's credentials to the pod."""
    broker = Broker()
    pod.setattr(kafka, "ask", broker.ask)
    pod.setenv("KAFKA_SASL_USERNAME", "alice")
    pod.setenv("KAFKA_SASL_PASSWORD", "alice-secret")
    return broker


def test_who_has_the_password_comes_in(login: Broker, pod: pytest.MonkeyPatch) -> None:
    """PLAIN and SCRAM; who is wrong, or what is not offered, is told."""
    kafka.login(None, "PLAIN")
    assert login.said == [b"\0alice\0alice-secret"]
    kafka.login(None, "SCRAM-SHA-512")
    assert "SASL mechanism NTLM" in note_of(pod, lambda: kafka.login(None, "NTLM"))
    login.refuses = True
    told = note_of(pod, lambda: kafka.login(None, "PLAIN"))
    assert told == "Kafka does not accept this user and password: bad credentials"


def test_a_broker_that_does_not_know_the_password_is_refused(
    login: Broker, pod: pytest.MonkeyPatch
) -> None:
    """It has to prove that it does, and to answer this very login."""
    login.is_false = True
    told = note_of(pod, lambda: kafka.login(None, "SCRAM-SHA-512"))
    assert told == "the broker answered somebody else's login"
    login.is_false = False
    pod.setattr(
        login, "answer", lambda text: "v=AAAA" if text[0] == "c" else Broker.answer(login, text)
    )
    told = note_of(pod, lambda: kafka.login(None, "SCRAM-SHA-512"))
    assert "does not know the password" in told


def test_a_token_is_fetched_and_shown(login: Broker, pod: pytest.MonkeyPatch) -> None:
    """OAUTHBEARER: client id and secret are exchanged for a token; a refusal ends the talk."""

    class Endpoint(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            pair = base64.b64decode(self.headers["Authorization"][6:]).decode()
            body = json.dumps({"access_token": f"token-of-{pair}"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/token"
        pod.setenv("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", url)
        kafka.login(None, "OAUTHBEARER")
        assert login.said == [b"n,,\1auth=Bearer token-of-alice:alice-secret\1\1"]
        login.is_false = True
        kafka.login(None, "OAUTHBEARER")
        assert login.said[-1] == b"\1"
        server.shutdown()
        thread.join()


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve connections one after the other, until all are closed; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_what_does_not_speak_kafka_is_told(pod: pytest.MonkeyPatch) -> None:
    """A port that closes, or answers in another language."""
    pod.setenv("AIOWF_REPLY_DEADLINE", "0")
    for answer, message in (
        (b"", "closed the connection"),
        (b"HTTP/1.1 400", "no answer of Kafka"),
    ):

        def serve(connection: socket.socket, answer: bytes = answer) -> None:
            connection.recv(1000)
            connection.sendall(answer)

        with listening(serve) as port:
            pod.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{port}")
            assert message in note_of(pod, sent)


def test_certificates_are_verified(pod: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TLS: a CA that is trusted, or not, and a client certificate that the broker sees."""
    for name in ("broker", "client"):
        command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name}"
        command += f" -addext subjectAltName=IP:127.0.0.1 -keyout {name}.key -out {name}.crt"
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "broker.crt", tmp_path / "broker.key")
    context.load_verify_locations(tmp_path / "client.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    seen: list[Any] = []

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as link:
            seen.append(link.getpeercert())

    pod.setenv("KAFKA_SECURITY_PROTOCOL", "SSL")
    with listening(serve) as port:
        pod.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{port}")
        assert "certificate of Kafka is not accepted: " in note_of(pod, sent)
        pod.setenv("KAFKA_SSL_CA", (tmp_path / "broker.crt").read_text())
        pod.setenv("KAFKA_SSL_CERTFILE", str(tmp_path / "client.crt"))
        pod.setenv("KAFKA_SSL_KEYFILE", str(tmp_path / "client.key"))
        kafka.dial(f"127.0.0.1:{port}").close()
    assert seen[-1]["subject"] == ((("commonName", "client"),),)
