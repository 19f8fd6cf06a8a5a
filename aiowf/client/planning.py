"""From an operation, a workflow or a template to the request that creates it."""

import hashlib
import math
import secrets
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from attrs import field, frozen

from aiowf.client.forms import WINDOW_SECONDS, Form, Terms, make_form
from aiowf.errors import ConfigurationError
from aiowf.manifest import (
    ObjectMeta,
    SubmitOpts,
    TTLStrategy,
    Workflow,
    dumps,
    structure,
)
from aiowf.manifest.fields import evolve
from aiowf.manifest.names import MAX_LABEL, dns_label
from aiowf.manifest.rendering import Renderable, Submission
from aiowf.manifest.spelling import check_fields
from aiowf.wire import labels

if TYPE_CHECKING:
    from aiowf.client.backend import Backend

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_SUFFIX = 10
# An answer that was lost is looked for this long, or for this share of the workflow's time to live:
# a workflow that ran and was deleted meanwhile must not be taken for one that never ran.
_SHARE_OF_TTL = 0.5
CREATE = "WorkflowService_CreateWorkflow"
SUBMIT = "WorkflowService_SubmitWorkflow"


@frozen(kw_only=True)
class Plan:
    """What a client has to know of a workflow that it submits, as long as it is awaited.

    Attributes:
        name: The full name of the workflow.
        key: What tells our workflow from another of the same name.
        durable: Whether the name comes from an `id`: a workflow that is there already is ours too.
        terms: What does not differ between submissions.
    """

    name: str
    key: str
    durable: bool = False
    terms: Terms = field(factory=Terms)


@frozen(kw_only=True)
class Parcel:
    """A workflow that is ready to be sent.

    Attributes:
        plan: What is known of it when it was sent.
        operation: The server's operation that creates it.
        body: The body of the request.
    """

    plan: Plan
    operation: str = CREATE
    body: bytes = field(repr=False)


def full_name(prefix: str, id: str | None) -> str:
    """Return the name of a workflow: from the id, so that it is found again, or a random one."""
    text = secrets.token_bytes(8) if id is None else hashlib.sha256(f"{prefix}\0{id}".encode())
    number = int.from_bytes(text if isinstance(text, bytes) else text.digest())
    digits = ""
    for _ in range(_SUFFIX):
        number, digit = divmod(number, len(_ALPHABET))
        digits += _ALPHABET[digit]
    return prefix + digits


def idempotency_key(prefix: str, id: str | None) -> str:
    """Return the value of the idempotency label."""
    if id is None:
        return secrets.token_hex(16)
    return hashlib.sha256(f"aiowf\0{prefix}\0{id}".encode()).hexdigest()[:32]


def window_of(ttl: TTLStrategy | None) -> float:
    """Return for how many seconds a workflow of this time to live may be sent once more."""
    if ttl is None:
        return WINDOW_SECONDS
    told = (ttl.seconds_after_completion, ttl.seconds_after_success, ttl.seconds_after_failure)
    shortest = min((each for each in told if each is not None), default=math.inf)
    return min(WINDOW_SECONDS, _SHARE_OF_TTL * shortest)


def _ttl_of(workflow: Workflow) -> TTLStrategy | None:
    return workflow.spec.ttl_strategy if workflow.spec else None


def name_of_operation(op: Renderable, id: str | None = None) -> str:
    """Return the full name of the workflow that an operation becomes now.

    Raises:
        ConfigurationError: It becomes none, or the id is none.
    """
    check_id(id)
    if isinstance(op, Workflow | Mapping):
        raise ConfigurationError(
            f"{type(op).__name__} is no operation",
            hint="`client.submit(…)` takes a Workflow or a mapping, and returns its Run.",
        )
    if not callable(getattr(op, "to_workflow", None)):
        raise ConfigurationError(
            f"{type(op).__name__} does not become a workflow",
            hint="Operations that run in the service itself are executed without a client."
            if hasattr(op, "execute")
            else "Give an operation, a Workflow, or a mapping: yaml.safe_load(…) reads one.",
        )
    return full_name(op.name, id)


async def plan_operation(
    op: Renderable,
    name: str,
    backend: "Backend",
    *,
    id: str | None = None,
    timeout: float | None = None,
) -> Parcel:
    """Render an operation for this backend.

    Args:
        op: The operation.
        name: The full name of the workflow, as `name_of_operation` gave it.
        backend: The server, and what goes with it.
        id: Makes the execution durable.
        timeout: Seconds after which the workflow may be stopped, for a sync operation.

    Raises:
        ConfigurationError: It cannot be rendered, or Argo would refuse it; nothing was sent.
    """
    claims = {claim: await backend.claim_exists(claim) for claim in op.claims}
    deadline = math.ceil(timeout) if timeout is not None and op.is_sync else None
    key = idempotency_key(op.name, id)
    shape, parts = _shape(op)
    where = backend.reply_place, deadline, tuple(claims.items()), shape
    form = None if shape is None else backend.forms.find(where, parts)
    if form is None:
        submission = Submission(
            workflow_name=name,
            claims=claims,
            reply=backend.reply_target(is_sync=op.is_sync, wants_files=op.wants_files),
            runtime_image=backend.runtime_image,
            deadline=deadline,
        )
        form = _form_of(op, submission, key, parts, backend)
        if shape is not None:
            backend.forms.keep(where, form)
    return _filled(form, name, key, parts, backend, id=id)


