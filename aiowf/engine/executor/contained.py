"""Makes a pod ready to start as a container."""

import os
from collections.abc import Iterable
from functools import partial

from aiowf.engine.executor.containers import Containers, environment_of
from aiowf.engine.executor.environment import container_environment
from aiowf.engine.executor.files import write_inputs
from aiowf.engine.executor.preparation import (
    Prepared,
    Setting,
    named_paths,
    pod_environment,
    texts_of,
    write_script,
)
from aiowf.engine.executor.rooms import SCRIPT, TEMPORARY, TERMINATION, WORK
from aiowf.engine.executor.view import Mount, View, is_below
from aiowf.engine.executor.volumes import mounts_of
from aiowf.engine.pod import Pod
from aiowf.wire.labels import ENV_REPLY_SOCKET, POD_DIRECTORY, TERMINATION_LOG

# Whoever the image runs as has to write here; the engine's directory above is private.
_EVERYBODY = 0o777


def prepare_container(
    pod: Pod, setting: Setting, containers: Containers, directory: str, cookie: str
) -> Prepared:
    """Make a pod ready to start as a container; see `prepare`. Blocks."""
    texts = texts_of(pod, setting, f"{directory}/{SCRIPT}")
    variables = container_environment(pod)
    volumes = mounts_of(pod, variables, f"{directory}/volumes", setting.claim)
    log = os.path.normpath(pod.container.termination_message_path or TERMINATION_LOG)
    own = [
        Mount(directory, directory),
        Mount(POD_DIRECTORY, directory),
        Mount(log, f"{directory}/{TERMINATION}"),
    ]
    places = sorted((*volumes, *own), key=lambda place: -len(place.target))
    elsewhere = [
        path for path in named_paths(pod) if not any(is_below(path, p.target) for p in places)
    ]
    view = View(places=tuple(places), mounts=(), named=tuple(elsewhere), root=f"{directory}/root")
    if texts.source is not None:
        write_script(directory, texts.source)
    write_inputs(view, pod.files)
    inputs = [Mount(path, view.real(path)) for path in pod.files if path in elsewhere]
    environment = pod_environment(pod, setting, directory, texts, cookie)
    socket = environment.get(ENV_REPLY_SOCKET)
    replies = [Mount(socket, socket)] if socket else []  # beside it is what is not the pod's
    # Persistent claims are the user's, and stay as they are.
    private = [mount for mount in volumes if is_below(mount.source, containers.engine)]
    _open_to_everybody(directory, (*private, *replies))
    options, handed_on = environment_of(
        {
            name: text
            for name, text in environment.items()
            if name in texts.variables or setting.environment.get(name) != text
        }
    )
    name = f"aiowf-{os.path.basename(containers.engine)}-{os.path.basename(cookie)}".lower()
    containers.mark()
    words = containers.arguments(
        pod, name, texts.words, options, (*volumes, *own, *inputs, *replies)
    )
    program = texts.words[0] if pod.container.command else None
    outputs = {path: view.real(path) for path in pod.outputs.values() if path in elsewhere}
    for real in outputs.values():
        os.makedirs(os.path.dirname(real), exist_ok=True)
    return Prepared(
        arguments=words,
        program=words[0],
        environment={**os.environ, **handed_on},
        directory=f"{directory}/{WORK}",
        view=view,
        afterwards=partial(containers.finish, name, outputs, program),
    )


def _open_to_everybody(directory: str, mounts: Iterable[Mount]) -> None:
    termination = f"{directory}/{TERMINATION}"
    with open(termination, "ab"):
        pass
    own = (directory, f"{directory}/{TEMPORARY}", termination)
    for path in (*own, *(mount.source for mount in mounts if not mount.read_only)):
        os.chmod(path, _EVERYBODY)
