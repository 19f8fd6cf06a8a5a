"""What lets a client in: SASL, tokens, certificates; and queues without any channel."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import respx
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from mock_kafka import MockCluster
from respx_server import serve

import aiowf
from aiowf.errors import EngineError
from aiowf.replies import KafkaSettings, Place
from aiowf.replies.connection import Tokens, make_connector
from aiowf.replies.engine import EngineChannel
from aiowf.wire.frames import Record

SASL: dict[str, Any] = {"bootstrap_servers": "a:1", "security_protocol": "SASL_PLAINTEXT"}


async def test_user_and_password_are_handed_on() -> None:
    """PLAIN and SCRAM take user and password."""
    settings = KafkaSettings(
        **SASL, sasl_mechanism="SCRAM-SHA-256", sasl_username="u", sasl_password="p"
    )
    options = (await make_connector(settings)).options
    assert (options["sasl_mechanism"], options["sasl_plain_username"]) == ("SCRAM-SHA-256", "u")
    assert options["sasl_plain_password"] == "p"


async def later() -> str:
    return "from a coroutine"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("as it is", "as it is"),
        (lambda: "from a function", "from a function"),
        (later, "from a coroutine"),
    ],
)
async def test_a_token_may_be_given_or_made(token: Any, expected: str) -> None:
    """OAUTHBEARER takes a token, or a function, plain or async, that gives one."""
    settings = KafkaSettings(**SASL, sasl_mechanism="OAUTHBEARER", sasl_token=token)
    provider = (await make_connector(settings)).options["sasl_oauth_token_provider"]
    assert await provider.token() == expected
    assert "as it is" not in repr(settings)


@pytest.fixture
async def endpoint() -> AsyncIterator[tuple[respx.Route, str]]:
    """Give the route of a token endpoint, and its address."""
    router = respx.Router(assert_all_called=False)
    route = router.post(path="/token")
    async with serve(router) as url:
        yield route, f"{url}/token"


def with_endpoint(url: str) -> KafkaSettings:
    return KafkaSettings(
        **SASL,
        sasl_mechanism="OAUTHBEARER",
        sasl_username="id",
        sasl_password="client-secret",
        sasl_token_url=url,
    )


async def test_a_token_endpoint_is_asked_once_while_its_token_lives(
    endpoint: tuple[respx.Route, str],
) -> None:
    """Client id and secret are exchanged for a token, which is used as long as it lives."""
    route, url = endpoint
    answers = [
        httpx.Response(200, json={"access_token": "one", "expires_in": 3600}),
        httpx.Response(200, json={"access_token": "two", "expires_in": 0}),
    ]
    route.mock(side_effect=answers)
    tokens = Tokens(with_endpoint(url))
    assert [await tokens.token(), await tokens.token()] == ["one", "one"]
    asked = route.calls.last.request
    assert asked.content == b"grant_type=client_credentials"
    assert asked.headers["Authorization"].startswith("Basic ")
    assert await Tokens(with_endpoint(url)).token() == "two"


@pytest.mark.parametrize(
    "answer", [httpx.Response(401), httpx.Response(200, json={}), httpx.Response(200, text="no")]
)
async def test_an_endpoint_that_gives_no_token_is_told(
    endpoint: tuple[respx.Route, str], answer: httpx.Response
) -> None:
    """A refusal, or an answer without a token, is Kafka's kind of error: it is tried again."""
    route, url = endpoint
    route.mock(return_value=answer)
    with pytest.raises(KafkaError, match="gave no token"):
        await Tokens(with_endpoint(url)).token()


async def test_a_cancelled_start_leaves_nothing_behind(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled while it connects, a consumer is stopped all the same."""
    connector = await make_connector(KafkaSettings(bootstrap_servers=cluster.servers))
    consumer = AIOKafkaConsumer(**connector.options)

    async def slow() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(consumer, "start", slow)
    starting = asyncio.create_task(connector.start(consumer))
    await asyncio.wait({starting}, timeout=0.05)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_queues_need_a_channel() -> None:
    """On an Argo Server without Kafka there are no queues, and the error says what to set."""
    async with aiowf.connect("http://127.0.0.1:1", namespace="argo", token="Bearer t") as client:
        with pytest.raises(aiowf.ConfigurationError, match="KAFKA_BOOTSTRAP_SERVERS"):
            await client.notices.publish("queue", "x")


async def test_what_is_published_is_sent_as_it_is(cluster: MockCluster) -> None:
    """Text and bytes unchanged, anything else as JSON; what is no notice keeps its bytes."""
    sent: tuple[Any, ...] = ("text", b"\x00\xff", {"n": 1}, [1, 2])
    async with (
        asyncio.timeout(20),
        aiowf.connect(
            "http://127.0.0.1:1", namespace="argo", token="Bearer t", kafka=cluster.servers
        ) as client,
    ):
        cluster.create("queue", 1)
        for each in sent:
            await client.notices.publish("queue", each)
        notices = client.notices.subscribe("queue")
        found = [(await anext(notices)).raw for _ in sent]
        await notices.aclose()
    assert found == [b"text", b"\x00\xff", b'{"n":1}', b"[1,2]"]


async def test_an_engine_that_is_gone_or_refuses_is_told() -> None:
    """The channel over the engine's socket tells what the engine said, or that it is gone."""
    channel = EngineChannel("/nonexistent/socket", "token", topic="t")
    with pytest.raises(EngineError, match="not open"):
        await channel.publish("t", Record(b""))
    async with channel:
        assert (channel.place, channel.is_interrupted, channel.trouble) == (Place("t"), False, None)
        with pytest.raises(EngineError, match="is gone"):
            await channel.publish("t", Record(b""))
        with pytest.raises(EngineError, match="is gone"):
            await anext(channel.replies())
    from aiowf.engine import launch

    async with launch() as engine, EngineChannel(engine.socket_path, "wrong", topic="t") as other:
        with pytest.raises(EngineError, match="answered 401"):
            await other.publish("t", Record(b""))
