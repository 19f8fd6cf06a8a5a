"""The pod's modules as one text, without docstrings, comments and annotations."""

import ast
import re
from functools import cache
from importlib import resources

from aiowf.wire import inert

_INDENT = re.compile("^ +", re.MULTILINE)


@cache
def embedded(*names: str) -> str:
    """Return the source of the pod's modules, ready to stand at the head of a script."""
    folder = resources.files("aiowf.tasks.functions.pod")
    trees = [ast.parse(folder.joinpath(f"{name}.py").read_text("utf-8")) for name in names]
    imports: list[ast.stmt] = []
    code: list[ast.stmt] = []
    for tree in trees:
        _Shrink().visit(tree)
        for node in tree.body:
            (imports if isinstance(node, ast.Import) else code).append(node)
    modules = sorted({alias.name for node in imports for alias in node.names})  # type: ignore[attr-defined]
    head = f"import {', '.join(modules)}\n\n" if modules else ""
    text = head + "\n".join(ast.unparse(node) for node in code) + "\n"
    text = _INDENT.sub(lambda indent: indent[0][::2], text)
    assert inert.is_inert(text), names
    return text


class _Shrink(ast.NodeTransformer):
    """Leave out what only readers and type checkers of the module need."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        node.body = node.body[1:]
        self.generic_visit(node)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | None:
        return None if node.level or node.module == "typing" else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        if ast.get_docstring(node):
            node.body = node.body[1:]
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.Assign | None:
        return ast.Assign([node.target], node.value, lineno=node.lineno) if node.value else None

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        is_alias = isinstance(node.targets[0], ast.Name) and node.targets[0].id == "Decoder"
        return None if is_alias else node
