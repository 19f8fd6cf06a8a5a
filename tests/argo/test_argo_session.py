"""One session with a server: calls, errors, repetition, tokens, connections."""

import asyncio
import json
import logging
import os
import ssl
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import respx
import stamina
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from respx_server import serve, serve_bytes

from aiowf.argo import ArgoSession, Settings, basic
from aiowf.errors import (
    AlreadyExistsError,
    ArgoError,
    ConfigurationError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    UnauthenticatedError,
    UnavailableError,
)
from aiowf.manifest import Workflow, WorkflowSpec
from aiowf.wire.requests import make_request
from aiowf.wire.sse import MessageReader

DATA = Path(__file__).parent.parent / "data" / "argo"
ANSWERS: list[dict[str, Any]] = json.loads((DATA / "http-answers.json").read_text())
WORKFLOW = {"metadata": {"name": "w", "uid": "u"}, "status": {"startedAt": None}}
_USER_INFO = make_request("InfoService_GetUserInfo")
DOWN = httpx.Response(503, json={"code": 14, "message": "connection refused"})


@pytest.fixture(autouse=True)
def _no_waiting() -> Any:
    """Repeat without pauses."""
    stamina.set_testing(True, attempts=5)
    yield
    stamina.set_testing(False)


async def test_a_workflow_is_created_and_read(argo: ArgoSession, router: respx.Router) -> None:
    """A value goes out as Argo's JSON and comes back as a value."""
    created = router.post("/api/v1/workflows/argo").respond(json=WORKFLOW)
    router.get("/api/v1/workflows/argo/w").respond(json=WORKFLOW)
    workflow = await argo.workflows.create(Workflow(spec=WorkflowSpec(entrypoint="main")))
    assert json.loads(created.calls.last.request.content) == {
        "workflow": {"spec": {"entrypoint": "main"}}
    }
    assert created.calls.last.request.headers["authorization"] == "Bearer dummy-token"
    assert await argo.workflows.get("w") == workflow


async def test_a_ready_body_is_sent_as_it_is(argo: ArgoSession, router: respx.Router) -> None:
    """Bytes are not rendered again."""
    route = router.post("/api/v1/workflows/other").respond(json=WORKFLOW)
    body = b'{"workflow" :{}}'
    assert await argo.workflows.create_raw(body, namespace="other") == WORKFLOW
    assert route.calls.last.request.content == body


async def test_over_a_unix_socket(router: respx.Router, tmp_path: Path) -> None:
    """The same session works over a Unix socket."""
    router.get("/api/v1/workflows/default/w").respond(json=WORKFLOW)
    async with serve(router, unix=tmp_path / "s") as server, ArgoSession(server) as session:
        assert (await session.workflows.get("w")).metadata is not None
        assert repr(session) == f"<ArgoSession unix:{tmp_path}/s namespace=default>"


async def test_under_a_base_href(server: str, router: respx.Router) -> None:
    """The base href stands in front of every path."""
    router.get("/argo/ui/api/v1/version").respond(json={"version": "v4"})
    async with ArgoSession(f"{server}/argo/ui/") as session:
        assert (await session.server.version()).version == "v4"


async def test_a_read_is_repeated_while_the_server_starts(
    argo: ArgoSession, router: respx.Router
) -> None:
    """503 and 429 are waited out for a GET."""
    busy = httpx.Response(429, text="Too Many Requests\n", headers={"Retry-After": "0"})
    route = router.get("/api/v1/workflows/argo/w")
    route.side_effect = [DOWN, busy, httpx.Response(200, json=WORKFLOW)]
    assert (await argo.workflows.get_raw("w")) == WORKFLOW
    assert route.call_count == 3


async def test_a_long_wait_is_left_to_the_caller(argo: ArgoSession, router: respx.Router) -> None:
    """A server that asks for an hour is told of, not slept for."""
    busy = httpx.Response(429, text="Too Many Requests\n", headers={"Retry-After": "3600"})
    route = router.get("/api/v1/workflows/argo/w").mock(busy)
    with pytest.raises(RateLimitedError) as caught:
        await argo.workflows.get("w")
    assert (caught.value.retry_after, route.call_count) == (3600.0, 1)


