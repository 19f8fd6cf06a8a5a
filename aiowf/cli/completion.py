"""What a shell completes: files of operations with the names in them, and bash's broken words."""

import ast
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

# What bash breaks words at, besides blanks: each piece is a word of its own.
_BREAKS = frozenset("=:")


class OperationPath(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """FILE.py:OP, or a file."""

    name = "operation"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        """Return the names of a Python file, or leave the file's own name to the shell."""
        place, _, start = incomplete.partition(":")
        if not (place.endswith(".py") and Path(place).is_file()):
            return [CompletionItem(incomplete, type="file")]
        names = [name for name in _names(Path(place)) if name.startswith(start)]
        return [CompletionItem(f"{place}:{name}") for name in names]


def _names(path: Path) -> Iterator[str]:
    """Yield what may be run of what a file defines; it is read, and no line of it is run."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return
    for statement in body:
        names: list[str] = []
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [statement.name]
        elif isinstance(statement, ast.Assign) and not isinstance(statement.value, ast.Constant):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names = [statement.target.id]
        yield from (name for name in names if not name.startswith("_"))


class _Joined(ShellComplete):
    """Completes the value of `--option=value` as the one word that it is."""

    def get_completions(self, args: list[str], incomplete: str) -> "list[CompletionItem[str]]":
        """Return what may stand in place of the incomplete word."""
        found = super().get_completions(args, incomplete)
        option, sign, _ = incomplete.partition("=")
        if sign and option.startswith("--"):
            for item in found:
                item.value = f"{option}={item.value}"
        return found


class _Zsh(_Joined, ZshComplete):
    """zsh, with options and their values in one word."""


class _Fish(_Joined, FishComplete):
    """fish, with options and their values in one word."""


class _Bash(_Joined, BashComplete):
    """Puts together what bash has broken, and gives back the last piece of it."""

    _before = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one to complete, and this one."""
        before, last = super().get_completion_args()
        words = [""]
        is_open = False  # whether the next piece belongs to the last word
        for piece in [*before, last]:
            is_break = bool(piece) and _BREAKS.issuperset(piece)
            if is_break or is_open:
                words[-1] += piece
            else:
                words.append(piece)
            is_open = is_break
        *whole, incomplete = words[1:]
        self._before = incomplete[: 1 + max(incomplete.rfind(each) for each in _BREAKS)]
        return whole, incomplete

    def format_completion(self, item: "CompletionItem[str]") -> str:
        """Return an item without what stands before the last break already."""
        return f"{item.type},{item.value.removeprefix(self._before)}"


OPERATION = OperationPath()
for _shell in (_Bash, _Zsh, _Fish):
    add_completion_class(_shell)
