"""Gather what a function needs from outside, as the statements that rebuild it in the pod."""

import inspect
from collections.abc import Mapping
from types import BuiltinMethodType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from attrs import define, field

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import module_names, origin
from aiowf.tasks.functions.cutting import cut_class, cut_function
from aiowf.tasks.functions.definitions import Definition
from aiowf.tasks.functions.ledger import Ledger, Place
from aiowf.tasks.functions.literals import MUTABLE, CannotTravel, literal
from aiowf.tasks.functions.names import Use
from aiowf.tasks.functions.source import files_of
from aiowf.tasks.functions.watch import Watch
from aiowf.wire import inert

_MADE_AGAIN = frozenset({"__wrapped__", "register", "dispatch", "registry", "_clear_cache"}) | {
    f"cache_{name}" for name in ("clear", "info", "parameters")
}
"""Attributes that decorators set when they run again."""


@define
class Gatherer:
    """Turns objects into expressions, and defines in the ledger what the expressions refer to."""

    packages: frozenset[str]
    """Top-level packages whose functions and classes travel as source."""
    ledger: Ledger = field(factory=Ledger)
    watch: Watch = field(factory=Watch)
    # What a class has collected, once more: decorators and subclasses in the pod add to it again.
    _last: list[str] = field(factory=list)
    _open: set[int] = field(factory=set)  # containers being written; one met again holds itself

    @property
    def statements(self) -> list[str]:
        """The statements that rebuild what the expressions refer to."""
        sources = self.ledger.sources.items()
        named = [inert.python_code(f"{name} = {source!r}") for source, name in sources]
        return [*named, *self.ledger.statements, *self._last]

    @property
    def imports(self) -> set[str]:
        """Top-level names of the third-party modules that are imported."""
        return self.ledger.imports

    def is_own(self, module: str) -> bool:
        """Tell whether things of the module travel as source."""
        return origin.is_own(module, self.packages)

    def express(self, value: Any) -> str:
        """Return an expression that gives the value in the script.

        Raises:
            CannotTravel: There is none.
        """
        value = origin.without_aiowf(value)
        if id(value) in self.ledger.values:
            return self.ledger.values[id(value)]
        if isinstance(value, MethodType) or _is_method_of_a_value(value):
            try:
                return f"{self.express(value.__self__)}.{value.__name__}"
            except CannotTravel as error:
                raise CannotTravel(f"a method of {error}") from None
        is_defined = isinstance(value, type | FunctionType) or hasattr(value, "__wrapped__")
        if is_defined and value is not type(None):
            return self._placed(value)
        if isinstance(value, ModuleType):
            path = origin.import_path(value)
            if path is None or self.is_own(path):
                raise CannotTravel(f"your own module {value.__name__}, used as a value")
            self.ledger.note_import(path)
            return f"__import__({path!r}, fromlist=['_'])"
        return self._written(value) or self.imported(
            value, f"an instance of {type(value).__module__}.{type(value).__qualname__}"
        )

    def _written(self, value: Any) -> str | None:
        if id(value) in self._open:
            raise CannotTravel(f"a {type(value).__name__} that contains itself")
        self._open.add(id(value))
        try:
            return literal(value, self.express)
        finally:
            self._open.discard(id(value))

    def imported(self, obj: Any, what: str) -> str:
        """Return the expression that imports an object of an installed module.

        Raises:
            CannotTravel: It cannot be imported; `what` says what it is.
        """
        found = origin.located(obj)
        if found is None or self.is_own(found[0]):
            raise CannotTravel(what)
        self.ledger.note_import(found[0])
        return origin.imported_expression(*found)

    def _placed(self, obj: Any) -> str:
        """Return the expression of a function or class; define it unless that is under way."""
        if id(obj) not in self.ledger.places:
            is_class = isinstance(obj, type)
            text = self._define_class(obj) if is_class else self._define_callable(obj)
            if text:
                return text
        return self.ledger.use(self.ledger.places[id(obj)])

    def _define_callable(self, obj: Any) -> str | None:
        inner = inspect.unwrap(obj)
        space = inner.__globals__ if isinstance(inner, FunctionType) else None
        if space is None or not self.is_own(space.get("__name__", "__main__")):
            return self.imported(obj, f"{obj!r}, which cannot be imported")
        owner, _, name = inner.__qualname__.rpartition(".")
        if owner and "<locals>" not in owner:
            cls = origin.walk(space, owner.split("."))
            if getattr(cls, name, None) is obj:
                return f"{self._placed(cls)}.{name}"
        if obj is inner:
            self._define(obj, cut_function(inner, decorated=False, gatherer=self))
        elif origin.without_aiowf(space.get(inner.__name__)) is obj:
            self._define(obj, cut_function(inner, decorated=True, gatherer=self))
        else:
            self._define_wrapper(obj, inner)
        return None

    def _define_wrapper(self, obj: Any, inner: FunctionType) -> None:
        """Define what a decorator made: by its own closure if it is a function of the user's."""
        space = getattr(obj, "__globals__", None) or {}
        if isinstance(obj, FunctionType) and self.is_own(space.get("__name__", "__main__")):
            self._define(obj, cut_function(obj, decorated=False, gatherer=self))
        elif "<locals>" in inner.__qualname__:
            self._define(obj, cut_function(inner, decorated=True, gatherer=self))
        else:
            raise CannotTravel(f"{inner.__name__} in a decorator that cannot be written again")

    def _define_class(self, cls: type) -> str | None:
        if not self.is_own(cls.__module__):
            return self.imported(cls, f"the class {cls.__qualname__}, which cannot be imported")
        owner, _, name = cls.__qualname__.rpartition(".")
        space = origin.namespace(cls.__module__)
        if owner and "<locals>" not in owner:
            outer = origin.walk(space, owner.split("."))
            if getattr(outer, name, None) is cls:
                return f"{self._placed(outer)}.{name}"
        files = list(files_of(space, "", name))
        made = None if owner or space.get(name) is cls else module_names.made_by_call(space, cls)
        if made:  # _Base = namedtuple("Point", …), before class Point(_Base)
            module_names.assign(self, space, made, "")
        elif not any(name in file.classes for file in files) and space.get(name) is cls:
            module_names.assign(self, space, name, "")
        else:
            self._define(cls, cut_class(cls, files, self))
        return None

    def _define(self, obj: Any, cut: Definition) -> None:
        """Define an object: what its text needs at once before it, all else after it."""
        is_named = origin.without_aiowf(cut.space.get(cut.symbol)) is obj
        target = cut.symbol if is_named else f"_{cut.symbol}_{len(self.ledger.places)}"
        place = self.ledger.place(obj, cut.module, target)
        with self.ledger.deeper():
            self._bind_all(cut, when_defined=True)
            cells, late = self._cells(cut)
            start = self.ledger.source(cut.module, cut.file)
            at_once = (cut.space.get(n) for n, use in cut.uses.items() if use.when_defined)
            self.ledger.need(at_once, place)
            self.ledger.define(place, _definition(start, cut, place, is_named, cells))
            for name, missing in late.items():
                self.ledger.use(place)
                self.ledger.state(f"link({place.expression}, {name}={self.ledger.use(missing)})")
            self._bind_all(cut, when_defined=False)
            self._local_imports(cut)
            if isinstance(obj, type):
                for name, value in vars(obj).items():
                    if not name.startswith("__") and not callable(value):
                        self.watch.attribute(obj, name, value)
            self._attributes(cut.values, place)
            if isinstance(obj, FunctionType):
                own = vars(obj).items()
                self._attributes({n: v for n, v in own if n not in _MADE_AGAIN}, place)
                self._implementations(obj, place)

    def _bind_all(self, cut: Definition, *, when_defined: bool) -> None:
        for name, use in cut.uses.items():
            if use.when_defined != when_defined:
                continue
            if not use.optional:
                module_names.bind(self, cut.space, name, use, cut.file)
            elif name in cut.space:
                self._bind_if_possible(cut, name, use)

    def _bind_if_possible(self, cut: Definition, name: str, use: Use) -> None:
        obj = cut.space[name]
        module = obj.__name__ if isinstance(obj, ModuleType) else getattr(obj, "__module__", "")
        is_third_party = not origin.is_standard(module) and not self.is_own(module)
        if is_third_party and not cut.needs_hints:
            return
        before = self.ledger.saved()
        try:
            module_names.bind(self, cut.space, name, use, cut.file)
        except ConfigurationError:
            self.ledger.go_back(before)

    def _cells(self, cut: Definition) -> tuple[dict[str, str], dict[str, Place]]:
        """Return the expressions of the closure's values, and those that are not defined yet."""
        cells: dict[str, str] = {}
        late: dict[str, Place] = {}
        for name, value in cut.cells.items():
            self.ledger.missing.clear()
            try:
                cells[name] = self.express(value)
            except CannotTravel as error:
                raise error.as_configuration_error(name, f"{cut.file}:{cut.line}") from None
            if self.ledger.missing:
                late[name] = self.ledger.missing[0]
                cells[name] = "None"
        self.ledger.missing.clear()
        return cells, late

    def _local_imports(self, cut: Definition) -> None:
        """Follow the import statements inside of a function."""
        for module, attributes, line in cut.imports:
            if not self.is_own(module):
                self.ledger.note_import(module)
                continue
            space = origin.namespace(module)
            for attribute in attributes:
                if attribute in space and not isinstance(space[attribute], ModuleType):
                    use = Use(line, False, {()})
                    module_names.bind(self, space, attribute, use, space.get("__file__") or module)
            self.ledger.state(f"module({module!r})")

    def _attributes(self, values: Mapping[str, Any], place: Place) -> None:
        """Set the attributes that it was given after its definition, as far as they can travel."""
        for name, value in values.items():
            before = self.ledger.saved()
            try:
                statement = f"{self.ledger.use(place)}.{name} = {self.express(value)}"
                self.ledger.state(statement)
            except (CannotTravel, ConfigurationError):
                self.ledger.go_back(before)
                continue
            if isinstance(value, MUTABLE) and isinstance(place.obj, type):
                self._last.append(inert.python_code(statement))

    def _implementations(self, function: Any, place: Place) -> None:
        """Register what a functools.singledispatch function was given for other types."""
        registry = vars(function).get("registry")
        if not hasattr(function, "dispatch") or not isinstance(registry, MappingProxyType):
            return
        for cls, implementation in registry.items():
            if cls is not object:
                given = f"{self.express(cls)}, {self.express(implementation)}"
                self.ledger.state(f"{self.ledger.use(place)}.register({given})")


def _is_method_of_a_value(obj: Any) -> bool:
    """Tell whether it is what `re.compile(…).match`, `"abc".upper` or `dict.fromkeys` gives."""
    owner = getattr(obj, "__self__", None)
    return isinstance(obj, BuiltinMethodType) and not isinstance(owner, ModuleType | None)


def _definition(
    source: str, cut: Definition, place: Place, is_named: bool, cells: dict[str, str]
) -> str:
    """Return the statement that runs the text of a definition."""
    start = f"{source}, {cut.line}, {inert.python_literal(cut.text)}"
    if is_named and not cells and not cut.is_indented:
        return f"load({start})"
    given = ", ".join(f"{name!r}: {value}" for name, value in cells.items())
    return f"nest({start}, {cut.symbol!r}, {place.target!r}, {inert.python_code(f'{{{given}}}')})"
