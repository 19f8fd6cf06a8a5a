"""The image of the runtime: what its Dockerfile says of versions and of the user."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "docker" / "runtime"


def test_every_dependency_is_pinned() -> None:
    """The image holds exact versions, which fit what aiowf[kafka] asks for."""
    lines = (IMAGE / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in (*project["dependencies"], *project["optional-dependencies"]["kafka"]):
        wanted = Requirement(text)
        assert wanted.specifier.contains(pins[wanted.name]), text
    assert "--constraint /source/constraints.txt" in (IMAGE / "Dockerfile").read_text()


def test_the_user_has_no_rights() -> None:
    """The image is slim, of an exact version, and runs as a numbered user who is not root."""
    lines = (IMAGE / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("ARG BASE=python:3.12.8-slim")]
    assert "USER 65532:65532" in lines
