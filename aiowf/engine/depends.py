"""The `depends` of a DAG task: `a && (b.Failed || !c.Skipped)`."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen

_TASK = r"[A-Za-z0-9][-A-Za-z0-9_]*"
_RESULTS = frozenset(
    {
        "Succeeded",
        "Failed",
        "Errored",
        "Skipped",
        "Omitted",
        "Daemoned",
        "AnySucceeded",
        "AllFailed",
    }
)
_TOKEN = re.compile(rf"\s*(?:(?P<task>{_TASK}(?:\.[A-Za-z]+)?)|(?P<op>&&|\|\||!|\(|\)))")

# Whether a task has a result, such as ("a", "Succeeded").
HasResult = Callable[[str, str], bool]
Condition = Callable[[HasResult], bool]


@frozen
class Dependencies:
    """What a task waits for, and when it may then run.

    Attributes:
        tasks: Names of the tasks, in order of appearance.
        condition: Whether it runs once they are all done; otherwise it is omitted.
    """

    tasks: tuple[str, ...]
    condition: Condition


def _plain(task: str, continue_on: Mapping[str, Any]) -> Condition:
    """The condition of a bare name: done well enough to go on."""
    results = ["Succeeded", "Skipped", "Daemoned"]
    results += ["Errored"] if continue_on.get("error") else []
    results += ["Failed"] if continue_on.get("failed") else []
    return lambda has: any(has(task, result) for result in results)


def dependencies_of(
    task: Mapping[str, Any], continue_on: Mapping[str, Mapping[str, Any]]
) -> Dependencies:
    """Return the dependencies of a task, from its `depends` or its `dependencies`.

    Args:
        task: The DAG task as JSON data.
        continue_on: Name of a task → its `continueOn`.

    Raises:
        ValueError: `depends` cannot be read.
    """
    if task.get("depends"):
        return _Parser(task["depends"], continue_on).parse()
    names: Sequence[str] = task.get("dependencies") or ()
    conditions = [_plain(name, continue_on.get(name, {})) for name in names]
    return Dependencies(tuple(names), lambda has: all(condition(has) for condition in conditions))


class _Parser:
    """A recursive descent over the tokens; `!` binds before `&&`, and that before `||`."""

    def __init__(self, text: str, continue_on: Mapping[str, Mapping[str, Any]]) -> None:
        self._text = text
        self._continue_on = continue_on
        self._tokens = self._read()
        self._tasks: dict[str, None] = {}

    def _read(self) -> list[str]:
        tokens: list[str] = []
        at, end = 0, len(self._text.rstrip())
        while at < end:
            match = _TOKEN.match(self._text, at)
            if match is None:
                raise self._wrong()
            tokens.append(match[0].strip())
            at = match.end()
        return tokens[::-1]

    def _wrong(self) -> ValueError:
        return ValueError(f"unable to parse the depends logic '{self._text}'")

    def parse(self) -> Dependencies:
        condition = self._or()
        if self._tokens:
            raise self._wrong()
        return Dependencies(tuple(self._tasks), condition)

    def _accept(self, token: str) -> bool:
        if self._tokens and self._tokens[-1] == token:
            self._tokens.pop()
            return True
        return False

    def _or(self) -> Condition:
        parts = [self._and()]
        while self._accept("||"):
            parts.append(self._and())
        return lambda has: any(part(has) for part in parts)

    def _and(self) -> Condition:
        parts = [self._not()]
        while self._accept("&&"):
            parts.append(self._not())
        return lambda has: all(part(has) for part in parts)

    def _not(self) -> Condition:
        if self._accept("!"):
            operand = self._not()
            return lambda has: not operand(has)
        if self._accept("("):
            inner = self._or()
            if not self._accept(")"):
                raise self._wrong()
            return inner
        return self._task()

    def _task(self) -> Condition:
        if not self._tokens or not re.match(_TASK, self._tokens[-1]):
            raise self._wrong()
        name, _, result = self._tokens.pop().partition(".")
        self._tasks[name] = None
        if not result:
            return _plain(name, self._continue_on.get(name, {}))
        if result not in _RESULTS:
            raise ValueError(f"task result '{result}' for task '{name}' is invalid")
        return lambda has: has(name, result)
