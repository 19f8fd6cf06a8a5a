"""A podman with a storage of its own, and an application whose image is made from this machine."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

# A program that is linked statically is all that an image needs.
BUSYBOX = shutil.which("busybox") or "/bin/busybox"
DOCKERFILE = """
FROM scratch
COPY busybox /bin/busybox
COPY busybox /bin/sh
COPY busybox /bin/cat
COPY busybox /bin/sleep
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo $((a + b)) > $shared_directory/result; echo to stdout; echo to stderr >&2"]
"""
CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
"""


@pytest.fixture(scope="session")
def applications(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory `applications`, with one task: the image `samples-sum`."""
    root = tmp_path_factory.mktemp("applications")
    task = root / "samples" / "tasks" / "sum"
    task.mkdir(parents=True)
    (task / "Dockerfile").write_text(DOCKERFILE)
    shutil.copy(BUSYBOX, task / "busybox")
    return root


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory, applications: Path) -> Iterator[list[str]]:
    """The command of a podman that works here, or the reason why none does."""
    if shutil.which("podman") is None or not os.path.exists(BUSYBOX):
        pytest.skip("podman and a static busybox are not installed")
    home = tmp_path_factory.mktemp("podman")
    (home / "containers.conf").write_text(CONF)
    os.environ["CONTAINERS_CONF"] = str(home / "containers.conf")
    places = ["--root", str(home / "root"), "--runroot", str(home / "run")]
    command = ["podman", *places, "--storage-driver", "vfs"]
    context = str(applications / "samples" / "tasks" / "sum")
    for step in (
        ["build", "--quiet", "--tag", "samples-sum", context],
        ["run", "--rm", "--network", "host", "samples-sum", "echo ready"],
    ):
        ended = subprocess.run([*command, *step], capture_output=True, text=True, timeout=100)
        if ended.returncode != 0:
            pytest.skip(f"podman runs no containers here: {ended.stderr.strip()[-300:]}")
    yield command
    del os.environ["CONTAINERS_CONF"]
    subprocess.run([*command, "rm", "--all", "--force"], capture_output=True, timeout=60)
    subprocess.run([*command, "rmi", "--all", "--force"], capture_output=True, timeout=60)
