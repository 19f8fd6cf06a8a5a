"""What a call cannot mean is a ConfigurationError that names it, before anything is sent."""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest
import respx
from respx_server import serve, serve_bytes

import aiowf
from aiowf.argo.tokens import Credentials
from aiowf.client.result import Values
from aiowf.client.waiting import seconds
from aiowf.errors import ConfigurationError, OperationTimeoutError
from aiowf.operations import SingleTaskOperation
from aiowf.tasks import BashTask

OP = SingleTaskOperation("wrong-", BashTask("work", "true"))
LISTS: list[dict[str, Any]] = [
    {"limit": "3"},
    {"labels": "a=b"},
    {"labels": {"team": 3}},
    {"labels": {"a b": "c"}},
    {"created_after": "yesterday"},
    {"phase": []},
    {"phase": [3]},
    {"phase": 3},
]


@pytest.mark.parametrize("options", LISTS, ids=repr)
async def test_lists(options: dict[str, Any]) -> None:
    """A filter that cannot be is named."""
    client = aiowf.connect("argo:2746", namespace="argo")
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        aiowf.client.client.Listing(client=client, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"images": ["x"]},
        {"images": {"": ["true"]}},
        {"images": {"x": 3}},
        {"images": {"x": "it's"}},
        {"claims": 3},
        {"build": 3},
        {"ui": 3},
        {"max_pods": 0},
        {"max_pods": "2"},
        {"namespace": "Bad NS"},
        {"server": 3},
    ],
    ids=repr,
)
def test_connect(options: dict[str, Any]) -> None:
    """An option that cannot be is named before anything is opened."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        aiowf.connect(**{"server": "local", **options})


def test_a_namespace_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named that it comes from."""
    monkeypatch.setenv("ARGO_NAMESPACE", "Bad_NS")
    with pytest.raises(ConfigurationError, match="ARGO_NAMESPACE: 'Bad_NS'"):
        aiowf.connect("local")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda c: c.execute(OP, check="no"), "check='no'"),
        (lambda c: c.execute(OP, timeout=math.inf), "timeout=inf"),
        (lambda c: c.execute({"spec": {}}), r"client\.submit"),
        (lambda c: c.submit_from(None), "name of a template"),
        (lambda c: c.get_run("w").wait(check="no"), "check='no'"),
        (lambda c: asyncio.to_thread(c.get_run, 3), "name of a workflow, not 3"),
    ],
)
async def test_calls(call: Callable[[aiowf.Client], Any], says: str) -> None:
    """A call that cannot be says why, and sends nothing."""
    router = respx.Router(assert_all_called=False)
    sent = router.post(path__startswith="/").respond(json={})
    router.route().respond(404, json={"code": 5, "message": "not found"})
    async with serve(router) as url, aiowf.connect(url, namespace="argo", token="x") as client:
        with pytest.raises(ConfigurationError, match=says):
            await call(client)
    assert not sent.called


def test_seconds_end() -> None:
    """A time without end is None."""
    assert seconds(None, "timeout") is None
    with pytest.raises(ConfigurationError, match="timeout=inf"):
        seconds(math.inf, "timeout")


def test_a_value_of_no_task_names_the_tasks() -> None:
    """Whatever is asked for, the error says which tasks return a value."""
    values = Values({"extract": lambda: 1})
    with pytest.raises(KeyError, match=r"3: no task .*extract"):
        values[3]


@pytest.mark.parametrize("token", [b"x", 3, ("a", "b"), "Bearer ", "basic"])
def test_tokens(token: Any) -> None:
    """What is no token is refused, and not sent."""
    with pytest.raises(ConfigurationError, match="token"):
        Credentials(token)


async def test_a_provider_that_gives_nothing_or_never_answers() -> None:
    """A callable that returns no text, or does not return, is told by the deadline."""
    nothing: Any = lambda: None  # noqa: E731
    with pytest.raises(ConfigurationError, match="token"):
        await Credentials(nothing).header()

    async def never() -> str:
        await asyncio.Event().wait()
        raise AssertionError

    credentials = Credentials(never, deadline=0.05)
    async with asyncio.timeout(5):
        told = await asyncio.gather(
            *(credentials.header() for _ in range(3)), return_exceptions=True
        )
    assert [ConfigurationError] * 3 == [type(each) for each in told]
    assert "within 0.05 s" in str(told[0])


async def test_a_submission_that_takes_too_long_says_what_was_answered() -> None:
    """The error of a timeout has the last trouble in it."""

    async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9\r\n\r\n")

    async with (
        asyncio.timeout(20),
        serve_bytes(noise) as place,
        aiowf.connect(f"http://{place}", namespace="argo", token="x") as client,
    ):
        with pytest.raises(OperationTimeoutError, match=r"within 0\.5 s: the answer is not HTTP"):
            await client.execute(OP, timeout=0.5, on_cancel="leave")


async def test_a_missing_template_is_not_said_to_have_had_a_time_to_live() -> None:
    """Templates are not deleted by themselves: the hint says where to look."""
    router = respx.Router(assert_all_called=False)
    router.get("/api/v1/workflow-templates/argo/t").respond(
        404, json={"code": 5, "message": 'workflowtemplates.argoproj.io "t" not found'}
    )
    async with serve(router) as url, aiowf.connect(url, namespace="argo", token="x") as client:
        with pytest.raises(aiowf.NotFoundError, match=r"workflow_templates\.list\(\)") as caught:
            await client.submit_from("t")
    assert "TTL" not in str(caught.value)
