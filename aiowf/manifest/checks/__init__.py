"""Checks of a workflow before it is submitted: what Argo would refuse, and what it would swallow.

Argo validates a workflow when it is created, tells the first problem, and says nothing of some
others: a volume that is mounted but not defined, a misspelt field. Here all are found at once, and
before anything is sent. Where only a server can know (a WorkflowTemplate, an expression) nothing is
refused.
"""

from aiowf.errors import ConfigurationError
from aiowf.manifest.checks.findings import Findings
from aiowf.manifest.checks.flow import (
    MAX_PARAMETERS,
    MAX_TASKS,
    Library,
    check_arguments,
    check_call,
    check_supplied,
)
from aiowf.manifest.checks.scopes import EVERYTHING, Scope, all_resolve, global_scope
from aiowf.manifest.checks.templates import (
    Surroundings,
    check_metadata,
    check_retry_strategy,
    check_template,
    check_volumes,
)
from aiowf.manifest.converter import dumps
from aiowf.manifest.kubernetes import ObjectMeta, PersistentVolumeClaim
from aiowf.manifest.names import MAX_LABEL, dns_label, dns_subdomain, template_name
from aiowf.manifest.template import Metadata, Template
from aiowf.manifest.units import duration
from aiowf.manifest.workflow import Workflow, WorkflowSpec

__all__ = [
    "MAX_BODY",
    "MAX_PARAMETERS",
    "MAX_TASKS",
    "MAX_TEMPLATES",
    "check_size",
    "check_workflow",
]

MAX_TEMPLATES = 200  # of Argo's custom resource definition, as are MAX_TASKS and MAX_PARAMETERS
MAX_BODY = 3 * 1024 * 1024  # what the Kubernetes API takes in one request

# Path → the values of Argo's enums at the level of the workflow.
_POD_GC = ("OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess")
_CLAIM_GC = ("OnWorkflowCompletion", "OnWorkflowSuccess")
_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_SHUTDOWN = ("Stop", "Terminate")


def check_workflow(workflow: Workflow, text: bytes | None = None) -> None:
    """Check a workflow as Argo does before it creates one, and more.

    Checked: names, that they are unique and that they are defined where they are used (templates,
    tasks, volumes, parameters); exactly one kind per template; entrypoint and images; mounts;
    `{{…}}` that cannot be resolved; missing arguments; cycles; enums, durations, quantities,
    labels; Argo's limits of 200 templates, 200 tasks of a DAG and 500 parameters. Misspelt fields
    are the matter of `check_fields`, and the size that of `check_size`.

    Raises:
        ConfigurationError: Something is wrong. `where` is the path inside `spec`, such as
            "templates[2].container.volumeMounts[0]"; further problems stand in the hint.
    """
    findings = Findings()
    _check_object_metadata(workflow.metadata, findings)
    spec = workflow.spec or WorkflowSpec()
    if spec.workflow_template_ref is None and not spec.entrypoint:
        findings.add(
            "entrypoint", "the entrypoint is missing: the name of the template to begin with"
        )
    if spec.workflow_template_ref is not None and spec.templates:
        findings.add("templates", "not allowed together with workflowTemplateRef")
    _check_policies(spec, findings)
    scope = global_scope(workflow)
    # Most workflows name nothing but what resolves everywhere: one look, instead of one per part.
    plain = all_resolve(dumps(spec) if text is None else text, scope)
    _check_templates(spec, scope, findings, plain=plain)
    findings.raise_first()


def check_size(body: bytes, limit: int = MAX_BODY) -> None:
    """Check that the JSON of a workflow is not too large to be sent.

    Raises:
        ConfigurationError: It has more bytes than the limit, by default 3 MiB.
    """
    if len(body) > limit:
        raise ConfigurationError(
            f"the workflow has {len(body):,} bytes, and {limit:,} is the most that can be sent",
            hint="pass large values by a volume or an artifact, or use fewer templates",
        )


def _check_object_metadata(metadata: ObjectMeta | None, findings: Findings) -> None:
    if metadata is None or not (metadata.name or metadata.generate_name):
        findings.add("metadata", "a workflow needs a name or a generateName")
        return
    if metadata.name:
        findings.check(_workflow_name, metadata.name, "metadata.name")
    elif metadata.generate_name:
        findings.check(_name_prefix, metadata.generate_name, "metadata.generateName")
    if metadata.namespace:
        findings.check(dns_label, metadata.namespace, "metadata.namespace")
    if metadata.labels or metadata.annotations:
        texts = Metadata(labels=metadata.labels, annotations=metadata.annotations)
        check_metadata(texts, "metadata", findings)


def _workflow_name(text: str, where: str) -> str:
    """Return a workflow's name: an RFC 1123 subdomain that fits into a label."""
    return dns_subdomain(text, where) if len(text) <= MAX_LABEL else dns_label(text, where)


