"""The image of the runtime: built, run and pushed by the commands of docs/kafka.md."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import BUSYBOX
from python_image import write_context
from registry_double import registry
from walkthrough import DOCS, perform, steps

pytestmark = pytest.mark.containers

PROJECT = DOCS.parent
REGISTRY = "registry.example.org"
# Without TLS, and so by http_proxy.
INSECURE = f"""
unqualified-search-registries = ["docker.io"]
[[registry]]
location = "{REGISTRY}"
insecure = true
"""


@pytest.fixture
def docker(podman: list[str], tmp_path: Path) -> Path:
    """A directory with a `docker` that is podman, whose builds reach what this machine reaches."""
    script = tmp_path / "bin" / "docker"
    script.parent.mkdir()
    words = shlex.join(podman)
    script.write_text(
        f'#!/bin/sh\nverb=$1; shift\n[ "$verb" = build ] && set -- --network host "$@"\n'
        f'exec {words} "$verb" "$@"\n'
    )
    script.chmod(0o755)
    return script.parent


def copy_project(place: Path) -> None:
    """Copy what the image is made from."""
    for name in ("aiowf", "docker"):
        shutil.copytree(PROJECT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, place)


@pytest.mark.timeout(500)
def test_the_image_is_built_and_pushed_as_the_page_says(
    docker: Path, podman: list[str], tmp_path: Path
) -> None:
    """On a base of this machine's Python; it then runs, as nobody, on a read-only root."""
    base, place = tmp_path / "base", tmp_path / "place"
    base.mkdir()
    place.mkdir()
    write_context(base, BUSYBOX)
    (line,) = [
        line
        for line in (PROJECT / "docker/runtime/Dockerfile").read_text().splitlines()
        if line.startswith("ARG BASE=")
    ]
    name = line.partition("=")[2]
    subprocess.run([*podman, "build", "-q", "-t", f"docker.io/library/{name}", base], check=True)
    copy_project(place)
    (step,) = [step for step in steps("kafka.md") if step.command.startswith("docker")]
    with registry() as made:
        (tmp_path / "registries.conf").write_text(INSECURE)
        printed = perform(
            step,
            place,
            timeout=400,
            PATH=f"{docker}:/usr/bin:/bin",
            CONTAINERS_REGISTRIES_CONF=str(tmp_path / "registries.conf"),
            http_proxy=made.address,
        )
        assert "aiowf-runtime:latest" in made.manifests, printed
        layers = json.loads(made.manifests["aiowf-runtime:latest"])["layers"]
        assert {layer["digest"] for layer in layers} <= made.blobs.keys()
    run = [*podman, "run", "--rm", "--read-only", "--network", "host", f"{REGISTRY}/aiowf-runtime"]
    ended = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert (2, True) == (ended.returncode, "AIOWF_" in ended.stderr), ended
