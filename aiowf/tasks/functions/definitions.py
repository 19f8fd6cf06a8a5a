"""Cut one function or class out of its file, and say what its text needs."""

import ast
import dis
import inspect
import sys
from collections.abc import Iterable
from importlib.util import resolve_name
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import origin
from aiowf.tasks.functions.literals import CannotTravel
from aiowf.tasks.functions.names import FACTORY, Use, compiled, outside_names
from aiowf.tasks.functions.source import (
    SourceFile,
    definition_of,
    first_line,
    lambda_of,
    source_file,
)

if TYPE_CHECKING:
    from aiowf.tasks.functions.gathering import Gatherer

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_NO_SOURCE = (
    "python -c, standard input and exec keep no source: "
    "put the function into a file, a module or a notebook cell"
)


@frozen(eq=False)
class Definition:
    """The text of one function or class and what it uses."""

    symbol: str
    """The name that the text defines."""
    text: str
    file: str
    line: int
    """Where the text begins in the user's file."""
    space: dict[str, Any]
    """The globals of its module."""
    cells: dict[str, Any] = field(factory=dict)
    """Values of the closure."""
    uses: dict[str, Use] = field(factory=dict)
    """Names used of the module."""
    imports: list[tuple[str, tuple[str, ...], int]] = field(factory=list)
    """Imports inside of it: (module, names used of it, line)."""
    needs_hints: bool = False
    """Whether a base from elsewhere may look at the annotations when the class is made."""

    @property
    def is_indented(self) -> bool:
        return self.text[:1] in " \t"


def cut_function(function: FunctionType, *, decorated: bool, gatherer: "Gatherer") -> Definition:
    """Cut out a function, with its decorators (but those of aiowf) or without."""
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
    if node is None or isinstance(node, ast.ClassDef):
        raise _changed(function.__name__, file, code.co_firstlineno)
    cells = {n: v for n, v in cells.items() if not (n == node.name and _is_itself(v, function))}
    kept = [one for one in node.decorator_list if decorated and not _is_ours(one, space)]
    if decorated and not kept:
        raise CannotTravel(f"{function.__name__}, wrapped in what cannot be written again")
    first = min((one.lineno for one in kept), default=node.lineno)
    rows = file.lines[first - 1 : node.end_lineno]
    for one in node.decorator_list:
        if one not in kept:
            for number in range(one.lineno, (one.end_lineno or one.lineno) + 1):
                if number >= first:
                    rows[number - first] = "\n"
    _edit(rows, first, _default_edits(function, node, file, gatherer))
    return _finished(
        Definition(node.name, "".join(rows), file.name, first, space, cells), node, file
    )


def _cut_lambda(
    function: FunctionType, file: SourceFile, cells: dict[str, Any], gatherer: "Gatherer"
) -> Definition:
    node = lambda_of(file, function.__code__)
    if node is None:
        raise _changed("the lambda", file, function.__code__.co_firstlineno)
    text = f"  function = ({file.segment(node)})\n"
    if not cells:
        text = text.lstrip()
    if function.__defaults__ or function.__kwdefaults__:
        _check_lambda_defaults(function, node, file)
    return _finished(
        Definition("function", text, file.name, node.lineno, function.__globals__, cells),
        None,
        file,
    )


def _check_lambda_defaults(function: FunctionType, node: ast.Lambda, file: SourceFile) -> None:
    for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d)):
        try:
            ast.literal_eval(default)
        except ValueError:
            raise ConfigurationError(
                "a lambda whose defaults are not constants cannot travel",
                where=f"{file.name}:{node.lineno}",
                hint="write it as a function with def",
            ) from None


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
    cells = {n: v for n, v in _closure(methods, gatherer).items() if v is not cls}
    first = first_line(node)
    rows = file.lines[first - 1 : node.end_lineno]
    for one in node.decorator_list:
        if _is_ours(one, space):
            for number in range(one.lineno, (one.end_lineno or one.lineno) + 1):
                rows[number - first] = "\n"
    if "<locals>" in cls.__qualname__:
        used = {
            name.id for base in node.bases for name in ast.walk(base) if isinstance(name, ast.Name)
        }
        cells.update({b.__name__: b for b in cls.__bases__ if b.__name__ in used - space.keys()})
    has_foreign_base = any(
        not origin.is_standard(base.__module__)
        and not origin.is_own(base.__module__, gatherer.packages)
        for base in cls.__mro__
    )
    cut = Definition(
        node.name, "".join(rows), file.name, first, space, cells, needs_hints=has_foreign_base
    )
    cut = _finished(cut, node, file)
    for name, line in _annotation_names(node):
        if name not in cut.uses and name not in cells:
            cut.uses[name] = Use(line, True, {()}, optional=True)
    return cut


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


def _finished(cut: Definition, node: ast.stmt | None, file: SourceFile) -> Definition:
    """Dedent the text where that is safe, and read off what it uses."""
    read = _read(cut, node)
    missing = [n for n in read.uses if n not in cut.space and n in file.local_imports]
    found = {n: next(file.imported(n, cut.space.get("__package__") or None), None) for n in missing}
    if not found:
        return read
    cells = {name: one.value() for name, one in found.items() if one}
    return _read(evolve(cut, cells={**cut.cells, **cells}), node)


