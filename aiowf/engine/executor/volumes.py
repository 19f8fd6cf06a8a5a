"""The volumes of a pod as directories."""

import os
import re
from collections.abc import Callable, Mapping
from typing import TypeGuard

from aiowf.engine.executor.expansion import expand
from aiowf.engine.executor.view import Mount
from aiowf.engine.pod import Pod
from aiowf.errors import ConfigurationError
from aiowf.manifest import Volume, VolumeMount, unstructure

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_KNOWN = "emptyDir, persistentVolumeClaim, and optional configMap and secret"


class VolumeError(Exception):
    """A volume that a pod cannot have; the text says why."""


def check_volume(volume: Volume, where: str) -> None:
    """Refuse a volume of a kind that is not a directory here.

    Raises:
        ConfigurationError: The field and what is wrong.
    """
    if not is_name(volume.name) and "{{" not in (volume.name or ""):
        raise ConfigurationError(
            f"{volume.name!r} is no name of a volume",
            where=f"{where}.name",
            hint="It has lower case letters, digits and '-', at most 63.",
        )
    for name, source, noun in (
        ("secret", volume.secret, "Secret"),
        ("configMap", volume.config_map, "ConfigMap"),
    ):
        if source is not None and not source.optional:
            raise ConfigurationError(
                f"there is no {noun} here: the embedded engine has none",
                where=f"{where}.{name}",
                hint="Mark it optional, and it is an empty directory.",
            )
    kinds = [name for name in unstructure(volume) if name != "name"]
    foreign = [
        name
        for name in kinds
        if name not in ("emptyDir", "persistentVolumeClaim", "secret", "configMap")
    ]
    if foreign:
        raise ConfigurationError(
            f"the embedded engine has no volumes of the kind {foreign[0]}",
            where=f"{where}.{foreign[0]}",
            hint=f"It has {_KNOWN}.",
        )


def mounts_of(
    pod: Pod,
    variables: Mapping[str, str],
    directory: str,
    claim: Callable[[str, str], str],
) -> list[Mount]:
    """Return the mounts of a pod, and make the directories that they need.

    Args:
        pod: The pod.
        variables: The container's variables, for subPathExpr.
        directory: Where the pod's own volumes are made.
        claim: Returns the directory of a claim, given namespace and name.

    Raises:
        VolumeError: A volume is not there, or a sub-path leads out of it.
        OSError: A directory cannot be made.
    """
    volumes = {volume.name: volume for volume in pod.volumes}
    found = []
    for mount in pod.container.volume_mounts or ():
        volume = volumes.get(mount.name)
        if volume is None or not mount.mount_path:
            raise VolumeError(f"volume {mount.name!r} of the pod is not defined")
        source = _directory(pod, volume, directory, claim)
        source = _below(source, mount, variables)
        if not os.path.exists(source):
            os.makedirs(source)
        read_only = bool(mount.read_only) or _is_read_only(volume)
        target = os.path.normpath(os.path.join("/", mount.mount_path))
        found.append(Mount(target, source, read_only))
    return found


def _directory(pod: Pod, volume: Volume, directory: str, claim: Callable[[str, str], str]) -> str:
    reference = volume.persistent_volume_claim
    if reference is not None:
        return claim(pod.namespace, reference.claim_name or "")
    if not is_name(volume.name):
        raise VolumeError(f"{volume.name!r} is no name of a volume")
    return os.path.join(directory, volume.name)


def _is_read_only(volume: Volume) -> bool:
    claim = volume.persistent_volume_claim
    made_here = volume.secret is not None or volume.config_map is not None
    return made_here or bool(claim and claim.read_only)


def _below(source: str, mount: VolumeMount, variables: Mapping[str, str]) -> str:
    sub_path = mount.sub_path or expand(mount.sub_path_expr or "", variables)
    if not sub_path:
        return source
    if os.path.isabs(sub_path) or ".." in sub_path.split("/"):
        raise VolumeError(f"the sub-path {sub_path!r} leads out of volume {mount.name!r}")
    path = os.path.join(source, sub_path)
    if not is_inside(path, source):
        raise VolumeError(f"the sub-path {sub_path!r} leads out of volume {mount.name!r}")
    return path


def is_name(name: str | None) -> TypeGuard[str]:
    """Return whether this is a name of a volume, as Kubernetes has them."""
    return name is not None and _NAME.fullmatch(name) is not None


def is_inside(path: str, directory: str) -> bool:
    """Return whether a path is in a directory, its symbolic links followed."""
    return os.path.realpath(path).startswith(os.path.realpath(directory) + os.sep)
