"""Pods as containers of podman or docker: the command line that runs one, and what it leaves.

The client of podman or docker is the pod's process; it hands on signals, output and exit code. The
pod's own directory is mounted where it is on this machine, and so the variables that tell a pod of
it are true inside as well.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from aiowf.engine.addresses import CONTAINERS
from aiowf.engine.executor.command import not_found, stand_in, without_tag
from aiowf.engine.executor.view import Mount
from aiowf.engine.pod import Pod
from aiowf.errors import ConfigurationError, EngineError
from aiowf.manifest import Container, ScriptTemplate
from aiowf.manifest.units import amount
from aiowf.wire.labels import ENGINE_RUNTIME_IMAGE

# A container of ours carries this label; its value is the directory of the engine.
LABEL = "dev.aiowf.engine"
# What podman and docker end with if the container was not even started: a mistake of theirs, or a
# program that the image does not let run, or does not have. Why, as Argo's executor says it.
_NOT_STARTED = {
    125: "",
    126: "permission denied",
    127: "executable file not found in $PATH",
}
# States of a container that has never run; "": there is none.
_NEVER_RUN = frozenset({"", "created", "configured", "initialized"})
_SECONDS = 30
_DOCKER_SOCKET = "/var/run/docker.sock"
# Variables that podman and docker themselves heed: these must not reach them as the pod has them.
_THEIRS = re.compile(
    r"PATH|HOME|TMPDIR|USER|LD_\w+|XDG_\w+|GODEBUG|DBUS_\w+|NOTIFY_SOCKET|LISTEN_\w+"
    r"|CONTAINERS?_(HOST|CONNECTION|SSHKEY|CONF|CONF_OVERRIDE|REGISTRIES_CONF|STORAGE_CONF)"
    r"|DOCKER_(HOST|CONTEXT|CONFIG|TLS|TLS_VERIFY|CERT_PATH|API_VERSION|DEFAULT_PLATFORM)"
    r"|REGISTRY_AUTH_FILE|STORAGE_(DRIVER|OPTS)|BUILDAH_\w+"
    r"|.*\*"  # to podman: all variables that begin so
)


@frozen(kw_only=True)
class Containers:
    """How containers are run.

    Attributes:
        command: The program and its global options, such as ("podman",).
        all_pods: Whether every pod is a container, and not only one whose command nobody knows.
        dockerfiles: Image → directory of the Dockerfile that it is built from.
        engine: Directory of the engine, which tells its containers from others.
    """

    command: Sequence[str]
    all_pods: bool = False
    dockerfiles: Mapping[str, str] = field(factory=dict)
    engine: str = ""

    def mark(self) -> None:
        """Leave word that there are containers, for whoever cleans up after this engine. Blocks."""
        path = Path(self.engine, CONTAINERS)
        if not path.exists():
            path.write_text(json.dumps(list(self.command)))

    def takes(
        self, container: Container | ScriptTemplate, images: Mapping[str, Sequence[str]]
    ) -> bool:
        """Return whether a container runs as one, given what stands in for images."""
        image = container.image
        if (
            not image
            or without_tag(image) == ENGINE_RUNTIME_IMAGE
            or stand_in(images, image) is not None
        ):
            return False
        return self.all_pods or not container.command

    def pulls(
        self, container: Container | ScriptTemplate, images: Mapping[str, Sequence[str]]
    ) -> bool:
        """Return whether a container's image comes from a registry, if it is not here."""
        name = without_tag(container.image or "").rpartition("/")[2]
        return self.takes(container, images) and name not in self.dockerfiles

    def arguments(
        self,
        pod: Pod,
        name: str,
        words: Sequence[str],
        variables: Iterable[str],
        mounts: Iterable[Mount],
    ) -> list[str]:
        """Return the command line that runs a pod, whose image has been built or pulled.

        Args:
            pod: The pod.
            name: What the container is called.
            words: Command and arguments of the pod; only arguments if it has no command.
            variables: Its environment: NAME=value, or NAME, whose value this process hands on.
            mounts: What it sees of this machine.
        """
        image = str(pod.container.image)
        run = [
            *(*self.command, "run", "--name", name, "--label", f"{LABEL}={self.engine}"),
            *("--network", "host"),
            *_limits(pod.container),
            *(part for variable in variables for part in ("--env", variable)),
            *(part for mount in mounts for part in ("--volume", _volume(mount))),
        ]
        if pod.container.working_dir:
            run += ["--workdir", pod.container.working_dir]
        if pod.container.command:
            run += ["--entrypoint", words[0]]
            words = words[1:]
        return [*run, "--", image, *words]

    def build_command(self, image: str) -> list[str] | None:
        """Return the command line that builds an image, or None if it is not built here."""
        directory = self.dockerfiles.get(without_tag(image).rpartition("/")[2])
        if directory is None:
            return None
        return [*self.command, "build", "--quiet", "--tag", image, directory]

    def finish(
        self, name: str, outputs: Mapping[str, str], program: str | None, code: int
    ) -> str | None:
        """Fetch the files that a container has left, and remove it. Blocks.

        Args:
            name: What it is called.
            outputs: Path in the container → path on this machine.
            program: What it was to run; None: what the image says.
            code: What podman or docker ended with.

        Returns:
            None if it has run: its own program may end with any code. Otherwise why it has not, if
            it was for its program, or "" if podman or docker have said so.
        """
        unstarted = None
        if code in _NOT_STARTED and self._state(name) in _NEVER_RUN:
            why = _NOT_STARTED[code]
            if code == 127 and program and "/" in program:
                why = f"stat {program}: no such file or directory"
            unstarted = not_found(program, why) if program and why else ""
        for path, real in outputs.items():
            self._call("cp", f"{name}:{path}", real)  # one that is not there has no output
        self._call("rm", "--force", "--volumes", name)
        return unstarted

    def _state(self, name: str) -> str:
        return self._call("inspect", "--format", "{{.State.Status}}", name).strip()

    def _call(self, *words: str) -> str:
        return call([*self.command, *words])