async def test_a_read_is_not_repeated_for_ever(argo: ArgoSession, router: respx.Router) -> None:
    """After its attempts the error is told."""
    route = router.get("/api/v1/workflows/argo/w").mock(DOWN)
    with pytest.raises(UnavailableError, match="connection refused"):
        await argo.workflows.get("w")
    assert route.call_count == 5


@pytest.fixture
def _waiting() -> Any:
    """Repeat with pauses, as without tests."""
    stamina.set_testing(False)


@pytest.mark.usefixtures("_waiting")
async def test_each_repetition_is_told_in_one_line(
    argo: ArgoSession, router: respx.Router, caplog: pytest.LogCaptureFixture
) -> None:
    """The line says what failed and why, which attempt it was, and how long the pause is."""
    busy = httpx.Response(429, text="Too Many Requests\n", headers={"Retry-After": "0"})
    soon = httpx.Response(503, json=DOWN.json(), headers={"Retry-After": "0"})
    caplog.set_level(logging.INFO, logger="aiowf.argo")
    router.get("/api/v1/version").side_effect = [soon, busy, httpx.Response(200, json={})]
    await argo.server.version()
    assert caplog.record_tuples == [
        (
            "aiowf.argo",
            logging.INFO,
            "attempt 1 failed, the next one follows in 0 s: "
            "connection refused (GET /api/v1/version → HTTP 503)",
        ),
        (
            "aiowf.argo",
            logging.INFO,
            "attempt 2 failed, the next one follows in 0 s: "
            "the server answered 'Too Many Requests' (GET /api/v1/version → HTTP 429)",
        ),
    ]


async def test_repetitions_of_others_are_told_as_ever(
    argo: ArgoSession, router: respx.Router, caplog: pytest.LogCaptureFixture
) -> None:
    """What the program itself repeats by stamina is logged by stamina, in the same task too."""
    caplog.set_level(logging.INFO, logger="aiowf.argo")
    router.get("/api/v1/version").side_effect = [DOWN, httpx.Response(200, json={})]
    await argo.server.version()
    failing = iter([True, False])
    async for attempt in stamina.retry_context(on=ValueError):
        with attempt:
            if next(failing):
                raise ValueError("of the program's own")
    assert [record.name for record in caplog.records] == ["aiowf.argo", "stamina"]


async def test_the_last_attempt_promises_no_other(
    argo: ArgoSession, router: respx.Router, caplog: pytest.LogCaptureFixture
) -> None:
    """Five attempts have four repetitions; the last failure is the caller's to tell."""
    caplog.set_level(logging.INFO, logger="aiowf.argo")
    router.get("/api/v1/version").mock(DOWN)
    with pytest.raises(UnavailableError):
        await argo.server.version()
    assert [f"attempt {n} failed" for n in (1, 2, 3, 4)] == [
        message.partition(",")[0] for message in caplog.messages
    ]


@pytest.mark.parametrize(
    "answer",
    [DOWN, httpx.Response(500, json={"code": 13, "message": "EOF"}), httpx.Response(429)],
    ids=["503", "500", "429"],
)
async def test_a_write_is_sent_once(
    argo: ArgoSession, router: respx.Router, answer: httpx.Response
) -> None:
    """What may have been done is never done again by itself."""
    route = router.route(method__in=["POST", "PUT", "DELETE"]).mock(answer)
    for send in (
        argo.workflows.create(b"{}"),
        argo.workflows.resubmit("w"),
        argo.workflows.delete("w"),
    ):
        with pytest.raises((UnavailableError, ServerError, RateLimitedError)):
            await send
    assert route.call_count == 3


async def test_a_write_on_a_dead_connection_is_sent_once() -> None:
    """A kept connection that the server resets does not make a PUT come twice."""
    seen: list[bytes] = []

    async def serve_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answers in (True, False):
            seen.append((await reader.readuntil(b"\r\n\r\n")).split()[0])
            if answers:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.transport.abort()

    async with serve_bytes(serve_once) as place, ArgoSession(f"http://{place}") as session:
        await session.workflows.get_raw("w")
        with pytest.raises(UnavailableError, match=r"PUT /api/v1/workflows/default/w/resubmit"):
            await session.workflows.resubmit("w")
    assert seen == [b"GET", b"PUT"]


