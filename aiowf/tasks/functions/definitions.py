"""The text of one function or class, and what it needs: names, a closure, imports."""

import ast
import dis
from importlib.util import resolve_name
from types import CodeType
from typing import Any

from attrs import evolve, field, frozen

from aiowf.tasks.functions.names import FACTORY, Use, compiled, outside_names
from aiowf.tasks.functions.source import SourceFile
from aiowf.tasks.functions.syntax import parse


@frozen(eq=False, slots=False)
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
    values: dict[str, Any] = field(factory=dict)
    """Attributes of a class that were set after its statement, or are no longer what that says."""
    needs_hints: bool = False
    """Whether a base from elsewhere may look at the annotations when the class is made."""

    is_recursive: bool = False
    """Whether it finds itself in its closure, and so must stay inside of a function."""

    @property
    def module(self) -> str:
        """The name of its module."""
        name: str = self.space.get("__name__", "__main__")
        return name

    @property
    def is_indented(self) -> bool:
        """Whether the text could not be dedented."""
        return self.text[:1] in " \t"


def finished(cut: Definition, node: ast.stmt | None, file: SourceFile) -> Definition:
    """Dedent the text where that is safe, and read off what it uses."""
    cut = _with_imported_cells(cut, node, file)
    if isinstance(node, ast.ClassDef):
        for name, line in _annotation_names(node):
            if name not in cut.uses and name not in cut.cells:
                cut.uses[name] = Use(line, True, {()}, optional=True)
    return cut


def _with_imported_cells(cut: Definition, node: ast.stmt | None, file: SourceFile) -> Definition:
    """Take what a function around it imports for a variable of its closure."""
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
    must_stay = bool(cut.cells) or cut.is_recursive
    if indent and not must_stay and not any(mark in text for mark in ('"""', "'''", "\\\n")):
        rows = text.split("\n")
        text = "\n".join(r[len(indent) :] if r.startswith(indent) else r.lstrip() for r in rows)
    wrapped, line = text, cut.line
    if cut.cells or text[:1] in " \t":
        wrapped, line = f"def {FACTORY}({','.join(cut.cells)}):\n{text}", cut.line - 1
    code = compiled(wrapped, cut.file)
    imports = _local_imports(node, code, cut.space)
    return evolve(cut, text=text, uses=outside_names(code, line), imports=imports)


def _annotation_names(node: ast.ClassDef) -> list[tuple[str, int]]:
    found = []
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign):
            annotation: ast.expr = statement.annotation
            if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
                try:
                    annotation = parse(annotation.value, "eval").body
                except SyntaxError:
                    continue
            names = (n.id for n in ast.walk(annotation) if isinstance(n, ast.Name))
            found += [(name, statement.lineno) for name in names]
    return found


def _local_imports(
    node: ast.stmt | None, code: CodeType, space: dict[str, Any]
) -> list[tuple[str, tuple[str, ...], int]]:
    """Return the imports inside of a definition, without those for type checkers."""
    if node is None or not imports_anything(code):
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


def imports_anything(code: CodeType) -> bool:
    """Tell whether there is an import statement in the code, or in functions inside of it."""
    imports = dis.opmap["IMPORT_NAME"]
    return imports in code.co_code[::2] or any(
        imports_anything(inner) for inner in code.co_consts if isinstance(inner, CodeType)
    )


def _attributes(node: ast.stmt, dotted: str) -> tuple[str, ...]:
    """Return the attributes that the text takes of a module with that name."""
    found = {
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and ast.unparse(each.value) == dotted
    }
    return tuple(sorted(found))
