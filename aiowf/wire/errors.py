"""What a server's refusal means: status, headers and body → an error that says what to do next."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from aiowf.errors import (
    AlreadyExistsError,
    ArgoError,
    BadRequestError,
    ConflictError,
    InvalidWorkflowError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnauthenticatedError,
    UnavailableError,
)
from aiowf.wire.requests import Request
from aiowf.wire.sse import MessageReader

# gRPC code with which a stream ends when Kubernetes closed its watch.
_RESOURCE_EXHAUSTED = 8
_MAX_TEXT = 2000
# How the messages begin of a handshake that failed, and of a connection that was never made.
TLS_FAILED = "TLS failed"
NOT_CONNECTED = "no connection to"
# What is said of an answer in HTML.
A_PAGE = "a web page"

_BY_STATUS: Mapping[int, type[ArgoError]] = {
    400: BadRequestError,
    401: UnauthenticatedError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}

# What Argo answers with a status that says something else, told by its text (as recorded from
# v4.1). The first that is found decides.
_BY_TEXT: tuple[tuple[int, str, type[ArgoError]], ...] = (
    (409, "already exists", AlreadyExistsError),
    (500, "already exists", AlreadyExistsError),
    (500, "timed out waiting for the condition", ConflictError),
    (500, "the object has been modified", ConflictError),
    (500, "etcdserver: request is too large", InvalidWorkflowError),
    (500, "archived workflows not supported", NotFoundError),
    (500, "cannot shutdown a completed workflow", BadRequestError),
    (500, "currently, set only targets suspend nodes", BadRequestError),
    (500, "'set' currently only targets suspend nodes", BadRequestError),
    (500, "node is not expecting output parameter", BadRequestError),
    (500, "invalid selector", BadRequestError),
    (500, "expected parameter of the form", BadRequestError),
    (500, "expected labels of the form", BadRequestError),
    (500, "error parsing regexp", BadRequestError),
    (500, "resource name may not be empty", BadRequestError),
)

# A refused manifest is called so unless the request never was a manifest.
_NO_MANIFEST = re.compile(
    r"unexpected EOF|body not specified|unable to get a workflow|into Go value of type|"
    r"invalid character|strconv\.|namespace of the provided object|is not supported for submitting"
)

# Objects that no time to live deletes.
_STORED = re.compile(r"/api/v1/(workflow-templates|cluster-workflow-templates|cron-workflows)/")

# What is said of a workflow that has ended (as recorded from v4.1).
_ENDED = re.compile("cannot (?:shutdown a completed workflow|suspend completed workflows)")

_WHERE = (
    re.compile(r"^(?:cannot validate Workflow: )?((?:templates|spec|podGC|metadata)\.[^\s:']+)"),
    re.compile(r"Go struct field \w+\.(?:workflow|template|cronWorkflow)\.(\S+) of type"),
    re.compile(r" is invalid: ([\w.\[\]]+): "),
)

_HINTS: tuple[tuple[type[ArgoError], str], ...] = (
    (
        InvalidWorkflowError,
        "Correct the manifest; `client.lint(…)` checks it without creating anything.",
    ),
    (BadRequestError, "The same request will be refused again: change it as the message says."),
    (
        UnauthenticatedError,
        'Set ARGO_TOKEN ("Bearer …") or pass token=…; the token may have expired, or be '
        "another cluster's.",
    ),
    (
        PermissionDeniedError,
        "The account of this token needs a Role that allows it in this namespace.",
    ),
    (
        NotFoundError,
        "Look at the name and the namespace; it may have been deleted after its TTL.",
    ),
    (AlreadyExistsError, "Take another name, or get the one that exists."),
    (ConflictError, "Read the object again and repeat the change."),
    (RateLimitedError, "Send fewer requests at a time, or again later."),
    (UnavailableError, "Try again later; see that the server runs and can reach Kubernetes."),
    (ServerError, "The server's own log says more; it may be of another version than this client."),
)


def error_of(
    request: Request,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime | None = None,
) -> ArgoError:
    """Return the error that an answer means.

    Args:
        request: The request that was answered so.
        status: HTTP status.
        headers: Headers of the answer; names without regard to case.
        body: Body of the answer: Argo's JSON, a stream's first message, or anything.
        now: The present time, for a Retry-After that is a date.
    """
    facts = _error_object(body)
    if facts is not None:
        return _argo_error(request, status, facts, retry_after(headers, now=now))
    return _foreign_error(request, status, headers, body, retry_after(headers, now=now))


def stream_error(request: Request, facts: Any) -> ArgoError | None:
    """Return the error that a message `{"error": facts}` means; None is a stream's normal end.

    A watch that has expired ends with HTTP 429 and the message "EOF", which limits no rate.
    """
    if not isinstance(facts, dict):
        return ServerError("the stream's error cannot be read", **_place(request))
    if facts.get("grpc_code") == _RESOURCE_EXHAUSTED and facts.get("message") == "EOF":
        return None
    return _argo_error(request, _int(facts.get("http_code")) or 500, facts, None)


def is_stream_end(error: ArgoError) -> bool:
    """Return whether this error is the normal end of a watch that had no event."""
    return isinstance(error, RateLimitedError) and error.message == "EOF"


def is_expired(error: ArgoError) -> bool:
    """Return whether a watch has to begin anew, since its resourceVersion is forgotten."""
    return error.status == 410 or "too old resource version" in error.message


def is_nonsense(error: Exception) -> bool:
    """Return whether the server answered, and not as an Argo Server does."""
    if not isinstance(error, ServerError) or error.code is not None:
        return False
    return (error.status or 0) < 400


def is_mistaken_address(error: ArgoError) -> bool:
    """Return whether what was spoken to is no Argo Server: its TLS fails, or it answers a page.

    An answer that was damaged on its way is none of these: whoever sent it may have done it.
    """
    if not isinstance(error, ServerError) or error.code is not None:
        return False
    if error.status is None:
        return error.message.startswith(TLS_FAILED)
    return 300 <= error.status < 400 or (error.status < 500 and A_PAGE in error.message)


def no_connection(request: Request, reason: str, *, hint: str | None = None) -> UnavailableError:
    """Return the error for a request that got no answer, or not all of it."""
    return UnavailableError(reason, hint=hint or _hint(UnavailableError), **_place(request))


def unreadable(
    request: Request, reason: str, *, status: int | None = None, hint: str | None = None
) -> ServerError:
    """Return the error for an answer that makes no sense."""
    hint = hint or "Is this an Argo Server? Look at ARGO_SERVER and ARGO_BASE_HREF."
    return ServerError(reason, status=status, hint=hint, **_place(request))


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks to wait; it may hold seconds or a date."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        then = parsedate_to_datetime(text)
        since = parsedate_to_datetime(headers["Date"]) if "Date" in headers else now
        if then.tzinfo is None or (since is not None and since.tzinfo is None):
            return None
        return max(0.0, (then - (since or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _place(request: Request) -> dict[str, Any]:
    return {"method": request.method, "path": request.path}


def _int(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _error_object(body: bytes) -> dict[str, Any] | None:
    """Find Argo's error in a body: `{"code", "message"}`, or a stream's `{"error": {…}}`."""
    reader = MessageReader()
    for text in (body, *reader.feed(body), *reader.close()):
        try:
            data = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        facts = data.get("error", data) if isinstance(data, dict) else None
        if isinstance(facts, dict) and isinstance(facts.get("message"), str):
            return facts
    return None


def _argo_error(
    request: Request, status: int, facts: dict[str, Any], wait: float | None
) -> ArgoError:
    message = str(facts.get("message") or "the server gave no reason")[:_MAX_TEXT]
    code = _int(facts.get("code")) or _int(facts.get("grpc_code"))
    kind = _kind(request, status, code, message)
    error = kind(
        message,
        status=status,
        code=code,
        retry_after=wait,
        hint=_hint(kind, message, request.path),
        **_place(request),
    )
    if isinstance(error, InvalidWorkflowError):
        error.where = _where(message)
    return error


def _kind(request: Request, status: int, code: int | None, message: str) -> type[ArgoError]:
    for wanted, text, kind in _BY_TEXT:
        if status == wanted and text in message:
            return kind
    refused = status == 400 or (code == 2 and request.operation == "WorkflowService_LintWorkflow")
    if refused and request.carries_manifest and not _NO_MANIFEST.search(message):
        return InvalidWorkflowError
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return BadRequestError if refused or 400 <= status < 500 else ServerError


def _hint(kind: type[ArgoError], message: str = "", path: str = "") -> str | None:
    if issubclass(kind, NotFoundError) and (stored := _STORED.search(path)):
        service = stored[1].replace("-", "_")
        return (
            "Look at the name and the namespace; "
            f"`await client.argo.{service}.list()` says what there is."
        )
    if "archived workflows not supported" in message:
        return "This server keeps no archive (`persistence.archive` of its configuration)."
    if _ENDED.search(message):
        return "The workflow has ended already: there is nothing to stop, terminate or suspend."
    if "too large" in message:
        return "Kubernetes takes objects up to about 1.5 MB: pass large values by a volume."
    return next((hint for wanted, hint in _HINTS if issubclass(kind, wanted)), None)


def _where(message: str) -> str | None:
    found = (pattern.search(message) for pattern in _WHERE)
    return next((match[1] for match in found if match), None)


def _foreign_error(
    request: Request, status: int, headers: Mapping[str, str], body: bytes, wait: float | None
) -> ArgoError:
    """Return the error for an answer in a form that is not Argo's: a proxy's, another server's."""
    text = body[:_MAX_TEXT].decode("utf-8", "replace").strip()
    is_page = "html" in headers.get("Content-Type", "") or text.startswith("<")
    said = A_PAGE if is_page else repr(text[:200]) if text else "nothing"
    facts: dict[str, Any] = {"status": status, "retry_after": wait, **_place(request)}
    if "HTTP request to an HTTPS server" in text:
        hint = "The server speaks TLS: write https://, or leave ARGO_SECURE unset."
        return ServerError("the server expects TLS", hint=hint, **facts)
    if 300 <= status < 400:
        hint = "Name the server itself: look at https://, the base href and single sign-on."
        return ServerError(
            f"the server redirects to {headers.get('Location', 'nowhere')[:200]!r}",
            hint=hint,
            **facts,
        )
    # A 404 that Argo did not say tells nothing about the object.
    kind = ServerError if status == 404 else _BY_STATUS.get(status, ServerError)
    if kind is ServerError:
        return unreadable(request, f"the server answered {said}", status=status)
    return kind(f"the server answered {said}", hint=_hint(kind), **facts)
