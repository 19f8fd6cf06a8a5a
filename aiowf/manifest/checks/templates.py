"""Checks of one template: its kind, its inputs and outputs, its times and retries."""

from attrs import evolve, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest.checks.containers import check_containers
from aiowf.manifest.checks.findings import VARIABLE, Findings
from aiowf.manifest.checks.flow import (
    MAX_PARAMETERS,
    Library,
    calls_of,
    check_dag,
    check_steps,
    check_tags,
)
from aiowf.manifest.checks.scopes import EVERYTHING, Scope, template_scope
from aiowf.manifest.flow import Parameter
from aiowf.manifest.kubernetes import Volume
from aiowf.manifest.names import dns_label, label_key, label_value, parameter_name
from aiowf.manifest.template import KINDS, Metadata, RetryStrategy, Template
from aiowf.manifest.units import duration

_RETRY_POLICIES = ("Always", "OnError", "OnFailure", "OnTransientError")
_RESOURCE_ACTIONS = ("apply", "create", "delete", "get", "patch", "replace")
# Where an output parameter of a template comes from, by the template's kind; elsewhere: anything.
_OUTPUT_SOURCES = {
    "container": ("path",),
    "container_set": ("path",),
    "script": ("path",),
    "resource": ("jq_filter", "json_path"),
    "dag": ("parameter", "expression"),
    "steps": ("parameter", "expression"),
}


@frozen(kw_only=True)
class Surroundings:
    """What a template finds around it.

    Attributes:
        library: The templates that it can call.
        scope: What it can name.
        volumes: Names of the volumes that it can mount; None: nobody knows them all.
        default_images: Kinds ("container", "script") for which templateDefaults names an image.
    """

    library: Library
    scope: Scope
    volumes: frozenset[str] | None
    default_images: frozenset[str]


def check_template(
    template: Template, where: str, around: Surroundings, findings: Findings
) -> None:
    """Check one template, and those that stand inline in it; see `check_workflow` for what."""
    kind = _kind(template, where, findings)
    volumes = around.volumes
    if template.volumes:
        check_volumes(template.volumes, f"{where}.volumes", findings)
        if volumes is not None:
            volumes |= {item.name or "" for item in template.volumes if item is not None}
    if template.pod_spec_patch:
        volumes = None  # a patch can add volumes
    check_containers(template, where, volumes, around.default_images, findings)
    _check_inputs_and_outputs(template, kind, where, findings)
    _check_times(template, kind, where, findings)
    if template.metadata is not None:
        check_metadata(template.metadata, f"{where}.metadata", findings)
    if template.retry_strategy is not None:
        check_retry_strategy(template.retry_strategy, f"{where}.retryStrategy", findings)
    if template.resource is not None:
        action = template.resource.get("action")
        findings.choice(action, _RESOURCE_ACTIONS, where, "resource.action")
    scope = template_scope(template, around.scope)
    if template.steps is not None:
        scope = check_steps(template, where, around.library, scope, findings)
    if template.dag is not None:
        scope = check_dag(template, where, around.library, scope, findings)
    check_tags(template, where, scope, findings, skip=("steps", "dag"))
    if kind in ("steps", "dag"):
        for call, at in calls_of(template, where):
            if call.inline is not None:  # its tags may name what is in the scope of the call
                inner = evolve(around, scope=EVERYTHING)
                check_template(call.inline, f"{at}.inline", inner, findings)


def _kind(template: Template, where: str, findings: Findings) -> str:
    """Return the one kind of a template, or "" after a note that there is not one."""
    # Argo drops an empty list of steps, and the template is of no kind.
    kinds = sorted(kind for kind, said in vars(template).items() if kind in KINDS and said != ())
    if len(kinds) == 1:
        return kinds[0]
    found = f"it has {' and '.join(KINDS[kind] for kind in kinds)}" if kinds else "it has none"
    findings.add(where, f"a template needs exactly one of {', '.join(KINDS.values())}; {found}")
    return ""


def check_retry_strategy(strategy: RetryStrategy, where: str, findings: Findings) -> None:
    """Check how often, when and after how long a node is tried again."""
    findings.choice(strategy.retry_policy, _RETRY_POLICIES, where, "retryPolicy")
    _check_count(strategy.limit, f"{where}.limit", findings)
    if strategy.backoff is not None:
        backoff = strategy.backoff
        _check_count(backoff.factor, f"{where}.backoff.factor", findings)
        for name, text in (
            ("duration", backoff.duration),
            ("maxDuration", backoff.max_duration),
            ("cap", backoff.cap),
        ):
            if text:
                findings.check(duration, text, where, f"backoff.{name}")


