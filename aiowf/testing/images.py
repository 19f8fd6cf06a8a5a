"""What stands in for images in tests."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiowf.client.settings import commands

Image = str | Sequence[str] | Callable[..., Any]
"""A command, as text or as its words, or a function."""

Images = Mapping[str, Image]
"""Image name, with or without registry and tag → what stands in for it."""


def commands_of(images: Images) -> dict[str, list[str]]:
    """Return the commands that run in place of images.

    A function becomes a program: the container's args are its arguments, as text, what it prints
    is the output, and what it returns is the exit code, as for the console scripts of a package.
    It travels as source, as the function of a PythonTask does.

    Raises:
        ConfigurationError: There is no command, or something that a function needs cannot travel.
    """
    return {
        image: list(words)
        for image, words in commands(
            {name: _program(one) if callable(one) else one for name, one in images.items()}
        ).items()
    }


def _program(function: Callable[..., Any]) -> list[str]:
    from aiowf.tasks.functions import ship

    return ["python", "-c", ship(function).program()]
