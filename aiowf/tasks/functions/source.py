"""Find definitions in source files and notebook cells; each file is read and parsed once."""

import ast
import linecache
import sys
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib.machinery import SourceFileLoader
from importlib.util import resolve_name
from types import CodeType
from typing import Any

from attrs import field, frozen

from aiowf.tasks.functions.syntax import code_of, parse

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@frozen
class Imported:
    """What an import statement gives a name to."""

    module: str
    """Absolute name of the module."""
    attribute: str | None
    """Name imported from it, or None for the module itself."""
    line: int

    def value(self) -> Any:
        """Return the object, or None if the module is not loaded or has no such thing."""
        module = sys.modules.get(self.module)
        if self.attribute is None or module is None:
            return module
        found = getattr(module, self.attribute, None)
        return sys.modules.get(f"{self.module}.{self.attribute}") if found is None else found


@frozen(eq=False)
class SourceFile:
    """A parsed file: what its module-level statements define, import and assign."""

    name: str
    lines: list[str]
    tree: ast.Module
    definitions: dict[int, list[Definition]] = field(factory=dict)
    """Functions and classes by the line they begin at, decorators included."""
    classes: dict[str, list[ast.ClassDef]] = field(factory=dict)
    """Classes by simple name."""
    imports: dict[str, list[ast.Import | ast.ImportFrom]] = field(factory=dict)
    """Import statements outside of functions, by the name that they bind."""
    local_imports: dict[str, list[ast.Import | ast.ImportFrom]] = field(factory=dict)
    """Import statements inside of functions, in the same way."""
    attributes: dict[str, list[str]] = field(factory=dict)
    """Attributes set outside of functions and classes, by the name of what they are set on."""
    assignments: dict[str, ast.stmt] = field(factory=dict)
    """The last assignment outside of functions and classes, by name."""

    @cached_property
    def codes(self) -> frozenset[CodeType]:
        """What the text compiles to: the code of all functions, inner ones too."""
        return frozenset(_all_codes(code_of(self.tree, self.name)))

    def is_loaded(self, codes: Iterable[CodeType], space: dict[str, Any]) -> bool:
        """Tell whether the code of a module was compiled from the text as it is.

        That of notebooks' cells is; of a module whose loader writes the code anew (as pytest's does
        with asserts) it cannot be told.
        """
        if type(space.get("__loader__")) is not SourceFileLoader:
            return True
        return self.codes.issuperset(one for one in codes if one.co_filename == self.name)

    def segment(self, node: ast.expr | ast.stmt) -> str:
        """Return the text of a node; columns of the tree count UTF-8 bytes."""
        first, last = node.lineno, node.end_lineno or node.lineno
        rows = [row.encode() for row in self.lines[first - 1 : last]]
        rows[-1] = rows[-1][: node.end_col_offset]
        rows[0] = rows[0][node.col_offset :]
        return b"".join(rows).decode()

    def imported(self, name: str, package: str | None) -> Iterator[Imported]:
        """Yield what import statements of the file bind the name to, the last one first.

        Those of all names (`*`) come after those of this one.
        """
        outer, inner = self.imports.get(name, ()), self.local_imports.get(name, ())
        for node in (*reversed(outer), *reversed(inner), *reversed(self.imports.get("*", ()))):
            for alias in node.names:
                if (alias.asname or alias.name.partition(".")[0]) not in (name, "*"):
                    continue
                if isinstance(node, ast.Import):
                    module = alias.name if alias.asname else name
                    yield Imported(module, None, node.lineno)
                    continue
                try:
                    module = resolve_name("." * node.level + (node.module or ""), package)
                except ImportError:
                    continue
                yield Imported(module, alias.name.replace("*", name), node.lineno)


def first_line(node: Definition) -> int:
    """Return the line of the first decorator, or of the definition if there is none."""
    return min((one.lineno for one in node.decorator_list), default=node.lineno)


