"""Parse and compile Python's source, also where CPython 3.11 now and then fails to.

Warnings of the compiler (an invalid escape, `is` with a literal) are left to whoever loads the
source: they concern any line of the file, and as errors they would let it look like none.
"""

import ast
import gc
import sys
from types import CodeType
from typing import Literal, overload
from warnings import catch_warnings


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
        with catch_warnings(action="ignore"):
            return ast.parse(text, mode=mode)
    finally:
        if is_collecting:
            gc.enable()


def code_of(source: str | ast.Module | ast.Expression, file: str, flags: int = 0) -> CodeType:
    """Compile source, or its tree, with the compiler flags of future statements.

    Raises:
        SyntaxError: It is no source.
        ValueError: It holds null bytes.
    """
    mode = "eval" if isinstance(source, ast.Expression) else "exec"
    with catch_warnings(action="ignore"):
        code: CodeType = compile(source, file, mode, flags, dont_inherit=True)
    return code
