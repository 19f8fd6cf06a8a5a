"""What the checks of a workflow have found."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from attrs import define, field, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest.names import nearest
from aiowf.manifest.paths import path_of

VARIABLE = "{{"  # a text that holds one is Argo's to fill in: its syntax cannot be checked before


@frozen
class Problem:
    """One thing that is wrong.

    Attributes:
        where: Its path inside the workflow's `spec`, such as "templates[2].container.image".
        message: What is wrong.
        hint: The nearest right thing, or None.
    """

    where: str
    message: str
    hint: str | None = None


@define
class Findings:
    """The problems of one workflow, in the order in which they were found."""

    problems: list[Problem] = field(factory=list)  # only ever grows

    def add(self, where: str, message: str, hint: str | None = None) -> None:
        """Note a problem."""
        self.problems.append(Problem(where, message, hint))

    def check(
        self, check: Callable[[Any, str], Any], text: Any, where: str, name: str = ""
    ) -> None:
        """Note what a check of a text has against it, unless Argo has still to fill it in.

        The path is `where` and the name of a field; it is put together only where it is needed.
        """
        if _passes(check, text):
            return
        try:
            check(text, path_of(where, name))
        except ConfigurationError as error:
            self.add(error.where or where, error.message, error.hint)

    def choice(self, text: str | None, choices: Iterable[str], where: str, name: str) -> None:
        """Note a field that is not one of the choices; None and "" mean the default."""
        if text and text not in choices and VARIABLE not in text:
            names = ", ".join(choices)
            self.add(
                path_of(where, name), f'"{text}" is not one of {names}', nearest(text, choices)
            )

    def names(
        self, items: Sequence[Any] | None, check: Callable[[Any, str], Any], where: str
    ) -> None:
        """Note items without a name, with one that Argo refuses, or with one that is taken."""
        seen: set[str] = set()
        for index, item in enumerate(items or ()):
            name = getattr(item, "name", None)
            if not name:
                self.add(f"{where}[{index}]", "it has no name" if item else "null is no item here")
            elif name in seen:
                self.add(f"{where}[{index}].name", f'the name "{name}" is taken by another one')
            else:
                seen.add(name)
                self.check(check, name, where, f"[{index}].name")

    def raise_first(self) -> None:
        """Raise a ConfigurationError if there are problems: the first, the others in its hint."""
        if not self.problems:
            return
        first, *more = self.problems
        lines = [f"also {other.where}: {other.message}" for other in more[:9]]
        if len(more) > 9:
            lines.append(f"and {len(more) - 9} more")
        hint = "\n".join([first.hint, *lines] if first.hint else lines)
        raise ConfigurationError(first.message, where=first.where or None, hint=hint or None)


@lru_cache(maxsize=8192)
def _passes(check: Callable[[Any, str], Any], text: Any) -> bool:
    """Return whether a check has nothing against a text; names recur from workflow to workflow."""
    if isinstance(text, str) and VARIABLE in text:
        return True
    try:
        check(text, "")
    except ConfigurationError:
        return False
    return True