async def test_a_refused_connection_names_the_request(unused_tcp_port: int) -> None:
    """Where nobody listens the error says what was asked."""
    async with ArgoSession(f"http://127.0.0.1:{unused_tcp_port}", attempts=1) as session:
        with pytest.raises(UnavailableError, match="GET /api/v1/version"):
            await session.server.version()
        with pytest.raises(UnavailableError, match="PUT /api/v1/workflows/default/w/stop"):
            await session.workflows.stop("w")


async def test_an_answer_that_does_not_come_has_a_deadline(
    server: str, router: respx.Router
) -> None:
    """A server that says nothing is given up."""
    router.get("/api/v1/version").mock(side_effect=_never)
    async with ArgoSession(server, timeout=0.1, attempts=1) as session:
        with pytest.raises(UnavailableError, match=r"no answer within 0\.1 s"):
            await session.server.version()


async def _never(_: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def test_headers_without_end_are_given_up() -> None:
    """A stream whose headers never end is given up within its deadline."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serve_bytes(flood) as place, ArgoSession(f"http://{place}") as session:
        with pytest.raises(ArgoError, match="GET /api/v1/workflow-events/default"):
            async with session.stream(session.workflows.watch_request(), deadline=0.2):
                pass


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"nonsense\r\n\r\n", b"", b"\xff" * 70_000],
    ids=["truncated", "nonsense", "nothing", "noise"],
)
async def test_what_is_not_http_names_the_request(answer: bytes) -> None:
    """Any bytes end in an ArgoError."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with serve_bytes(speak) as place, ArgoSession(f"http://{place}", attempts=1) as session:
        with pytest.raises(ArgoError, match="GET /api/v1/version"):
            await session.server.version()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200)
    | st.binary(max_size=99).map(lambda body: b"HTTP/1.1 200 OK\r\n\r\n" + body)
)
def test_any_bytes_end_in_an_error_that_names_the_request(answer: bytes) -> None:
    """Whatever comes from a socket, a call and a stream end, and say which request it was."""

    async def talk() -> None:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)

        async with (
            serve_bytes(speak) as place,
            ArgoSession(f"http://{place}", attempts=1) as session,
        ):
            with pytest.raises(ArgoError, match="GET /api/v1/userinfo"):
                await session.call(_USER_INFO, Workflow)
            errors = []
            try:
                async with session.stream(_USER_INFO, deadline=5) as batches:
                    async for _ in batches:
                        pass
            except ArgoError as error:
                errors.append(error.path)
            assert errors in ([], ["/api/v1/userinfo"])

    if not _is_json_object(answer):
        asyncio.run(talk())


def _is_json_object(answer: bytes) -> bool:
    return answer.partition(b"\r\n\r\n")[2].strip().startswith(b"{")


