"""Workflows of stored templates: what may be said of them, checked before they are submitted."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aiowf.client.planning import Parcel, check_id, plan_template
from aiowf.client.run import text_of, texts
from aiowf.errors import ConfigurationError
from aiowf.manifest import Parameter, SubmitOpts, WorkflowSpec
from aiowf.manifest.names import nearest

if TYPE_CHECKING:
    from aiowf.client.backend import Backend

KINDS = ("WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")


async def plan_submission(
    backend: "Backend",
    template: str,
    parameters: Mapping[str, Any],
    *,
    kind: str,
    id: str | None,
    name: str | None,
    entrypoint: str | None,
    labels: Mapping[str, str] | None,
    annotations: Mapping[str, str] | None,
    priority: int | None,
    service_account: str | None,
) -> Parcel:
    """Check what is to be submitted against the stored template; see `Client.submit_from`."""
    check_id(id)
    if not isinstance(template, str) or not template:
        raise ConfigurationError(
            f"expected the name of a template, not {template!r:.60}", where="template"
        )
    if kind not in KINDS:
        raise ConfigurationError(
            f"kind={kind!r} cannot be submitted", where="kind", hint=nearest(kind, KINDS)
        )
    if id is not None and name is not None:
        raise ConfigurationError("the name comes from the id, or is given: not both", where="name")
    spec = await stored_spec(backend, template, kind)
    what = f"{kind} {template}"
    check_parameters((spec.arguments and spec.arguments.parameters) or (), parameters, what)
    _check_entrypoint(spec, entrypoint, what)
    options = SubmitOpts(
        name=name,
        entry_point=entrypoint,
        parameters=texts(parameters) or None,
        labels=_pairs(labels, "labels"),
        annotations=_pairs(annotations, "annotations"),
        priority=priority,
        service_account=service_account,
    )
    return plan_template(template, kind, options, backend, ttl=spec.ttl_strategy, id=id)


async def stored_spec(backend: "Backend", template: str, kind: str) -> WorkflowSpec:
    """Return the specification in a stored object; what it refers to stands in for what it lacks.

    Raises:
        NotFoundError: There is no such object.
    """
    argo, namespace = backend.argo, backend.namespace
    if kind == "CronWorkflow":
        cron = await argo.cron_workflows.get(template, namespace=namespace)
        found = cron.spec and cron.spec.workflow_spec
    elif kind == "ClusterWorkflowTemplate":
        found = (await argo.cluster_workflow_templates.get(template)).spec
    else:
        found = (await argo.workflow_templates.get(template, namespace=namespace)).spec
    spec = found or WorkflowSpec()
    ref = spec.workflow_template_ref
    if ref is None or not ref.name:
        return spec
    inner = await stored_spec(backend, ref.name, KINDS[bool(ref.cluster_scope)])
    return _over(spec, inner)


def _over(spec: WorkflowSpec, inner: WorkflowSpec) -> WorkflowSpec:
    """Lay what a specification says itself over what it refers to, parameter by parameter."""
    parameters: dict[str | None, Parameter] = {}
    for each in (inner, spec):
        known = (each.arguments and each.arguments.parameters) or ()
        parameters.update({item.name: item for item in known})
    from aiowf.manifest import Arguments
    from aiowf.manifest.fields import evolve

    return evolve(
        inner,
        arguments=Arguments(parameters=tuple(parameters.values())),
        ttl_strategy=spec.ttl_strategy or inner.ttl_strategy,
    )


def check_parameters(declared: Iterable[Parameter], given: Mapping[str, Any], what: str) -> None:
    """Check values for parameters.

    Raises:
        ConfigurationError: One is unknown (Argo would keep it silently), has a value that its enum
            does not have, or has no value at all.
    """
    known = {each.name: each for each in declared if each.name}
    for name, value in given.items():
        where = f"parameters[{name!r}]"
        if name not in known:
            raise ConfigurationError(
                f"{what} has no parameter {name!r}", where=where, hint=nearest(name, known)
            )
        choices = [text_of(choice, name) for choice in known[name].enum or ()]
        text = text_of(value, name)
        if choices and text not in choices:
            raise ConfigurationError(
                f"{text!r:.80} is none of the values of this parameter",
                where=where,
                hint=nearest(text, choices) or f"it is one of {', '.join(choices)}",
            )
    missing = [name for name, each in known.items() if name not in given and not _has_value(each)]
    if missing:
        raise ConfigurationError(
            f"{what} has no value for the parameter{'s' * (len(missing) > 1)} {', '.join(missing)}",
            where="parameters",
            hint=f"Give it: parameters={{{missing[0]!r}: …}}.",
        )


def _has_value(parameter: Parameter) -> bool:
    told = (parameter.value, parameter.default, parameter.value_from)
    return any(each is not None for each in told)


def _check_entrypoint(spec: WorkflowSpec, entrypoint: str | None, what: str) -> None:
    names = [each.name for each in spec.templates or () if each.name]
    if entrypoint is not None and entrypoint not in names:
        raise ConfigurationError(
            f"{what} has no template {entrypoint!r}",
            where="entrypoint",
            hint=nearest(entrypoint, names),
        )


def _pairs(texts: Mapping[str, str] | None, where: str) -> str | None:
    """Return labels or annotations as Argo's API takes them here: "name=value,name=value"."""
    if not texts:
        return None
    for name, text in texts.items():
        if not isinstance(text, str) or set(",=") & {*name, *text}:
            raise ConfigurationError(
                f"{name}={text!r:.60} cannot be said to the server here: it takes text without "
                '"," and "="',
                where=where,
            )
    return ",".join(f"{name}={text}" for name, text in texts.items())
