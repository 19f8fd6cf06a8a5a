"""A profile: what the place where tasks run offers and asks for."""

import sys
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, TypeVar

from attrs import field, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest.kubernetes import (
    EnvVar,
    LocalObjectReference,
    Toleration,
    Volume,
    VolumeMount,
)
from aiowf.manifest.names import dns_subdomain, env_name
from aiowf.manifest.reading import read_value
from aiowf.profile.images import ImageCatalogue

T = TypeVar("T")
DEFAULT_BASE_IMAGE = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"

WORKFLOW_NAME = "CH_WORKFLOW_NAME"
# The one variable of a profile that Argo fills in; the values of all others are literal.
WORKFLOW_NAME_VARIABLE = EnvVar(name=WORKFLOW_NAME, value="{{workflow.name}}")


def _variables(env: Mapping[str, str] | Iterable[EnvVar | Mapping[str, Any]]) -> tuple[EnvVar, ...]:
    if isinstance(env, Mapping):
        return tuple(_variable(name, value) for name, value in env.items())
    return _several(env, EnvVar, "env")


def _variable(name: Any, value: Any) -> EnvVar:
    if not isinstance(value, str):
        raise ConfigurationError(f"expected a text, not {value!r:.60}", where=f"env.{name}")
    return EnvVar(name=env_name(name, "env"), value=value)


def _secrets(names: Iterable[str | LocalObjectReference]) -> tuple[LocalObjectReference, ...]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ConfigurationError(
            f"expected several names, not {names!r:.60}",
            where="image_pull_secrets",
            hint=f"use ({names!r:.60},)" if names else None,
        )
    named = (LocalObjectReference(name=each) if isinstance(each, str) else each for each in names)
    return _several(named, LocalObjectReference, "image_pull_secrets")


def _tolerations(items: Iterable[Toleration | Mapping[str, Any]]) -> tuple[Toleration, ...]:
    return _several(items, Toleration, "tolerations")


def _volumes(volumes: Iterable[Volume | Mapping[str, Any]]) -> tuple[Volume, ...]:
    return _several(volumes, Volume, "volumes")


def _mounts(mounts: Iterable[VolumeMount | Mapping[str, Any]]) -> tuple[VolumeMount, ...]:
    return _several(mounts, VolumeMount, "mounts")


def _several(items: Any, cls: type[T], where: str) -> tuple[T, ...]:
    """Return values of a class from several, or from mappings in Kubernetes' words.

    Raises:
        ConfigurationError: Something else, an unknown field, or one of another type.
    """
    if isinstance(items, str | Mapping) or not isinstance(items, Iterable):
        raise ConfigurationError(f"expected several, not {items!r:.60}", where=where)
    return tuple(read_value(item, cls, f"{where}[{n}]") for n, item in enumerate(items))


def _account(name: str | None) -> str | None:
    return None if name is None else dns_subdomain(name, "service_account")


def _catalogue(images: ImageCatalogue | Mapping[str, str]) -> ImageCatalogue:
    if not isinstance(images, Mapping):
        raise ConfigurationError(
            f"expected names and their references, not {images!r:.60}", where="images"
        )
    return images if isinstance(images, ImageCatalogue) else ImageCatalogue(images)


@frozen(kw_only=True)
class Profile:
    """Where tasks run. The default assumes nothing of a cluster.

    Attributes:
        base_image: Image of PythonTask, BashTask and CommandBasedTask, a name of the catalogue or a
            reference; default: the Python version of this interpreter, `python:<X.Y>-slim`.
        runtime_image: Image that has `aiowf.runtime`, which sends notices and results; None: there
            is none, since none is published.
        service_account: Service account of the pods; None: the namespace's default.
        image_pull_secrets: Secrets for pulling images, as names or LocalObjectReferences.
        tolerations: Taints that the pods bear, as Tolerations or mappings in Kubernetes' words.
        env: Environment variables of every container, as a mapping or EnvVars; their values are
            literal: neither Argo nor Kubernetes substitutes anything in them.
        volumes: Volumes of every pod, as Volumes or mappings in Kubernetes' words.
        mounts: Where every container mounts them, likewise.
        images: The image catalogue, or a mapping of names to references.
        usesvolume_namespace: Namespace whose deployments carry the label
            `usesvolume: <claim>-<namespace>` besides `<claim>`, or None.

    Raises:
        ConfigurationError: A value has not the form that it needs.
    """

    base_image: str = DEFAULT_BASE_IMAGE
    runtime_image: str | None = None
    service_account: str | None = field(default=None, converter=_account)
    image_pull_secrets: tuple[LocalObjectReference, ...] = field(default=(), converter=_secrets)
    tolerations: tuple[Toleration, ...] = field(default=(), converter=_tolerations)
    env: tuple[EnvVar, ...] = field(default=(), converter=_variables)
    volumes: tuple[Volume, ...] = field(default=(), converter=_volumes)
    mounts: tuple[VolumeMount, ...] = field(default=(), converter=_mounts)
    images: ImageCatalogue = field(factory=ImageCatalogue, converter=_catalogue)
    usesvolume_namespace: str | None = None

    def __attrs_post_init__(self) -> None:
        for name in ("base_image", "runtime_image"):
            image = getattr(self, name)
            if image is None and name == "runtime_image":
                continue
            if not isinstance(image, str):
                raise ConfigurationError(f"expected an image, not {image!r:.60}", where=name)
            if image not in self.images.values():
                object.__setattr__(self, name, self.image(image, name))

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