def _read(cut: Definition, node: ast.stmt | None) -> Definition:
    text = cut.text
    indent = text[: len(text) - len(text.lstrip())].rpartition("\n")[2]
    if indent and not cut.cells and not any(mark in text for mark in ('"""', "'''", "\\\n")):
        rows = text.split("\n")
        text = "\n".join(r[len(indent) :] if r.startswith(indent) else r.lstrip() for r in rows)
    wrapped, line = text, cut.line
    if cut.cells or text[:1] in " \t":
        wrapped, line = f"def {FACTORY}({','.join(cut.cells)}):\n{text}", cut.line - 1
    code = compiled(wrapped, cut.file, max(line, 1))
    return Definition(
        cut.symbol,
        text,
        cut.file,
        cut.line,
        cut.space,
        cut.cells,
        outside_names(code),
        _local_imports(node, code, cut.space),
        cut.needs_hints,
    )


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


def _default_edits(
    function: FunctionType, node: _Function, file: SourceFile, gatherer: "Gatherer"
) -> list[tuple[ast.expr, str]]:
    """Write the values of defaults that the definition would not give again in the pod."""
    arguments = [*node.args.posonlyargs, *node.args.args]
    positional = node.args.defaults
    pairs = list(
        zip(
            arguments[len(arguments) - len(positional) :],
            positional,
            function.__defaults__ or (),
            strict=False,
        )
    )
    keywords = function.__kwdefaults__ or {}
    for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if default is not None and argument.arg in keywords:
            pairs.append((argument, default, keywords[argument.arg]))
    edits = []
    for argument, default, value in pairs:
        if isinstance(default, ast.Constant) or _names_object(default, value, function):
            continue
        try:
            edits.append((default, gatherer.express(value)))
        except CannotTravel as error:
            raise ConfigurationError(
                f"the default of {argument.arg} cannot travel to the pod: it is {error}",
                where=f"{file.name}:{default.lineno}",
                hint="use None as the default, and make it inside the function",
            ) from None
    return edits


def _names_object(default: ast.expr, value: Any, function: FunctionType) -> bool:
    """Tell whether the default is a global's name, perhaps with attributes, that still means it."""
    names: list[str] = []
    node = default
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in function.__globals__:
        return False
    return origin.walk(function.__globals__, [node.id, *names]) is value


def _edit(rows: list[str], first: int, edits: list[tuple[ast.expr, str]]) -> None:
    """Replace expressions; the lines after them keep their numbers."""
    for node, text in sorted(edits, key=lambda e: (e[0].lineno, e[0].col_offset), reverse=True):
        top, bottom = node.lineno - first, (node.end_lineno or node.lineno) - first
        before = rows[top].encode()[: node.col_offset].decode()
        after = rows[bottom].encode()[node.end_col_offset :].decode()
        rows[top : bottom + 1] = [before + text + "\n" * (bottom - top) + after]
        rows[top : top + 1] = rows[top].splitlines(keepends=True)


def _annotation_names(node: ast.ClassDef) -> list[tuple[str, int]]:
    found = []
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign):
            annotation: ast.expr = statement.annotation
            if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
                try:
                    annotation = ast.parse(annotation.value, mode="eval").body
                except SyntaxError:
                    continue
            names = (n.id for n in ast.walk(annotation) if isinstance(n, ast.Name))
            found += [(name, statement.lineno) for name in names]
    return found


def _local_imports(
    node: ast.stmt | None, code: CodeType, space: dict[str, Any]
) -> list[tuple[str, tuple[str, ...], int]]:
    """Return the imports inside of a definition, without those for type checkers."""
    if node is None or not _imports_anything(code):
        return []
    found: list[tuple[str, tuple[str, ...], int]] = []
    todo: list[ast.AST] = [node]
    while todo:
        each = todo.pop()
        if isinstance(each, ast.If) and "TYPE_CHECKING" in ast.dump(each.test):
            todo += each.orelse
            continue
        if isinstance(each, ast.Import):
            for alias in each.names:
                bound = alias.asname or alias.name
                found.append((alias.name, _attributes(node, bound), each.lineno))
        elif isinstance(each, ast.ImportFrom):
            package = space.get("__package__") or None
            module = resolve_name("." * each.level + (each.module or ""), package)
            found.append((module, tuple(alias.name for alias in each.names), each.lineno))
        todo += ast.iter_child_nodes(each)
    return found


def _imports_anything(code: CodeType) -> bool:
    imports = dis.opmap["IMPORT_NAME"]
    return imports in code.co_code[::2] or any(
        _imports_anything(inner) for inner in code.co_consts if isinstance(inner, CodeType)
    )


def _attributes(node: ast.stmt, dotted: str) -> tuple[str, ...]:
    """Return the attributes that the text takes of a module with that name."""
    found = {
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and ast.unparse(each.value) == dotted
    }
    return tuple(sorted(found))


def _changed(name: str, file: SourceFile, line: int) -> ConfigurationError:
    return ConfigurationError(
        f"the source of {name} is not found: the file has changed since it was loaded",
        where=f"{file.name}:{line}",
        hint="load the module again, or restart",
    )