async def test_tls_that_fails_says_what_to_do(unused_tcp_port: int) -> None:
    """A server without TLS is told as such, and at once."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serve_bytes(speak) as place, ArgoSession(f"https://{place}") as session:
        with pytest.raises(ServerError, match="TLS failed") as caught:
            await session.server.version()
    assert caught.value.hint is not None
    assert "ARGO_SECURE=false" in caught.value.hint


async def test_a_redirect_is_not_followed(argo: ArgoSession, router: respx.Router) -> None:
    """A POST is not turned into a GET elsewhere; the token does not travel."""
    router.post("/api/v1/workflows/argo").respond(302, headers={"Location": "https://sso/login"})
    with pytest.raises(ServerError, match="https://sso/login"):
        await argo.workflows.create(b"{}")


async def test_a_page_instead_of_a_stream_is_told(argo: ArgoSession, router: respx.Router) -> None:
    """Under a wrong base href a stream is answered 200 and a web page."""
    router.get("/api/v1/workflow-events/argo").respond(html="<html></html>")
    with pytest.raises(ServerError, match="a web page"):
        async with argo.stream(argo.workflows.watch_request()):
            pass


async def test_a_new_token_is_asked_for_once(router: respx.Router, server: str) -> None:
    """After 401 the provider is asked again, by a burst of requests once, and each sent again."""
    tokens = iter(["old", "new"])
    asked = []

    async def provide() -> str:
        asked.append(token := next(tokens))
        return token

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] == "Bearer new":
            return httpx.Response(200, json=WORKFLOW)
        return httpx.Response(401, json={"code": 16, "message": "Unauthorized"})

    router.route(path__startswith="/api/").mock(side_effect=answer)
    async with ArgoSession(server, token=provide) as session:
        await asyncio.gather(*(session.workflows.create(b"{}") for _ in range(20)))
    assert asked == ["old", "new"]


async def test_a_token_that_stays_refused_is_told(router: respx.Router, server: str) -> None:
    """A second 401 is the end, and a fixed token is not sent twice."""
    route = router.get("/api/v1/version").respond(401, json={"code": 16, "message": "no"})
    for token, requests in ((lambda: "same", 1), ("fixed", 2)):
        async with ArgoSession(server, token=token) as session:
            with pytest.raises(UnauthenticatedError, match="ARGO_TOKEN"):
                await session.server.version()
        assert route.call_count == requests


async def test_a_provider_that_fails_after_a_refusal_is_told(
    router: respx.Router, server: str
) -> None:
    """The second token cannot be had: the reason is told, and the connection given back."""
    tokens = iter(["old", ""])
    router.get("/api/v1/version").respond(401, json={"code": 16, "message": "no"})
    async with ArgoSession(server, token=lambda: next(tokens)) as session:
        with pytest.raises(ConfigurationError, match="the token is empty"):
            await session.server.version()


async def test_a_message_without_end_is_given_up(
    argo: ArgoSession, router: respx.Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that never ends does not fill the memory; the error names the request."""
    monkeypatch.setattr(MessageReader.__init__, "__defaults__", (1000,))
    router.get("/api/v1/workflow-events/argo").respond(
        content=b"data: " + b"x" * 5000, headers={"Content-Type": "text/event-stream"}
    )

    async def read() -> None:
        async with argo.stream(argo.workflows.watch_request()) as batches:
            async for _ in batches:
                pass

    with pytest.raises(ServerError, match=r"longer than 1000 bytes .*workflow-events"):
        await read()


async def test_a_token_file_is_read_again(
    router: respx.Router, server: str, tmp_path: Path
) -> None:
    """A projected token rotates on disk."""
    file = tmp_path / "token"
    file.write_text("one\n")
    route = router.get("/api/v1/version").respond(json={})
    async with ArgoSession(server, token=file) as session:
        session._credentials._max_age = 0
        await session.server.version()
        file.write_text("two\n")
        await session.server.version()
        file.unlink()
        with pytest.raises(ConfigurationError, match="cannot be read"):
            await session.server.version()
    sent = [call.request.headers["authorization"] for call in route.calls]
    assert sent == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize(
    ("token", "header"),
    [
        ("abc", "Bearer abc"),
        ("Bearer v2:abc", "Bearer v2:abc"),
        (basic("user", "pass"), "Basic dXNlcjpwYXNz"),
        (lambda: " abc\n", "Bearer abc"),
        (None, None),
    ],
    ids=["bare", "sso", "basic", "callable", "none"],
)
async def test_forms_of_a_token(
    router: respx.Router, server: str, token: Any, header: str | None
) -> None:
    """A scheme is added where there is none."""
    route = router.get("/api/v1/version").respond(json={})
    async with ArgoSession(server, token=token) as session:
        await session.server.version()
    assert route.calls.last.request.headers.get("authorization") == header


@pytest.mark.parametrize("token", ["", "a\r\nX-Evil: 1", "tökén"])
def test_a_token_that_cannot_be_sent_is_refused_unseen(token: str) -> None:
    """Its text stands nowhere in the error."""
    with pytest.raises(ConfigurationError) as caught:
        ArgoSession("argo:2746", token=token)
    assert not token or token not in str(caught.value)


