"""A podman and a docker of our own, and an application whose image is made from this machine."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
    yield from _working("podman", tmp_path_factory, applications)


@pytest.fixture(scope="session", params=["podman", "docker"])
def command(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, applications: Path
) -> Iterator[list[str]]:
    """The command of a podman, and of a docker, that works here, or the reason why none does."""
    yield from _working(request.param, tmp_path_factory, applications)


def _working(
    name: str, tmp_path_factory: pytest.TempPathFactory, applications: Path
) -> Iterator[list[str]]:
    if shutil.which(name) is None or not os.path.exists(BUSYBOX):
        pytest.skip(f"{name} and a static busybox are not installed")
    home = tmp_path_factory.mktemp(name)
    start = _podman if name == "podman" else _docker
    with start(home) as words:
        context = str(applications / "samples" / "tasks" / "sum")
        for step in (
            ["build", "--quiet", "--tag", "samples-sum", context],
            ["run", "--rm", "--network", "host", "samples-sum", "echo ready"],
        ):
            ended = subprocess.run([*words, *step], capture_output=True, text=True, timeout=100)
            if ended.returncode != 0:
                pytest.skip(f"{name} runs no containers here: {ended.stderr.strip()[-300:]}")
        yield words


@contextmanager
def _podman(home: Path) -> Iterator[list[str]]:
    """Return the command of a podman with a storage of its own."""
    (home / "containers.conf").write_text(CONF)
    os.environ["CONTAINERS_CONF"] = str(home / "containers.conf")  # for what these tests start
    places = ["--root", str(home / "root"), "--runroot", str(home / "run")]
    yield ["podman", *places, "--storage-driver", "vfs"]


@contextmanager
def _docker(home: Path) -> Iterator[list[str]]:
    """Return the command of the docker that runs here, or of one that is started."""
    if subprocess.run(["docker", "version"], capture_output=True).returncode == 0:
        yield ["docker"]
        return
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        pytest.skip("no docker runs here, and there is no dockerd that could be started")
    host = f"unix://{home}/docker.sock"
    places = [f"--{name}={home}/{name}" for name in ("data-root", "exec-root", "pidfile")]
    # Containers of ours have the network of this machine; nothing of it is to be changed.
    aloof = ["--bridge=none", "--iptables=false", "--ip6tables=false"]
    words = ["dockerd", "--host", host, *places, *aloof, "--storage-driver=vfs"]
    with (home / "log").open("wb") as log, subprocess.Popen(words, stderr=log) as daemon:
        try:
            _wait_for(daemon, ["docker", "--host", host, "version"], home / "log")
            yield ["docker", "--host", host]
        finally:
            daemon.terminate()
            daemon.wait(60)
            # It stays mounted where a container had the network of this machine.
            subprocess.run(["umount", home / "exec-root/netns/default"], capture_output=True)


def _wait_for(daemon: "subprocess.Popen[bytes]", asking: list[str], log: Path) -> None:
    """Ask a daemon until it answers; skip the tests if it does not."""
    late = time.monotonic() + 60
    while subprocess.run(asking, capture_output=True).returncode != 0:
        if daemon.poll() is not None or time.monotonic() > late:
            pytest.skip(f"dockerd does not start here: {log.read_text().strip()[-300:]}")
        time.sleep(0.1)
