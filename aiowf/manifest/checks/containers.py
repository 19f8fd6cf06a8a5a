"""Checks of the containers of a template: images, variables, mounts, resources."""

from collections.abc import Iterator, Mapping
from typing import Any

from aiowf.errors import ConfigurationError
from aiowf.manifest.checks.findings import VARIABLE, Findings
from aiowf.manifest.kubernetes import Container, VolumeMount
from aiowf.manifest.names import dns_label, env_name, is_image_reference, nearest
from aiowf.manifest.template import ContainerNode, ScriptTemplate, Template, UserContainer
from aiowf.manifest.units import quantity

AnyContainer = Container | ScriptTemplate | UserContainer | ContainerNode

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")


def containers_of(template: Template, where: str) -> Iterator[tuple[AnyContainer, str]]:
    """Yield every container of a template with its path."""
    if template.container is not None:
        yield template.container, f"{where}.container"
    if template.script is not None:
        yield template.script, f"{where}.script"
    if template.container_set is not None:
        for index, node in enumerate(template.container_set.containers or ()):
            if node is not None:
                yield node, f"{where}.containerSet.containers[{index}]"
    for name, group in (
        ("initContainers", template.init_containers),
        ("sidecars", template.sidecars),
    ):
        for index, container in enumerate(group or ()):
            if container is not None:
                yield container, f"{where}.{name}[{index}]"


def check_containers(
    template: Template,
    where: str,
    volumes: frozenset[str] | None,
    default_images: frozenset[str],
    findings: Findings,
) -> None:
    """Check every container of a template.

    Args:
        template: The template.
        where: Its path.
        volumes: Names of the volumes that can be mounted; None: nobody knows them.
        default_images: Kinds ("container", "script") for which templateDefaults names an image.
        findings: Where problems go.
    """
    for container, at in containers_of(template, where):
        _check_image(container.image, at, default_images, findings)
        findings.choice(container.image_pull_policy, _PULL_POLICIES, at, "imagePullPolicy")
        if container.env:
            _check_env(container.env, at, findings)
        if container.volume_mounts:
            _check_mounts(container.volume_mounts, at, volumes, findings)
        if container.resources is not None:
            check_quantities(container.resources.limits, f"{at}.resources.limits", findings)
            check_quantities(container.resources.requests, f"{at}.resources.requests", findings)
    if template.inputs is not None:
        _check_artifact_paths(template, where, findings)
    if template.container_set is not None:
        findings.names(
            template.container_set.containers, dns_label, f"{where}.containerSet.containers"
        )
    if template.init_containers:
        findings.names(template.init_containers, dns_label, f"{where}.initContainers")
    if template.sidecars:
        findings.names(template.sidecars, dns_label, f"{where}.sidecars")


def check_quantities(amounts: Mapping[str, Any] | None, where: str, findings: Findings) -> None:
    """Check that every amount of a mapping is a Kubernetes quantity."""
    for name, amount in (amounts or {}).items():
        findings.check(quantity, amount, where, name)


def _check_image(
    image: str | None, where: str, default_images: frozenset[str], findings: Findings
) -> None:
    if image:
        findings.check(_image, image, where, "image")
    elif where.rpartition(".")[2] not in default_images:
        findings.add(f"{where}.image", "an image is needed, such as 'python:3.12-slim'")


def _image(text: str, where: str) -> str:
    if is_image_reference(text):
        return text
    lower = text.strip().lower()
    hint = f'did you mean "{lower}"?' if is_image_reference(lower) else None
    raise ConfigurationError(
        f"{text!r:.150} is no image: [registry/]path[:tag][@digest], the path in lower case",
        where=where,
        hint=hint,
    )


def _check_env(variables: Any, where: str, findings: Findings) -> None:
    for index, variable in enumerate(variables):
        name, value = variable.name, variable.value
        if not name:
            findings.add(f"{where}.env[{index}]", "the variable has no name")
            continue
        findings.check(env_name, name, where, f"env[{index}].name")
        if value is not None:
            if not isinstance(value, str):
                findings.add(
                    f"{where}.env[{index}].value",
                    f"the value of {name} must be a text, not {value!r:.60}",
                    f'use "{value}"',
                )
            elif value and variable.value_from is not None:
                findings.add(f"{where}.env[{index}]", f"{name} has both a value and a valueFrom")


def _check_mounts(
    mounts: tuple[VolumeMount, ...], where: str, volumes: frozenset[str] | None, findings: Findings
) -> None:
    taken: dict[str, str] = {}
    for index, mount in enumerate(mounts):
        at = f"{where}.volumeMounts[{index}]"
        name, path = mount.name, mount.mount_path
        if not path:
            findings.add(at, "the mount has no mountPath")
        elif path in taken:
            findings.add(f"{at}.mountPath", f'"{path}" is the path of volume "{taken[path]}" too')
        else:
            taken[path] = name or ""
        if not name:
            findings.add(at, "the mount names no volume")
        elif volumes is not None and name not in volumes and VARIABLE not in name:
            findings.add(
                at,
                f'there is no volume "{name}"',
                nearest(name, volumes) or "add it to the workflow's volumes",
            )


def _check_artifact_paths(template: Template, where: str, findings: Findings) -> None:
    """Check that no artifact is loaded where a volume is mounted, or another artifact."""
    main = template.container or template.script
    artifacts = template.inputs.artifacts if template.inputs is not None else None
    if main is None or not artifacts:
        return
    taken = {mount.mount_path: f'volume "{mount.name}"' for mount in main.volume_mounts or ()}
    for index, artifact in enumerate(artifacts):
        if artifact is not None and artifact.path:
            at = f"{where}.inputs.artifacts[{index}].path"
            if artifact.path in taken:
                findings.add(at, f'"{artifact.path}" is the path of {taken[artifact.path]} too')
            taken[artifact.path] = f'artifact "{artifact.name}"'
