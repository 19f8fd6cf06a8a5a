"""The manifests of deploy/: valid for Kubernetes, and in accord with what aiowf asks for."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_validate import latest_version, validate

from aiowf.replies.settings import KafkaSettings
from aiowf.replies.topics import CONFIGS

DEPLOY = Path(__file__).parents[2] / "deploy"
KUSTOMIZATIONS = sorted(path.parent.name for path in DEPLOY.glob("*/kustomization.yaml"))


def resources(folder: str) -> list[dict[str, Any]]:
    """Return what the kustomization of a folder lists, read from its files."""
    kustomization = yaml.safe_load((DEPLOY / folder / "kustomization.yaml").read_text())
    texts = [(DEPLOY / folder / name).read_text() for name in kustomization["resources"]]
    return [found for text in texts for found in yaml.safe_load_all(text)]


def named(folder: str, kind: str, name: str) -> dict[str, Any]:
    [found] = [
        item
        for item in resources(folder)
        if (item["kind"], item["metadata"]["name"]) == (kind, name)
    ]
    return found


@pytest.mark.parametrize("item", resources("base"), ids=lambda item: item["kind"])
def test_each_manifest_is_valid_kubernetes(item: dict[str, Any]) -> None:
    """Every manifest of the base fits Kubernetes' own schema, and has no field that it lacks."""
    assert validate(item, latest_version(), strict=True)


@pytest.mark.parametrize("folder", KUSTOMIZATIONS)
def test_every_file_is_listed(folder: str) -> None:
    """A kustomization lists every file that lies beside it."""
    kustomization = yaml.safe_load((DEPLOY / folder / "kustomization.yaml").read_text())
    beside = {path.name for path in (DEPLOY / folder).glob("*.yaml")} - {"kustomization.yaml"}
    assert beside == set(kustomization["resources"])


@pytest.mark.parametrize("folder", KUSTOMIZATIONS)
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl here")
def test_kustomize_renders(folder: str) -> None:
    """Kustomize renders each folder to at least the manifests that it lists."""
    rendered = subprocess.run(
        ["kubectl", "kustomize", DEPLOY / folder], capture_output=True, text=True, check=True
    )
    kinds = [item["kind"] for item in yaml.safe_load_all(rendered.stdout)]
    listed = {item["kind"] for item in resources(folder)}
    assert set() == listed - set(kinds)


def test_the_topic_is_what_a_client_would_make() -> None:
    """Strimzi's topic has the partitions and settings of the topic that a client creates."""
    spec = named("kafka", "KafkaTopic", "aiowf-replies")["spec"]
    config = {key: str(value) for key, value in spec["config"].items()}
    assert KafkaSettings(bootstrap_servers="kafka:9092").partitions == spec["partitions"]
    assert CONFIGS.items() <= config.items()


def test_bindings_join_accounts_and_roles_that_exist() -> None:
    """Each RoleBinding names a Role and a ServiceAccount of the same base."""
    names = {(item["kind"], item["metadata"]["name"]) for item in resources("base")}
    bindings = [item for item in resources("base") if item["kind"] == "RoleBinding"]
    wanted = {("Role", item["roleRef"]["name"]) for item in bindings} | {
        (subject["kind"], subject["name"]) for item in bindings for subject in item["subjects"]
    }
    assert wanted <= names
    assert 2 == len(bindings)
