"""Volumes of an operation → volumes, claims and mounts of its workflow."""

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from aiowf import manifest
from aiowf.manifest import (
    ObjectMeta,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimVolumeSource,
    VolumeMount,
    VolumeResourceRequirements,
)
from aiowf.manifest.names import volume_name
from aiowf.tasks.volumes import Volume


@frozen
class Storage:
    """What the volumes of an operation become.

    Attributes:
        volumes: Volumes of existing claims.
        claim_templates: Claims that are made for the workflow.
        names: Claim or path → name of its volume.
        ephemeral: Names of the volumes that are made for the workflow.
        one_node: Whether one of these can be mounted on one node at a time.
    """

    volumes: tuple[manifest.Volume, ...]
    claim_templates: tuple[PersistentVolumeClaim, ...]
    names: Mapping[str, str]
    ephemeral: frozenset[str]
    one_node: bool

    def mounts(self, volumes: Iterable[Volume]) -> tuple[VolumeMount, ...]:
        """Return the mounts of a container."""
        return tuple(
            VolumeMount(
                name=self.names[_key(volume)],
                mount_path=volume.path,
                read_only=True if volume.read_only else None,
            )
            for volume in volumes
        )

    def written_claims(self, volumes: Iterable[Volume]) -> tuple[str, ...]:
        """Return the existing claims that a pod writes to, and one node at a time can mount."""
        claims = dict.fromkeys(
            volume.claim
            for volume in volumes
            if volume.claim
            and volume.mode == "rw"
            and self.names[volume.claim] not in self.ephemeral
        )
        return tuple(claims)


NO_STORAGE = Storage((), (), {}, frozenset(), False)


def _key(volume: Volume) -> str:
    return volume.claim or volume.path


def make_storage(
    volumes: Sequence[Volume], *, size: int, claims: Mapping[str, bool] | None = None
) -> Storage:
    """Return what volumes become.

    Args:
        volumes: All volumes of the operation and of its tasks.
        size: Size in MiB of those that are made for the workflow and name none.
        claims: Claim → whether it exists; one that is missing here is taken to exist.
    """
    if not volumes:
        return NO_STORAGE
    by_key: dict[str, list[Volume]] = {}
    for volume in volumes:
        by_key.setdefault(_key(volume), []).append(volume)
    names = _names(by_key)
    used, made, one_node = [], [], False
    for key, same in by_key.items():
        if not any(_is_ephemeral(volume, claims or {}) for volume in same):
            source = PersistentVolumeClaimVolumeSource(claim_name=key)
            used.append(manifest.Volume(name=names[key], persistent_volume_claim=source))
            continue
        many = any(volume.mode == "rwx" for volume in same)
        one_node = one_node or not many
        sizes = [volume.size for volume in same if volume.size is not None]
        made.append(_claim_template(names[key], many, max(sizes, default=size)))
    ephemeral = frozenset(str(claim.metadata.name) for claim in made if claim.metadata)
    return Storage(tuple(used), tuple(made), names, ephemeral, one_node)


def _is_ephemeral(volume: Volume, claims: Mapping[str, bool]) -> bool:
    if volume.ephemeral is not None:
        return volume.ephemeral
    return not claims.get(volume.claim or "", True)


def _names(keys: Iterable[str]) -> dict[str, str]:
    """Return a name for each claim or path; a claim "a-b" and a path "/a/b" must not share one."""
    names: dict[str, str] = {}
    for key in sorted(keys, key=lambda key: key.startswith("/")):
        name = volume_name(key)
        names[key] = volume_name(f"{key}?") if name in names.values() else name
    return names


def _claim_template(name: str, many: bool, size: int) -> PersistentVolumeClaim:
    return PersistentVolumeClaim(
        metadata=ObjectMeta(name=name),
        spec=PersistentVolumeClaimSpec(
            access_modes=("ReadWriteMany" if many else "ReadWriteOnce",),
            resources=VolumeResourceRequirements(requests={"storage": f"{size}Mi"}),
        ),
    )
