"""Makes a pod ready to start: its directory, its files, its command line and environment."""

import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from aiowf.engine.executor.builds import Builds
from aiowf.engine.executor.command import arguments, find_program, known_program
from aiowf.engine.executor.containers import Containers
from aiowf.engine.executor.environment import container_environment, init_environment
from aiowf.engine.executor.expansion import expand
from aiowf.engine.executor.files import make_room, write_inputs
from aiowf.engine.executor.namespace import Namespaces, launcher
from aiowf.engine.executor.orphans import POD_COOKIE
from aiowf.engine.executor.pulling import Pulls
from aiowf.engine.executor.rooms import SCRIPT, TEMPORARY, TERMINATION, WORK, Rooms
from aiowf.engine.executor.view import View, make_view
from aiowf.engine.executor.volumes import mounts_of
from aiowf.engine.pod import Pod
from aiowf.manifest import ScriptTemplate
from aiowf.wire.labels import ENV_DIRECTORY, ENV_TERMINATION_LOG, TERMINATION_LOG

# A longer source does not travel in a variable, and so is not expanded (workflowpod.go).
_EXPANDED_SOURCE_BYTES = 128 * 1024
_PACKAGE_ROOT = str(Path(__file__).parents[3])


@frozen(kw_only=True)
class Setting:
    """What all pods of an executor have in common.

    Attributes:
        environment: What every pod's environment begins with.
        images: What runs in place of an image.
        claim: Returns the directory of a claim, given namespace and name.
        namespaces: Whether there are mount namespaces.
        keep: Paths of this machine that pods must see.
        pod_environment: Returns variables that the engine gives a pod.
        rooms: The pods' directories.
        containers: How containers are run; None: there are none here.
        builds: Builds their images; None where there are no containers.
        pulls: Pulls their images; None where there are no containers.
        offload: Runs a function that does file I/O in a thread.
    """

    environment: Mapping[str, str]
    images: Mapping[str, Sequence[str]]
    claim: Callable[[str, str], str]
    namespaces: Namespaces
    keep: Sequence[str]
    pod_environment: Callable[[Pod], Mapping[str, str]]
    rooms: Rooms
    containers: Containers | None
    builds: Builds | None
    pulls: Pulls | None
    offload: Callable[[Callable[[], Any]], Awaitable[Any]]


@frozen(kw_only=True)
class Texts:
    """What a container says in words.

    Attributes:
        words: Its argument vector.
        variables: Its own environment variables.
        source: The source of its script, or None.
    """

    words: Sequence[str]
    variables: Mapping[str, str]
    source: str | None

    def map(self, change: Callable[[str], str]) -> "Texts":
        """Return the texts, each changed."""
        return Texts(
            words=[change(word) for word in self.words],
            variables={name: change(text) for name, text in self.variables.items()},
            source=None if self.source is None else change(self.source),
        )

    def all(self) -> list[str]:
        """Return them in one list."""
        return [*self.words, *self.variables.values(), self.source or ""]


@frozen(kw_only=True)
class Prepared:
    """All that is needed to start a pod's process.

    Attributes:
        arguments: The argument vector.
        program: The file to run.
        environment: All of its environment.
        directory: Its working directory.
        view: The paths of the pod.
        afterwards: Called with the exit code when the process has ended, in a thread; returns
            None if what it was to run has run, else why it has not, or "" if the log says so.
    """

    arguments: Sequence[str]
    program: str
    environment: Mapping[str, str]
    directory: str
    view: View
    afterwards: Callable[[int], str | None] | None = None


