"""Give the names of the user's modules in the pod the objects that they have here."""

import ast
import builtins
import typing
from types import GenericAlias, ModuleType, UnionType
from typing import TYPE_CHECKING, Any

from attrs import evolve

from aiowf.errors import ConfigurationError
from aiowf.manifest.names import nearest
from aiowf.tasks.functions import origin
from aiowf.tasks.functions.literals import ATOMS, MUTABLE, CannotTravel
from aiowf.tasks.functions.names import Use, compiled, outside_names
from aiowf.tasks.functions.source import SourceFile, files_of, may_be_undefined
from aiowf.wire import inert

if TYPE_CHECKING:
    from aiowf.tasks.functions.gathering import Gatherer

Namespace = dict[str, Any]

_OF_EVERY_MODULE = frozenset(
    {
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
    }
)
_INJECTED = frozenset({"get_ipython", "display"})  # builtins of notebooks
_TYPING = (GenericAlias, UnionType, typing.TypeVar, typing.NewType)


def bind(gatherer: "Gatherer", space: Namespace, name: str, use: Use, file: str) -> None:
    """Give a name of a module in the pod the object it has here.

    Raises:
        ConfigurationError: There is no such name, or its object cannot travel.
    """
    if name in _OF_EVERY_MODULE:
        return
    used_in = use.file or file
    where = f"{used_in}:{use.line}"
    if name not in space:
        is_builtin = hasattr(builtins, name) and name not in _INJECTED
        if is_builtin or use.is_stored or may_be_undefined(space, used_in, name, use.line):
            return
        raise ConfigurationError(
            f"{name} is not defined",
            where=where,
            hint="define or import it before the task is built",
        )
    obj = space[name]
    gatherer.watch.name(space, name, obj)
    key = space.get("__name__", "__main__"), name
    if isinstance(obj, ModuleType) or gatherer.ledger.bound.get(key) != id(obj):
        gatherer.ledger.bound[key] = id(obj)
        try:
            used = evolve(use, file=used_in)
            _bind(gatherer, space, name, origin.without_aiowf(obj), used, file)
        except CannotTravel as error:
            raise error.as_configuration_error(name, where) from None


def _bind(gatherer: "Gatherer", space: Namespace, name: str, obj: Any, use: Use, file: str) -> None:
    if _import_again(gatherer, space, name, obj, use, file):
        return
    module = space.get("__name__", "__main__")
    if isinstance(obj, ModuleType):
        _bind_module(gatherer, module, name, obj, use, ("<imports>", 1))
    elif isinstance(obj, _TYPING) or _is_of_typing(obj):
        assign(gatherer, space, name, file)
    else:
        _bind_value(gatherer, module, name, obj)


def _is_of_typing(obj: Any) -> bool:
    """Tell whether it is an alias or the like; protocols and typed dicts are classes as others."""
    return type(obj).__module__ in ("typing", "typing_extensions") and not isinstance(obj, type)


def _import_again(
    gatherer: "Gatherer", space: Namespace, name: str, obj: Any, use: Use, file: str
) -> bool:
    """Run the import statement that gave the name its object, if there is one."""
    module = space.get("__name__", "__main__")
    if obj is None:  # what `except ImportError` left
        return False
    for source in files_of(space, file, name):
        for found in source.imported(name, space.get("__package__") or None):
            if origin.without_aiowf(found.value()) is not obj:
                continue
            if isinstance(obj, ModuleType):
                _bind_module(gatherer, module, name, obj, use, (source.name, found.line))
            elif not found.attribute:
                continue
            elif gatherer.is_own(found.module):
                _bind_own(gatherer, module, name, found.module, found.attribute, use)
            else:
                text = f"from {found.module} import {found.attribute}"
                text += f" as {name}" if name != found.attribute else ""
                _load_import(gatherer, module, (source.name, found.line), found.module, text)
            return True
    return False


def _bind_value(gatherer: "Gatherer", module: str, name: str, obj: Any) -> None:
    ledger = gatherer.ledger
    expression = gatherer.express(obj)
    place = ledger.places.get(id(obj))
    if place and (place.module, place.target) == (module, name):
        ledger.missing.clear()
        return
    ledger.state(f"module({module!r}).{name} = {expression}")
    if isinstance(obj, MUTABLE) or type(obj) is object:
        ledger.values[id(obj)] = origin.imported_expression(module, name)
    if place is None and type(obj) not in ATOMS:
        gatherer.watch.value(obj)


