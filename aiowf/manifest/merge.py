"""Overrides: what a user writes in Argo's own words, merged into what was rendered."""

from collections.abc import Mapping
from typing import Any, TypeVar

from aiowf.errors import ConfigurationError
from aiowf.manifest.converter import structure, unstructure
from aiowf.manifest.paths import path_of
from aiowf.manifest.spelling import check_fields, field_names

T = TypeVar("T")

# Lists whose items are told apart by one of their fields, as `x-kubernetes-patch-merge-key` in
# Argo's schema says; `containers` of a container set is ours: Argo has no key for it.
MERGE_KEYS: Mapping[str, str] = {
    "artifacts": "name",
    "containers": "name",
    "env": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "parameters": "name",
    "ports": "containerPort",
    "sidecars": "name",
    "tasks": "name",
    "templates": "name",
    "tolerations": "key",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}

# Of these lists an item of the same key is merged; of the others it takes the place of the old
# one, because it is one choice among several (a variable's `value` or `valueFrom`, a volume's
# source), and two choices merged would be none.
_MERGED_ITEMS = frozenset({"containers", "initContainers", "sidecars", "tasks", "templates"})


def deep_merge(base: T, overrides: Mapping[str, Any] | T, where: str = "overrides") -> T:
    """Return a manifest value (a Template, a WorkflowSpec, …) with overrides merged into it.

    Objects are merged field by field, at any depth. Lists whose items Kubernetes tells apart by a
    key (env by name, volumeMounts by mountPath, …: MERGE_KEYS) are merged by that key: an item of
    the same key takes the old one's place (a template, a task or a container is merged with it),
    others are added at the end. Every other list, such as `args` or `steps`, replaces the old one.
    An explicit null (None in a mapping) removes the field, as in a Kubernetes patch.

    Args:
        base: The value, which stays as it is.
        overrides: A mapping in Argo's own camelCase, possibly with manifest values inside, or a
            value of the class of `base`, in which None says nothing.
        where: Begin of the path in errors.

    Raises:
        ConfigurationError: A field at any depth is unknown (the hint is the nearest right one), or
            the result does not have the form of the class.
    """
    cls = type(base)
    patch = unstructure(overrides)
    if not isinstance(patch, Mapping):
        raise ConfigurationError(
            f"expected a mapping or a {cls.__name__}, not {overrides!r:.80}", where=where
        )
    if cls.__name__ in field_names():
        check_fields(patch, cls.__name__, where)
    try:
        return structure(_merged(unstructure(base), patch), cls)
    except ConfigurationError as error:
        raise ConfigurationError(
            error.message, where=path_of(where, error.where or ""), hint=error.hint
        ) from None


def _merged(base: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return list(patch) if isinstance(patch, tuple) else patch
    result = dict(base) if isinstance(base, Mapping) else {}
    for name, item in patch.items():
        if item is None:
            result.pop(name, None)
        elif name in MERGE_KEYS and isinstance(item, (list, tuple)):
            result[name] = _merged_list(name, result.get(name) or [], item)
        else:
            result[name] = _merged(result.get(name), item)
    return result


def _merged_list(name: str, base: Any, patch: Any) -> Any:
    """Merge two lists by the key of their items; items without the key are added."""
    key = MERGE_KEYS[name]
    result = list(base)
    places = {item.get(key): at for at, item in enumerate(result) if isinstance(item, Mapping)}
    for item in patch:
        at = places.get(item.get(key)) if isinstance(item, Mapping) else None
        if at is None:
            result.append(_merged(None, item))
        else:
            result[at] = _merged(result[at] if name in _MERGED_ITEMS else None, item)
    return result
