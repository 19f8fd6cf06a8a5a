"""Parse Python's source, also where CPython 3.11 now and then fails to."""

import ast
import gc
import sys
from typing import Literal, overload


@overload
def parse(text: str) -> ast.Module: ...
@overload
def parse(text: str, mode: Literal["eval"]) -> ast.Expression: ...
def parse(text: str, mode: Literal["exec", "eval"] = "exec") -> ast.mod:
    """Return the syntax tree of source.

    CPython 3.11 counts the depth of the tree it makes in one place for all. A garbage collection
    meanwhile may run code that parses as well (to print a traceback, or in another thread), and
    then "SystemError: AST constructor recursion depth mismatch" is raised. So none takes place.

    Raises:
        SyntaxError: It is no source.
    """
    is_collecting = gc.isenabled() and sys.version_info < (3, 12)
    if is_collecting:
        gc.disable()
    try:
        return ast.parse(text, mode=mode)
    finally:
        if is_collecting:
            gc.enable()
