"""What came of an operation."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from aiowf.manifest import Workflow
from aiowf.manifest.showing import Shown
from aiowf.replies.files import Files

T_co = TypeVar("T_co", covariant=True)


class Values(Mapping[Any, Any]):
    """Return values by task: `values["extract"]` or `values[extract]`.

    A value that could not be read raises its error when it is asked for, and not before: one bad
    value does not hide the others.
    """

    def __init__(self, outcomes: Mapping[str, Callable[[], Any]]) -> None:
        self._outcomes = dict(outcomes)
        self._known: dict[str, Any] = {}

    def __getitem__(self, task: Any) -> Any:
        name = task if isinstance(task, str) else getattr(task, "name", None)
        if not isinstance(name, str):
            name = repr(task)
        if name not in self._known:
            if name not in self._outcomes:
                known = ", ".join(self._outcomes) or "none"
                raise KeyError(f"{name}: no task of this name returns a value (these do: {known})")
            self._known[name] = self._outcomes[name]()
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._outcomes)

    def __len__(self) -> int:
        return len(self._outcomes)

    def __contains__(self, task: object) -> bool:
        return (task if isinstance(task, str) else getattr(task, "name", None)) in self._outcomes

    def __repr__(self) -> str:
        return f"Values({', '.join(self._outcomes)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _values_of, ({name: _outcome(read) for name, read in self._outcomes.items()},)


def _outcome(read: Callable[[], Any]) -> tuple[bool, Any]:
    try:
        return True, read()
    except Exception as error:
        return False, error


def _values_of(outcomes: Mapping[str, tuple[bool, Any]]) -> Values:
    return Values({name: _reader(*outcome) for name, outcome in outcomes.items()})


def _reader(good: bool, outcome: Any) -> Callable[[], Any]:
    def read() -> Any:
        if good:
            return outcome
        raise outcome

    return read


@frozen(kw_only=True)
class Result(Shown, Generic[T_co]):
    """What came of an operation.

    Attributes:
        name: Name of the workflow.
        phase: "Succeeded", "Failed" or "Error": the verdict of the entry node. Trouble in an exit
            handler does not change it; it stands in `warnings`.
        message: Argo's message, or "".
        warnings: What went wrong beside the work itself.
        workflow: The workflow as it ended, its status included.
        started_at: Begin, with time zone, or None.
        finished_at: End, with time zone, or None.
        values: Return values by task or its name, in order of execution.
        files: Files of the shared directory, for an operation with results; else empty.
    """

    name: str
    phase: str
    message: str = ""
    warnings: tuple[str, ...] = ()
    workflow: Workflow = field(repr=False)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    values: Values = field(factory=lambda: Values({}), eq=False)
    files: Files = field(factory=Files, eq=False)

    @property
    def succeeded(self) -> bool:
        """Return whether the phase is "Succeeded"."""
        return self.phase == "Succeeded"

    @property
    def duration(self) -> timedelta | None:
        """Return the time from begin to end, as exact as the server's whole seconds."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at

    @property
    def value(self) -> T_co:
        """Return the return value of the last task; None for a task that is no Python function."""
        last = next(reversed(list(self.values)), None)
        return self.values[last] if last is not None else None  # type: ignore[return-value]
