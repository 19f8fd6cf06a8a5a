"""What a server refuses is told apart, in its own words, with the request and what to do next."""

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiowf.errors import ArgoError, InvalidWorkflowError, ServerError
from aiowf.manifest import Workflow
from aiowf.wire.answers import as_value, read_items, read_json, read_value
from aiowf.wire.errors import error_of, is_expired, is_stream_end, retry_after, stream_error
from aiowf.wire.events import read_event, read_result
from aiowf.wire.requests import OPERATIONS, Request

DATA = Path(__file__).parent.parent / "data" / "argo"
REFUSALS: list[dict[str, Any]] = json.loads((DATA / "http-refusals.json").read_text())
GET = Request("WorkflowService_GetWorkflow", "GET", "/api/v1/workflows/argo/x")
CREATE = Request("WorkflowService_CreateWorkflow", "POST", "/api/v1/workflows/argo")


def refusal(recorded: dict[str, Any]) -> ArgoError:
    """Return the error that a recorded refusal means."""
    path = urlsplit(recorded["target"]).path
    request = Request(recorded["operation"], recorded["method"], path)
    return error_of(request, recorded["status"], recorded["headers"], recorded["body"].encode())


@pytest.mark.parametrize(
    "recorded", REFUSALS, ids=lambda each: f"{each['case']}-{each['operation']}-{each['status']}"
)
def test_recorded_refusals(recorded: dict[str, Any]) -> None:
    """Every refusal of a real server is the error it should be and names the request."""
    error = refusal(recorded)
    assert (type(error).__name__, getattr(error, "where", None)) == (
        recorded["error"],
        recorded.get("where"),
    )
    assert (error.status, error.method) == (recorded["status"], recorded["method"])
    assert error.hint
    assert urlsplit(recorded["target"]).path in str(error)


def test_argos_own_words_are_told() -> None:
    """The text has the message, method, path and status, and the hint below."""
    body = b'{"code":5,"message":"workflows.argoproj.io \\"x\\" not found"}'
    lines = str(error_of(GET, 404, {}, body)).splitlines()
    assert lines == [
        'workflows.argoproj.io "x" not found (GET /api/v1/workflows/argo/x → HTTP 404)',
        "Look at the name and the namespace; it may have been deleted after its TTL.",
    ]


def test_an_error_survives_pickling() -> None:
    """Place and hint of a wrong manifest reach another process."""
    body = b'{"code":3,"message":"templates.main.steps[0].a template name \'nope\' undefined"}'
    error = pickle.loads(pickle.dumps(error_of(CREATE, 400, {}, body)))
    assert isinstance(error, InvalidWorkflowError)
    assert error.where == "templates.main.steps[0].a"


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "says"),
    [
        (502, {"Content-Type": "text/html"}, b"<html>Bad Gateway", "UnavailableError", "web page"),
        (404, {"Content-Type": "text/html"}, b"<html>", "ServerError", "ARGO_BASE_HREF"),
        (400, {}, b"Client sent an HTTP request to an HTTPS server.\n", "ServerError", "https://"),
        (307, {"Location": "https://sso/"}, b"", "ServerError", "redirects to 'https://sso/'"),
        (418, {}, b"", "ServerError", "nothing"),
        (422, {}, b'{"code":9,"message":"no"}', "BadRequestError", "no"),
        (500, {}, b'{"code":13,"message":"odd"}', "ServerError", "odd"),
        (500, {}, b'{"error":{"message":"odd","grpc_code":13}}', "ServerError", "odd"),
        (410, {}, b'{"code":10,"message":"gone"}', "BadRequestError", "gone"),
        (403, {}, b"\xff\xfe", "PermissionDeniedError", "\\ufffd"),
    ],
)
def test_what_others_than_argo_answer(
    status: int, headers: dict[str, str], body: bytes, kind: str, says: str
) -> None:
    """Proxies, other servers and pages are told as what they are."""
    error = error_of(GET, status, headers, body)
    assert type(error).__name__ == kind
    assert says in str(error).replace("\ufffd", "\\ufffd")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "٣"}, None),
        ({"Retry-After": "Mon, 23 Nov 2026 15:57:37 GMT"}, 5.0),
        (
            {
                "Retry-After": "Mon, 23 Nov 2026 15:57:37 GMT",
                "Date": "Mon, 23 Nov 2026 15:57:36 GMT",
            },
            1.0,
        ),
        ({"Retry-After": "Mon, 23 Nov 2026 15:00:00 GMT"}, 0.0),
        ({"Retry-After": "Mon, 23 Nov 2026 15:57:37 -0000"}, None),
    ],
)
def test_the_wait_that_a_server_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    """It comes as seconds or as a date by the server's clock, or it makes no sense."""
    now = datetime(2026, 11, 23, 15, 57, 32, tzinfo=UTC)
    assert retry_after(headers, now=now) == seconds


def test_the_normal_end_of_a_watch_is_no_error() -> None:
    """It comes as HTTP 429 "EOF", in the stream or as its first and only message."""
    facts = {"grpc_code": 8, "http_code": 429, "message": "EOF"}
    assert stream_error(GET, facts) is None
    assert is_stream_end(error_of(GET, 429, {}, json.dumps({"error": facts}).encode()))
    assert not is_stream_end(error_of(GET, 429, {}, b"Too Many Requests\n"))


