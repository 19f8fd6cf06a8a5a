"""Large values over Kafka, with nothing but the standard library.

Kafka's requests are spoken in versions that every broker since 1.0 understands. A record is a batch
of its own, so that it can be asked for by its offset.
"""

import base64
import hashlib
import hmac
import io
import json
import os
import socket
import ssl
import struct
import time
from typing import Any, Callable, Optional

from .output import fail

PIECE = 921600
REFUSALS = {
    10: "the topic's max.message.bytes is below 1 MiB",
    17: "the topic has no valid name",
    29: "this user may not write to, or read, the topic",
    31: "this user may not do that",
}


def setting(name: str) -> Optional[str]:
    """Return a variable of the environment; None for an empty one too."""
    return os.environ.get(name) or None


def as_text(value: str) -> bytes:
    """Write a string as Kafka does."""
    data = value.encode()
    return struct.pack(">h", len(data)) + data


def as_bytes(data: bytes) -> bytes:
    """Write bytes as Kafka does."""
    return struct.pack(">i", len(data)) + data


def varint(number: int) -> bytes:
    """Write a number of a record: zigzag, seven bits a byte."""
    number = number << 1
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def reader(data: bytes) -> Callable[[str], Any]:
    """Return what reads one item after the other: `s` a string, `x` bytes, `v` a varint."""
    stream = io.BytesIO(data)

    def read(form: str) -> Any:
        if form in ("s", "x"):
            size = read("h" if form == "s" else "i")
            part = stream.read(max(size, 0))
            return part.decode() if form == "s" else part
        if form == "v":
            number = shift = 0
            while True:
                byte = read("B")
                number |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return number >> 1 ^ -(number & 1)
        form = ">" + form
        return struct.unpack(form, stream.read(struct.calcsize(form)))[0]

    return read


def skip(read: Callable[[str], Any], forms: str) -> None:
    """Read what is not needed."""
    for form in forms:
        read(form)


