"""The value that an earlier task of the same operation will have produced."""

from collections.abc import Iterator
from typing import Any, Literal, NoReturn

from attrs import field, frozen

from aiowf.errors import ConfigurationError


@frozen(str=False)
class Reference:
    """Stand for an earlier task's return value or standard output among a later task's arguments.

    It is no value yet: where the operation is written it cannot be formatted, tested or iterated.
    """

    task: str
    """The name of the task that produces the value."""
    kind: Literal["output", "stdout"] = "output"
    """Which of its values: the return value, or what the task printed."""
    annotation: Any = field(default=None, eq=False, repr=False)
    """The type of the value, where it is known."""

    def _refuse(self, doing: str) -> NoReturn:
        raise ConfigurationError(
            f"{self.task}.{self.kind} has no value yet: it cannot be {doing} here",
            hint="pass it whole, among args, kwargs or env of a later task, and use it there",
        )

    def __str__(self) -> str:
        self._refuse("turned into text")

    def __format__(self, spec: str) -> str:
        self._refuse("put into a text")

    def __bool__(self) -> bool:
        self._refuse("tested")

    def __iter__(self) -> Iterator[Any]:
        self._refuse("iterated over")

    def __getitem__(self, key: object) -> Any:
        self._refuse("indexed")
