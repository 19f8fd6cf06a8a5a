"""The environment of a pod: little of the user's own, then what the container says."""

import os
import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from aiowf.engine.executor.expansion import expand
from aiowf.engine.pod import Pod
from aiowf.errors import ConfigurationError
from aiowf.manifest import Container, EnvVar, EnvVarSource, ScriptTemplate

# Of the user's own environment a pod sees only these, which programs need to run on this machine.
_KEPT = frozenset(
    {
        *("LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"),
        *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    }
)
_KEPT_PREFIXES = ("LC_", "PIP_")
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_POD_NAMESPACE = uuid.UUID("3f6c1ab2-6f0e-5b0c-9d55-0a6f6f77a0d1")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")

_FIELDS: Mapping[str, Callable[[Pod], str]] = {
    "metadata.name": lambda pod: pod.name,
    "metadata.namespace": lambda pod: pod.namespace,
    "metadata.uid": lambda pod: pod_uid(pod),
    "spec.nodeName": lambda _: os.uname().nodename,
    "spec.serviceAccountName": lambda _: "default",
    "status.hostIP": lambda _: "127.0.0.1",
    "status.hostIPs": lambda _: "127.0.0.1",
    "status.podIP": lambda _: "127.0.0.1",
    "status.podIPs": lambda _: "127.0.0.1",
}


def base_environment(own: Mapping[str, str], directories: list[str]) -> dict[str, str]:
    """Return what every pod's environment begins with.

    Args:
        own: The environment of this process.
        directories: What comes first in PATH.
    """
    kept = {
        name: text for name, text in own.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
    home = Path(own.get("HOME") or "/")
    cache = Path(own.get("XDG_CACHE_HOME") or home / ".cache")
    config = Path(own.get("XDG_CONFIG_HOME") or home / ".config")
    kept.setdefault("PIP_CACHE_DIR", str(cache / "pip"))
    for path in (config / "pip" / "pip.conf", home / ".pip" / "pip.conf"):
        if "PIP_CONFIG_FILE" not in kept and path.is_file():
            kept["PIP_CONFIG_FILE"] = str(path)
    kept["PATH"] = os.pathsep.join([*directories, own.get("PATH") or _DEFAULT_PATH])
    return kept


def container_environment(pod: Pod) -> dict[str, str]:
    """Return the container's own variables, in order, each expanded with those before it."""
    variables: dict[str, str] = {}
    for variable in pod.container.env or ():
        text = _text(pod, variable, variables)
        if variable.name and text is not None:
            variables[variable.name] = text
    return variables


def init_environment(pod: Pod) -> dict[str, str]:
    """Return the variables that a script's source is expanded with.

    A source travels in a variable of the pod's init container, and so is expanded with that
    container's variables (argo-workflows, workflow/controller/workflowpod.go), not with its own.
    """
    return {
        "ARGO_POD_NAME": pod.name,
        "ARGO_POD_UID": pod_uid(pod),
        "ARGO_WORKFLOW_NAME": pod.workflow_name,
        "ARGO_WORKFLOW_UID": pod.workflow_uid,
        "ARGO_CONTAINER_NAME": "init",
    }


def pod_uid(pod: Pod) -> str:
    """Return a uid that is the pod's own."""
    return str(uuid.uuid5(_POD_NAMESPACE, f"{pod.workflow_uid}/{pod.name}"))


def check_environment(container: Container | ScriptTemplate, where: str) -> None:
    """Refuse variables whose value nobody here can know.

    Raises:
        ConfigurationError: A required Secret or ConfigMap, or a field that is not known.
    """
    for index, variable in enumerate(container.env or ()):
        if variable.value_from is not None:
            _check_source(variable.value_from, f"{where}.env[{index}].valueFrom")
    for index, source in enumerate(container.env_from or ()):
        for name, reference in (
            ("secretRef", source.secret_ref),
            ("configMapRef", source.config_map_ref),
        ):
            if reference is not None and not reference.optional:
                raise _no_object(f"{where}.envFrom[{index}].{name}", name, reference.name)


def _check_source(source: EnvVarSource, where: str) -> None:
    for name, reference in (
        ("secretKeyRef", source.secret_key_ref),
        ("configMapKeyRef", source.config_map_key_ref),
    ):
        if reference is not None and not reference.optional:
            raise _no_object(f"{where}.{name}", name, reference.name)
    for name, other in (
        ("resourceFieldRef", source.resource_field_ref),
        ("fileKeyRef", source.file_key_ref),
    ):
        if other is not None:
            raise ConfigurationError(
                "the embedded engine cannot tell this value",
                where=f"{where}.{name}",
                hint="Write the value itself, or run on a cluster.",
            )
    path = source.field_ref.field_path if source.field_ref else None
    if path is not None and path not in _FIELDS and not _SUBSCRIPT.fullmatch(path):
        raise ConfigurationError(
            f"the embedded engine does not know the field {path!r}",
            where=f"{where}.fieldRef.fieldPath",
            hint=f"It knows {', '.join(_FIELDS)}, and metadata.labels['…'] or annotations['…'].",
        )


def _no_object(where: str, kind: str, name: str | None) -> ConfigurationError:
    noun = "Secret" if kind.startswith("secret") else "ConfigMap"
    return ConfigurationError(
        f"there is no {noun} {name!r}: the embedded engine has none",
        where=where,
        hint="Mark it optional, or pass the value as an ordinary variable.",
    )


def _text(pod: Pod, variable: EnvVar, variables: Mapping[str, str]) -> str | None:
    source = variable.value_from
    if source is None:
        return expand(variable.value or "", variables)
    path = source.field_ref.field_path if source.field_ref else None
    return None if path is None else _field(pod, path)


def _field(pod: Pod, path: str) -> str | None:
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript is None:
        read = _FIELDS.get(path)
        return read(pod) if read else None
    texts = pod.labels if subscript[1] == "labels" else pod.annotations
    return texts.get(subscript[2], "")
