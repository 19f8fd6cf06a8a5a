"""From an operation to a workflow on the server: once, whatever happens on the way."""

import asyncio
import hashlib
import itertools
import math
import secrets
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from aiowf.errors import (
    AlreadyExistsError,
    ArgoError,
    ConfigurationError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    UnavailableError,
)
from aiowf.manifest import Metadata, ObjectMeta, Workflow, WorkflowSpec, dumps, structure
from aiowf.manifest.checks import check_size, check_workflow
from aiowf.manifest.fields import Raw, evolve
from aiowf.manifest.rendering import Renderable, ReplyTarget, Submission
from aiowf.manifest.spelling import check_fields
from aiowf.wire import labels

if TYPE_CHECKING:
    from aiowf.client.backend import Backend

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_SUFFIX = 10
# An answer that was lost is looked for this long. It is far shorter than any usual time to live: a
# workflow that ran and was deleted meanwhile must not be taken for one that never ran.
WINDOW_SECONDS = 60.0
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


@frozen(kw_only=True)
class Plan:
    """A workflow that is ready to be sent, and what its client has to know of it.

    Attributes:
        workflow: The workflow, with its full name and our labels.
        key: What tells our workflow from another of the same name.
        durable: Whether the name comes from an `id`: a workflow that is there already is ours too.
        decoders: Task name → what reads its return value.
        wants_files: Whether files of the shared directory come back.
    """

    workflow: Workflow
    key: str
    durable: bool = False
    decoders: Mapping[str, Callable[[str | bytes], Any]] = field(factory=dict)
    wants_files: bool = False

    @property
    def name(self) -> str:
        """Return the name of the workflow."""
        return str(self.workflow.metadata.name if self.workflow.metadata else "")


def full_name(prefix: str, id: str | None) -> str:
    """Return the name of a workflow: from the id, so that it is found again, or a random one."""
    if id is None:
        return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX))
    number = int.from_bytes(hashlib.sha256(f"{prefix}\0{id}".encode()).digest())
    digits = []
    for _ in range(_SUFFIX):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return prefix + "".join(digits)


def idempotency_key(prefix: str, id: str | None) -> str:
    """Return the value of the idempotency label."""
    if id is None:
        return secrets.token_hex(16)
    return hashlib.sha256(f"aiowf\0{prefix}\0{id}".encode()).hexdigest()[:32]


async def plan_operation(
    op: Renderable, backend: "Backend", *, id: str | None = None, timeout: float | None = None
) -> Plan:
    """Render an operation for this backend.

    Raises:
        ConfigurationError: It cannot be rendered, or Argo would refuse it; nothing was sent.
    """
    if id is not None and (not isinstance(id, str) or not id):
        raise ConfigurationError(f"id={id!r}: it is a string that is not empty")
    if not callable(getattr(op, "to_workflow", None)):
        raise ConfigurationError(
            f"{type(op).__name__} does not become a workflow",
            hint="Operations that run in the service itself are executed without a client.",
        )
    name = full_name(op.name, id)
    claims = {claim: await backend.claim_exists(claim) for claim in op.claims}
    submission = Submission(
        workflow_name=name,
        claims=claims,
        reply=backend.reply_target() if op.wants_files else None,
        runtime_image=backend.runtime_image,
        deadline=math.ceil(timeout) if timeout is not None and op.is_sync else None,
    )
    rendered = op.to_workflow(backend.profile, submission=submission)
    return _plan(
        rendered,
        backend,
        name=name,
        key=idempotency_key(op.name, id),
        id=id,
        decoders=op.decoders,
        wants_files=op.wants_files,
        replies=submission.reply,
    )


def plan_workflow(workflow: Workflow | Mapping[str, Any], backend: "Backend") -> Plan:
    """Prepare a workflow that somebody else wrote.

    Raises:
        ConfigurationError: Argo would refuse it, or drop a part of it silently.
    """
    if not isinstance(workflow, Workflow):
        check_fields(workflow)
        workflow = structure(dict(workflow), Workflow)
    meta = workflow.metadata or ObjectMeta()
    if not meta.name and not meta.generate_name:
        raise ConfigurationError(
            "a workflow needs a name", where="metadata", hint="Set name or generateName."
        )
    name = meta.name or full_name(str(meta.generate_name), None)
    return _plan(workflow, backend, name=name, key=idempotency_key(name, None))


