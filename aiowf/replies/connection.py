"""Starting and stopping what aiokafka offers: with the real reason, and always within a time."""

import asyncio
import base64
import re
import ssl
import time
from collections.abc import Mapping
from inspect import isawaitable
from typing import Any

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaError
from attrs import frozen

from aiowf.errors import ConfigurationError, ReplyError
from aiowf.replies.quiet import listening
from aiowf.replies.settings import KafkaSettings

_STOP_PATIENCE = 5.0
# Seconds before its end at which a token is replaced.
_TOKEN_MARGIN = 60.0

# What aiokafka's log says → what it means, and what to do. The first that fits counts.
_REASONS = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning, hint)
    for pattern, meaning, hint in (
        (
            r"SaslAuthenticationFailed|invalid credentials|invalid username|AuthenticationFailed",
            "it does not accept this user and password",
            "Check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM.",
        ),
        (
            r"UnsupportedSaslMechanism",
            "it does not offer this SASL mechanism",
            "Check KAFKA_SASL_MECHANISM.",
        ),
        (
            r"(IP address|hostname) mismatch|is not valid for|doesn't match",
            "its certificate is for another host name",
            "Name the broker as its certificate does, in KAFKA_BOOTSTRAP_SERVERS.",
        ),
        (
            r"CERTIFICATE_VERIFY_FAILED",
            "its certificate is not from a CA that is trusted here",
            "Set KAFKA_SSL_CAFILE to the CA of the brokers.",
        ),
        (
            r"Connect call failed|Connection refused|Errno 111",
            "nobody listens at this address",
            "Check KAFKA_BOOTSTRAP_SERVERS, and whether the broker runs.",
        ),
        (
            r"Name or service not known|nodename|getaddrinfo|No address associated",
            "there is no host of this name",
            "Check KAFKA_BOOTSTRAP_SERVERS.",
        ),
        (
            r"Unable to request metadata|closed|not ready|WRONG_VERSION|record layer|: $",
            "it does not speak this protocol on this port",
            "Check KAFKA_SECURITY_PROTOCOL: the port may want TLS, or SASL, or neither.",
        ),
    )
)
# aiokafka learns no more than that a broker closed the connection where it refuses these.
_WITHOUT_A_WORD = {
    "SSL": (
        "it does not speak this protocol on this port, or asks for a certificate of the client",
        "Check KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE, and KAFKA_SECURITY_PROTOCOL: the port may "
        "want SASL.",
    ),
    "OAUTHBEARER": (
        "it does not accept the token, or does not speak this protocol on this port",
        "Check who gave the token, its times, audience and scope; and KAFKA_SECURITY_PROTOCOL.",
    ),
}

_PERMANENT = frozenset(pattern for pattern, _, _ in _REASONS[:4])


@frozen
class Connector:
    """What every consumer, producer and admin client of these settings is made with.

    Attributes:
        settings: Where Kafka is.
        options: Keyword arguments for aiokafka's constructors.
    """

    settings: KafkaSettings
    options: Mapping[str, Any]

    async def start(self, client: Any) -> None:
        """Start a consumer, producer or admin client, or stop it and say why that is impossible.

        Raises:
            ReplyError: Kafka cannot be reached, or does not let us in.
        """
        problem: Exception | None = None
        with listening() as heard:
            try:
                async with asyncio.timeout(self.settings.start_timeout):
                    await client.start()
            except (KafkaError, OSError, TimeoutError) as error:
                problem = error
            except BaseException:
                await stop(client)
                raise
        if problem is not None:
            await stop(client)
            raise unreachable(self.settings, heard.lines, problem) from problem


