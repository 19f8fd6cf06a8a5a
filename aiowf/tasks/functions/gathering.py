"""Gather what a function needs from outside, as the statements that rebuild it in the pod."""

import builtins
import inspect
import sys
import typing
from collections.abc import Iterator
from types import FunctionType, GenericAlias, MappingProxyType, MethodType, ModuleType, UnionType
from typing import Any

from attrs import define, field

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import origin
from aiowf.tasks.functions.definitions import Definition, cut_class, cut_function
from aiowf.tasks.functions.literals import ATOMS, MUTABLE, CannotTravel, literal
from aiowf.tasks.functions.names import Use, compiled, outside_names
from aiowf.tasks.functions.source import SourceFile, cells_with, source_file
from aiowf.tasks.functions.watch import Watch
from aiowf.wire import inert

Namespace = dict[str, Any]

_OF_EVERY_MODULE = frozenset(
    [
        "__name__",
        "__file__",
        "__package__",
        "__doc__",
        "__builtins__",
        "__spec__",
        "__debug__",
        "__class__",
        "__module__",
        "__qualname__",
        "__annotations__",
        "__path__",
        "__type_params__",
        "__classdict__",
    ]
)
_MADE_AGAIN = frozenset(
    [
        "__wrapped__",
        "register",
        "dispatch",
        "registry",
        "_clear_cache",
        "cache_clear",
        "cache_info",
        "cache_parameters",
    ]
)
"""Attributes that decorators set when they run again."""
_INJECTED = frozenset({"get_ipython", "display"})
_TYPING = (GenericAlias, UnionType, typing.TypeVar, typing.NewType)


@define
class _Place:
    """Where an object of the user's stands in the pod."""

    obj: Any
    """The object; held, so that its id stays its own."""
    module: str
    target: str
    depth: int
    """How many objects were being defined when this one was met."""
    is_defined: bool = False
    waiting: list[str] = field(factory=list)
    """Statements that use the object and were met before it was defined."""

    @property
    def expression(self) -> str:
        return origin.imported_expression(self.module, self.target)