def crc32c(data: bytes) -> int:
    """Return the checksum of a batch (Castagnoli)."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def ask(link: Any, api: int, version: int, body: bytes) -> Callable[[str], Any]:
    """Send a request; return the reader of its answer."""
    link.sendall(as_bytes(struct.pack(">hhi", api, version, 0) + as_text("aiowf") + body))

    def take(size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = link.recv(min(size - len(data), 1 << 16))
            if not part:
                raise OSError("the broker closed the connection (does it speak this protocol?)")
            data += part
        return bytes(data)

    size = struct.unpack(">i", take(4))[0]
    if not 4 <= size < 1 << 27:
        raise OSError("this is no answer of Kafka's (does it speak this protocol?)")
    return reader(take(size)[4:])


def dial(server: str) -> Any:
    """Connect to a broker, with TLS and a login where the environment says so."""
    host, _, port = server.strip().rpartition(":")
    host = host.strip("[]")
    protocol = setting("KAFKA_SECURITY_PROTOCOL") or "PLAINTEXT"
    link: Any = socket.create_connection((host, int(port)), 30)
    try:
        if protocol.endswith("SSL"):
            context = ssl.create_default_context(
                cafile=setting("KAFKA_SSL_CAFILE"), cadata=setting("KAFKA_SSL_CA")
            )
            certificate = setting("KAFKA_SSL_CERTFILE")
            if certificate:
                context.load_cert_chain(certificate, setting("KAFKA_SSL_KEYFILE"))
            link = context.wrap_socket(link, server_hostname=host)
        if protocol.startswith("SASL"):
            login(link, setting("KAFKA_SASL_MECHANISM") or "PLAIN")
    except BaseException:
        link.close()
        raise
    return link


def login(link: Any, mechanism: str) -> None:
    """Authenticate by SASL."""
    if ask(link, 17, 1, as_text(mechanism))("h"):
        fail("Kafka does not offer the SASL mechanism %s" % mechanism)
    user = setting("KAFKA_SASL_USERNAME") or ""
    password = setting("KAFKA_SASL_PASSWORD") or ""

    def say(text: str) -> str:
        answer = ask(link, 36, 0, as_bytes(text.encode()))
        code, reason = answer("h"), answer("s")
        if code:
            fail("Kafka does not accept this user and password: %s" % reason)
        said: str = answer("x").decode()
        return said

    if mechanism == "PLAIN":
        say("\0%s\0%s" % (user, password))
    elif mechanism != "OAUTHBEARER":
        scram(mechanism[6:].replace("-", "").lower(), user, password, say)
    elif say("n,,\1auth=Bearer %s\1\1" % bearer(user, password)):
        say("\1")


def scram(kind: str, user: str, password: str, say: Callable[[str], str]) -> None:
    """Prove that we know the password, and have the broker prove it too (RFC 5802)."""

    def mac(key: bytes, data: bytes) -> bytes:
        return hmac.new(key, data, kind).digest()

    nonce = os.urandom(18).hex()
    first = "n=%s,r=%s" % (user.replace("=", "=3D").replace(",", "=2C"), nonce)
    challenge = say("n,," + first)
    told = dict(part.split("=", 1) for part in challenge.split(","))
    if not told["r"].startswith(nonce):
        fail("the broker answered somebody else's login")
    last = "c=biws,r=" + told["r"]
    whole = ",".join([first, challenge, last]).encode()
    salt = base64.b64decode(told["s"])
    salted = hashlib.pbkdf2_hmac(kind, password.encode(), salt, int(told["i"]))
    key = mac(salted, b"Client Key")
    proof = mac(hashlib.new(kind, key).digest(), whole)
    mixed = bytes(one ^ other for one, other in zip(key, proof))
    end = say(last + ",p=" + base64.b64encode(mixed).decode())
    if base64.b64decode(end[2:]) != mac(mac(salted, b"Server Key"), whole):
        fail("the broker does not know the password: it is not the one that was meant")


def bearer(user: str, password: str) -> str:
    """Exchange client id and secret for a token."""
    import urllib.request

    pair = base64.b64encode(("%s:%s" % (user, password)).encode()).decode()
    request = urllib.request.Request(
        setting("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL") or "",
        b"grant_type=client_credentials",
        {"Authorization": "Basic " + pair},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(json.load(answer)["access_token"])


def check(code: int) -> None:
    """Raise what may pass; end the task for what does not."""
    if code in REFUSALS:
        fail("Kafka refused: " + REFUSALS[code])
    if code:
        raise OSError("Kafka's error code %d" % code)


def any_broker() -> Any:
    """Connect to the first broker that lets us in."""
    *others, last = (setting("KAFKA_BOOTSTRAP_SERVERS") or "").split(",")
    for server in others:
        try:
            return dial(server)
        except ssl.SSLCertVerificationError:
            raise
        except OSError:
            pass
    return dial(last)


def leader(topic: str, partition: int) -> Any:
    """Connect to the broker that leads a partition."""
    with any_broker() as link:
        read = ask(link, 3, 4, struct.pack(">i", 1) + as_text(topic) + b"\0")
    read("i")
    brokers = {}
    for _ in range(read("i")):
        node, host, port, _ = read("i"), read("s"), read("i"), read("s")
        brokers[node] = "%s:%d" % (host, port)
    skip(read, "sii")
    code = read("h")
    if code == 3:
        raise OSError("there is no topic %s" % topic)
    check(code)
    skip(read, "s?")
    for _ in range(read("i")):
        code, number, node = read("h"), read("i"), read("i")
        for _ in range(2):
            skip(read, "i" * read("i"))
        if number == partition and node in brokers:
            return dial(brokers[node])
    raise OSError("partition %d of %s has no leader" % (partition, topic))


def at_leader(topic: str, partition: int, act: Callable[[Any], None]) -> None:
    """Do something at the leader of a partition, again and again until the deadline."""
    until = time.monotonic() + float(setting("AIOWF_REPLY_DEADLINE") or 600)
    while True:
        try:
            with leader(topic, partition) as link:
                return act(link)
        except ssl.SSLCertVerificationError as error:
            fail("the certificate of Kafka is not accepted: %s" % error)
        except (OSError, struct.error) as error:
            if time.monotonic() > until:
                fail("Kafka cannot be used for a large value: %s" % error)
        time.sleep(0.5)


def value_record(name: str, index: int, count: int, piece: bytes) -> bytes:
    """Write a piece of a value as a batch of one record."""
    key = os.environ["AIOWF_WORKFLOW_NAME"].encode()
    told = {
        "version": "1",
        "type": "value",
        "value": name,
        "chunk": str(index),
        "chunks": str(count),
        "sha256": hashlib.sha256(piece).hexdigest(),
    }
    headers = [(b"aiowf-" + each.encode(), text.encode()) for each, text in told.items()]
    secret = setting("AIOWF_REPLY_KEY")
    if secret:
        signed = hmac.new(secret.encode(), digestmod="sha256")
        for part in (key, *(part for header in headers for part in header), piece):
            signed.update(struct.pack(">q", len(part)) + part)
        headers.append((b"aiowf-hmac", signed.hexdigest().encode()))
    parts = [b"\0\0\0", varint(len(key)), key, varint(len(piece)), piece, varint(len(headers))]
    for header in headers:
        for part in header:
            parts += [varint(len(part)), part]
    record = b"".join(parts)
    now = int(time.time() * 1000)
    body = struct.pack(">hiqqqhii", 0, 0, now, now, -1, -1, -1, 1) + varint(len(record)) + record
    return struct.pack(">qiibI", 0, len(body) + 9, -1, 2, crc32c(body)) + body


def append(link: Any, topic: str, partition: int, batch: bytes) -> int:
    """Append a batch to a partition; return the offset that it got."""
    head = struct.pack(">hhii", -1, -1, 20000, 1) + as_text(topic)
    read = ask(link, 0, 3, head + struct.pack(">ii", 1, partition) + as_bytes(batch))
    skip(read, "isii")
    check(read("h"))
    offset: int = read("q")
    return offset


def record_at(link: Any, topic: str, partition: int, offset: int) -> bytes:
    """Return the value of the record at an offset."""
    head = struct.pack(">iiiibi", -1, 500, 1, 1 << 21, 0, 1) + as_text(topic)
    read = ask(link, 1, 4, head + struct.pack(">iiqi", 1, partition, offset, 1 << 20))
    skip(read, "iisii")
    code = read("h")
    if code != 1:
        check(code)
    skip(read, "qq")
    skip(read, "qq" * read("i"))
    batch = reader(read("x"))
    if code or batch("q") != offset:
        fail("a large value is not in topic %s any more" % topic)
    skip(batch, "iibI")
    if batch("h") & 7:
        fail("topic %s compresses what it keeps (compression.type): a pod cannot read it" % topic)
    skip(batch, "iqqqhiivbvv")
    values = [batch(str(batch("v")) + "s") for _ in range(2)]
    return bytes(values[1])


def send_by_kafka(name: str, data: bytes) -> list[Any]:
    """Send a value; return where it is: topic, partition, offsets."""
    topic = os.environ["AIOWF_REPLY_TOPIC"]
    partition = int(setting("AIOWF_REPLY_PARTITION") or 0)
    count = -(-len(data) // PIECE)
    offsets: list[int] = []

    def act(link: Any) -> None:
        while len(offsets) < count:
            begin = len(offsets) * PIECE
            batch = value_record(name, len(offsets), count, data[begin : begin + PIECE])
            offsets.append(append(link, topic, partition, batch))

    at_leader(topic, partition, act)
    return [topic, partition, offsets]


def fetch_by_kafka(topic: str, partition: int, offsets: list[int]) -> bytes:
    """Get a value from where it is."""
    pieces: list[bytes] = []

    def act(link: Any) -> None:
        while len(pieces) < len(offsets):
            pieces.append(record_at(link, topic, partition, offsets[len(pieces)]))

    at_leader(topic, partition, act)
    return b"".join(pieces)
