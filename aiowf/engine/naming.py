"""The names that Argo's controller gives to nodes, pods and claims."""

import secrets
from functools import lru_cache

# Kubernetes' alphabet for generated names: no vowels, nothing that looks like a vowel.
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_MAX_POD_PREFIX = 253 - 11  # what a pod's name leaves beside "-" and a hash of ten digits


@lru_cache(maxsize=8192)
def fnv1a32(text: str) -> int:
    """Return the 32-bit FNV-1a hash of a text."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def node_id(workflow: str, node_name: str) -> str:
    """Return the id of a node: the root's is the workflow's name."""
    return workflow if node_name == workflow else f"{workflow}-{fnv1a32(node_name)}"


def pod_name(workflow: str, node_name: str, template: str) -> str:
    """Return the name of a node's pod in Argo's format v2."""
    if node_name == workflow:
        return workflow
    return f"{f'{workflow}-{template}'[:_MAX_POD_PREFIX]}-{fnv1a32(node_name)}"


def claim_name(workflow: str, template: str) -> str:
    """Return the name of the claim that is made from a claim template."""
    return f"{workflow}-{template}"


def generated_name(prefix: str) -> str:
    """Return a name as Kubernetes makes it from `generateName`."""
    return prefix[:58] + "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(5))