def call(words: Sequence[str]) -> str:
    """Run podman or docker for a moment, and return what it prints; "" if it does not answer."""
    try:
        ended = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.decode(errors="replace")


def last_line(words: str) -> str:
    """Return the last line of what podman or docker say, which is why it did not work."""
    lines = [line for line in words.splitlines() if line.strip() and "run --help" not in line]
    return lines[-1] if lines else "the container did not start"


def remove_containers(directory: str) -> None:
    """Remove what is left of the containers of the engine that had this directory. Blocks."""
    try:
        command = json.loads(Path(directory, CONTAINERS).read_text())
    except (OSError, ValueError):
        return  # it has run none, or was killed before the first
    found = call([*command, "ps", "--all", "--quiet", "--filter", f"label={LABEL}={directory}"])
    if ids := found.split():
        call([*command, "rm", "--force", "--volumes", *ids])


def find_containers(
    wanted: bool | str | Sequence[str] | None, which: Callable[[str], str | None] = shutil.which
) -> tuple[str, ...]:
    """Return the program that runs containers, with its options; () where there is none.

    Args:
        wanted: None or True: podman or docker, whichever is there; False: none; or its command.
        which: Finds a program.

    Raises:
        EngineError: It was asked for, and is not there.
    """
    if wanted is False:
        return ()
    if wanted is None or wanted is True:
        found = next(filter(None, map(_usable(which), ("podman", "docker"))), None)
        if found is None and wanted:
            raise EngineError(
                "there is neither podman nor a running docker here",
                hint="Install podman (apt-get install podman), or leave containers= out.",
            )
        return (found,) if found else ()
    words = tuple(shlex.split(wanted) if isinstance(wanted, str) else wanted)
    if not words or which(words[0]) is None:
        raise EngineError(
            f"there is no program {words[0] if words else ''!r} to run containers with",
            hint='containers="podman" or "docker", with options if need be.',
        )
    return words


def _usable(which: Callable[[str], str | None]) -> Callable[[str], str | None]:
    def find(name: str) -> str | None:
        # The client of docker may be here without its daemon, and then runs nothing.
        if name == "docker" and not (
            os.environ.get("DOCKER_HOST") or os.access(_DOCKER_SOCKET, os.W_OK)
        ):
            return None
        return which(name)

    return find


def environment_of(
    variables: Mapping[str, str],
) -> tuple[list[str], dict[str, str]]:
    """Return what `run --env` is given, and what has to be handed on by the environment.

    Values do not stand on the command line, where everybody on this machine could read them,
    unless podman and docker would heed them themselves.
    """
    theirs = {name for name in variables if _THEIRS.fullmatch(name)}
    options = [f"{name}={text}" if name in theirs else name for name, text in variables.items()]
    return options, {name: text for name, text in variables.items() if name not in theirs}


def _limits(container: Container | ScriptTemplate) -> list[str]:
    resources: Any = container.resources
    found: Mapping[str, Any] = (resources.limits if resources else None) or {}
    options = []
    if "cpu" in found:
        options += ["--cpus", f"{amount(found['cpu']):g}"]
    if "memory" in found:
        options += ["--memory", f"{int(amount(found['memory']))}"]
    return options


def _volume(mount: Mount) -> str:
    if ":" in mount.source or ":" in mount.target:
        raise ConfigurationError(f"a container cannot mount {mount.target!r}: it has a colon")
    return f"{mount.source}:{mount.target}{':ro' if mount.read_only else ''}"


def dockerfiles_below(directory: str | os.PathLike[str] | None) -> dict[str, str]:
    """Return the images that are built from the Dockerfiles below a directory: name → directory.

    Raises:
        EngineError: There is no such directory, or two Dockerfiles have one name.
    """
    if directory is None:
        return {}
    from aiowf.profile.images import find_dockerfiles

    try:
        found = find_dockerfiles(directory)
    except ConfigurationError as error:
        raise EngineError(error.message, hint=error.hint) from None
    return {name: str(Path(path).resolve().parent) for name, path in found.items()}