async def make_connector(settings: KafkaSettings) -> Connector:
    """Read what the settings name.

    Raises:
        ConfigurationError: A file of certificates cannot be read.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
        "request_timeout_ms": int(settings.request_timeout * 1000),
        "client_id": "aiowf",
    }
    if settings.uses_tls:
        options["ssl_context"] = await asyncio.to_thread(_ssl_context, settings)
    if settings.uses_sasl:
        options["sasl_mechanism"] = settings.mechanism
        if settings.mechanism == "OAUTHBEARER":
            options["sasl_oauth_token_provider"] = Tokens(settings)
        else:
            options["sasl_plain_username"] = settings.sasl_username
            options["sasl_plain_password"] = settings.sasl_password
    return Connector(settings, options)


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile, cadata=settings.ssl_ca)
        if settings.ssl_certfile:
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"the certificates cannot be read: {error}",
            where="kafka",
            hint="Check KAFKA_SSL_CAFILE, KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE.",
        ) from None
    return context


class Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """Gives OAUTHBEARER tokens: what the settings give, or what the token endpoint does."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        # The endpoint's latest token, and the time (monotonic) until which it is used.
        self._token, self._until = "", 0.0

    async def token(self) -> Any:
        """Return a token that is valid now."""
        source = self._settings.sasl_token
        if source is None:
            return await self._from_endpoint()
        token = source() if callable(source) else source
        return str(await token if isawaitable(token) else token)

    async def _from_endpoint(self) -> str:
        if time.monotonic() < self._until:
            return self._token
        import aiohttp  # heavy, and hardly anybody needs it here

        secret = f"{self._settings.sasl_username}:{self._settings.sasl_password}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(secret).decode()}"}
        try:
            async with (
                asyncio.timeout(self._settings.start_timeout / 2),
                aiohttp.ClientSession(trust_env=True) as session,
                session.post(
                    self._settings.sasl_token_url or "",
                    data={"grant_type": "client_credentials"},
                    headers=headers,
                    raise_for_status=True,
                ) as answer,
            ):
                granted = await answer.json(content_type=None)
            self._token = str(granted["access_token"])
            lifetime = float(granted.get("expires_in", 300))
        except (aiohttp.ClientError, KeyError, TypeError, ValueError, TimeoutError) as error:
            raise KafkaError(f"the token endpoint gave no token: {error!r}") from error
        self._until = time.monotonic() + max(lifetime - _TOKEN_MARGIN, lifetime / 2)
        return self._token


def unreachable(settings: KafkaSettings, lines: list[str], error: Exception) -> ReplyError:
    """Return the error that says why there is no connection."""
    said = lines[-1] if lines else str(error) or type(error).__name__
    if isinstance(error, TimeoutError) and not lines:
        said = f"no answer within {settings.start_timeout:g} s"
    pattern, meaning, hint = next(
        (
            reason
            for reason in _REASONS
            if any(reason[0].search(line) for line in (*lines, str(error)))
        ),
        (None, said, "Check KAFKA_BOOTSTRAP_SERVERS and KAFKA_SECURITY_PROTOCOL."),
    )
    if pattern is _REASONS[-1][0]:
        way = settings.mechanism if settings.uses_sasl else settings.security_protocol
        meaning, hint = _WITHOUT_A_WORD.get(way, (meaning, hint))
    return ReplyError(
        f"Kafka at {settings.bootstrap_servers} ({settings.security_protocol}) cannot be used: "
        f"{meaning} ({said.strip()})",
        hint=hint,
        servers=settings.bootstrap_servers,
        reason=said,
        # Credentials and certificates do not become right by waiting.
        is_permanent=pattern in _PERMANENT,
    )


def client_of(client: Any) -> Any:
    """Return aiokafka's connections of a consumer, producer or admin client."""
    return client.client if hasattr(client, "client") else client._client


async def stop(client: Any) -> None:
    """Stop a consumer, producer or admin client, whatever state it and its brokers are in.

    aiokafka's `stop` raises CancelledError during an outage, or hangs, and leaves tasks and sockets
    behind (aiokafka #647, #1101): it runs in a task of its own, within a time, and then the client
    below is closed too.
    """
    ending = client.stop if hasattr(client, "stop") else client.close
    for close in (ending, client_of(client).close):
        task = asyncio.ensure_future(close())
        try:
            await asyncio.wait({task}, timeout=_STOP_PATIENCE)
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=1)
        if not task.cancelled() and task.done():
            task.exception()
