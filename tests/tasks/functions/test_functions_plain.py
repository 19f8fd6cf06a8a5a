"""The quick road, over code objects and lines, gives what the road over the syntax tree gives."""

import dis
import importlib
import linecache
import sys
import warnings
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import cutting, ship
from aiowf.tasks.functions.definitions import Definition
from aiowf.tasks.functions.gathering import Gatherer
from aiowf.tasks.functions.names import outside_names
from aiowf.tasks.functions.plain import cut_plain

CORNERS = '''
from os import path
import sys
LIMIT = 3

def plain(x):
    return x + LIMIT
def without_line_between(x: int) -> int:
    return max(x, LIMIT)

# a comment of the file

def commented(x):
    y = x
# a comment in the first column
    return y  # the end

    # a comment after the end
# and another one

def text_in_the_first_column():
    print("""
def inner():
""")
    return """
LIMIT = 4
"""

def trailing_text():
    sys.exit
    """
LIMIT
"""

def text_that_ends_as_a_comment():
    return """
# LIMIT
    # it"""

def text_behind_the_end():
    return 1
    "LIMIT \\
# it"

def before_a_form_feed():
    return 1
\fdef behind_a_form_feed():
    return 2

def form_feeds_between():
    x = 1
\f
    return x

def parentheses(
    x: int,
y: int = 0,
) -> int:
    return sum([
x,
])

def header(
    x: "int",
) -> int:
    """Only a docstring."""

def after_header():
    "Nothing else."

def one_line(): return path.join("a", "b")

def comprehensions(xs):
    return [x for x in xs if x < LIMIT], (path.sep for _ in xs), lambda: sys.argv

def with_inner(x):
    def inner(y: "LIMIT") -> path:
        return y
    return inner(x)

def importing():
    import json
    return json.dumps(1)

def missing():
    return nowhere

def recursive(n):
    return recursive(n - 1) if n else 0

def assigning():
    global LIMIT
    LIMIT = 5
    assert LIMIT, "changed"

async def waiting(x):
    async for y in x:
        pass
    else:
        print(
    "backslash \\
LIMIT", x)

def before_an_annotation():
    return 1
LATER: int

def before_nothing_that_runs():
    return 2
"a text that does nothing"

def last():
    return 1
    # the last line'''


@pytest.fixture
def corners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a module with the corners of Python's layout."""
    monkeypatch.syspath_prepend(str(tmp_path))
    tmp_path.joinpath("functions_corners.py").write_text(CORNERS)
    monkeypatch.delitem(sys.modules, "functions_corners", raising=False)
    importlib.invalidate_caches()
    return importlib.import_module("functions_corners")


def _functions(module: ModuleType) -> list[FunctionType]:
    return [
        each
        for each in vars(module).values()
        if isinstance(each, FunctionType) and each.__module__ == module.__name__
    ]


def _over_the_tree(function: FunctionType, monkeypatch: pytest.MonkeyPatch) -> Definition:
    with monkeypatch.context() as patch:
        patch.setattr(cutting, "cut_plain", lambda _: None)
        gatherer = Gatherer(frozenset({function.__module__}))
        return cutting.cut_function(function, decorated=False, gatherer=gatherer)


def _facts(cut: Definition) -> dict[str, Any]:
    """Return what counts of a definition; what is built in may be left out of its uses."""
    builtins = vars(importlib.import_module("builtins"))
    uses = {k: v for k, v in cut.uses.items() if k in cut.space or k not in builtins}
    at = cut.symbol, cut.text, cut.file, cut.line
    return {"at": at, "uses": uses, "cells": cut.cells, "imports": cut.imports}


