"""Where Kafka is, for the client and for pods, and what lets them in."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, field, fields, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest import EnvVar, EnvVarSource, SecretKeySelector
from aiowf.manifest.names import nearest
from aiowf.wire import labels

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
DEFAULT_TOPIC = "aiowf-replies"

# Field → the variable that the client reads it from, and a pod too.
VARIABLES: Mapping[str, str] = {
    "bootstrap_servers": "KAFKA_BOOTSTRAP_SERVERS",
    "security_protocol": "KAFKA_SECURITY_PROTOCOL",
    "sasl_mechanism": "KAFKA_SASL_MECHANISM",
    "sasl_username": "KAFKA_SASL_USERNAME",
    "sasl_password": "KAFKA_SASL_PASSWORD",
    "sasl_token_url": "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL",
    "ssl_cafile": "KAFKA_SSL_CAFILE",
    "ssl_certfile": "KAFKA_SSL_CERTFILE",
    "ssl_keyfile": "KAFKA_SSL_KEYFILE",
    "ssl_ca": "KAFKA_SSL_CA",
    "topic": labels.ENV_REPLY_TOPIC,
    "pod_bootstrap_servers": "KAFKA_POD_BOOTSTRAP_SERVERS",
    "pod_security_protocol": "KAFKA_POD_SECURITY_PROTOCOL",
    "secret": "KAFKA_SECRET",
}
# Variable of a pod → key of the Secret that it comes from.
_SECRET_KEYS: Mapping[str, str] = {
    "KAFKA_SASL_USERNAME": "username",
    "KAFKA_SASL_PASSWORD": "password",
    "KAFKA_SSL_CA": "ca.crt",
    labels.ENV_REPLY_KEY: "reply-key",
}


def _servers(value: Any) -> str:
    parts = value.split(",") if isinstance(value, str) else list(value or ())
    servers = [part.strip() for part in parts if part.strip()]
    for server in servers:
        host, colon, port = server.rpartition(":")
        if not (colon and host and port.isdecimal()):
            raise ConfigurationError(
                f"{server!r} is no broker", where="kafka", hint='It looks like "host:9092".'
            )
    if not servers:
        raise ConfigurationError("no broker is named", where="kafka", hint='kafka="host:9092"')
    return ",".join(servers)


def _optional_servers(value: Any) -> str | None:
    return _servers(value) if value else None


@frozen(kw_only=True)
class KafkaSettings:
    """Where Kafka is, and what lets clients and pods in.

    Attributes:
        bootstrap_servers: "host:port", several with commas between, as the client reaches them.
        security_protocol: "PLAINTEXT", "SSL", "SASL_PLAINTEXT" or "SASL_SSL".
        sasl_mechanism: "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512" or "OAUTHBEARER"; None: PLAIN,
            where the protocol has SASL.
        sasl_username: User; for OAUTHBEARER with a token endpoint the client id.
        sasl_password: Password, or the client secret; never shown.
        sasl_token: For OAUTHBEARER: a token, or a function, plain or async, that gives one; only
            the client can use it.
        sasl_token_url: For OAUTHBEARER: where client id and secret are exchanged for a token.
        ssl_cafile: File of the CAs that are trusted; None: the system's. Certificates and host
            names are always verified.
        ssl_certfile: File of the client's own certificate.
        ssl_keyfile: File of its key, where it is not in the same file.
        ssl_ca: The CAs themselves, as PEM text, instead of a file.
        topic: The topic to which pods reply; the client makes it if it is not there.
        partitions: Partitions of the topic if the client makes it; each client reads one.
        pod_bootstrap_servers: The brokers as pods reach them; None: as the client does.
        pod_security_protocol: The protocol for pods; None: the client's.
        secret: Name of the Kubernetes Secret with the pods' credentials: keys `username`,
            `password`, `ca.crt` and `reply-key`, as far as they are needed.
        start_timeout: Seconds in which the first connection must come about.
        request_timeout: Seconds after which a request to a broker has failed.

    Raises:
        ConfigurationError: A value is wrong, or two of them contradict each other.
    """

    bootstrap_servers: str = field(converter=_servers)
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    sasl_token: str | Callable[[], Any] | None = field(default=None, repr=False)
    sasl_token_url: str | None = None
    ssl_cafile: str | Path | None = None
    ssl_certfile: str | Path | None = None
    ssl_keyfile: str | Path | None = None
    ssl_ca: str | None = field(default=None, repr=False)
    topic: str = DEFAULT_TOPIC
    partitions: int = 12
    pod_bootstrap_servers: str | None = field(default=None, converter=_optional_servers)
    pod_security_protocol: str | None = None
    secret: str | None = None
    start_timeout: float = 20.0
    request_timeout: float = 40.0

    def __attrs_post_init__(self) -> None:
        for name, value, known in (
            ("security_protocol", self.security_protocol, PROTOCOLS),
            ("pod_security_protocol", self.pod_security_protocol, (*PROTOCOLS, None)),
            ("sasl_mechanism", self.sasl_mechanism, (*MECHANISMS, None)),
        ):
            if value not in known:
                raise ConfigurationError(
                    f"{value!r} is none of {', '.join(filter(None, known))}",
                    where=f"kafka.{name}",
                    hint=nearest(str(value), [each for each in known if each]),
                )
        if not self.uses_sasl and (self.sasl_username or self.sasl_token or self.sasl_mechanism):
            raise ConfigurationError(
                f"credentials are given, and {self.security_protocol} does not use them",
                where="kafka.security_protocol",
                hint="Set KAFKA_SECURITY_PROTOCOL=SASL_SSL, or SASL_PLAINTEXT.",
            )
        if self.uses_sasl and not self._has_credentials:
            raise ConfigurationError(
                f"{self.security_protocol} with {self.mechanism} needs credentials",
                where="kafka",
                hint="Set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD, or for OAUTHBEARER also "
                "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL.",
            )

    @property
    def uses_sasl(self) -> bool:
        """Return whether the client authenticates itself by SASL."""
        return self.security_protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        """Return whether the client's connections are encrypted."""
        return self.security_protocol.endswith("SSL")

    @property
    def mechanism(self) -> str:
        """Return the SASL mechanism."""
        return self.sasl_mechanism or "PLAIN"

    @property
    def _has_credentials(self) -> bool:
        if self.mechanism == "OAUTHBEARER" and self.sasl_token is not None:
            return True
        has_password = bool(self.sasl_username and self.sasl_password)
        return has_password and (self.mechanism != "OAUTHBEARER" or bool(self.sasl_token_url))

    def for_pods(self) -> "KafkaSettings":
        """Return the settings as pods see them."""
        return evolve(
            self,
            bootstrap_servers=self.pod_bootstrap_servers or self.bootstrap_servers,
            security_protocol=self.pod_security_protocol or self.security_protocol,
            pod_bootstrap_servers=None,
            pod_security_protocol=None,
            **({} if self._pods_use_sasl else _NO_SASL),
        )

    @property
    def _pods_use_sasl(self) -> bool:
        return (self.pod_security_protocol or self.security_protocol).startswith("SASL")

    def local_environment(self) -> dict[str, str]:
        """Return the variables for pods of an engine on this machine, credentials included.

        They are handed to the engine itself, and stand in no manifest.
        """
        pods = self.for_pods()
        values = {variable: getattr(pods, name) for name, variable in VARIABLES.items()}
        return {
            variable: str(value)
            for variable, value in values.items()
            if value is not None and variable not in (labels.ENV_REPLY_TOPIC, "KAFKA_SECRET")
        }

    def pod_variables(self, *, signs: bool) -> tuple[EnvVar, ...]:
        """Return the variables for pods of a cluster; credentials are references to the Secret.

        Args:
            signs: Whether the records of pods are authenticated by a key.

        Raises:
            ConfigurationError: Pods need credentials, and no Secret is named.
        """
        pods = self.for_pods()
        plain = {
            "KAFKA_BOOTSTRAP_SERVERS": pods.bootstrap_servers,
            "KAFKA_SECURITY_PROTOCOL": pods.security_protocol,
            "KAFKA_SASL_MECHANISM": pods.mechanism if pods.uses_sasl else None,
            "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": pods.sasl_token_url,
        }
        needed = ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"] if pods.uses_sasl else []
        needed += [labels.ENV_REPLY_KEY] if signs else []
        if needed and not self.secret:
            raise ConfigurationError(
                f"pods need {', '.join(needed)}, and no Secret is named that holds them",
                where="kafka.secret",
                hint="kubectl create secret generic kafka-credentials --from-literal=username=… "
                '--from-literal=password=…, then KAFKA_SECRET=kafka-credentials, or secret="…".',
            )
        variables = [EnvVar(name=name, value=text) for name, text in plain.items() if text]
        variables += [self._reference(name, optional=False) for name in needed]
        if pods.uses_tls and self.secret:
            variables.append(self._reference("KAFKA_SSL_CA", optional=True))
        return tuple(variables)

    def _reference(self, variable: str, *, optional: bool) -> EnvVar:
        selector = SecretKeySelector(
            name=self.secret, key=_SECRET_KEYS[variable], optional=optional or None
        )
        return EnvVar(name=variable, value_from=EnvVarSource(secret_key_ref=selector))


