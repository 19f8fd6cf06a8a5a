"""Cut one function or class out of its file."""

import ast
import enum
import inspect
import sys
from collections.abc import Iterable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import origin
from aiowf.tasks.functions.decoding import record_fields
from aiowf.tasks.functions.defaults import with_defaults
from aiowf.tasks.functions.definitions import Definition, finished
from aiowf.tasks.functions.literals import CannotTravel
from aiowf.tasks.functions.plain import cut_plain
from aiowf.tasks.functions.source import Definition as Node
from aiowf.tasks.functions.source import (
    SourceFile,
    definition_of,
    first_line,
    lambda_of,
    source_file,
)

if TYPE_CHECKING:
    from aiowf.tasks.functions.gathering import Gatherer

_NO_SOURCE = (
    "python -c, standard input and exec keep no source: "
    "put the function into a file, a module or a notebook cell"
)


def cut_function(function: FunctionType, *, decorated: bool, gatherer: "Gatherer") -> Definition:
    """Cut out a function, with its decorators (but those of aiowf) or without."""
    plain = None if decorated else cut_plain(function)
    if plain:
        return plain
    code, space = function.__code__, function.__globals__
    file = source_file(code.co_filename, space)
    if file is None:
        raise ConfigurationError(
            f"there is no source of {function.__name__} ({code.co_filename})",
            where=f"{code.co_filename}:{code.co_firstlineno}",
            hint=_NO_SOURCE,
        )
    cells = _closure([function], gatherer)
    if code.co_name == "<lambda>":
        return _cut_lambda(function, file, cells, gatherer)
    node = definition_of(file, code)
    if node is None or isinstance(node, ast.ClassDef) or not file.is_loaded([code], space):
        raise _changed(function.__name__, file, code.co_firstlineno)
    is_recursive = _is_itself(cells.get(node.name), function)
    if is_recursive:
        del cells[node.name]
    kept = [one for one in node.decorator_list if decorated and not _is_ours(one, space)]
    if decorated and not kept:
        raise CannotTravel(f"{function.__name__}, wrapped in what cannot be written again")
    first = min((one.lineno for one in kept), default=node.lineno)
    rows = _rows(file, node, first, kept)
    with_defaults(rows, function, node, file, gatherer)
    text = "".join(rows)
    cut = Definition(node.name, text, file.name, first, space, cells, is_recursive=is_recursive)
    return finished(cut, node, file)


def _cut_lambda(
    function: FunctionType, file: SourceFile, cells: dict[str, Any], gatherer: "Gatherer"
) -> Definition:
    code, space = function.__code__, function.__globals__
    node = lambda_of(file, code)
    if node is None or not file.is_loaded([code], space):
        raise _changed("the lambda", file, code.co_firstlineno)
    rows = file.lines[node.lineno - 1 : node.end_lineno]
    rows[-1] = rows[-1].encode()[: node.end_col_offset].decode()
    with_defaults(rows, function, node, file, gatherer)
    rows[0] = rows[0].encode()[node.col_offset :].decode()
    text = f"{'  ' if cells else ''}function = ({''.join(rows)})\n"
    return finished(Definition("function", text, file.name, node.lineno, space, cells), None, file)


def cut_class(cls: type, files: Iterable[SourceFile], gatherer: "Gatherer") -> Definition:
    """Cut out a class with its bases, decorators and body."""
    space = vars(sys.modules[cls.__module__])
    methods = [
        m for m in map(_function_of, vars(cls).values()) if m and m.__module__ == cls.__module__
    ]
    found = _class_node(cls, methods, files)
    if found is None:
        raise ConfigurationError(
            f"there is no source of the class {cls.__qualname__}",
            where=getattr(sys.modules[cls.__module__], "__file__", None),
            hint=_NO_SOURCE,
        )
    file, node = found
    values = _other_values(cls, node)
    is_loaded = file.is_loaded([m.__code__ for m in methods], space)
    if not is_loaded or not values.keys().isdisjoint(_fixed(cls)):
        raise _changed(cls.__qualname__, file, node.lineno)
    later = file.attributes.get(cls.__name__, ()) if space.get(cls.__name__) is cls else ()
    values.update({name: vars(cls)[name] for name in later if name in vars(cls)})
    closure = _closure([m for m in methods if _is_written_in(cls, m)], gatherer)
    cells = {n: v for n, v in closure.items() if v is not cls}
    first = first_line(node)
    kept = [one for one in node.decorator_list if not _is_ours(one, space)]
    rows = _rows(file, node, first, kept)
    if "<locals>" in cls.__qualname__:
        used = {
            name.id for base in node.bases for name in ast.walk(base) if isinstance(name, ast.Name)
        }
        cells.update({b.__name__: b for b in cls.__bases__ if b.__name__ in used - space.keys()})
    modules = {base.__module__ for base in cls.__mro__}
    is_foreign = not all(origin.is_standard(m) or gatherer.is_own(m) for m in modules)
    text = "".join(rows)
    cut = Definition(
        node.name,
        text,
        file.name,
        first,
        space,
        cells,
        needs_hints=is_foreign,
        values=values,
        is_recursive=any(value is cls for value in closure.values()),
    )
    return finished(cut, node, file)