async def test_no_token_is_ever_shown(
    router: respx.Router, server: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in a repr, not in the log, not in an error or its traceback."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    url = server.replace("http://", "http://user:s3cr3t@")
    sessions = [
        ArgoSession(server, token="Bearer s3cr3t"),
        ArgoSession(server, token="s3cr3t", session=None),
        ArgoSession(url),
        ArgoSession("http://user:s3cr3t@127.0.0.1:9"),
    ]
    answers: list[httpx.Response | Exception] = [
        httpx.Response(401, json={"code": 16, "message": "Unauthorized"}),
        httpx.Response(200, html="<html>"),
        DOWN,
    ]
    for session in sessions:
        shown += [repr(session), repr(session.settings), repr(session._credentials)]
        for answer in answers:
            router.routes.clear()
            router.route().mock(answer)
            for send in (session.workflows.get("w"), session.workflows.create(b"{}")):
                with pytest.raises(ArgoError) as caught:
                    await send
                shown.append("".join(traceback.format_exception(caught.value)) + repr(caught.value))
        shown.append(repr(vars(session)))
        await session.aclose()
    text = "\n".join(shown) + caplog.text
    assert "s3cr3t" not in text
    assert "czNjcjN0" not in text  # in Base64, at the place where basic authentication has it
    assert "user:" not in text


async def test_a_callers_session_is_used_and_left_open(router: respx.Router, server: str) -> None:
    """Only what was opened here is closed here."""
    router.get("/api/v1/version").respond(json={})
    async with aiohttp.ClientSession() as given:
        async with ArgoSession(server, session=given) as session:
            await session.server.version()
        assert not given.closed
        with pytest.raises(ConfigurationError, match="closed"):
            await session.server.version()
        assert "closed" in repr(session)


async def test_settings_decide_about_tls(server: str, router: respx.Router) -> None:
    """An explicit context is what aiohttp is told."""
    router.get("/api/v1/version").respond(json={})
    context = ssl.create_default_context()
    async with ArgoSession(Settings(url=server), ssl=context, namespace="n") as session:
        await session.server.version()
        pools = session._connections.ready
        assert pools is not None
        assert (context, "n") == (pools.tls, session.namespace)


@pytest.mark.parametrize("recorded", ANSWERS, ids=lambda each: str(each["operation"]))
async def test_recorded_answers_are_values(
    argo: ArgoSession, router: respx.Router, recorded: dict[str, Any]
) -> None:
    """The same call gives the request that was recorded, and reads what a real server said."""
    path = recorded["target"].partition("?")[0]
    route = router.route(method=recorded["method"], path=path)
    route.respond(content=recorded["body"], headers=recorded["headers"])
    value = await _CALLS[recorded["operation"]](argo, path.rsplit("/", 2)[-2:])
    told = json.loads(recorded["body"])
    assert route.call_count == 1
    name = told.get("metadata", {}).get("name")
    if name is not None:
        assert value.metadata.name == name


_BODY = Workflow()
_CALLS: dict[str, Any] = {
    "WorkflowService_CreateWorkflow": lambda s, p: s.workflows.create(b"{}"),
    "WorkflowService_LintWorkflow": lambda s, p: s.workflows.lint(_BODY),
    "WorkflowService_SubmitWorkflow": lambda s, p: s.workflows.submit("t"),
    "WorkflowService_GetWorkflow": lambda s, p: s.workflows.get(p[1]),
    "WorkflowService_ListWorkflows": lambda s, p: s.workflows.list(limit=3),
    "WorkflowService_DeleteWorkflow": lambda s, p: s.workflows.delete(p[1], force=True),
    "WorkflowService_SuspendWorkflow": lambda s, p: s.workflows.suspend(p[0]),
    "WorkflowService_ResumeWorkflow": lambda s, p: s.workflows.resume(p[0]),
    "WorkflowService_StopWorkflow": lambda s, p: s.workflows.stop(p[0], message="m"),
    "WorkflowService_TerminateWorkflow": lambda s, p: s.workflows.terminate(p[0]),
    "WorkflowService_RetryWorkflow": lambda s, p: s.workflows.retry(p[0]),
    "WorkflowService_ResubmitWorkflow": lambda s, p: s.workflows.resubmit(p[0]),
    "WorkflowService_SetWorkflow": lambda s, p: s.workflows.set(
        p[0], node_selector="displayName=gate", output_parameters={"a": "b"}
    ),
    "WorkflowTemplateService_ListWorkflowTemplates": lambda s, p: s.workflow_templates.list(),
    "WorkflowTemplateService_CreateWorkflowTemplate": lambda s, p: s.workflow_templates.create({}),
    "WorkflowTemplateService_LintWorkflowTemplate": lambda s, p: s.workflow_templates.lint({}),
    "WorkflowTemplateService_GetWorkflowTemplate": lambda s, p: s.workflow_templates.get(p[1]),
    "WorkflowTemplateService_UpdateWorkflowTemplate": lambda s, p: s.workflow_templates.update(
        p[1], {}
    ),
    "WorkflowTemplateService_DeleteWorkflowTemplate": lambda s, p: s.workflow_templates.delete(
        p[1]
    ),
    "ClusterWorkflowTemplateService_ListClusterWorkflowTemplates": lambda s, p: (
        s.cluster_workflow_templates.list()
    ),
    "ClusterWorkflowTemplateService_CreateClusterWorkflowTemplate": lambda s, p: (
        s.cluster_workflow_templates.create({})
    ),
    "ClusterWorkflowTemplateService_LintClusterWorkflowTemplate": lambda s, p: (
        s.cluster_workflow_templates.lint({})
    ),
    "ClusterWorkflowTemplateService_GetClusterWorkflowTemplate": lambda s, p: (
        s.cluster_workflow_templates.get(p[1])
    ),
    "ClusterWorkflowTemplateService_UpdateClusterWorkflowTemplate": lambda s, p: (
        s.cluster_workflow_templates.update(p[1], {})
    ),
    "ClusterWorkflowTemplateService_DeleteClusterWorkflowTemplate": lambda s, p: (
        s.cluster_workflow_templates.delete(p[1])
    ),
    "CronWorkflowService_ListCronWorkflows": lambda s, p: s.cron_workflows.list(),
    "CronWorkflowService_CreateCronWorkflow": lambda s, p: s.cron_workflows.create({}),
    "CronWorkflowService_LintCronWorkflow": lambda s, p: s.cron_workflows.lint({}),
    "CronWorkflowService_GetCronWorkflow": lambda s, p: s.cron_workflows.get(p[1]),
    "CronWorkflowService_UpdateCronWorkflow": lambda s, p: s.cron_workflows.update(p[1], {}),
    "CronWorkflowService_DeleteCronWorkflow": lambda s, p: s.cron_workflows.delete(p[1]),
    "CronWorkflowService_SuspendCronWorkflow": lambda s, p: s.cron_workflows.suspend(p[0]),
    "CronWorkflowService_ResumeCronWorkflow": lambda s, p: s.cron_workflows.resume(p[0]),
    "ArchivedWorkflowService_ListArchivedWorkflows": lambda s, p: s.archived_workflows.list(),
    "ArchivedWorkflowService_ListArchivedWorkflowLabelKeys": lambda s, p: (
        s.archived_workflows.label_keys()
    ),
    "InfoService_GetInfo": lambda s, p: s.server.info(),
    "InfoService_GetVersion": lambda s, p: s.server.version(),
    "InfoService_GetUserInfo": lambda s, p: s.server.user_info(),
}


async def test_the_name_is_taken(argo: ArgoSession, router: respx.Router) -> None:
    """409 is an error of its own, with what to do."""
    message = 'workflows.argoproj.io "w" already exists'
    router.post("/api/v1/workflows/argo").respond(409, json={"code": 6, "message": message})
    with pytest.raises(AlreadyExistsError, match="already exists") as caught:
        await argo.workflows.create(_BODY, server_dry_run=True)
    assert caught.value.status == 409


async def test_archive_events_and_bindings(argo: ArgoSession, router: respx.Router) -> None:
    """The smaller services ask for the paths of the specification."""
    router.route(path__startswith="/api/v1/archived-workflows/u-1").respond(json=WORKFLOW)
    router.get("/api/v1/archived-workflows-label-values").respond(json={"items": ["a"]})
    sent = router.post("/api/v1/events/argo/github").respond(json={})
    router.get("/api/v1/workflow-event-bindings/argo").respond(json={"items": [{"kind": "x"}]})
    archive = argo.archived_workflows
    assert (await archive.get("u-1")).metadata is not None
    await archive.delete("u-1")
    await archive.retry("u-1")
    await archive.resubmit("u-1")
    assert [call.request.method for call in router.calls] == ["GET", "DELETE", "PUT", "PUT"]
    assert json.loads(router.calls.last.request.content) == {"namespace": "argo"}
    assert await archive.label_values("k") == ("a",)
    await argo.events.send({"n": 1}, discriminator="github")
    assert sent.calls.last.request.content == b'{"n":1}'
    assert await argo.events.list_bindings() == ({"kind": "x"},)
    assert argo.events.__class__.__name__ in repr(argo.events)


async def test_artifacts_come_as_streams(
    argo: ArgoSession, router: respx.Router, tmp_path: Path
) -> None:
    """Every way to an artifact gives its bytes; one can be saved without holding it."""

    async def content() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 10_000

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=content())

    router.route(path__regex="artifact").mock(side_effect=answer)
    artifacts = argo.artifacts
    for source, path in (
        (artifacts.output("w", "n", "a"), "/artifacts/argo/w/n/a"),
        (artifacts.input("w", "n", "a"), "/input-artifacts/argo/w/n/a"),
        (artifacts.archived_output("u", "n", "a"), "/artifacts-by-uid/u/n/a"),
        (artifacts.archived_input("u", "n", "a"), "/input-artifacts-by-uid/u/n/a"),
        (artifacts.file("w", "n", "a"), "/artifact-files/argo/workflows/w/n/outputs/a"),
        (
            artifacts.file("u", "n", "a", archived=True),
            "/artifact-files/argo/archived-workflows/u/n/outputs/a",
        ),
    ):
        async with source as chunks:
            assert sum([len(chunk) async for chunk in chunks]) == 500_000
        assert router.calls.last.request.url.path == path
    assert await artifacts.save("w", "n", "a", tmp_path / "a") == 500_000
    assert (tmp_path / "a").stat().st_size == 500_000