def _shape(op: Renderable) -> tuple[Hashable, Sequence[bytes]]:
    """Return what operations that render alike have in common, and JSON of what they have not."""
    found: tuple[Hashable, tuple[Any, ...]] | None = getattr(op, "shape", None)
    return (None, ()) if found is None else (found[0], [orjson.dumps(part) for part in found[1]])


def _form_of(
    op: Renderable, submission: Submission, key: str, parts: Sequence[bytes], backend: "Backend"
) -> Form:
    workflow = op.to_workflow(backend.profile, submission=submission)
    reply = submission.reply
    terms = Terms(
        window=window_of(_ttl_of(workflow)),
        decoders=op.decoders,
        wants_files=op.wants_files,
        wants_notice=reply is not None and reply.notify,
        replies=reply is not None,
    )
    return make_form(workflow, submission.workflow_name, key, parts, terms=terms)


def plan_workflow(
    workflow: Workflow | Mapping[str, Any], backend: "Backend", *, id: str | None = None
) -> Parcel:
    """Prepare a workflow that somebody else wrote.

    Raises:
        ConfigurationError: Argo would refuse it, or drop a part of it silently.
    """
    check_id(id)
    workflow = as_workflow(workflow)
    meta = workflow.metadata or ObjectMeta()
    if meta.name and id is not None:
        raise ConfigurationError(
            f"the workflow has a name, {meta.name}, and id={id!r} would make another",
            where="metadata.name",
            hint="Give it generateName and an id, or its name alone.",
        )
    name = meta.name or full_name(str(meta.generate_name), id)
    key = idempotency_key(meta.name or str(meta.generate_name), id)
    workflow = evolve(workflow, metadata=evolve(meta, name=name))
    form = make_form(workflow, name, key, terms=Terms(window=window_of(_ttl_of(workflow))))
    return _filled(form, name, key, (), backend, id=id)


def as_workflow(workflow: Workflow | Mapping[str, Any]) -> Workflow:
    """Return a workflow that has a name, or the begin of one.

    Raises:
        ConfigurationError: It has none, is of another kind, or has a field that Argo does not know.
    """
    if not isinstance(workflow, Workflow):
        check_fields(workflow)
        workflow = structure(dict(workflow), Workflow)
    if workflow.kind not in (None, "", "Workflow"):
        raise ConfigurationError(
            f"this is a {workflow.kind}, not a Workflow",
            where="kind",
            hint="A stored template runs by client.submit_from(…).",
        )
    if workflow.metadata is None or not (workflow.metadata.name or workflow.metadata.generate_name):
        raise ConfigurationError(
            "a workflow needs a name", where="metadata", hint="Set name or generateName."
        )
    return workflow


def plan_template(
    template: str,
    kind: str,
    options: SubmitOpts,
    backend: "Backend",
    *,
    ttl: TTLStrategy | None,
    id: str | None = None,
) -> Parcel:
    """Prepare a workflow of a stored template, whose parameters were checked.

    Raises:
        ConfigurationError: The options or the id make no sense.
    """
    check_id(id)
    prefix = f"{template[: MAX_LABEL - 1 - _SUFFIX].replace('.', '-').rstrip('-')}-"
    name = options.name or full_name(prefix, id)
    plan = Plan(
        name=dns_label(name, "name"),
        key=idempotency_key(options.name or prefix, id),
        durable=id is not None,
        terms=Terms(window=window_of(ttl)),
    )
    own = f"{labels.SESSION}={backend.session_id},{labels.IDEMPOTENCY_KEY}={plan.key}"
    body = {
        "resourceKind": kind,
        "resourceName": template,
        "submitOptions": evolve(
            options,
            name=name,
            labels=f"{options.labels},{own}" if options.labels else own,
        ),
    }
    return Parcel(plan=plan, operation=SUBMIT, body=dumps(body))


def check_id(id: str | None) -> None:
    """Check the id of a durable execution.

    Raises:
        ConfigurationError: It is no text in UTF-8, or empty.
    """
    if id is None:
        return
    if not isinstance(id, str) or not id:
        raise ConfigurationError(f"id={id!r}: it must be a string that is not empty")
    try:
        id.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"id={id!r:.80}: it is no text in UTF-8: {error}") from None


def _filled(
    form: Form, name: str, key: str, parts: Sequence[bytes], backend: "Backend", *, id: str | None
) -> Parcel:
    notes = backend.reply_annotations() if form.terms.replies else {}
    if id is not None:
        notes[labels.DURABLE_ID] = id
    tags = {labels.SESSION: backend.session_id, labels.IDEMPOTENCY_KEY: key}
    body = form.fill(name, key, parts, tags=tags, notes=notes)
    plan = Plan(name=name, key=key, durable=id is not None, terms=form.terms)
    return Parcel(plan=plan, body=body)