def _name_prefix(text: str, where: str) -> str:
    """Return the begin of a name; Kubernetes cuts it where it is too long."""
    dns_subdomain(text[:MAX_LABEL].rstrip("-.") or text, where)
    return text


def _check_policies(spec: WorkflowSpec, findings: Findings) -> None:
    """Check what stands at the level of the workflow, besides templates and what calls them."""
    findings.choice(spec.dns_policy, _DNS_POLICIES, "", "dnsPolicy")
    findings.choice(spec.shutdown, _SHUTDOWN, "", "shutdown")
    if spec.pod_gc is not None:
        findings.choice(spec.pod_gc.strategy, _POD_GC, "podGC", "strategy")
        if spec.pod_gc.delete_delay_duration is not None:
            findings.check(duration, spec.pod_gc.delete_delay_duration, "podGC.deleteDelayDuration")
    if spec.volume_claim_gc is not None:
        findings.choice(spec.volume_claim_gc.strategy, _CLAIM_GC, "volumeClaimGC", "strategy")
    if spec.ttl_strategy is not None:
        ttl = spec.ttl_strategy
        _check_seconds(ttl.seconds_after_completion, "ttlStrategy.secondsAfterCompletion", findings)
        _check_seconds(ttl.seconds_after_failure, "ttlStrategy.secondsAfterFailure", findings)
        _check_seconds(ttl.seconds_after_success, "ttlStrategy.secondsAfterSuccess", findings)
    _check_seconds(spec.active_deadline_seconds, "activeDeadlineSeconds", findings)
    _check_seconds(spec.parallelism, "parallelism", findings)
    if spec.retry_strategy is not None:
        check_retry_strategy(spec.retry_strategy, "retryStrategy", findings)
    check_metadata(spec.pod_metadata, "podMetadata", findings)
    if spec.volumes:
        check_volumes(spec.volumes, "volumes", findings)
    for index, claim in enumerate(spec.volume_claim_templates or ()):
        _check_claim(claim, f"volumeClaimTemplates[{index}]", findings)
    check_arguments(spec.arguments, "arguments", findings)


def _check_seconds(number: int | None, where: str, findings: Findings) -> None:
    if number is None:
        return
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        findings.add(where, f"{number!r:.60} is no whole number of at least 0")


def _check_claim(claim: PersistentVolumeClaim | None, where: str, findings: Findings) -> None:
    name = claim.metadata.name if claim is not None and claim.metadata is not None else None
    if claim is None or not name:
        findings.add(f"{where}.metadata", "the claim has no name")
        return
    findings.check(dns_label, name, f"{where}.metadata.name")
    modes = (claim.spec.access_modes if claim.spec is not None else None) or ()
    for index, mode in enumerate(modes):
        findings.choice(mode, _ACCESS_MODES, where, f"spec.accessModes[{index}]")


def _check_templates(spec: WorkflowSpec, scope: Scope, findings: Findings, *, plain: bool) -> None:
    """Check templates and what calls them; `plain`: every tag is known to resolve."""
    templates = spec.templates or ()
    if len(templates) > MAX_TEMPLATES:
        findings.add("templates", f"{len(templates)} templates; Argo takes at most {MAX_TEMPLATES}")
    findings.names(templates, template_name, "templates")
    by_name = {item.name or "": item for item in templates if item is not None}
    library = Library(by_name, complete=spec.workflow_template_ref is None)
    around = Surroundings(
        library=library,
        scope=EVERYTHING if plain else scope,
        volumes=_volume_names(spec),
        default_images=_default_images(spec.template_defaults),
    )
    for index, template in enumerate(templates):
        if template is not None:
            check_template(template, f"templates[{index}]", around, findings)
    for name, where in ((spec.entrypoint, "entrypoint"), (spec.on_exit, "onExit")):
        if name:
            library.check_name(name, where, findings)
            if name in by_name:
                check_supplied(by_name[name], spec.arguments, where, findings)
    for name, hook in (spec.hooks or {}).items():
        if hook is not None:
            check_call(hook, f"hooks.{name}", library, scope, findings)


def _volume_names(spec: WorkflowSpec) -> frozenset[str] | None:
    """Return the names of all volumes that pods can mount, or None where nobody knows them all."""
    if spec.pod_spec_patch or spec.workflow_template_ref is not None:
        return None
    defaults = spec.template_defaults
    if defaults is not None and defaults.pod_spec_patch:
        return None
    volumes = [*(spec.volumes or ()), *((defaults.volumes if defaults else None) or ())]
    names = {volume.name for volume in volumes if volume is not None}
    for claim in spec.volume_claim_templates or ():
        if claim is not None and claim.metadata is not None:
            names.add(claim.metadata.name)
    return frozenset(name for name in names if name)


def _default_images(defaults: Template | None) -> frozenset[str]:
    """Return the kinds of container for which templateDefaults names an image."""
    if defaults is None:
        return frozenset()
    both = (("container", defaults.container), ("script", defaults.script))
    return frozenset(name for name, part in both if part is not None and part.image)
