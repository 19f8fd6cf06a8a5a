"""When finished pods, claims and workflows are collected."""

from collections.abc import Mapping
from typing import Any

from aiowf.engine import durations

# podGC.strategy → (what it waits for, the phase it wants, or None for any).
_POD_GC: Mapping[str, tuple[str, str | None]] = {
    "OnPodCompletion": ("pod", None),
    "OnPodSuccess": ("pod", "Succeeded"),
    "OnWorkflowCompletion": ("workflow", None),
    "OnWorkflowSuccess": ("workflow", "Succeeded"),
}
POD_GC_STRATEGIES = frozenset(_POD_GC)
# What Argo waits by default before it deletes a pod.
_DELAY = "5s"


def forget_after(spec: Mapping[str, Any], what: str, phase: str) -> float | None:
    """Return the seconds after which pods are deleted, once a pod or the workflow has ended.

    Args:
        spec: The specification of the workflow.
        what: What has ended: "pod" or "workflow".
        phase: Its phase.
    """
    collection = spec.get("podGC") or {}
    waits_for, wanted = _POD_GC.get(collection.get("strategy") or "", ("", None))
    if waits_for != what or wanted not in (None, phase):
        return None
    return max(0.0, durations.seconds(str(collection.get("deleteDelayDuration") or _DELAY)))


def ttl_of(spec: Mapping[str, Any], phase: str) -> float | None:
    """Return the seconds after which a finished workflow is deleted, or None."""
    strategy = spec.get("ttlStrategy") or {}
    own = "secondsAfterSuccess" if phase == "Succeeded" else "secondsAfterFailure"
    seconds = strategy.get(own, strategy.get("secondsAfterCompletion"))
    return None if seconds is None else float(seconds)


def wants_claims_deleted(spec: Mapping[str, Any], phase: str) -> bool:
    """Return whether the end of a workflow deletes its claims."""
    strategy = (spec.get("volumeClaimGC") or {}).get("strategy") or "OnWorkflowSuccess"
    return phase == "Succeeded" or strategy == "OnWorkflowCompletion"