@define
class Gatherer:
    """Collects definitions, imports and values; each once, in an order in which they can run."""

    packages: frozenset[str]
    """Top-level packages whose functions and classes travel as source."""
    statements: list[str] = field(factory=list)
    imports: set[str] = field(factory=set)
    """Top-level names of the third-party modules that are imported."""
    sections: set[str] = field(factory=set)
    """Parts of the pod's code that the statements need."""
    watch: Watch = field(factory=Watch)
    _places: dict[int, _Place] = field(factory=dict)
    _values: dict[int, str] = field(
        factory=dict
    )  # mutable values that have a name: id → expression
    _bound: dict[tuple[str, str], int] = field(factory=dict)  # (module, name) → id of its object
    _open: set[int] = field(factory=set)  # containers being written; one met again holds itself
    _missing: list[_Place] = field(factory=list)  # used by the current statement, not yet defined
    _imported_lines: set[tuple[str, str]] = field(factory=set)  # (module, import statement)
    _depth: int = 0

    # Expressions

    def express(self, value: Any) -> str:
        """Return an expression that gives the value in the script.

        Raises:
            CannotTravel: There is none.
        """
        value = without_aiowf(value)
        if id(value) in self._values:
            return self._values[id(value)]
        if isinstance(value, MethodType):
            return f"{self.express(value.__self__)}.{value.__func__.__name__}"
        is_defined = isinstance(value, type | FunctionType) or hasattr(value, "__wrapped__")
        if is_defined and value is not type(None):
            return self._placed(value)
        if isinstance(value, ModuleType):
            path = origin.import_path(value)
            if path is None or origin.is_own(path, self.packages):
                raise CannotTravel(f"your own module {value.__name__}, used as a value")
            self._note_import(path)
            return f"__import__({path!r}, fromlist=['_'])"
        if id(value) in self._open:
            raise CannotTravel(f"a {type(value).__name__} that contains itself")
        self._open.add(id(value))
        try:
            text = literal(value, self.express)
        finally:
            self._open.discard(id(value))
        if text is not None:
            return text
        found = origin.located(value)
        if found is None or origin.is_own(found[0], self.packages):
            kind = type(value)
            raise CannotTravel(f"an instance of {kind.__module__}.{kind.__qualname__}")
        return self._imported(*found)

    def _imported(self, module: str, name: str) -> str:
        self._note_import(module)
        return origin.imported_expression(module, name)

    def _note_import(self, module: str) -> None:
        if not origin.is_standard(module):
            self.imports.add(origin.top(module))

    def _state(self, statement: str) -> None:
        """Add a statement; after what it needs is defined, if that is still under way."""
        statement = inert.python_code(statement)
        if self._missing:
            min(self._missing, key=lambda place: place.depth).waiting.append(statement)
            self._missing.clear()
        else:
            self.statements.append(statement)

    # Names

    def bind(self, space: Namespace, name: str, use: Use, file: str) -> None:
        """Give a name of a module in the pod the object it has here.

        Raises:
            ConfigurationError: There is no such name, or its object cannot travel.
        """
        if name in _OF_EVERY_MODULE:
            return
        where = f"{file}:{use.line}"
        if name not in space:
            if hasattr(builtins, name) and name not in _INJECTED:
                return
            if use.is_stored:
                return
            raise ConfigurationError(
                f"{name} is not defined",
                where=where,
                hint="define or import it before the task is built",
            )
        obj = space[name]
        self.watch.name(space, name, obj)
        module = space.get("__name__", "__main__")
        if isinstance(obj, ModuleType) or self._bound.get((module, name)) != id(obj):
            self._bound[module, name] = id(obj)
            try:
                self._bind(space, module, name, without_aiowf(obj), use, file)
            except CannotTravel as error:
                raise ConfigurationError(
                    f"{name} cannot travel to the pod: it is {error}",
                    where=where,
                    hint="make it inside the function, or pass what it is made from as an argument",
                ) from None

    def _bind(
        self, space: Namespace, module: str, name: str, obj: Any, use: Use, file: str
    ) -> None:
        for source in _files(space, file, name):
            for found in source.imported(name, space.get("__package__") or None):
                value = without_aiowf(found.value())
                if value is not obj:
                    continue
                if isinstance(obj, ModuleType):
                    return self._bind_module(module, name, obj, use, (source, found.line))
                if found.attribute and origin.is_own(found.module, self.packages):
                    return self._bind_own(module, name, found.module, found.attribute, use)
                if found.attribute:
                    text = _import_line(found.module, found.attribute, name)
                    return self._load_import(module, source.name, found.line, found.module, text)
        if isinstance(obj, ModuleType):
            return self._bind_module(module, name, obj, use, None)
        if isinstance(obj, _TYPING) or type(obj).__module__ in ("typing", "typing_extensions"):
            return self._assigned(space, module, name, obj, file)
        expression = self.express(obj)
        place = self._places.get(id(obj))
        if place and (place.module, place.target) == (module, name):
            self._missing.clear()
            return None
        self._state(f"module({module!r}).{name} = {expression}")
        if isinstance(obj, MUTABLE) or type(obj) is object:
            self._values[id(obj)] = origin.imported_expression(module, name)
        if place is None and type(obj) not in ATOMS:
            self.watch.value(obj)
        return None

    def _bind_own(self, module: str, name: str, source: str, attribute: str, use: Use) -> None:
        owner = sys.modules[source]
        self.bind(vars(owner), attribute, use, getattr(owner, "__file__", None) or source)
        obj = without_aiowf(vars(owner).get(attribute))
        if id(obj) in self._places:
            expression = self.express(obj)
        else:
            expression = origin.imported_expression(source, attribute)
        self._state(f"module({module!r}).{name} = {expression}")

    def _bind_module(
        self, module: str, name: str, obj: ModuleType, use: Use, at: tuple[SourceFile, int] | None
    ) -> None:
        if origin.is_own(obj.__name__, self.packages):
            self._bind_parts(module, name, obj, use)
            return
        path = origin.import_path(obj)
        if path is None:
            raise CannotTravel(f"the module {obj.__name__}, which cannot be imported")
        file, line = (at[0].name, at[1]) if at else ("<imports>", 1)
        first = f"import {path}" if path == name else f"import {path} as {name}"
        inner = [f"__import__({each!r})" for each in sorted(_submodules(obj, use.chains))]
        for text in (first, *inner):
            if (module, text) not in self._imported_lines:
                self._imported_lines.add((module, text))
                self._load_import(module, file, line, path, text)

    def _bind_parts(self, module: str, name: str, obj: ModuleType, use: Use) -> None:
        file = getattr(obj, "__file__", None) or obj.__name__
        for chain in sorted(use.chains):
            if not chain:
                raise CannotTravel(f"your own module {obj.__name__}, used as a value")
            if chain[0] not in vars(obj):
                raise CannotTravel(f"a module without the attribute {chain[0]}")
            self.bind(vars(obj), chain[0], Use(use.line, use.when_defined, {chain[1:]}), file)
        self._state(f"module({module!r}).{name} = module({obj.__name__!r})")

    def _load_import(self, module: str, file: str, line: int, imported: str, text: str) -> None:
        self._note_import(imported)
        self._state(f"load({module!r}, {file!r}, {line}, {text + chr(10)!r})")

    def _attributes(self, function: FunctionType, place: _Place) -> None:
        """Set the attributes that decorators gave the function, as far as they can travel."""
        for name, value in vars(function).items():
            try:
                text = "" if name in _MADE_AGAIN else self.express(value)
            except (CannotTravel, ConfigurationError):
                continue
            if text:
                self._state(f"{place.expression}.{name} = {text}")

    def _implementations(self, function: Any, place: _Place) -> None:
        """Register what a functools.singledispatch function was given for other types."""
        if hasattr(function, "dispatch") and isinstance(
            vars(function).get("registry"), MappingProxyType
        ):
            for cls, implementation in function.registry.items():
                if cls is not object:
                    given = f"{self.express(cls)}, {self.express(implementation)}"
                    self._state(f"{place.expression}.register({given})")

    def _local_imports(self, definition: Definition) -> None:
        """Follow the import statements inside of a function."""
        for module, attributes, line in definition.imports:
            if not origin.is_own(module, self.packages):
                self._note_import(module)
                continue
            found = sys.modules.get(module) or __import__(module, fromlist=["_"])
            file = getattr(found, "__file__", None) or module
            for attribute in attributes:
                if attribute in vars(found) and not isinstance(vars(found)[attribute], ModuleType):
                    self.bind(vars(found), attribute, Use(line, False, {()}), file)
            self._state(f"module({module!r})")

    # Functions and classes

    def _placed(self, obj: Any) -> str:
        """Return the expression of a function or class; define it unless that is under way."""
        place = self._places.get(id(obj))
        if place is None:
            text = self._define_class(obj) if isinstance(obj, type) else self._define_callable(obj)
            if text:
                return text
            place = self._places[id(obj)]
        if not place.is_defined:
            self._missing.append(place)
        return place.expression

    def _define_callable(self, obj: Any) -> str | None:
        inner = inspect.unwrap(obj)
        space = inner.__globals__ if isinstance(inner, FunctionType) else None
        if space is None or not origin.is_own(space.get("__name__", "__main__"), self.packages):
            found = origin.located(obj)
            if found is None:
                raise CannotTravel(f"{obj!r}, which cannot be imported")
            return self._imported(*found)
        owner, _, name = inner.__qualname__.rpartition(".")
        if owner and not owner.endswith("<locals>") and "<locals>" not in owner:
            cls = origin.walk(space, owner.split("."))
            if getattr(cls, name, None) is obj:
                return f"{self._placed(cls)}.{name}"
        if obj is inner:
            self._define(obj, cut_function(inner, decorated=False, gatherer=self))
        elif without_aiowf(space.get(inner.__name__)) is obj:
            self._define(obj, cut_function(inner, decorated=True, gatherer=self))
        else:
            self._define_wrapper(obj, inner)
        return None

    def _define_wrapper(self, obj: Any, inner: FunctionType) -> None:
        """Define what a decorator made: by its own closure if it is a function of the user's."""
        space = getattr(obj, "__globals__", None) or {}
        if isinstance(obj, FunctionType) and origin.is_own(
            space.get("__name__", "__main__"), self.packages
        ):
            self._define(obj, cut_function(obj, decorated=False, gatherer=self))
        elif "<locals>" in inner.__qualname__:
            self._define(obj, cut_function(inner, decorated=True, gatherer=self))
        else:
            raise CannotTravel(f"{inner.__name__} in a decorator that cannot be written again")

    def _define_class(self, cls: type) -> str | None:
        if not origin.is_own(cls.__module__, self.packages):
            found = origin.located(cls)
            if found is None:
                raise CannotTravel(f"the class {cls.__qualname__}, which cannot be imported")
            return self._imported(*found)
        owner, _, name = cls.__qualname__.rpartition(".")
        space = vars(sys.modules[cls.__module__])
        if owner and "<locals>" not in owner:
            outer = origin.walk(space, owner.split("."))
            if getattr(outer, name, None) is cls:
                return f"{self._placed(outer)}.{name}"
        files = list(_files(space, "", name))
        if not any(name in file.classes for file in files) and space.get(name) is cls:
            self._assigned(space, cls.__module__, name, cls, "")
        else:
            self._define(cls, cut_class(cls, files, self))
        return None

    def _define(self, obj: Any, cut: Definition) -> None:
        space, module = cut.space, cut.space.get("__name__", "__main__")
        is_named = without_aiowf(space.get(cut.symbol)) is obj
        target = (
            cut.symbol
            if is_named
            else f"_{cut.symbol}_{len(self._places)}".replace("<lambda>", "lambda")
        )
        place = self._places[id(obj)] = _Place(obj, module, target, self._depth)
        self._depth += 1
        outer_missing, self._missing = self._missing, []
        self._bind_all(cut, when_defined=True)
        cells, late = self._cells(cut)
        self._missing.clear()
        text = inert.python_literal(cut.text)
        if is_named and not cells and not cut.is_indented:
            statement = f"load({module!r}, {cut.file!r}, {cut.line}, {text})"
        else:
            self.sections.add("nested")
            given = ", ".join(f"{name!r}: {value}" for name, value in cells.items())
            statement = (
                f"nest({module!r}, {cut.file!r}, {cut.line}, {text}, {cut.symbol!r}, "
                f"{target!r}, {inert.python_code('{' + given + '}')})"
            )
        self.statements.append(statement)
        place.is_defined = True
        self.statements += place.waiting
        for name, missing in late.items():
            self._missing = [missing]
            self._state(f"link({place.expression}, {name}={missing.expression})")
        self._bind_all(cut, when_defined=False)
        self._local_imports(cut)
        if isinstance(obj, FunctionType):
            self._attributes(obj, place)
            self._implementations(obj, place)
        self._missing = outer_missing
        self._depth -= 1

    def _bind_all(self, cut: Definition, *, when_defined: bool) -> None:
        for name, use in cut.uses.items():
            if use.when_defined == when_defined and not (use.optional and name not in cut.space):
                if use.optional:
                    self._bind_if_possible(cut, name, use)
                else:
                    self.bind(cut.space, name, use, cut.file)

    def _bind_if_possible(self, cut: Definition, name: str, use: Use) -> None:
        obj = cut.space[name]
        module = obj.__name__ if isinstance(obj, ModuleType) else getattr(obj, "__module__", "")
        is_third_party = not origin.is_standard(module) and not origin.is_own(module, self.packages)
        if is_third_party and not cut.needs_hints:
            return
        before = (list(self.statements), dict(self._places), dict(self._bound), set(self.imports))
        try:
            self.bind(cut.space, name, use, cut.file)
        except ConfigurationError:
            self.statements, self._places, self._bound, self.imports = before

    def _cells(self, cut: Definition) -> tuple[dict[str, str], dict[str, _Place]]:
        """Return the expressions of the closure's values, and those that are not defined yet."""
        cells: dict[str, str] = {}
        late: dict[str, _Place] = {}
        for name, value in cut.cells.items():
            self._missing.clear()
            try:
                cells[name] = self.express(value)
            except CannotTravel as error:
                raise ConfigurationError(
                    f"{name} cannot travel to the pod: it is {error}",
                    where=f"{cut.file}:{cut.line}",
                    hint="make it inside the function, or pass what it is made from as an argument",
                ) from None
            if self._missing:
                late[name] = self._missing[0]
                cells[name] = "None"
        self._missing.clear()
        return cells, late

    def _assigned(self, space: Namespace, module: str, name: str, obj: Any, file: str) -> None:
        """Run the user's own assignment again: for types, which have no side effects."""
        for source in _files(space, file, name):
            node = source.assignments.get(name)
            if node is None:
                continue
            text = source.segment(node) + "\n"
            place = self._places[id(obj)] = _Place(obj, module, name, self._depth)
            for used, use in outside_names(compiled(text, source.name, node.lineno)).items():
                if used != name:
                    self.bind(space, used, use, source.name)
            self.statements.append(
                f"load({module!r}, {source.name!r}, {node.lineno}, {inert.python_literal(text)})"
            )
            place.is_defined = True
            self.statements += place.waiting
            return
        found = origin.located(obj)
        if found is None:
            raise CannotTravel(f"{obj!r}, whose definition is not found")
        self._state(f"module({module!r}).{name} = {self._imported(*found)}")


