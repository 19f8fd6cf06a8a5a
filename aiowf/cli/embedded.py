"""The options of commands that may start the embedded engine: what runs in place of images."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from aiowf.cli.errors import CommandError, Exit
from aiowf.cli.target import Target

F = TypeVar("F", bound=Callable[..., Any])


def _images(
    context: click.Context, parameter: click.Parameter, words: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    """Return IMAGE=COMMAND words as a mapping of argument vectors."""
    found = {}
    for word in words:
        image, sign, command = word.partition("=")
        if not sign or not image or not command.strip():
            raise CommandError(
                f"--image {word!r} is not IMAGE=COMMAND",
                'Such as --image "sum=python sum.py"',
                Exit.USAGE,
            )
        found[image] = shlex.split(command)
    return found


def engine_options(command: F) -> F:
    """Add `--containers`, `--build` and `--image`."""
    options = (
        click.option(
            "--containers/--no-containers",
            default=None,
            help="Run every pod, or none, by podman or docker; else what has no command.",
        ),
        click.option(
            "--build",
            metavar="DIRECTORY",
            type=click.Path(file_okay=False, exists=True),
            help="Applications whose images are built when needed: APP/tasks/TASK/Dockerfile is "
            "APP-TASK.",
        ),
        click.option(
            "--image",
            "images",
            multiple=True,
            metavar="IMAGE=COMMAND",
            callback=_images,
            help="The command that stands in for an image; may be given more than once.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def engine_settings(
    target: Target,
    containers: bool | None,
    build: str | None,
    images: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Return what of these options was said, as settings of a client.

    Args:
        target: Says which server is named, if any.
        containers: What --containers says.
        build: What --build says.
        images: What --image says.

    Raises:
        CommandError: Something was said, and a server is named, which would not heed it.
        ConfigurationError: What says where the server is makes no sense.
    """
    said = {"containers": containers, "build": build, "images": images or None}
    said = {name: value for name, value in said.items() if value is not None}
    if said and not (place := target.place()).is_local:
        name = "--image" if "images" in said else f"--{next(iter(said))}"
        raise CommandError(
            f"{name} is for the embedded engine, and a server is named: {place.server}",
            "Say it to `aiowf dev`, or let this command start the engine: --server local.",
            Exit.USAGE,
        )
    return said