def _bind_own(
    gatherer: "Gatherer", module: str, name: str, source: str, attribute: str, use: Use
) -> None:
    """Bind what was imported from another module of the user's, there first."""
    space = origin.namespace(source)
    bind(gatherer, space, attribute, use, space.get("__file__") or source)
    obj = origin.without_aiowf(space.get(attribute))
    place = gatherer.ledger.places.get(id(obj))
    if place:
        expression = gatherer.ledger.use(place)
    else:
        expression = origin.imported_expression(source, attribute)
    gatherer.ledger.state(f"module({module!r}).{name} = {expression}")


def _bind_module(
    gatherer: "Gatherer", module: str, name: str, obj: ModuleType, use: Use, at: tuple[str, int]
) -> None:
    if gatherer.is_own(obj.__name__):
        _bind_parts(gatherer, module, name, obj, use)
        return
    path = origin.import_path(obj)
    if path is None:
        raise CannotTravel(f"the module {obj.__name__}, which cannot be imported")
    first = f"import {path}" if path == name else f"import {path} as {name}"
    inner = [f"__import__({each!r})" for each in sorted(_submodules(obj, use.chains))]
    for text in (first, *inner):
        if (module, text) not in gatherer.ledger.import_lines:
            gatherer.ledger.import_lines.add((module, text))
            _load_import(gatherer, module, at, path, text)


def _bind_parts(gatherer: "Gatherer", module: str, name: str, obj: ModuleType, use: Use) -> None:
    """Bind what is taken of a module of the user's."""
    file = getattr(obj, "__file__", None) or obj.__name__
    for chain in sorted(use.chains):
        if not chain:
            raise CannotTravel(f"your own module {obj.__name__}, used as a value")
        if chain[0] not in vars(obj):
            raise ConfigurationError(
                f"{name} has no attribute {chain[0]}",
                where=f"{use.file}:{use.line}",
                hint=nearest(chain[0], vars(obj)),
            )
        inner = Use(use.line, use.when_defined, {chain[1:]}, file=use.file)
        bind(gatherer, vars(obj), chain[0], inner, file)
    gatherer.ledger.state(f"module({module!r}).{name} = module({obj.__name__!r})")


def _load_import(
    gatherer: "Gatherer", module: str, at: tuple[str, int], imported: str, text: str
) -> None:
    gatherer.ledger.note_import(imported)
    source = gatherer.ledger.source(module, at[0])
    gatherer.ledger.state(f"load({source}, {at[1]}, {text + chr(10)!r})")


def assign(gatherer: "Gatherer", space: Namespace, name: str, file: str) -> None:
    """Run the user's own assignment again: for types, which have no side effects.

    Raises:
        CannotTravel: There is none, and the type cannot be imported.
    """
    module, obj = space.get("__name__", "__main__"), space[name]
    found = next(_assignments(space, file, name), None)
    if found is None:
        expression = gatherer.imported(obj, f"{obj!r}, whose definition is not found")
        gatherer.ledger.state(f"module({module!r}).{name} = {expression}")
        return
    source, line, text = found
    place = gatherer.ledger.place(obj, module, name)
    with gatherer.ledger.deeper():
        names = outside_names(compiled(text, source.name), line)
        for used, use in names.items():
            if used != name:
                bind(gatherer, space, used, use, source.name)
        start = gatherer.ledger.source(module, source.name)
        gatherer.ledger.need(map(space.get, names), place)
        gatherer.ledger.define(place, f"load({start}, {line}, {inert.python_literal(text)})")


def made_by_call(space: Namespace, obj: Any) -> str | None:
    """Return the variable of a module that a call gave the object to."""
    for name, value in space.items():
        if value is not obj:
            continue
        for source in files_of(space, "", name):
            node = source.assignments.get(name)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                return name
    return None


def _assignments(
    space: Namespace, file: str, name: str
) -> typing.Iterator[tuple[SourceFile, int, str]]:
    for source in files_of(space, file, name):
        node = source.assignments.get(name)
        if node is not None:
            yield source, node.lineno, source.segment(node) + "\n"


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
