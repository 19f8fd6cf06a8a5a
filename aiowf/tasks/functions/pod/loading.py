"""Rebuild the user's modules from their pieces, and tell errors in them with their own lines."""

import sys
from typing import Any

from .output import note

FILES: dict[str, list[str]] = {}
ANNOTATIONS = 0x1000000  # the flag of `from __future__ import annotations`


def show() -> None:
    """Let `linecache`, and so every traceback, know the lines of the user's files."""
    import linecache

    for file, lines in FILES.items():
        linecache.cache[file] = 0, None, lines, file


# By this attribute `linecache` asks when it meets the code of a module first. Python starts in half
# of the time if it is not imported before it is needed.
LOADER: Any = type("Loader", (), {"get_source": property(lambda self: show())})()


def module(name: str) -> Any:
    """Make the module of that name, and the packages it is in, unless they are there."""
    made: Any = sys.modules.get(name)
    if not hasattr(made, "__aiowf__"):
        made = sys.modules[name] = type(sys)(name)
        parent, _, child = name.rpartition(".")
        made.__dict__.update(__aiowf__=True, __path__=[], __package__=parent)
        if parent:
            setattr(module(parent), child, made)
    return made


def load(name: str, file: str, line: int, text: str, code: str = "", scope: Any = None) -> None:
    """Run a piece of the user's source, which begins at that line of that file, in its module."""
    space = module(name).__dict__
    space.update(__file__=file, __loader__=LOADER)
    lines = FILES.setdefault(file, [])
    rows = [row + "\n" for row in text.rstrip("\n").split("\n")]
    lines += ["\n"] * (line + len(rows) - len(lines))
    lines[line - 1 : line - 1 + len(rows)] = rows
    code = code or "\n" * (line - 1) + text
    exec(compile(code, file, "exec", ANNOTATIONS, True), space, scope)


def report(kind: Any, error: Any, tb: Any) -> None:
    """Print the traceback from the user's first line on."""
    import traceback

    show()
    user = tb
    while user and user.tb_frame.f_code.co_filename not in FILES:
        user = user.tb_next
    traceback.print_exception(kind, error.with_traceback(user or tb), user or tb)
    note("".join(traceback.format_exception_only(kind, error)).strip())
