"""What a container runs: its command, or the stand-in for its image."""

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from aiowf.errors import ConfigurationError
from aiowf.manifest import Container, ScriptTemplate
from aiowf.wire.labels import ENGINE_RUNTIME_IMAGE

T = TypeVar("T")
_PYTHON = frozenset(
    {"python", "python3", f"python{sys.version_info.major}.{sys.version_info.minor}"}
)
# Images whose commands are here as well.
_ANYWHERE = frozenset({"python", ENGINE_RUNTIME_IMAGE})
_TAG = re.compile(r"(?:@[^/]*|:[^/:@]*)+$")

# Argo's executor ends with this code when there is nothing to run.
NOT_FOUND = 64


class CommandNotFoundError(Exception):
    """A command that cannot be run; the text says why in the words of Argo's executor."""


def without_tag(image: str) -> str:
    """Return the name of an image with its registry, without tag and digest."""
    return _TAG.sub("", image)


def stand_in(images: Mapping[str, T], image: str | None) -> T | None:
    """Return what stands for an image, by its name with or without registry and tag."""
    if not image:
        return None
    untagged = without_tag(image)
    for name in (image, untagged, untagged.rpartition("/")[2]):
        if name in images:
            return images[name]
    return None


def check_command(
    container: Container | ScriptTemplate, where: str, images: Mapping[str, Sequence[str]]
) -> None:
    """Refuse a container without a command of which nobody knows what it runs.

    Raises:
        ConfigurationError: There is no command, and nothing stands in for the image.
    """
    if container.command or stand_in(images, container.image) is not None:
        return
    name = without_tag(container.image or "").rpartition("/")[2] or "image"
    known = f" It has stand-ins for {', '.join(sorted(images))}." if images else ""
    known += " Where podman or docker is installed, the image itself is run."
    raise ConfigurationError(
        f"the embedded engine cannot know what the image {container.image!r} runs",
        where=f"{where}.command",
        hint=f'Give the command, or a stand-in for the image: images={{"{name}": ["…"]}} in '
        f"aiowf.connect(…) or @pytest.mark.aiowf(…); --image in the command line.{known}",
    )


def notice_of(
    container: Container | ScriptTemplate, where: str, images: Mapping[str, Sequence[str]]
) -> str | None:
    """Return what to tell of a command that runs without the image that it was written for."""
    image = container.image
    if isinstance(container, ScriptTemplate) or not image or stand_in(images, image) is not None:
        return None
    if without_tag(image).rpartition("/")[2] in _ANYWHERE:
        return None
    return (
        f"{where}.image: {image!r} is not used here: its command runs as a process of this machine "
        f"(containers=True runs the image, where podman or docker is installed)"
    )


def arguments(
    container: Container | ScriptTemplate,
    images: Mapping[str, Sequence[str]],
    source_file: str | None,
) -> list[str]:
    """Return the argument vector of a container; a script's source file comes last."""
    command = container.command or stand_in(images, container.image) or ()
    return [*command, *(container.args or ()), *([source_file] if source_file else [])]


def known_program(name: str) -> str | None:
    """Return the interpreter that runs the engine if a command names Python, else None."""
    return sys.executable if name in _PYTHON else None


def find_program(name: str, path: str, directory: str) -> str:
    """Return the file that a command names.

    Args:
        name: The first word of the command; `python` is the interpreter that runs the engine.
        path: The pod's PATH.
        directory: The pod's working directory, which relative names begin at.

    Raises:
        CommandNotFoundError: There is no such file, or it may not be run.
    """
    if known := known_program(name):
        return known
    if os.sep in name:
        return _check_file(name, os.path.join(directory, name))
    found = _which(name, path)
    if found is None or not os.access(found, os.X_OK):
        _which.cache_clear()
        found = shutil.which(name, path=path)
    if found is None:
        raise CommandNotFoundError(not_found(name, "executable file not found in $PATH"))
    return found


def _check_file(name: str, file: str) -> str:
    if not os.path.exists(file):
        raise CommandNotFoundError(not_found(name, f"stat {name}: no such file or directory"))
    if os.path.isdir(file) or not os.access(file, os.X_OK):
        raise CommandNotFoundError(not_found(name, "permission denied"))
    return file


def not_found(name: str, why: str) -> str:
    """Return what Argo's executor says of a command that it cannot run."""
    return f'failed to find name in PATH: exec: "{name}": {why}'


@lru_cache(maxsize=256)
def _which(name: str, path: str) -> str | None:
    return shutil.which(name, path=path)