async def test_a_missing_artifact_is_told(
    argo: ArgoSession, router: respx.Router, tmp_path: Path
) -> None:
    """Argo answers 500 and a text; no file is left behind."""
    router.get("/artifacts/argo/w/n/a").respond(500, text="Internal Server Error\n")
    with pytest.raises(ServerError, match="Internal Server Error"):
        await argo.artifacts.save("w", "n", "a", tmp_path / "never")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("sets_continue", [False, True])
async def test_all_pages_are_read_once(
    argo: ArgoSession, router: respx.Router, sets_continue: bool
) -> None:
    """Offsets are counted where the server never sets `continue`; a repeated item comes once."""
    names = ["a", "b", "c", "c", "d"]

    def answer(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("listOptions.continue", 0))
        page = [{"metadata": {"name": n, "uid": n}} for n in names[start : start + 2]]
        more = {"continue": str(start + 2)} if sets_continue and start + 2 < len(names) else {}
        return httpx.Response(200, json={"metadata": more, "items": page or None})

    router.get("/api/v1/workflows/argo").mock(side_effect=answer)
    pages = [page async for page in argo.workflows.pages(page_size=2)]
    assert [[item["metadata"]["name"] for item in page] for page in pages] == [
        ["a", "b"],
        ["c"],
        ["d"],
    ]


