"""What stands in for images in tests."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen

from aiowf.client.settings import commands


@frozen
class Pending:
    """An image of which no pod ever starts.

    Attributes:
        reason: What Kubernetes says, such as "ErrImagePull" or "Unschedulable".
        message: What it says in detail.
    """

    reason: str = "ErrImagePull"
    message: str = "failed to pull and unpack image: not found"


Image = str | Sequence[str] | Callable[..., Any] | Pending
"""A command, as text or as its words, a function, or Pending."""

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
        for image, words in commands({name: _command(one) for name, one in images.items()}).items()
    }


def reasons_of(images: Images) -> dict[str, str]:
    """Return why no pod of an image starts, for those of which none does."""
    return {
        name: f"{one.reason}: {one.message}"
        for name, one in images.items()
        if isinstance(one, Pending)
    }


def _command(image: Image) -> str | Sequence[str]:
    if isinstance(image, Pending):
        return "true"
    if not callable(image):
        return image
    from aiowf.tasks.functions import ship

    return ["python", "-c", ship(image).program()]