def _plan(
    workflow: Workflow,
    backend: "Backend",
    *,
    name: str,
    key: str,
    id: str | None = None,
    replies: ReplyTarget | None = None,
    **known: Any,
) -> Plan:
    meta = workflow.metadata or ObjectMeta()
    ours = {labels.SESSION: backend.session_id, labels.IDEMPOTENCY_KEY: key}
    notes = backend.reply_annotations() if replies is not None else {}
    if id is not None:
        notes[labels.DURABLE_ID] = id
    spec = workflow.spec or WorkflowSpec()
    pods = spec.pod_metadata or Metadata()
    workflow = evolve(
        workflow,
        api_version=workflow.api_version or "argoproj.io/v1alpha1",
        kind=workflow.kind or "Workflow",
        metadata=evolve(
            meta,
            name=name,
            labels={**(meta.labels or {}), **ours},
            annotations={**(meta.annotations or {}), **notes} or None,
        ),
        spec=evolve(
            spec,
            pod_metadata=evolve(pods, labels={**(pods.labels or {}), labels.OPERATION_ID: key}),
        ),
    )
    check_workflow(workflow)
    return Plan(workflow=workflow, key=key, durable=id is not None, **known)


@frozen
class Sent:
    """A workflow that the server has.

    Attributes:
        workflow: It, as the server answered, in JSON data.
        is_new: Whether this call created it; else it was there already.
    """

    workflow: Raw
    is_new: bool


async def send(plan: Plan, backend: "Backend", namespace: str) -> Sent:
    """Create the workflow, once.

    After a failure that leaves open whether the server has it, the server is asked before it is
    sent again; with the full name and the idempotency label the answer is certain.

    Raises:
        AlreadyExistsError: Another workflow has this name.
        UnavailableError: The server did not answer within the window, and nobody knows whether the
            workflow exists; the message says its name.
        ArgoError: The server refused it.
    """
    body = b'{"workflow":' + dumps(plan.workflow) + b"}"
    check_size(body)
    end = time.monotonic() + WINDOW_SECONDS
    pause = _FIRST_PAUSE
    for asked in itertools.count():
        try:
            return Sent(await backend.argo.workflows.create_raw(body, namespace=namespace), True)
        except AlreadyExistsError as error:
            return Sent(await _ours(plan, backend, namespace, error), asked > 0)
        except RateLimitedError as error:
            problem: ArgoError = error
            pause = max(pause, error.retry_after or 0.0)
        except (UnavailableError, ServerError) as error:
            backend.check_alive()
            problem = error
            if _is_refusal(error):
                raise
            found = await _look(plan, backend, namespace)
            if found is not None:
                return Sent(found, True)
        if time.monotonic() + pause > end:
            raise _unknown(plan, problem) from problem
        await asyncio.sleep(pause * (0.5 + secrets.randbelow(1000) / 1000))
        pause = min(pause * 2, _LONGEST_PAUSE)
    raise AssertionError("unreachable")  # pragma: no cover


def _is_refusal(error: ArgoError) -> bool:
    """Return whether the same request would fail for ever."""
    return error.status in (400, 501) or "request is too large" in error.message


async def _look(plan: Plan, backend: "Backend", namespace: str) -> Raw | None:
    """Return the workflow if the server has it, and None if it has not, or cannot say."""
    try:
        found = await backend.argo.workflows.get_raw(plan.name, namespace=namespace)
    except NotFoundError:
        return None
    except (UnavailableError, ServerError, RateLimitedError):
        return None
    return found if _key_of(found) == plan.key else None


async def _ours(plan: Plan, backend: "Backend", namespace: str, error: AlreadyExistsError) -> Raw:
    found = await backend.argo.workflows.get_raw(plan.name, namespace=namespace)
    if _key_of(found) == plan.key:
        return found
    raise AlreadyExistsError(
        f"another workflow is called {plan.name}",
        method=error.method,
        path=error.path,
        status=error.status,
        code=error.code,
        hint="Give the operation another id, or wait until that workflow is deleted."
        if plan.durable
        else "Give the workflow another name, or use generateName.",
    ) from error


def _key_of(workflow: Raw) -> str | None:
    found = ((workflow.get("metadata") or {}).get("labels") or {}).get(labels.IDEMPOTENCY_KEY)
    return found if isinstance(found, str) else None


def _unknown(plan: Plan, problem: ArgoError) -> ArgoError:
    return UnavailableError(
        f"nobody knows whether workflow {plan.name} was created: {problem.message}",
        method=problem.method,
        path=problem.path,
        status=problem.status,
        code=problem.code,
        hint=f"Once the server answers: client.get_run({plan.name!r}). "
        "With execute(id=…) the same call can simply be made again.",
    )
