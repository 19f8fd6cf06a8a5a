"""The command lines of containers, and who runs as one."""

import json
from pathlib import Path
from typing import Any

import pytest
from pod_testing import MakePod

from aiowf.engine.executor.command import check_command, notice_of
from aiowf.engine.executor.containers import (
    LABEL,
    Containers,
    dockerfiles_below,
    environment_of,
    find_containers,
    remove_containers,
)
from aiowf.engine.executor.view import Mount
from aiowf.errors import ConfigurationError, EngineError
from aiowf.manifest import Container, ResourceRequirements, ScriptTemplate

PODMAN = Containers(command=("podman", "--log-level", "error"), engine="/tmp/engine")


def words_of(make_pod: MakePod, containers: Containers = PODMAN, **about: Any) -> str:
    """Return the command line of a pod, as one text."""
    pod = make_pod("ignored", container={"image": "r.example/sum:1", "command": None, **about})
    words = [*(pod.container.command or ()), "one", "two"]
    mounts = [Mount("/in", "/real", read_only=True)]
    return " ".join(containers.arguments(pod, "name", words, ["A", "PATH=/bin"], mounts))


def test_the_image_runs_with_its_own_command(make_pod: MakePod) -> None:
    """Arguments follow the image; variables, mounts and label are named before it."""
    expected = (
        f"podman --log-level error run --name name --label {LABEL}=/tmp/engine --network host "
        "--env A --env PATH=/bin --volume /real:/in:ro -- r.example/sum:1 one two"
    )
    assert expected == words_of(make_pod)


def test_a_command_takes_the_place_of_the_entrypoint(make_pod: MakePod) -> None:
    """The first word is the entry point, the others are arguments."""
    words = words_of(make_pod, command=["sh", "-c"])
    assert words.endswith("--entrypoint sh -- r.example/sum:1 -c one two")


def test_limits_pull_policy_and_directory(make_pod: MakePod) -> None:
    """Resources become limits, and the policy of the image is podman's."""
    words = words_of(
        make_pod,
        resources=ResourceRequirements(limits={"cpu": "1500m", "memory": "1Gi"}),
        image_pull_policy="Always",
        working_dir="/work",
    )
    assert "--cpus 1.5 --memory 1073741824" in words
    assert "--workdir /work" in words


def test_an_image_of_the_applications_is_not_pulled(make_pod: MakePod) -> None:
    """It is built, from its directory and under the name that the pod calls it by."""
    containers = Containers(command=("podman",), dockerfiles={"sum": "/apps/a sum"})
    assert "--pull" not in words_of(make_pod, containers)
    build = ["podman", "build", "--quiet", "--tag", "r.example/sum:1", "/apps/a sum"]
    assert build == containers.build_command("r.example/sum:1")
    assert containers.build_command("r.example/other:1") is None


@pytest.mark.parametrize(
    ("image", "command", "all_pods", "expected"),
    [
        ("sum:1", None, False, True),
        ("sum:1", ["sh"], False, False),
        ("sum:1", ["sh"], True, True),
        ("known:2", None, True, False),
        ("aiowf-runtime", ["python"], True, False),
        (None, None, True, False),
    ],
)
def test_who_runs_as_a_container(
    image: str | None, command: list[str] | None, all_pods: bool, expected: bool
) -> None:
    """Those without a command, or all; never what has a stand-in, nor the engine's own image."""
    containers = Containers(command=("podman",), all_pods=all_pods)
    container = Container(image=image, command=command)
    assert expected == containers.takes(container, {"known": ["true"]})


def test_values_do_not_stand_on_the_command_line() -> None:
    """Only variables that podman itself would heed are given by value."""
    options, handed_on = environment_of({"SECRET": "s", "PATH": "/bin"})
    assert ["SECRET", "PATH=/bin"] == options
    assert {"SECRET": "s"} == handed_on


def test_the_program_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Podman first; docker only with its daemon; what was asked for has to be there."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert ("/bin/docker",) == find_containers(None, {"docker": "/bin/docker"}.get)
    both = {"docker": "/bin/docker", "podman": "/bin/podman"}
    assert ("/bin/podman",) == find_containers(True, both.get)
    assert ("podman", "--root", "/x") == find_containers("podman --root /x", both.get)
    assert () == find_containers(None, {}.get)
    assert () == find_containers(False, both.get)
    with pytest.raises(EngineError, match="neither podman nor"):
        find_containers(True, {}.get)
    with pytest.raises(EngineError, match="no program 'nerdctl'"):
        find_containers(["nerdctl"], both.get)


def test_dockerfiles_are_known_by_the_names_of_their_images(tmp_path: Path) -> None:
    """`myapp/tasks/mytask/Dockerfile` is `myapp-mytask`; a directory that is not there is told."""
    task = tmp_path / "myapp" / "tasks" / "mytask"
    task.mkdir(parents=True)
    (task / "Dockerfile").write_text("FROM scratch\n")
    assert {"myapp-mytask": str(task.resolve())} == dockerfiles_below(tmp_path)
    with pytest.raises(EngineError, match="there is no directory"):
        dockerfiles_below(tmp_path / "nowhere")


def test_a_path_with_a_colon_cannot_be_mounted(make_pod: MakePod) -> None:
    """Podman's and docker's option has no way to say such a path."""
    pod = make_pod("true", container={"image": "sum"})
    with pytest.raises(ConfigurationError, match="colon"):
        PODMAN.arguments(pod, "name", ["true"], [], [Mount("/a:b", "/real")])


def test_whoever_cleans_up_finds_the_command(tmp_path: Path) -> None:
    """An engine leaves word of how its containers are removed."""
    Containers(command=("podman", "--root", "/x"), engine=str(tmp_path)).mark()
    assert ["podman", "--root", "/x"] == json.loads((tmp_path / "containers.json").read_text())
    (tmp_path / "containers.json").write_text('["podm')  # killed before the first container
    remove_containers(str(tmp_path))


def test_a_command_without_its_image_is_told() -> None:
    """Whoever names an image learns that its command runs without it; but for Python's own."""
    container = Container(image="blender:4", command=["blender"])
    assert "'blender:4' is not used here" in str(notice_of(container, "here", {}))
    check_command(container, "here", {})
    for quiet in (
        Container(image="python:3.12-slim", command=["python"]),
        ScriptTemplate(image="blender:4", command=["python"], source=""),
    ):
        assert notice_of(quiet, "here", {}) is None
    assert notice_of(container, "here", {"blender": ["true"]}) is None
