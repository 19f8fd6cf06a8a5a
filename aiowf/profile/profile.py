"""A profile: what the place where tasks run offers and asks for."""

import sys
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

from attrs import field, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest.converter import structure
from aiowf.manifest.kubernetes import (
    EnvVar,
    LocalObjectReference,
    Toleration,
    Volume,
    VolumeMount,
)
from aiowf.manifest.names import env_name
from aiowf.profile.images import ImageCatalogue

DEFAULT_BASE_IMAGE = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"

WORKFLOW_NAME = "CH_WORKFLOW_NAME"
# The one variable of a profile that Argo fills in; the values of all others are literal.
WORKFLOW_NAME_VARIABLE = EnvVar(name=WORKFLOW_NAME, value="{{workflow.name}}")


def _variables(env: Mapping[str, str] | Iterable[EnvVar]) -> tuple[EnvVar, ...]:
    if isinstance(env, Mapping):
        return tuple(_variable(name, value) for name, value in env.items())
    return tuple(env)


def _variable(name: Any, value: Any) -> EnvVar:
    if not isinstance(value, str):
        raise ConfigurationError(f"expected a text, not {value!r:.60}", where=f"env.{name}")
    return EnvVar(name=env_name(name, "env"), value=value)


def _secrets(names: Iterable[str | LocalObjectReference]) -> tuple[LocalObjectReference, ...]:
    if isinstance(names, str):
        raise ConfigurationError(
            "expected several names, not one text",
            where="image_pull_secrets",
            hint=f"use ({names!r},)",
        )
    return tuple(
        LocalObjectReference(name=name) if isinstance(name, str) else name for name in names
    )


def _tolerations(items: Iterable[Toleration | Mapping[str, Any]]) -> tuple[Toleration, ...]:
    return tuple(
        item if isinstance(item, Toleration) else structure(item, Toleration) for item in items
    )


def _volumes(volumes: Iterable[Volume]) -> tuple[Volume, ...]:
    return tuple(volumes)


def _mounts(mounts: Iterable[VolumeMount]) -> tuple[VolumeMount, ...]:
    return tuple(mounts)


def _catalogue(images: ImageCatalogue | Mapping[str, str]) -> ImageCatalogue:
    return images if isinstance(images, ImageCatalogue) else ImageCatalogue(images)


@frozen(kw_only=True)
class Profile:
    """Where tasks run. The default assumes nothing of a cluster.

    Attributes:
        base_image: Image of PythonTask, BashTask and CommandBasedTask; default: the Python version
            of this interpreter, `python:<X.Y>-slim`.
        runtime_image: Image that has `aiowf.runtime`, which sends notices and results; None: there
            is none, since none is published.
        service_account: Service account of the pods; None: the namespace's default.
        image_pull_secrets: Secrets for pulling images, as names or LocalObjectReferences.
        tolerations: Taints that the pods bear, as Tolerations or mappings in Kubernetes' words.
        env: Environment variables of every container, as a mapping or EnvVars; their values are
            literal: neither Argo nor Kubernetes substitutes anything in them.
        volumes: Volumes of every pod.
        mounts: Where every container mounts them.
        images: The image catalogue, or a mapping of names to references.
        usesvolume_namespace: Namespace whose deployments carry the label
            `usesvolume: <claim>-<namespace>` besides `<claim>`, or None.

    Raises:
        ConfigurationError: A value has not the form that it needs.
    """

    base_image: str = DEFAULT_BASE_IMAGE
    runtime_image: str | None = None
    service_account: str | None = None
    image_pull_secrets: tuple[LocalObjectReference, ...] = field(default=(), converter=_secrets)
    tolerations: tuple[Toleration, ...] = field(default=(), converter=_tolerations)
    env: tuple[EnvVar, ...] = field(default=(), converter=_variables)
    volumes: tuple[Volume, ...] = field(default=(), converter=_volumes)
    mounts: tuple[VolumeMount, ...] = field(default=(), converter=_mounts)
    images: ImageCatalogue = field(factory=ImageCatalogue, converter=_catalogue)
    usesvolume_namespace: str | None = None

    def image(self, name: str, where: str = "image") -> str:
        """Return the image for a name of the catalogue; an image reference stands for itself.

        Raises:
            ConfigurationError: The name is neither; the hint tells the nearest names.
        """
        return self.images.reference(name, where)

    @classmethod
    def cloudharness(
        cls,
        values: str | PathLike[str] | Mapping[str, Any],
        *,
        environ: Mapping[str, str] | None = None,
    ) -> "Profile":
        """Make the profile of a CloudHarness deployment.

        Args:
            values: The deployment's `allvalues.yaml`: a path (needs the extra `aiowf[yaml]`) or
                what is in it.
            environ: Where `CH_*` variables come from besides the values; None: `os.environ`.

        Raises:
            ConfigurationError: The file cannot be read, or is not of the expected form.
        """
        from aiowf.profile.cloudharness import cloudharness_profile, load_values

        return cloudharness_profile(load_values(values), environ)
