"""The environment of a pod."""

from pathlib import Path
from typing import Any

import pytest
from pod_testing import MakePod

from aiowf.engine.executor.environment import (
    base_environment,
    check_environment,
    container_environment,
    init_environment,
    pod_uid,
)
from aiowf.errors import ConfigurationError
from aiowf.manifest import Container, structure


def _container(**fields: Any) -> Container:
    return structure({"image": "image", **fields}, Container)


def test_only_what_programs_need_is_taken_from_the_user(tmp_path: Path) -> None:
    """Secrets of the user's environment do not reach the pods; the locale and proxies do."""
    own = {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "PYTHONPATH": "/x",
        "LC_ALL": "C.UTF-8",
        "https_proxy": "http://proxy",
        "PIP_INDEX_URL": "https://index",
    }
    expected = {
        "PATH": "/venv/bin:/usr/bin",
        "LC_ALL": "C.UTF-8",
        "https_proxy": "http://proxy",
        "PIP_INDEX_URL": "https://index",
        "PIP_CACHE_DIR": str(tmp_path / ".cache" / "pip"),
    }
    assert base_environment(own, ["/venv/bin"]) == expected


def test_pip_finds_the_users_settings(tmp_path: Path) -> None:
    """Although HOME is another one, pip reads the user's own configuration file."""
    config = tmp_path / ".config" / "pip" / "pip.conf"
    config.parent.mkdir(parents=True)
    config.write_text("[global]\n")
    assert base_environment({"HOME": str(tmp_path)}, [])["PIP_CONFIG_FILE"] == str(config)


def test_variables_are_expanded_with_those_before_them(make_pod: MakePod) -> None:
    """A reference to a later variable stays as it is."""
    env = _container(
        env=[
            {"name": "A", "value": "1$(B)"},
            {"name": "B", "value": "$(A)2"},
            {"name": "EMPTY"},
        ]
    ).env
    pod = make_pod(container={"env": env})
    assert container_environment(pod) == {"A": "1$(B)", "B": "1$(B)2", "EMPTY": ""}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "the-pod"),
        ("metadata.namespace", "default"),
        ("metadata.labels['aiowf.dev/operation-id']", "42"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['note']", "hello"),
        ("status.podIP", "127.0.0.1"),
    ],
)
def test_fields_of_the_pod(make_pod: MakePod, path: str, expected: str) -> None:
    """A fieldRef takes its value from the pod itself."""
    env = _container(
        env=[{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}],
    ).env
    pod = make_pod(
        name="the-pod",
        container={"env": env},
        labels={"aiowf.dev/operation-id": "42"},
        annotations={"note": "hello"},
    )
    check_environment(pod.container, "templates[0].container")
    assert container_environment(pod) == {"X": expected}


def test_optional_references_are_left_out(make_pod: MakePod) -> None:
    """There are no Secrets, so an optional one is a variable that is not set."""
    container = _container(
        env=[
            {
                "name": "X",
                "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}},
            }
        ],
        envFrom=[{"configMapRef": {"name": "c", "optional": True}}],
    )
    check_environment(container, "container")
    pod = make_pod(container={"env": container.env, "env_from": container.env_from})
    assert container_environment(pod) == {}


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        (
            {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            "c.env[0].valueFrom.secretKeyRef",
        ),
        (
            {"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "k"}}}]},
            "c.env[0].valueFrom.configMapKeyRef",
        ),
        (
            {"env": [{"name": "X", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]},
            "c.env[0].valueFrom.resourceFieldRef",
        ),
        (
            {"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.nope"}}}]},
            "c.env[0].valueFrom.fieldRef.fieldPath",
        ),
        ({"envFrom": [{"secretRef": {"name": "s"}}]}, "c.envFrom[0].secretRef"),
        ({"envFrom": [{"configMapRef": {"name": "s"}}]}, "c.envFrom[0].configMapRef"),
    ],
)
def test_what_nobody_knows_is_refused(fields: dict[str, Any], where: str) -> None:
    """A variable without a value here is refused, with its place and a remedy."""
    with pytest.raises(ConfigurationError) as caught:
        check_environment(_container(**fields), "c")
    assert (caught.value.where, bool(caught.value.hint)) == (where, True)


def test_sources_are_expanded_with_the_init_containers_variables(make_pod: MakePod) -> None:
    """As on a cluster: they know the workflow's name, and none of the container's own."""
    pod = make_pod(source="x")
    known = init_environment(pod)
    assert (known["ARGO_WORKFLOW_NAME"], known["ARGO_POD_UID"]) == ("wf", pod_uid(pod))
