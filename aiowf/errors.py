"""Everything that aiowf raises on purpose.

The tree, with the built-in class that an error is as well:

    AiowfError
    ├── ConfigurationError (ValueError)     a value is wrong; found before anything is sent
    ├── OperationFailedError                the workflow ended, and not well
    ├── ItemFailedError                     one of many calls of a function failed
    ├── OperationTimeoutError (TimeoutError) it did not end in time
    ├── OperationStuckError                 a pod of it can never start
    ├── ArgoError                           an Argo Server refused, or answered nonsense
    │   ├── BadRequestError                 400: the request is wrong
    │   │   └── InvalidWorkflowError        400, or a failed lint: the workflow is wrong
    │   ├── UnauthenticatedError            401: who are you?
    │   ├── PermissionDeniedError           403: you may not
    │   ├── NotFoundError                   404
    │   ├── AlreadyExistsError              409: the name is taken
    │   ├── ConflictError                   409 and some 500: changed by somebody else meanwhile
    │   ├── RateLimitedError                429: later
    │   ├── UnavailableError                503, 504, no connection: perhaps later
    │   └── ServerError                     500, 501 and what cannot be read
    ├── ReplyError                          results that were to come by the reply channel
    │   ├── MissingResultsError             they did not come, or not all
    │   └── CorruptResultsError             they came, and are not what was sent
    └── EngineError                         the embedded engine cannot start, or is gone

    AiowfWarning (UserWarning)              it works, and yet is hardly what was meant

Facts are attributes; the text is composed from them in one place, `__str__`. Every error can be
pickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiowf.client import Result

__all__ = [
    "AiowfError",
    "AiowfWarning",
    "AlreadyExistsError",
    "ArgoError",
    "BadRequestError",
    "ConfigurationError",
    "ConflictError",
    "CorruptResultsError",
    "EngineError",
    "InvalidWorkflowError",
    "ItemFailedError",
    "MissingResultsError",
    "NotFoundError",
    "OperationFailedError",
    "OperationStuckError",
    "OperationTimeoutError",
    "PermissionDeniedError",
    "RateLimitedError",
    "ReplyError",
    "ServerError",
    "UnauthenticatedError",
    "UnavailableError",
]


def _rebuild(cls: type[AiowfError], facts: dict[str, Any]) -> AiowfError:
    error = cls.__new__(cls)
    error.__dict__.update(facts)
    error.args = (facts.get("message", ""),)
    return error


class AiowfError(Exception):
    """Base of all errors of aiowf.

    Attributes:
        message: What is wrong, in one sentence.
        hint: What to do next, or None.
    """

    message: str
    hint: str | None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def _lines(self) -> list[str]:
        """Return the text of the error, line by line, without the hint."""
        return [self.message]

    def __str__(self) -> str:
        lines = self._lines()
        return "\n".join([*lines, self.hint] if self.hint else lines)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.__dict__)


class ConfigurationError(AiowfError, ValueError):
    """A value is wrong; nothing was sent.

    Attributes:
        where: The place of the wrong value, such as "templates[2].container.image", or None.
    """

    where: str | None

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.where = where

    def _lines(self) -> list[str]:
        return [f"{self.where}: {self.message}" if self.where else self.message]


class _OperationError(AiowfError):
    """An error about one workflow.

    Attributes:
        workflow_name: Name of the workflow.
        namespace: Its namespace.
    """

    workflow_name: str
    namespace: str | None

    def __init__(
        self,
        message: str,
        *,
        workflow_name: str,
        namespace: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.workflow_name = workflow_name
        self.namespace = namespace


class OperationFailedError(_OperationError):
    """The workflow ended in another phase than Succeeded.

    Attributes:
        result: The Result with everything known about the run.
        phase: "Failed" or "Error".
        node: Display name of the failed node (the last attempt, not the Retry node), or None.
        task: Name of the failed task's template, or None.
        exit_code: Exit code of its main container, or None.
        log_tail: The last lines of its log, oldest first.
    """

    result: Result[Any] | None
    phase: str
    node: str | None
    task: str | None
    exit_code: int | None
    log_tail: tuple[str, ...]

    def __init__(
        self,
        message: str,
        *,
        workflow_name: str,
        phase: str,
        namespace: str | None = None,
        result: Result[Any] | None = None,
        node: str | None = None,
        task: str | None = None,
        exit_code: int | None = None,
        log_tail: Sequence[str] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message, workflow_name=workflow_name, namespace=namespace, hint=hint)
        self.phase = phase
        self.result = result
        self.node = node
        self.task = task
        self.exit_code = exit_code
        self.log_tail = tuple(log_tail)

    def _lines(self) -> list[str]:
        place = f", node {self.node}" if self.node and self.node != self.workflow_name else ""
        lines = [f"workflow {self.workflow_name} {self.phase}{place}: {self.message}"]
        if self.log_tail:
            lines.append("last log lines:")
            lines += [f"  | {line}" for line in self.log_tail]
        return lines


class ItemFailedError(AiowfError):
    """A function failed for one of many items.

    Attributes:
        item: The item; a tuple where there were several iterables.
        index: Its place in the input, from 0.
        cause: Why: OperationFailedError if the call failed, ConfigurationError if the item cannot
            travel, or its value is not of the annotated type.
    """

    item: Any
    index: int
    cause: AiowfError

    def __init__(self, function: str, item: Any, index: int, cause: AiowfError) -> None:
        super().__init__(f"{function} failed for {item!r:.200} (items[{index}])", hint=cause.hint)
        self.item = item
        self.index = index
        self.cause = self.__cause__ = cause

    def _lines(self) -> list[str]:
        return [self.message, *self.cause._lines()]


class OperationTimeoutError(_OperationError, TimeoutError):
    """The workflow did not end within the timeout of `execute` or `wait`.

    Attributes:
        timeout: The timeout in seconds.
        phase: The phase last seen.
        action: What was done with the workflow: "stop", "terminate" or "leave".
    """

    timeout: float
    phase: str | None
    action: str

    def __init__(
        self,
        message: str,
        *,
        workflow_name: str,
        timeout: float,
        namespace: str | None = None,
        phase: str | None = None,
        action: str = "leave",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, workflow_name=workflow_name, namespace=namespace, hint=hint)
        self.timeout = timeout
        self.phase = phase
        self.action = action


class OperationStuckError(_OperationError):
    """A pod of the workflow cannot start, and Argo would wait for ever.

    Attributes:
        node: Display name of the node that is pending.
        reason: Kubernetes' reason, such as "ErrImagePull".
        waited: Seconds for which it was seen pending.
    """

    node: str
    reason: str
    waited: float

    def __init__(
        self,
        message: str,
        *,
        workflow_name: str,
        node: str,
        reason: str,
        waited: float,
        namespace: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, workflow_name=workflow_name, namespace=namespace, hint=hint)
        self.node = node
        self.reason = reason
        self.waited = waited


class ArgoError(AiowfError):
    """An Argo Server refused a request, or its answer cannot be read.

    Attributes:
        method: HTTP method of the request, or None.
        path: Path of the request without the query, or None.
        status: HTTP status of the answer, or None where there was none.
        code: gRPC code that the server named, or None.
        retry_after: Seconds that the server asked to wait, or None.
    """

    method: str | None
    path: str | None
    status: int | None
    code: int | None
    retry_after: float | None

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        code: int | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.method = method
        self.path = path
        self.status = status
        self.code = code
        self.retry_after = retry_after

    def _lines(self) -> list[str]:
        if not self.method:
            return [self.message]
        status = f" → HTTP {self.status}" if self.status else ""
        return [f"{self.message} ({self.method} {self.path}{status})"]


class BadRequestError(ArgoError):
    """The server does not understand the request (HTTP 400)."""


class InvalidWorkflowError(BadRequestError):
    """The server says that the workflow is wrong.

    Attributes:
        where: Place in the manifest as Argo names it, such as "templates.main.steps[0].a", or None.
    """

    where: str | None = None


class UnauthenticatedError(ArgoError):
    """The server does not know the caller (HTTP 401)."""


class PermissionDeniedError(ArgoError):
    """The caller may not do that (HTTP 403)."""


class NotFoundError(ArgoError):
    """There is no such object (HTTP 404)."""


class AlreadyExistsError(ArgoError):
    """The name is taken (HTTP 409)."""


class ConflictError(ArgoError):
    """Somebody else changed the object meanwhile (HTTP 409, or 500 "timed out waiting …")."""


class RateLimitedError(ArgoError):
    """The server asks to slow down (HTTP 429)."""


class UnavailableError(ArgoError):
    """The server cannot be reached, or is not ready (HTTP 502, 503, 504, or no connection)."""


class ServerError(ArgoError):
    """The server failed (HTTP 500, 501), or what answered is not an Argo Server."""


class ReplyError(AiowfError):
    """Results that were to come by the reply channel.

    Attributes:
        workflow_name: Name of the workflow, or None where it is not known.
        details: Further facts, such as the file and the chunk.
    """

    workflow_name: str | None
    details: Mapping[str, Any]

    def __init__(
        self,
        message: str,
        *,
        workflow_name: str | None = None,
        hint: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, hint=hint)
        self.workflow_name = workflow_name
        self.details = details


class MissingResultsError(ReplyError):
    """Results did not come, or not all of them."""


class CorruptResultsError(ReplyError):
    """Results came and are not what was sent."""


class EngineError(AiowfError):
    """The embedded engine cannot start, or is gone."""


class AiowfWarning(UserWarning):
    """It works, and yet is hardly what was meant."""
