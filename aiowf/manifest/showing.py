"""What a notebook asks of a value that it shows."""

from typing import Any


class Shown:
    """A value that notebooks show as a picture.

    The room that draws is above the rooms that have such values; the front door knows it.
    """

    __slots__ = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        import aiowf

        return aiowf.display.mimebundle(self)
