"""Which names from outside a piece of source uses: read off the code compiled from it."""

import __future__

import dis
import sys
from collections.abc import Iterator
from types import CodeType

from attrs import define, field

from aiowf.tasks.functions.syntax import code_of

# How far to shift the argument of an instruction to get the index of its name: the lowest bit of
# some says how they are called. dis.get_instructions knows that too, and takes ten times as long.
_LOADS = {
    dis.opmap[name]: shift
    for name, shift in (("LOAD_GLOBAL", 1), ("LOAD_NAME", 0), ("LOAD_FROM_DICT_OR_GLOBALS", 0))
    if name in dis.opmap
}
_ATTRIBUTES = {
    dis.opmap[name]: shift
    for name, shift in (("LOAD_ATTR", int(sys.version_info >= (3, 12))), ("LOAD_METHOD", 0))
    if dis.opmap.get(name, 256) < 256  # what is above exists in the compiler only
}
_STORE_NAME, _STORE_GLOBAL = dis.opmap["STORE_NAME"], dis.opmap["STORE_GLOBAL"]
_EXTENDED_ARG, _CACHE = dis.opmap["EXTENDED_ARG"], dis.opmap["CACHE"]
_OPTIMIZED = 1
FACTORY = "_aiowf_make"
"""Name of the function that stands around a definition to give it its closure."""


@define
class Use:
    """How a piece of source uses a name from outside."""

    line: int
    """Where it is used first, in the user's file."""
    when_defined: bool
    """Whether the definition itself needs it (a base, a decorator, a default), not only a call."""
    chains: set[tuple[str, ...]] = field(factory=set)
    """The attributes taken of it, one after the other: `a.b.c()` gives `("b", "c")`."""
    is_stored: bool = False
    """Whether a `global` statement lets the source set it."""
    optional: bool = False
    """Whether only an annotation uses it."""
    file: str = ""
    """The file of that line, where the name is looked for in another one."""


def compiled(text: str, file: str) -> CodeType:
    """Compile source; its annotations are left alone, as in the pod."""
    return code_of(text, file, __future__.annotations.compiler_flag)


def outside_names(code: CodeType, line: int = 1, *, when_defined: bool = True) -> dict[str, Use]:
    """Return the uses of names that a code object looks for in its module.

    Args:
        code: The code object of a module, or of a function.
        line: Where the first line of its source stands in the user's file.
        when_defined: Whether it runs when what it defines is defined, as that of a module does.
    """
    uses: dict[str, Use] = {}
    for part, is_at_once in _parts(code, when_defined):
        _collect(part, is_at_once, uses)
    for use in uses.values():
        use.line += line - 1
    return uses


def _parts(code: CodeType, when_defined: bool) -> Iterator[tuple[CodeType, bool]]:
    yield code, when_defined
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            name = inner.co_name
            is_block = not inner.co_flags & _OPTIMIZED or name == FACTORY
            at_once = is_block or (name.startswith("<") and name != "<lambda>")
            yield from _parts(inner, when_defined and at_once)


def _collect(code: CodeType, when_defined: bool, uses: dict[str, Use]) -> None:
    names = code.co_names
    stored: set[str] = set()
    assigned: set[str] = set()
    last: Use | None = None
    chain: tuple[str, ...] = ()
    for offset, operation, argument in _instructions(code.co_code):
        if last and operation in _ATTRIBUTES:
            chain = (*chain, names[argument >> _ATTRIBUTES[operation]])
            continue
        if last:
            last.chains.add(chain)
            last, chain = None, ()
        if operation in _LOADS:
            name = names[argument >> _LOADS[operation]]
            if name not in stored:
                last = uses.get(name)
                if last is None:
                    last = uses[name] = Use(_line(code, offset), when_defined)
                last.when_defined |= when_defined
        elif operation == _STORE_NAME:
            stored.add(names[argument])
        elif operation == _STORE_GLOBAL:
            assigned.add(names[argument])
    for name in assigned & uses.keys():
        uses[name].is_stored = True


def _instructions(code: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the offset, operation and argument of each instruction."""
    high = 0
    for offset in range(0, len(code), 2):
        operation, argument = code[offset], code[offset + 1] | high
        if operation == _CACHE:
            continue
        high = argument << 8 if operation == _EXTENDED_ARG else 0
        if operation != _EXTENDED_ARG:
            yield offset, operation, argument


def _line(code: CodeType, offset: int) -> int:
    for start, end, line in code.co_lines():
        if start <= offset < end and line:
            return line
    return code.co_firstlineno