def test_both_roads_agree_on_the_corners(
    corners: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is cut quickly is the same text with the same uses; the rest takes the other road."""
    quick = set()
    for function in _functions(corners):
        cut = cut_plain(function)
        if cut:
            assert _facts(_over_the_tree(function, monkeypatch)) == _facts(cut)
            quick.add(cut.symbol)
    certain = {"plain", "without_line_between", "commented", "comprehensions", "recursive", "last"}
    assert certain | {"header", "one_line"} <= quick
    left = {"text_in_the_first_column", "parentheses", "with_inner", "importing", "missing"}
    assert not left & quick


@pytest.mark.parametrize("name", ["shutil", "textwrap", "argparse", "tokenize", "zipfile", "glob"])
def test_both_roads_agree_on_modules_of_python(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions that others wrote are cut in the same way on both roads."""
    module = importlib.import_module(name)
    functions = _functions(module)
    cuts = [(function, cut) for function in functions if (cut := cut_plain(function))]
    for function, cut in cuts:
        assert _facts(_over_the_tree(function, monkeypatch)) == _facts(cut)
    assert cuts or not functions


def test_a_changed_file_is_noticed(corners: ModuleType) -> None:
    """Where the file says something else by now, nothing travels that was not loaded."""
    assert corners.__file__
    file = Path(corners.__file__)
    file.write_text(CORNERS.replace("x + LIMIT", "x + 1"))
    assert cut_plain(corners.plain) is None
    with pytest.raises(
        ConfigurationError, match="the source of plain is no longer what was loaded"
    ):
        ship(corners.plain)
    file.write_text(CORNERS.replace("def plain", "\ndef plain"))
    linecache.checkcache()
    with pytest.raises(ConfigurationError, match="the file has changed"):
        ship(corners.commented)


def test_what_was_read_before_the_change_still_travels(corners: ModuleType) -> None:
    """The lines that Python holds of the file are those that were loaded."""
    assert corners.__file__
    ship(corners.commented)
    Path(corners.__file__).write_text(CORNERS.replace("x + LIMIT", "x + 1"))
    assert "x + LIMIT" in ship(corners.plain).script()


EDITED = """
import dataclasses
import enum
import functools

def twice(f):
    @functools.wraps(f)
    def inner(x):
        return f(f(x))
    return inner

def importing(x):
    import json
    return json.dumps(x)

@twice
def decorated(x):
    return x * 2

short = lambda y: y + 5

class Counter:
    size = 7

    def __init__(self, x):
        self.x = x

    def less(self):
        return self.x - 1

def of_class(x):
    return Counter(x).less()

@dataclasses.dataclass
class Record:
    size: int = 7

def of_record():
    return Record().size

class Level(enum.Enum):
    LOW = 1

def of_enum():
    return Level.LOW.value
"""


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("importing", "dumps(x)", "dumps(x + 1)"),
        ("decorated", "x * 2", "x * 3"),
        ("short", "y + 5", "y + 6"),
        ("of_class", "self.x - 1", "self.x - 2"),
        ("of_record", "size: int = 7", "size: int = 8"),
        ("of_enum", "LOW = 1", "LOW = 2"),
    ],
)
def test_no_other_text_travels_than_was_loaded(
    name: str, before: str, after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that was edited after the import is an error, wherever it is."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "functions_edited", raising=False)
    file = tmp_path / "functions_edited.py"
    file.write_text(EDITED)
    importlib.invalidate_caches()
    module = importlib.import_module("functions_edited")
    assert before in ship(getattr(module, name)).script()
    module = importlib.reload(module)
    file.write_text(EDITED.replace(before, after))
    with pytest.raises(ConfigurationError, match="the file has changed since"):
        ship(getattr(module, name))
    assert after in ship(getattr(importlib.reload(module), name)).script()


NOISY = r"""
def plain(x):
    y = x is 1
    return y, "\d"

def decorate(f):
    return f

@decorate
def decorated(x):
    return x

short = lambda x: x is 1
"""


@pytest.mark.parametrize("name", ["plain", "decorated", "short"])
def test_warnings_of_the_compiler_are_left_to_who_imports(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where they are errors: they may concern any line of the file."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "functions_noisy", raising=False)
    (tmp_path / "functions_noisy.py").write_text(NOISY)
    importlib.invalidate_caches()
    with warnings.catch_warnings(action="ignore"):
        module = importlib.import_module("functions_noisy")
    with warnings.catch_warnings(action="error"):
        assert ship(getattr(module, name)).script()


def test_a_default_is_the_value_that_was_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pod: Any
) -> None:
    """A default that was edited after the import travels as the function has it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "functions_default.py"
    file.write_text("def f(x=1):\n    return x\n")
    importlib.invalidate_caches()
    function = importlib.import_module("functions_default").f
    file.write_text("def f(x=2):\n    return x\n")
    assert pod(function).value == 1


@pytest.mark.parametrize("loader", [None, object()])
def test_code_that_its_loader_wrote_anew_is_not_compared(
    corners: ModuleType, loader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module whose code is another than the file's, as pytest's tests are, is no error."""
    assert corners.__file__
    monkeypatch.setattr(corners, "__loader__", loader)
    made = corners.plain.__code__.replace(co_consts=(None, "rewritten"))
    corners.plain.__code__ = made
    assert cut_plain(corners.plain) is None
    assert "x + LIMIT" in ship(corners.plain).script()


def _by_dis(code: CodeType) -> dict[str, set[tuple[str, ...]]]:
    """Return the chains of attributes by global name, as Python's own disassembler has them."""
    found: dict[str, set[tuple[str, ...]]] = {}
    last: tuple[str, ...] = ()
    for each in dis.get_instructions(code):
        if last and each.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            last = (*last, each.argval)
        elif each.opname != "EXTENDED_ARG":
            if last:
                found.setdefault(last[0], set()).add(last[1:])
            last = (each.argval,) if each.opname == "LOAD_GLOBAL" else ()
    return found


@pytest.mark.parametrize("name", ["argparse", "inspect", "tarfile", "typing"])
def test_names_are_read_as_the_disassembler_reads_them(name: str) -> None:
    """The names and attributes that our reading of the code finds are those that dis finds."""
    module = importlib.import_module(name)
    functions = [
        each
        for owner in (module, *vars(module).values())
        if owner is module or isinstance(owner, type)
        for each in vars(owner).values()
        if isinstance(each, FunctionType)
    ]
    assert len(functions) > 50
    for function in functions:
        code = function.__code__
        if not any(isinstance(each, CodeType) for each in code.co_consts):
            uses = outside_names(code, when_defined=False)
            assert _by_dis(code) == {key: use.chains for key, use in uses.items()}