_NO_SASL: Mapping[str, Any] = dict.fromkeys(
    ("sasl_mechanism", "sasl_username", "sasl_password", "sasl_token", "sasl_token_url")
)


def read_kafka(kafka: Any, environ: Mapping[str, str] | None = None) -> KafkaSettings | None:
    """Return the settings from what a caller said and, where that says nothing, from KAFKA_*.

    Args:
        kafka: KafkaSettings; "host:port", to which the environment adds the rest; a mapping of
            KafkaSettings' own names, likewise; None: the environment alone; False: no Kafka.
        environ: The environment; None: this process's.

    Raises:
        ConfigurationError: A value is wrong.
    """
    if kafka is False or isinstance(kafka, KafkaSettings):
        return kafka or None
    environ = os.environ if environ is None else environ
    given: dict[str, Any] = {
        name: environ[variable] for name, variable in VARIABLES.items() if environ.get(variable)
    }
    if isinstance(kafka, str):
        given["bootstrap_servers"] = kafka
    elif isinstance(kafka, Mapping):
        known = [each.name for each in fields(KafkaSettings)]
        for name in kafka:
            if name not in known:
                raise ConfigurationError(
                    f"unknown setting {name!r}", where="kafka", hint=nearest(str(name), known)
                )
        given.update(kafka)
    elif kafka is not None:
        raise ConfigurationError(
            f"expected KafkaSettings, an address or a mapping, not {kafka!r:.60}", where="kafka"
        )
    return KafkaSettings(**given) if given.get("bootstrap_servers") else None
