"""Which pods run near which: the context of an operation's pods."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest import (
    Affinity,
    LabelSelector,
    LabelSelectorRequirement,
    PodAffinity,
    PodAffinityTerm,
    WeightedPodAffinityTerm,
)
from aiowf.manifest.names import label_key, label_value, shortened
from aiowf.wire.labels import ARGO_WORKFLOW

_HOSTNAME = "kubernetes.io/hostname"
_HIGHEST_WEIGHT = 100
_USES_VOLUME = "usesvolume"


def _key(key: str) -> str:
    return label_key(key, "pod_context.key")


def _value(value: str) -> str:
    return label_value(value, "pod_context.value")


@frozen
class PodExecutionContext:
    """A label that draws pods together on one node.

    Attributes:
        key: Key of the label, which every pod of the operation carries.
        value: Its value.
        required: Whether a pod waits until there is room on that node; else it is a preference.
    """

    key: str = field(converter=_key)
    value: str = field(converter=_value)
    required: bool = False


def as_contexts(
    contexts: PodExecutionContext | Iterable[PodExecutionContext] | None,
) -> tuple[PodExecutionContext, ...]:
    """Return contexts from one, several or none.

    Raises:
        ConfigurationError: Something else, or two values for one key.
    """
    if contexts is None:
        return ()
    if isinstance(contexts, PodExecutionContext):
        return (contexts,)
    values: dict[str, str] = {}
    several: Any = contexts
    if not isinstance(contexts, Iterable) or isinstance(contexts, str | Mapping):
        several = (contexts,)
    made: tuple[PodExecutionContext, ...] = tuple(several)
    for context in made:
        if not isinstance(context, PodExecutionContext):
            raise ConfigurationError(
                f"expected PodExecutionContext(key, value), not {context!r:.80}",
                where="pod_context",
            )
        if values.setdefault(context.key, context.value) != context.value:
            raise ConfigurationError(
                f"a pod cannot carry {context.key}={values[context.key]} and "
                f"{context.key}={context.value}",
                where="pod_context",
            )
    return made


def context_labels(contexts: Iterable[PodExecutionContext]) -> dict[str, str]:
    """Return the labels of the pods of an operation."""
    return {context.key: context.value for context in contexts}


def claim_labels(claims: Sequence[str]) -> dict[str, str]:
    """Return the labels of pods that write to claims which one node at a time can mount."""
    return {
        _USES_VOLUME: shortened(claims[0]),
        **{_own_label(claim): "true" for claim in claims},
    }


def _own_label(claim: str) -> str:
    return shortened(f"{_USES_VOLUME}-{claim}")


def affinity(
    contexts: Sequence[PodExecutionContext],
    claims: Sequence[str],
    *,
    namespace: str | None = None,
    workflow_name: str | None = None,
) -> Affinity:
    """Return the affinity of pods; there is a context, a claim or a name.

    Args:
        contexts: The contexts of the operation.
        claims: The claims that the pods write to and one node at a time can mount.
        namespace: Where deployments label their pods `<claim>-<namespace>`: their namespace.
        workflow_name: Full name of the workflow, where its pods have to stay together.
    """
    required = [_term(c.key, c.value) for c in contexts if c.required]
    for n, claim in enumerate(claims):
        if n:
            required.append(_term(_own_label(claim), "true"))
        else:
            others = [shortened(f"{claim}-{namespace}")] if namespace else []
            required.append(_term(_USES_VOLUME, shortened(claim), *others))
    if workflow_name is not None:
        required.append(_term(ARGO_WORKFLOW, workflow_name))
    preferred = [
        WeightedPodAffinityTerm(
            weight=_HIGHEST_WEIGHT, pod_affinity_term=_term(context.key, context.value)
        )
        for context in contexts
        if not context.required
    ]
    return Affinity(
        pod_affinity=PodAffinity(
            required_during_scheduling_ignored_during_execution=tuple(required) or None,
            preferred_during_scheduling_ignored_during_execution=tuple(preferred) or None,
        )
    )


def _term(key: str, *values: str) -> PodAffinityTerm:
    expression = LabelSelectorRequirement(key=key, operator="In", values=values)
    return PodAffinityTerm(
        label_selector=LabelSelector(match_expressions=(expression,)), topology_key=_HOSTNAME
    )
