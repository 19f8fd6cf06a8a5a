"""Cut a plain function out of its file without parsing the file: the quick road for most functions.

The lines that look like the function are compiled: if that gives the function's own code, they are
what was loaded, whatever the file says by now. Whatever takes more than code and lines (decorators,
defaults, closures, imports inside) is left to the road over the syntax tree, which gives the same.
"""

import __future__

import builtins
import linecache
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from aiowf.tasks.functions.definitions import Definition, imports_anything
from aiowf.tasks.functions.names import outside_names
from aiowf.tasks.functions.syntax import code_of

_FUTURES = 0
for _name in __future__.all_feature_names:
    _FUTURES |= getattr(__future__, _name).compiler_flag


_NAMED = (type, FunctionType, BuiltinFunctionType)


def cut_plain(function: FunctionType) -> Definition | None:
    """Cut out a function of a module; None if that takes more than its code and its lines."""
    code, space = function.__code__, function.__globals__
    if function.__qualname__ != code.co_name or code.co_freevars or _has_defaults(function):
        return None
    if code.co_name == "<lambda>":
        return None
    text = _text(linecache.getlines(code.co_filename, space), code.co_firstlineno)
    if (
        text is None
        or imports_anything(code)
        or _has_functions(code)
        or not _gives(text, code, space)
    ):
        return None
    uses = {} if _is_all_built_in(code, space) else outside_names(code, when_defined=False)
    if any(name not in space and not hasattr(builtins, name) for name in uses):
        return None
    file, line = code.co_filename, code.co_firstlineno
    return Definition(code.co_name, text, file, line, space, uses=uses)


def _has_defaults(function: FunctionType) -> bool:
    return bool(function.__defaults__ or function.__kwdefaults__)


def _is_all_built_in(code: CodeType, space: dict[str, Any]) -> bool:
    """Tell at a glance, where one is enough, that nothing of the module is used."""
    return not any(isinstance(inner, CodeType) for inner in code.co_consts) and all(
        hasattr(builtins, name) and name not in space for name in code.co_names
    )


def _has_functions(code: CodeType) -> bool:
    """Tell whether there are functions inside: their annotations would count as used."""
    return any(
        isinstance(inner, CodeType) and (inner.co_name[0] != "<" or _has_functions(inner))
        for inner in code.co_consts
    )


def _text(lines: list[str], first: int) -> str | None:
    """Return what looks like the function: up to the next line that may begin a statement."""
    if not lines[first - 1 : first] or not lines[first - 1].startswith(("def ", "async ")):
        return None
    end = first
    while end < len(lines) and lines[end][0] in " \t\n#)":
        end += 1
    while lines[end - 1].lstrip()[:1] in ("", "#"):
        end -= 1
    return "".join(lines[first - 1 : end])


def _gives(text: str, code: CodeType, space: dict[str, Any]) -> bool:
    """Tell whether the text compiles to the function's code, but for the line it begins at.

    What stands below it makes Python compile calls like `json.dumps()` as in a module that imports.
    """
    module = space.get("__name__")
    imported = [n for n in code.co_names if n in space and _is_imported(space[n], module)]
    below = f"import {', '.join(imported)}\n" if imported else ""
    flags = code.co_flags & _FUTURES
    try:
        made = code_of(text + below, code.co_filename, flags)
    except (SyntaxError, ValueError):
        return False
    return code in (
        _moved(each, code.co_firstlineno - 1)
        for each in made.co_consts
        if isinstance(each, CodeType)
    )


def _is_imported(value: Any, module: Any) -> bool:
    if isinstance(value, ModuleType):
        return True
    return isinstance(value, _NAMED) and value.__module__ != module


def _moved(code: CodeType, lines: int) -> CodeType:
    """Return the code as if it stood that many lines further down."""
    return code.replace(
        co_firstlineno=code.co_firstlineno + lines,
        co_consts=tuple(
            _moved(each, lines) if isinstance(each, CodeType) else each for each in code.co_consts
        ),
    )