async def test_a_server_that_ignores_offsets_is_read_once(
    argo: ArgoSession, router: respx.Router
) -> None:
    """The same page again is the end."""
    page = {"metadata": None, "items": [{"metadata": {"uid": "a"}}, {"metadata": {"uid": "b"}}]}
    route = router.get("/api/v1/workflows/argo").respond(json=page)
    assert [len(page) async for page in argo.workflows.pages(page_size=2)] == [2]
    assert route.call_count == 2


async def test_nothing_found(argo: ArgoSession, router: respx.Router) -> None:
    """A missing workflow is an error of its own, at the first attempt."""
    route = router.get("/api/v1/workflows/argo/w").respond(
        404, json={"code": 5, "message": 'workflows.argoproj.io "w" not found'}
    )
    with pytest.raises(NotFoundError):
        await argo.workflows.get("w", fields=("metadata.name",), uid="u")
    assert route.call_count == 1


def test_streams_have_requests_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs always name a container; Kubernetes' events have a path of their own."""
    monkeypatch.setenv("ARGO_SERVER", "argo:2746")
    session = ArgoSession()
    log = session.workflows.log_request("w", pod="p", tail_lines=5, grep="x", timestamps=True)
    assert log.query == (
        "podName=p&logOptions.container=main&logOptions.timestamps=true"
        "&logOptions.tailLines=5&grep=x"
    )
    events = session.workflows.kubernetes_events_request(field_selector="a=b")
    assert events.target == "/api/v1/stream/events/default?listOptions.fieldSelector=a%3Db"
