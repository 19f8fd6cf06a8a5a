"""Which names from outside a piece of source uses: read off the code compiled from it."""

import __future__

import dis
from collections.abc import Iterator
from types import CodeType

from attrs import define, field

_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
# Code without any of these instructions (every other byte is one) has nothing to tell.
_INTERESTING = frozenset(dis.opmap[name] for name in (*_LOADS, "STORE_GLOBAL") if name in dis.opmap)
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


def compiled(text: str, file: str) -> CodeType:
    """Compile source; its annotations are left alone, as in the pod."""
    flags = __future__.annotations.compiler_flag
    code: CodeType = compile(text, file, "exec", flags, dont_inherit=True)
    return code


def outside_names(code: CodeType, line: int) -> dict[str, Use]:
    """Return the uses of names that a module-level code object looks for in its module.

    Args:
        code: The code object; its own lines begin at 1.
        line: Where its source begins in the user's file.
    """
    uses: dict[str, Use] = {}
    for part, when_defined in _parts(code, True):
        _collect(part, when_defined, uses)
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
    if not _INTERESTING & {*code.co_code[::2]}:
        return
    stored: set[str] = set()
    assigned: set[str] = set()
    last: tuple[Use, tuple[str, ...]] | None = None
    for instruction in dis.get_instructions(code):
        name, operation = instruction.argval, instruction.opname
        if last and operation in _ATTRIBUTES:
            last = (last[0], (*last[1], name))
            continue
        if last:
            last[0].chains.add(last[1])
            last = None
        if operation in _LOADS and name not in stored:
            place = instruction.positions
            use = uses.get(name)
            if use is None:
                line = (place.lineno if place else None) or code.co_firstlineno
                use = uses[name] = Use(line, when_defined)
            use.when_defined |= when_defined
            last = (use, ())
        elif operation == "STORE_NAME":
            stored.add(name)
        elif operation == "STORE_GLOBAL":
            assigned.add(name)
    if last:
        last[0].chains.add(last[1])
    for name in assigned & uses.keys():
        uses[name].is_stored = True
