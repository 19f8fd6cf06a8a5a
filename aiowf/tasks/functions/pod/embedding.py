"""What a script uses of the pod's modules, as one text without docstrings and annotations."""

import ast
import re
from functools import cache, cached_property
from pathlib import Path

from attrs import frozen

from aiowf.tasks.functions.syntax import parse
from aiowf.wire import inert

_MODULES = (
    "parse",
    "encode",
    "rich",
    "output",
    "replies",
    "inputs",
    "env",
    "loading",
    "nested",
    "runner",
    "structure",
    "tee",
    "install",
    "kafka",
)
_INDENT = re.compile("^ +", re.MULTILINE)
_IMPORT = re.compile(r"^import (\w+)$", re.MULTILINE)
_DEFINITION = re.compile(
    r"^(?:(?:async )?def (\w+)\(|(\w+)(?:: .+?)? = ).*\n(?:(?:[ )\]}].*)?\n)*", re.MULTILINE
)
"""A definition of a module: its first line, and those that are indented or close brackets."""


@frozen(eq=False)
class _Piece:
    """One definition of a module; it is parsed when a script needs it, which most never are."""

    module: str
    name: str
    _source: str

    @cached_property
    def _shrunk(self) -> ast.stmt:
        """What is left without that which only readers and type checkers need."""
        node: ast.stmt = _Shrink().visit(parse(self._source).body[0])
        return node

    @cached_property
    def names(self) -> frozenset[str]:
        """The names it uses; those of other definitions and of imported modules among them."""
        found: set[str] = set()
        own: set[str] = set()
        for each in ast.walk(self._shrunk):
            if isinstance(each, ast.arg):
                own.add(each.arg)
            elif isinstance(each, ast.alias):  # an import inside of the definition
                own.add(each.name.partition(".")[0])
            elif isinstance(each, ast.Name):
                (own if isinstance(each.ctx, ast.Store) else found).add(each.id)
        return frozenset(found - own)

    @cached_property
    def text(self) -> str:
        """Its source."""
        text = _INDENT.sub(lambda indent: indent[0][::4], ast.unparse(self._shrunk))
        assert inert.is_inert(text), self.name
        return text


@cache
def embedded(*names: str) -> str:
    """Return the source of these definitions and of what they use, to stand at a script's head.

    Args:
        names: Functions and constants of the pod's modules, modules of Python that the script
            itself uses, and modules of the pod, which stand for all that is in them.
    """
    pieces, modules = _pieces()
    todo = list(names)
    wanted: set[str] = set()
    while todo:
        name = todo.pop()
        if name in wanted:
            continue
        wanted.add(name)
        if name in pieces:
            todo += pieces[name].names & (pieces.keys() | modules)
        elif name in _MODULES:
            todo += [each for each, piece in pieces.items() if piece.module == name]
        else:
            assert name in modules, name
    imports = f"import {', '.join(sorted(wanted & modules))}\n" if wanted & modules else ""
    code = "\n".join(piece.text for name, piece in pieces.items() if name in wanted)
    return f"{imports}\n{code}\n"


def reply_client() -> str:
    """Return the code by which scripts send values to Kafka, and get them from there."""
    return embedded("fetch_by_kafka", "send_by_kafka")


@cache
def _pieces() -> tuple[dict[str, _Piece], frozenset[str]]:
    """Return the definitions by name, in their order, and the modules that they import."""
    pieces: dict[str, _Piece] = {}
    modules: set[str] = set()
    for module in _MODULES:
        text = Path(__file__).with_name(f"{module}.py").read_text("utf-8")
        modules.update(_IMPORT.findall(text))
        for match in _DEFINITION.finditer(text):
            name = match[1] or match[2]
            assert name not in pieces, name
            pieces[name] = _Piece(module, name, match[0])
    return pieces, frozenset(modules)


class _Shrink(ast.NodeTransformer):
    """Leave out what only readers and type checkers of the module need."""

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
