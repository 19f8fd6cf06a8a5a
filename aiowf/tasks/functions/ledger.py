"""What has been gathered so far, as statements in an order in which they can run."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import attrs
from attrs import define, field, frozen

from aiowf.tasks.functions import origin
from aiowf.wire import inert


@frozen(eq=False, slots=False)
class Place:
    """Where a function or class of the user's stands in the pod."""

    obj: Any
    """The object; held, so that its id stays its own."""
    module: str
    target: str
    depth: int
    """How many objects were being defined when this one was met."""

    @property
    def expression(self) -> str:
        """The expression that gives the object."""
        return origin.imported_expression(self.module, self.target)


@define
class Ledger:
    """Statements, and what they have defined, each thing once."""

    statements: list[str] = field(factory=list)
    imports: set[str] = field(factory=set)  # top-level names of third-party modules
    places: dict[int, Place] = field(factory=dict)  # functions and classes by id
    values: dict[int, str] = field(factory=dict)  # expressions of mutable values by id
    bound: dict[tuple[str, str], int] = field(factory=dict)  # (module, name) → id of its object
    import_lines: set[tuple[str, str]] = field(factory=set)  # (module, import statement)
    sources: dict[tuple[str, str], str] = field(factory=dict)  # (module, file) → variable
    missing: list[Place] = field(factory=list)  # what the statement to come uses too early
    _depth: int = 0  # how many definitions are under way
    _defined: set[int] = field(factory=set)  # ids of the objects that stand at their places
    # What waits for an object: statements, each with the place of what it defines.
    _waiting: dict[int, list[tuple[str, Place | None]]] = field(factory=dict)

    def note_import(self, module: str) -> None:
        """Remember a module that must be installed in the pod."""
        if not origin.is_standard(module):
            self.imports.add(origin.top(module))

    def source(self, module: str, file: str) -> str:
        """Return what stands for a module and a file of it in a statement's arguments."""
        return f"*{self.sources.setdefault((module, file), f'source{len(self.sources)}')}"

    def place(self, obj: Any, module: str, target: str) -> Place:
        """Give an object a place; its definition is to come."""
        place = self.places[id(obj)] = Place(obj, module, target, self._depth)
        return place

    def use(self, place: Place) -> str:
        """Return the expression of a place, for the statement to come."""
        if id(place.obj) not in self._defined:
            self.missing.append(place)
        return place.expression

    def need(self, objects: Iterable[Any], place: Place) -> None:
        """Let the definition to come wait for those of these objects that are under way."""
        for obj in objects:
            needed = self.places.get(id(obj))
            if needed and needed is not place:
                self.use(needed)

    def state(self, statement: str) -> None:
        """Add a statement; after what it needs is defined, if that is still under way."""
        statement = inert.python_code(statement)
        self._add(statement, None)

    def define(self, place: Place, statement: str) -> None:
        """Add the statement that defines an object, likewise, and those that wait for it."""
        self._add(statement, place)

    def _add(self, statement: str, place: Place | None) -> None:
        if self.missing:
            first = min(self.missing, key=lambda place: place.depth)
            self._waiting.setdefault(id(first.obj), []).append((statement, place))
            self.missing.clear()
            return
        self.statements.append(statement)
        if place is not None:
            self._defined.add(id(place.obj))
            for waiting in self._waiting.pop(id(place.obj), ()):
                self._add(*waiting)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Gather what one definition needs; the statement to come is kept aside meanwhile."""
        outer, self.missing = self.missing, []
        self._depth += 1
        yield
        self._depth -= 1
        self.missing = outer

    def saved(self) -> "Ledger":
        """Return a copy to go back to."""
        made = Ledger()
        for f in attrs.fields(Ledger):
            setattr(made, f.name, copy(getattr(self, f.name)))
        made._waiting = {key: list(waiting) for key, waiting in self._waiting.items()}
        return made

    def go_back(self, saved: "Ledger") -> None:
        """Forget what was gathered since."""
        for f in attrs.fields(Ledger):
            setattr(self, f.name, getattr(saved, f.name))
