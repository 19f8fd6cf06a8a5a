"""Write the default values of parameters as they are, where their text would not give them."""

import ast
from types import FunctionType
from typing import TYPE_CHECKING, Any

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import origin
from aiowf.tasks.functions.literals import CannotTravel
from aiowf.tasks.functions.source import SourceFile

if TYPE_CHECKING:
    from aiowf.tasks.functions.gathering import Gatherer

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def with_defaults(
    rows: list[str], function: FunctionType, node: Function, file: SourceFile, gatherer: "Gatherer"
) -> None:
    """Replace the defaults in the rows of a definition; the lines after them keep their numbers.

    Args:
        rows: The lines that end with the node's last line; columns count from their begin.
    """
    first = (node.end_lineno or node.lineno) - len(rows) + 1
    edits = _edits(function, node, file, gatherer)
    for default, text in sorted(edits, key=lambda e: (e[0].lineno, e[0].col_offset), reverse=True):
        top, bottom = default.lineno - first, (default.end_lineno or default.lineno) - first
        before = rows[top].encode()[: default.col_offset].decode()
        after = rows[bottom].encode()[default.end_col_offset :].decode()
        rows[top] = before + text + "\n" * (bottom - top) + after
        rows[top + 1 : bottom + 1] = [""] * (bottom - top)


def _edits(
    function: FunctionType, node: Function, file: SourceFile, gatherer: "Gatherer"
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
        if _is_constant(default, value) or _names_object(default, value, function):
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


def _is_constant(default: ast.expr, value: Any) -> bool:
    """Tell whether the default's text is a constant, and gives the value."""
    if not isinstance(default, ast.Constant):
        return False
    return type(default.value) is type(value) and default.value == value


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
