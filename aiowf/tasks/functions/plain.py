"""Cut a plain function out of its file without parsing it: the quick road for most functions.

Python keeps the code objects of each module in its cache, and knows whether they are those of the
file as it is now. They tell which names a function uses, and where the next statement begins.
Whatever is not certain from that (decorators, defaults, closures, imports inside) is left to the
road over the syntax tree, which gives the same.
"""

import builtins
import linecache
from itertools import chain
from types import CodeType, FunctionType
from typing import Any

from attrs import field, frozen

from aiowf.tasks.functions.definitions import Definition, imports_anything
from aiowf.tasks.functions.names import outside_names


@frozen(eq=False)
class _Module:
    """The lines of a file, and what was compiled from them."""

    lines: list[str]
    functions: dict[int, CodeType] = field(factory=dict)
    """Functions of the module itself, by the line they begin at."""
    statements: frozenset[int] = frozenset()
    """Lines at which the module itself does something."""


_modules: dict[str, _Module] = {}
_LARGEST_CACHE = 256


def cut_plain(function: FunctionType) -> Definition | None:
    """Cut out a function of a module; None if that takes more than its code and its lines."""
    code, space = function.__code__, function.__globals__
    if function.__qualname__ != code.co_name or code.co_freevars or _has_defaults(function):
        return None
    module = _module(code.co_filename, space)
    # Code objects are equal if all that they do is: else the file has changed since.
    if module is None or module.functions.get(code.co_firstlineno) != code:
        return None
    text = _text(module, code)
    if text is None or imports_anything(code) or _has_functions(code):
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


def _module(file: str, space: dict[str, Any]) -> _Module | None:
    linecache.checkcache(file)
    lines = linecache.getlines(file, space)
    known = _modules.get(file)
    if known is None or known.lines is not lines:
        if len(_modules) >= _LARGEST_CACHE:
            _modules.clear()
        known = _modules[file] = _compiled(file, lines, space)
    return known if known.functions else None


def _compiled(file: str, lines: list[str], space: dict[str, Any]) -> _Module:
    spec = space.get("__spec__")
    get_code = getattr(getattr(spec, "loader", None), "get_code", None)
    try:
        code = get_code(spec.name) if lines and spec and get_code else None
    except (ImportError, SyntaxError, OSError):
        code = None
    if not isinstance(code, CodeType) or code.co_filename != file:
        return _Module(lines)
    functions = {
        inner.co_firstlineno: inner for inner in code.co_consts if isinstance(inner, CodeType)
    }
    return _Module(lines, functions, frozenset(line for *_, line in code.co_lines() if line))


def _text(module: _Module, code: CodeType) -> str | None:
    """Return the lines of a function, or None where they are not certain.

    The first line after the function's last instruction that is not indented ends it, if there the
    module does something: a line inside of a string or of parentheses is no such line. What looks
    like a comment at the end may be the end of a string.
    """
    first = code.co_firstlineno
    last = max((line for *_, line in _lines(code) if line), default=first)
    lines = module.lines
    if last == first or not lines[first - 1].startswith(("def ", "async ")):
        return None
    end = last
    while end < len(lines) and (lines[end][0] in " \t\f#\n"):
        end += 1
        if "\f" in lines[end - 1].rstrip():  # it begins a line anew
            return None
    if end < len(lines) and end + 1 not in module.statements:
        return None
    while lines[end - 1].lstrip()[:1] in ("", "#"):
        end -= 1
        if '"' in lines[end] or "'" in lines[end]:
            return None
    return "".join(lines[first - 1 : end])


def _lines(code: CodeType) -> chain[tuple[int, int, int | None]]:
    inner = (_lines(each) for each in code.co_consts if isinstance(each, CodeType))
    return chain(code.co_lines(), *inner)
