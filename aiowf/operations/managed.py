"""The abstract bases of all operations."""

from abc import ABC, abstractmethod
from typing import Any

from attrs import frozen

from aiowf.errors import ConfigurationError


@frozen(slots=False)
class ManagedOperation(ABC):
    """Something that a service does, here or in a workflow.

    Attributes:
        name: Its name; a last "-" is added where there is none.
    """

    name: str

    def __attrs_post_init__(self) -> None:
        vars(self)["name"] = self._prefix(self.name)

    @staticmethod
    def _prefix(name: str) -> str:
        """Return the name with its last "-"."""
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"expected a name, not {name!r:.80}", where="name")
        return name if name.endswith("-") else f"{name}-"

    @abstractmethod
    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Do it."""


class SyncOperation(ManagedOperation):
    """An operation whose `execute` gives what came of it."""