def test_a_forgotten_place_of_a_watch_is_told() -> None:
    """Kubernetes' 410 comes as 400 and is known by its text."""
    facts = {"grpc_code": 3, "http_code": 400, "message": "too old resource version: 1 (827)"}
    error = stream_error(GET, facts)
    assert error is not None
    assert is_expired(error)
    assert is_expired(error_of(GET, 410, {}, b""))
    assert not is_expired(error_of(GET, 400, {}, b'{"code":3,"message":"no"}'))


def test_an_unreadable_error_of_a_stream_is_one() -> None:
    """An error that is no object is an error all the same."""
    assert isinstance(stream_error(GET, "odd"), ServerError)
    error = stream_error(GET, {})
    assert error is not None
    assert error.message == "the server gave no reason"


@contextmanager
def naming(request: Request) -> Iterator[None]:
    """Accept an ArgoError, if it names the request."""
    errors = []
    try:
        yield
    except ArgoError as error:
        errors.append(error)
    assert all(error.path == request.path for error in errors)


KEYS = "error message code grpc_code http_code result object type metadata status nodes items uid"
NAMES = [*KEYS.split(), "name", "phase", "spec"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
BODIES = st.binary(max_size=60) | JSON.map(lambda data: json.dumps(data).encode())
REQUESTS = st.sampled_from(
    [Request(name, method, path) for name, (method, path) in OPERATIONS.items()]
)


@given(REQUESTS, st.integers(100, 999), BODIES, st.text(max_size=9))
def test_any_refusal_names_the_request(
    request: Request, status: int, body: bytes, wait: str
) -> None:
    """Whatever the bytes, the error says which request was answered so."""
    error = error_of(request, status, {"Retry-After": wait, "Content-Type": wait}, body)
    assert (error.method, error.path, error.status) == (request.method, request.path, status)


@given(BODIES)
def test_any_answer_is_a_value_or_an_error_that_names_the_request(body: bytes) -> None:
    """Truncated JSON, wrong types and nonsense end in an ArgoError, never in a KeyError."""
    with naming(GET):
        assert isinstance(read_value(GET, 200, {}, body, Workflow), Workflow)


@given(BODIES)
def test_any_message_is_an_event_or_an_error_that_names_the_request(body: bytes) -> None:
    """Whatever a stream carries, it is an event, the end, or an ArgoError."""
    with naming(GET):
        event = read_event(GET, body)
        if event is not None:
            facts = (event.name, event.phase, event.progress, event.message, event.resource_version)
            assert all(isinstance(fact, str) for fact in facts)
            assert event.is_final == (event.phase in ("Succeeded", "Failed", "Error"))
            assert isinstance(event.labels, dict)


@given(JSON)
def test_any_list_has_items_or_is_an_error(data: Any) -> None:
    """A list without items is empty; anything else is told."""
    with naming(GET):
        assert isinstance(read_items(GET, data, Workflow), tuple)


@pytest.mark.parametrize("data", [[], [{}], "", 5, None])
def test_what_is_no_list_is_told(data: Any) -> None:
    """An answer that is no object is not an empty list."""
    with pytest.raises(ServerError, match="no list of items"):
        read_items(GET, data, Workflow)


def test_a_page_instead_of_an_answer_is_told() -> None:
    """Under a wrong base href Argo answers 200 and the page of its user interface."""
    with pytest.raises(ServerError, match="a web page") as caught:
        read_json(GET, 200, {"Content-Type": "text/html"}, b"\n<!doctype html><html></html>")
    assert "ARGO_BASE_HREF" in str(caught.value)


def test_the_place_of_a_wrong_type_is_told() -> None:
    """An answer in another form says where it differs."""
    with pytest.raises(ServerError, match=r"status\.phase"):
        as_value(GET, {"status": {"phase": 5}}, Workflow)


def test_a_filtered_message_is_an_error() -> None:
    """A stream asked without "error" among its fields ends with an empty message."""
    with pytest.raises(ServerError, match="neither a result nor an error"):
        read_result(GET, b"{}")


def test_an_event_tells_what_matters() -> None:
    """Everything that a client looks at has a name; what is missing is empty."""
    event = read_event(
        GET,
        b'{"result":{"type":"MODIFIED","object":{"metadata":{"name":"w","uid":"u","labels":'
        b'{"a":"b"},"resourceVersion":"5"},"status":{"phase":"Running","progress":"1/2",'
        b'"message":"m"}}}}',
    )
    assert event is not None
    assert (event.type, event.uid, event.name, event.resource_version) == (
        "MODIFIED",
        "u",
        "w",
        "5",
    )
    assert (event.phase, event.progress, event.message) == ("Running", "1/2", "m")
    assert (dict(event.labels), event.is_final) == ({"a": "b"}, False)
    bookmark = read_event(
        GET, b'{"result":{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}}'
    )
    assert bookmark is not None
    assert (bookmark.name, bookmark.phase, bookmark.resource_version) == ("", "", "7")
    with pytest.raises(ServerError, match="is no event"):
        read_event(GET, b'{"result":{"type":"ADDED","object":{"metadata":{}}}}')