def without_aiowf(obj: Any) -> Any:
    """Return the function inside of what a decorator of aiowf made."""
    while hasattr(type(obj), "__mro__") and hasattr(obj, "__wrapped__"):
        space = getattr(obj, "__globals__", None)
        module = space.get("__name__", "") if space else type(obj).__module__
        if origin.top(module) != "aiowf":
            break
        obj = obj.__wrapped__
    return obj


def _files(space: Namespace, file: str, name: str) -> Iterator[SourceFile]:
    """Yield the sources in which a module's name may be defined."""
    seen = set()
    for each in (file, space.get("__file__") or ""):
        found = source_file(each, space) if each and each not in seen else None
        seen.add(each)
        if found:
            yield found
    if not space.get("__file__"):
        yield from (cell for cell in cells_with(name) if cell.name not in seen)


def _import_line(module: str, attribute: str, name: str) -> str:
    return f"from {module} import {attribute}" + (f" as {name}" if name != attribute else "")


def _submodules(module: ModuleType, chains: set[tuple[str, ...]]) -> set[str]:
    """Return the submodules that are reached by attributes, and so must be imported as well."""
    found: set[str] = set()
    for chain in chains:
        owner: Any = module
        for name in chain:
            inner = getattr(owner, name, None)
            if not isinstance(inner, ModuleType) or inner.__name__ != f"{owner.__name__}.{name}":
                break
            found.add(inner.__name__)
            owner = inner
    return found