def check_metadata(metadata: Metadata | None, where: str, findings: Findings) -> None:
    """Check labels and annotations by Kubernetes' rules."""
    if metadata is None:
        return
    for key, value in (metadata.labels or {}).items():
        findings.check(label_key, key, where, "labels")
        if value is not None:
            findings.check(label_value, value, where, f"labels.{key}")
    for key, value in (metadata.annotations or {}).items():
        findings.check(label_key, key, where, "annotations")
        if value is not None and not isinstance(value, str):
            findings.add(f"{where}.annotations.{key}", f"expected a text, not {value!r:.60}")


def check_volumes(volumes: tuple[Volume, ...], where: str, findings: Findings) -> None:
    """Check the names of volumes, and that each has one source."""
    findings.names(volumes, dns_label, where)
    for index, volume in enumerate(volumes):
        if volume is None:
            continue
        sources = vars(volume).keys() - {"name", "extra"}
        if len(sources) != 1 and not volume.extra:
            found = " and ".join(sorted(sources)) or "none"
            findings.add(f"{where}[{index}]", f"a volume needs exactly one source, not {found}")


def _check_count(number: int | str | None, where: str, findings: Findings) -> None:
    """Check Kubernetes' IntOrString: a number, its digits, or what Argo has still to fill in."""
    if number is None or (isinstance(number, str) and VARIABLE in number):
        return
    if type(number) is int and number >= 0:
        return
    text = str(number)
    if isinstance(number, bool) or not (text.isascii() and text.isdigit()):
        findings.add(where, f"{number!r:.60} is no whole number of at least 0")


def _check_times(template: Template, kind: str, where: str, findings: Findings) -> None:
    leaf = kind not in ("steps", "dag")
    if template.active_deadline_seconds is not None:
        at = f"{where}.activeDeadlineSeconds"
        _check_count(template.active_deadline_seconds, at, findings)
        if not leaf:
            findings.add(at, f"not allowed in a template of {kind}; set it in the called ones")
    if template.timeout:
        if not leaf:
            findings.add(f"{where}.timeout", f"not allowed in a template of {kind}")
        findings.check(_unit_duration, template.timeout, where, "timeout")
    if template.parallelism is not None and leaf and kind:
        findings.add(f"{where}.parallelism", "allowed in templates of steps or a DAG only")
    if template.suspend is not None and template.suspend.duration:
        findings.check(duration, template.suspend.duration, where, "suspend.duration")


def _unit_duration(text: str, where: str) -> str:
    """Return a duration that has a unit; Argo refuses bare seconds as a template's timeout."""
    if isinstance(text, str) and text.isdigit():
        raise ConfigurationError(f"{text!r} has no unit", where=where, hint=f'use "{text}s"')
    return duration(text, where)


def _check_inputs_and_outputs(
    template: Template, kind: str, where: str, findings: Findings
) -> None:
    if template.inputs is not None:
        findings.names(template.inputs.parameters, parameter_name, f"{where}.inputs.parameters")
        findings.names(template.inputs.artifacts, parameter_name, f"{where}.inputs.artifacts")
        if len(template.inputs.parameters or ()) > MAX_PARAMETERS:
            findings.add(f"{where}.inputs.parameters", f"Argo takes at most {MAX_PARAMETERS}")
    if template.outputs is not None:
        findings.names(template.outputs.parameters, parameter_name, f"{where}.outputs.parameters")
        findings.names(template.outputs.artifacts, parameter_name, f"{where}.outputs.artifacts")
        for index, parameter in enumerate(template.outputs.parameters or ()):
            if parameter is not None:
                at = f"{where}.outputs.parameters[{index}]"
                _check_output(parameter, _OUTPUT_SOURCES.get(kind), at, findings)


def _check_output(
    parameter: Parameter, sources: tuple[str, ...] | None, where: str, findings: Findings
) -> None:
    source = parameter.value_from
    if (source is None) == (parameter.value is None):
        findings.add(where, "an output parameter needs either a value or a valueFrom")
    elif source is not None and sources and not any(getattr(source, name) for name in sources):
        findings.add(f"{where}.valueFrom", f"{' or '.join(sources)} is needed here")