def _all_codes(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _all_codes(inner)


_parsed: dict[str, tuple[list[str], SourceFile]] = {}
_LARGEST_CACHE = 256


def source_file(name: str, module: dict[str, Any] | None = None) -> SourceFile | None:
    """Return the parsed file or notebook cell, or None where there is no source."""
    linecache.checkcache(name)
    lines = linecache.getlines(name, module)
    if not lines:
        return None
    known = _parsed.get(name)
    if known and known[0] is lines:
        return known[1]
    text = "".join(lines).replace("\r\n", "\n").replace("\r", "\n")
    try:
        tree = parse(text)
    except SyntaxError:
        return None
    parsed = SourceFile(name, [f"{row}\n" for row in text.split("\n")], tree)
    _index(parsed, tree.body, outermost=True)
    if len(_parsed) >= _LARGEST_CACHE:
        _parsed.clear()
    _parsed[name] = (lines, parsed)
    return parsed


def _index(file: SourceFile, body: Iterable[ast.AST], *, outermost: bool) -> None:
    for node in body:
        if isinstance(node, Definition):
            file.definitions.setdefault(first_line(node), []).append(node)
            if isinstance(node, ast.ClassDef):
                file.classes.setdefault(node.name, []).append(node)
            _index(file, node.body, outermost=False)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            table = file.imports if outermost else file.local_imports
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                table.setdefault(bound, []).append(node)
        elif outermost and isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            file.assignments.update({t.id: node for t in targets if isinstance(t, ast.Name)})
            for target in targets:
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                    file.attributes.setdefault(target.value.id, []).append(target.attr)
        elif outermost and node.__class__.__name__ == "TypeAlias":
            file.assignments[node.name.id] = node  # type: ignore[attr-defined,assignment]
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            _index(file, getattr(node, part, ()), outermost=outermost)


def cells_with(text: str) -> Iterator[SourceFile]:
    """Yield the notebook cells whose source contains the text, the last one first."""
    for name, entry in reversed(list(linecache.cache.items())):
        is_cell = len(entry) == 4 and entry[1] is None
        if is_cell and any(text in line for line in entry[2]):  # type: ignore[misc]
            file = source_file(name)
            if file:
                yield file


def files_of(space: dict[str, Any], file: str, name: str) -> Iterator[SourceFile]:
    """Yield the sources in which a module's name may be defined; `file` first."""
    seen = set()
    for each in (file, space.get("__file__") or ""):
        found = source_file(each, space) if each and each not in seen else None
        seen.add(each)
        if found:
            yield found
    if not space.get("__file__"):
        yield from (cell for cell in cells_with(name) if cell.name not in seen)


_CATCHING = frozenset({"NameError", "Exception", "BaseException"})


def may_be_undefined(space: dict[str, Any], file: str, name: str, line: int) -> bool:
    """Tell whether the name stands in a `try` that catches what comes if it is not defined."""
    found = source_file(file, space)
    return any(
        isinstance(node, ast.Try)
        and node.lineno < line <= (node.body[-1].end_lineno or 0)
        and any(map(_catches_undefined, node.handlers))
        for node in (ast.walk(found.tree) if found else ())
    )


def _catches_undefined(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(isinstance(n, ast.Name) and n.id in _CATCHING for n in ast.walk(handler.type))


def definition_of(file: SourceFile, code: CodeType) -> Definition | None:
    """Return the node of a function, or None if the source is another than the code's."""
    for node in file.definitions.get(code.co_firstlineno, ()):
        if node.name == code.co_name and not isinstance(node, ast.ClassDef):
            args = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
            if tuple(args) == code.co_varnames[: code.co_argcount]:
                return node
    return None


def lambda_of(file: SourceFile, code: CodeType) -> ast.Lambda | None:
    """Return the node of a lambda: the innermost around the code's places that has its names."""
    places = [place for place in map(_span, code.co_positions()) if place]
    found = None
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Lambda) and node.lineno <= code.co_firstlineno:
            body = node.body
            first = body.lineno, body.col_offset
            last = body.end_lineno or 0, body.end_col_offset or 0
            is_around = all(first <= start and end <= last for start, end in places)
            if is_around and _has_names(node, code) and (places or _is_constant(node, code)):
                found = node
    return found


_Point = tuple[int, int]


def _span(
    place: tuple[int | None, int | None, int | None, int | None],
) -> tuple[_Point, _Point] | None:
    """Return begin and end of a place; None if it is unknown or empty, as where a call begins."""
    line, end_line, column, end_column = place
    if line is None or end_line is None or column is None or not end_column:
        return None
    return (line, column), (end_line, end_column)


def _has_names(node: ast.Lambda, code: CodeType) -> bool:
    args = node.args
    given = [a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    if given != list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]):
        return False
    inside = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    inside |= {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    return inside.issuperset((*code.co_names, *code.co_freevars))


def _is_constant(node: ast.Lambda, code: CodeType) -> bool:
    """Tell whether the lambda gives the same constant; its code may have no places at all."""
    outer = code_of(ast.Expression(node), code.co_filename)
    made = next(each for each in outer.co_consts if isinstance(each, CodeType))
    return made.co_code == code.co_code and made.co_consts == code.co_consts
