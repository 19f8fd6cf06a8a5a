"""The profile of a CloudHarness deployment, read from its `allvalues.yaml`.

The file holds, of what is needed here: `namespace`; `registry` (`name`, `secret`); `env`, a list of
`name` and `value`; `task-images`, name → reference; `apps`, name → an application with `harness`
(`deployment.image`) and possibly `task-images` of its own.
"""

import os
from collections.abc import Mapping
from os import PathLike
from typing import Any

from aiowf.errors import ConfigurationError
from aiowf.manifest.kubernetes import (
    ConfigMapVolumeSource,
    EnvVar,
    SecretVolumeSource,
    Toleration,
    Volume,
    VolumeMount,
)
from aiowf.profile.images import ImageCatalogue
from aiowf.profile.profile import DEFAULT_BASE_IMAGE, WORKFLOW_NAME, WORKFLOW_NAME_VARIABLE, Profile

DEFAULT_VALUES_PATH = "/opt/cloudharness/resources/allvalues.yaml"
SERVICE_ACCOUNT = "argo-workflows"
_PREFIX = "CH_"
_BASE_IMAGE = "cloudharness-base"
_RUNTIME_IMAGE = "aiowf-runtime"
_VALUES_VOLUME = "cloudharness-allvalues"
_ACCOUNTS_VOLUME = "cloudharness-kc-accounts"
_ACCOUNTS_PATH = "/opt/cloudharness/resources/auth"

_TOLERATION = Toleration(key="cloudharness/temporary-job", operator="Equal", value="true")


def load_values(values: str | PathLike[str] | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is in an `allvalues.yaml`, given by its path or by its content.

    Raises:
        ConfigurationError: PyYAML is missing, or the file cannot be read or is not a mapping.
    """
    if isinstance(values, Mapping):
        return values
    if not isinstance(values, str | PathLike):
        raise ConfigurationError(
            f"expected a path or a mapping, not {values!r:.60}",
            where="values",
            hint=f"in a pod of CloudHarness: {DEFAULT_VALUES_PATH}",
        )
    path = os.fspath(values)
    try:
        import yaml
    except ImportError:
        raise ConfigurationError(
            f"PyYAML is needed to read {path}", where="values", hint='pip install "aiowf[yaml]"'
        ) from None
    try:
        with open(path, encoding="utf-8") as file:
            loaded = yaml.safe_load(file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}", where="values") from None
    if not isinstance(loaded, Mapping):
        raise ConfigurationError(
            f"{path} is no mapping of values",
            where="values",
            hint=f"name CloudHarness' own file, in its pods {DEFAULT_VALUES_PATH}",
        )
    return loaded


def cloudharness_profile(
    values: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> Profile:
    """Make a profile from the values of a deployment; see `Profile.cloudharness`."""
    apps = part_of(values, "apps")
    images = _images(values, apps)
    secret = part_of(values, "registry").get("secret")
    volumes = [
        Volume(name=_VALUES_VOLUME, config_map=ConfigMapVolumeSource(name=_VALUES_VOLUME)),
    ]
    mounts = [
        VolumeMount(name=_VALUES_VOLUME, mount_path=DEFAULT_VALUES_PATH, sub_path="allvalues.yaml")
    ]
    if "accounts" in apps:
        accounts = SecretVolumeSource(secret_name="accounts")
        volumes.append(Volume(name=_ACCOUNTS_VOLUME, secret=accounts))
        mounts.append(VolumeMount(name=_ACCOUNTS_VOLUME, mount_path=_ACCOUNTS_PATH))
    return Profile(
        base_image=images.get(_BASE_IMAGE, DEFAULT_BASE_IMAGE),
        runtime_image=images.get(_RUNTIME_IMAGE),
        service_account=SERVICE_ACCOUNT,
        image_pull_secrets=(secret,) if secret else (),
        tolerations=(_TOLERATION,),
        env=_env(values, os.environ if environ is None else environ),
        volumes=volumes,
        mounts=mounts,
        images=images,
        usesvolume_namespace=values.get("namespace"),
    )


def part_of(values: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return a part of the values that is a mapping; absent and null are empty.

    Raises:
        ConfigurationError: Something on the way is no mapping.
    """
    part: Any = values
    for depth, name in enumerate(path, 1):
        part = part.get(name)
        if part is None:
            return {}
        if not isinstance(part, Mapping):
            where = ".".join(("values", *path[:depth]))
            # Of its type alone: the values of a deployment may hold secrets.
            raise ConfigurationError(
                f"expected a mapping, not a {type(part).__name__}", where=where
            )
    found: Mapping[str, Any] = part
    return found


def _images(values: Mapping[str, Any], apps: Mapping[str, Any]) -> ImageCatalogue:
    """Return the images of the applications and of their tasks."""
    images: dict[str, str] = {}
    for name, app in apps.items():
        if not isinstance(app, Mapping):
            continue
        own = part_of(values, "apps", name, "harness", "deployment").get("image")
        if own:
            images[name] = own
        images.update(part_of(values, "apps", name, "task-images"))
    images.update(part_of(values, "task-images"))
    return ImageCatalogue(images)


def _env(values: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[EnvVar, ...]:
    """Return the variables whose names begin with "CH_", and the name of the workflow.

    Only names that *begin* so: a secret such as BATCH_KEY must not reach the pods.
    """
    listed = values.get("env") or ()
    variables = {
        item["name"]: "" if item.get("value") is None else str(item["value"])
        for item in listed
        if isinstance(item, Mapping) and str(item.get("name", "")).startswith(_PREFIX)
    }
    variables |= {name: value for name, value in environ.items() if name.startswith(_PREFIX)}
    variables.pop(WORKFLOW_NAME, None)
    named = tuple(EnvVar(name=name, value=value) for name, value in variables.items())
    return (*named, WORKFLOW_NAME_VARIABLE)