def prepare(pod: Pod, setting: Setting, directory: str, cookie: str) -> Prepared:
    """Make a pod ready to start. Blocks.

    Args:
        pod: The pod.
        setting: What it has in common with others.
        directory: The pod's own directory.
        cookie: What the environment of its processes tells them by.

    Raises:
        CommandNotFoundError: There is no such command.
        VolumeError: A volume is not there.
        OSError: Files and directories cannot be made.
    """
    texts = texts_of(pod, setting, f"{directory}/{SCRIPT}")
    volumes = mounts_of(pod, texts.variables, f"{directory}/volumes", setting.claim)
    termination_log = os.path.join("/", pod.container.termination_message_path or TERMINATION_LOG)
    view = make_view(
        directory, volumes, named_paths(pod), texts.all(), os.path.normpath(termination_log)
    )
    kind = setting.namespaces.kind() if view.needed else None
    if view.needed and kind is None:
        texts = texts.map(view.substitute)
    if texts.source is not None:
        write_script(directory, texts.source)
    write_inputs(view, pod.files)
    make_room(view, pod.outputs, setting.keep)
    prepared = Prepared(
        arguments=texts.words,
        program="",
        environment=pod_environment(pod, setting, directory, texts, cookie),
        directory=_working_directory(pod, view, directory, seen=kind is not None),
        view=view,
    )
    return _at_home(prepared) if kind is None else _in_namespace(prepared, kind, setting, directory)


def texts_of(pod: Pod, setting: Setting, script: str) -> Texts:
    variables = container_environment(pod)
    source = None
    if isinstance(pod.container, ScriptTemplate):
        source = pod.container.source or ""
        if "$" in source and len(source.encode()) < _EXPANDED_SOURCE_BYTES:
            source = expand(source, init_environment(pod))
    words = arguments(pod.container, setting.images, None if source is None else script)
    return Texts(
        words=[expand(word, variables) for word in words], variables=variables, source=source
    )


def write_script(directory: str, source: str) -> None:
    """Write the source of a script into the directory of its pod; `sh -c` runs it as a command."""
    path = f"{directory}/{SCRIPT}"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o777)
    try:
        rest = memoryview(source.encode())
        while rest:
            rest = rest[os.write(file, rest) :]
    finally:
        os.close(file)


def named_paths(pod: Pod) -> list[str]:
    """Return the paths that a pod is given files at, leaves files at, or works in."""
    named = [*pod.files, *pod.outputs.values()]
    directory = pod.container.working_dir
    if directory and not os.path.isdir(directory):
        named.append(directory)
    return [os.path.normpath(path) for path in named]


def pod_environment(
    pod: Pod, setting: Setting, directory: str, texts: Texts, cookie: str
) -> dict[str, str]:
    """Return all variables of a pod: the machine's, the engine's, and its own."""
    environment = {
        **setting.environment,
        "HOME": directory,
        "TMPDIR": f"{directory}/{TEMPORARY}",
        "ARGO_CONTAINER_NAME": "main",
        "ARGO_NODE_ID": pod.node_id,
        **setting.pod_environment(pod),
        **texts.variables,
        ENV_DIRECTORY: directory,
        ENV_TERMINATION_LOG: f"{directory}/{TERMINATION}",
        POD_COOKIE: cookie,
    }
    if "aiowf.runtime" in texts.words and _PACKAGE_ROOT not in sys.path:
        environment.setdefault("PYTHONPATH", _PACKAGE_ROOT)
    return environment


def _working_directory(pod: Pod, view: View, directory: str, *, seen: bool) -> str:
    wanted = pod.container.working_dir
    if not wanted:
        return f"{directory}/{WORK}"
    wanted = os.path.normpath(wanted)
    if not view.covers(wanted):
        return wanted
    os.makedirs(view.real(wanted), exist_ok=True)
    return wanted if seen else view.real(wanted)


def _at_home(prepared: Prepared) -> Prepared:
    path = prepared.environment["PATH"]
    program = find_program(prepared.arguments[0], path, prepared.directory)
    return evolve(prepared, program=program)


def _in_namespace(prepared: Prepared, kind: str, setting: Setting, directory: str) -> Prepared:
    os.makedirs(prepared.view.root, exist_ok=True)
    plan = prepared.view.plan(
        user=kind == "user",
        keep=setting.keep,
        directory=prepared.directory,
        log=f"{directory}/{TERMINATION}",
    )
    start = launcher(json.dumps(plan), known_program(prepared.arguments[0]))
    return evolve(
        prepared,
        arguments=[*start, *prepared.arguments],
        program=start[0],
        directory=directory,
    )