def _rows(file: SourceFile, node: Node, first: int, kept: list[ast.expr]) -> list[str]:
    """Return the lines of a definition, empty where a decorator is left out."""
    rows = file.lines[first - 1 : node.end_lineno]
    for one in node.decorator_list:
        if one not in kept:
            for number in range(max(one.lineno, first), (one.end_lineno or one.lineno) + 1):
                rows[number - first] = "\n"
    return rows


def _class_node(
    cls: type, methods: list[FunctionType], files: Iterable[SourceFile]
) -> tuple[SourceFile, ast.ClassDef] | None:
    """Find the class statement; the one that contains a method, if there are several."""
    places = {(m.__code__.co_filename, m.__code__.co_firstlineno) for m in methods}
    named = [source_file(name) for name in sorted({name for name, _ in places})]
    best: tuple[SourceFile, ast.ClassDef] | None = None
    for file in (*filter(None, named), *files):
        for node in file.classes.get(cls.__name__, ()):
            if any(
                name == file.name and node.lineno <= line <= (node.end_lineno or 0)
                for name, line in places
            ):
                return file, node
        if best is None and cls.__name__ in file.classes:
            best = file, file.classes[cls.__name__][-1]
    return best


def _is_written_in(cls: type, method: FunctionType) -> bool:
    """Tell a method of the class's text from one that a factory made, with a closure of its own."""
    return method.__code__.co_qualname.rpartition(".")[0] == cls.__qualname__


def _fixed(cls: type) -> Iterable[str]:
    """Return what the class statement alone can say: members of an enum, fields of a record."""
    return cls.__members__ if issubclass(cls, enum.Enum) else record_fields(cls) or ()


def _other_values(cls: type, node: ast.ClassDef) -> dict[str, Any]:
    """Return the constants of a class that are no longer what the class statement says.

    An enum whose `__new__` or `__init__` may give its members values of their own has none.
    """
    if issubclass(cls, enum.Enum) and _makes_values(cls):
        return {}
    found: dict[str, Any] = {}
    for statement in node.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        try:
            written = ast.literal_eval(statement.value)
        except (ValueError, TypeError):
            continue
        if isinstance(target, ast.Name):
            value = vars(cls).get(target.id, written)
            plain = value.value if isinstance(value, enum.Enum) else value
            if type(plain) is type(written) and plain != written:
                found[target.id] = value
    return found


def _makes_values(cls: type[enum.Enum]) -> bool:
    return any(
        name in vars(base)
        for base in cls.__mro__
        if not origin.is_standard(base.__module__)
        for name in ("__new_member__", "__init__")
    )


def _function_of(attribute: Any) -> FunctionType | None:
    """Return the function behind a method, property or decorated method."""
    for name in ("fget", "__func__", "func"):
        attribute = getattr(attribute, name, attribute)
    if isinstance(attribute, type):
        return None
    inner = inspect.unwrap(attribute) if callable(attribute) else attribute
    is_written = isinstance(inner, FunctionType) and not inner.__code__.co_filename.startswith("<")
    is_cell = isinstance(inner, FunctionType) and "ipython" in inner.__code__.co_filename
    return inner if is_written or is_cell else None


def _closure(functions: list[FunctionType], gatherer: "Gatherer") -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for function in functions:
        variables = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for index, (name, cell) in enumerate(variables):
            if name == "__class__":
                continue
            try:
                cells[name] = cell.cell_contents
            except ValueError:
                raise ConfigurationError(
                    f"{name} has no value yet where {function.__name__} is made into a task",
                    where=f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}",
                ) from None
            gatherer.watch.cell(function, index, cells[name])
    return cells


def _is_itself(value: Any, function: FunctionType) -> bool:
    return value is function or getattr(value, "__wrapped__", None) is function


def _is_ours(decorator: ast.expr, space: dict[str, Any]) -> bool:
    """Tell whether a decorator is one of aiowf's."""
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    found = origin.walk(space, [node.id, *names]) if isinstance(node, ast.Name) else None
    module = getattr(found, "__module__", None) or type(found).__module__
    return origin.top(module) == "aiowf"


def _changed(name: str, file: SourceFile, line: int) -> ConfigurationError:
    return ConfigurationError(
        f"the source of {name} is no longer what was loaded: the file has changed since",
        where=f"{file.name}:{line}",
        hint="load the module again, or restart",
    )
