"""`FILE.py:name`: what a user's own file calls so."""

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from aiowf.cli.errors import CommandError


def load(targets: Sequence[str]) -> list[tuple[str, Any]]:
    """Return what each `FILE.py:name` or `package.module:name` names, behind a title.

    Without a name, all operations of the file are meant. A list, tuple or mapping of operations
    stands for each of them.

    Raises:
        CommandError: There is no such file or name, or it cannot be imported.
    """
    return [found for target in targets for found in _load(target)]


def is_operation(value: Any) -> bool:
    """Return whether a value is an operation: something that becomes a workflow, or runs here."""
    return not isinstance(value, type) and callable(getattr(value, "execute", None))


def _load(target: str) -> Iterator[tuple[str, Any]]:
    place, colon, path = target.rpartition(":")
    if not colon or (path.endswith(".py") and not path.isidentifier()):
        place, path = target, ""
    module = _import(place)
    if path:
        yield from _several(path, _attribute(module, place, path), place)
        return
    found = {name: value for name, value in vars(module).items() if is_operation(value)}
    if not found:
        raise CommandError(
            f"{place} has no operation", f"Name something of it: {place}:name, such as op = …"
        )
    yield from found.items()


def _several(name: str, value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        items = [(f"{name}[{key!r}]", item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        items = [(f"{name}[{index}]", item) for index, item in enumerate(value)]
    else:
        items = [(name, value)]
    if not items:
        raise CommandError(f"{place}:{name} is empty", "Name an operation, or a list of them.")
    yield from items


def _attribute(module: ModuleType, place: str, path: str) -> Any:
    value: Any = module
    for name in path.split("."):
        if not hasattr(value, name):
            from aiowf.manifest.names import nearest

            known = [each for each, found in vars(module).items() if _is_meant(found, module)]
            hint = nearest(path, known) or f"It has {', '.join(known) or 'none'}."
            raise CommandError(f"{place} has no {path!r}", hint)
        value = getattr(value, name)
    return value


def _is_meant(value: Any, module: ModuleType) -> bool:
    """Return whether something is there to be run: an operation, or a function of this file."""
    own = callable(value) and not isinstance(value, type)
    return is_operation(value) or (own and getattr(value, "__module__", "") == module.__name__)


def _import(place: str) -> ModuleType:
    name = place
    if place.endswith(".py") or "/" in place:
        path = Path(place)
        if not path.is_file():
            raise CommandError(
                f"{place}: no such file", "Write FILE.py:name, or package.module:name."
            )
        directory, name = _module_of(path.resolve())
        sys.path.insert(0, str(directory))
    elif "" not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and error.name == name:
            raise CommandError(
                f"there is no module {name!r}", "Write FILE.py:name, or package.module:name."
            ) from error
        raise CommandError(
            f"{place} cannot be imported: {type(error).__name__}: {error}{_line(error, name)}",
            "`aiowf --debug …` shows the traceback.",
        ) from error


def _module_of(path: Path) -> tuple[Path, str]:
    """Return where a file's top-level package lies, and the file's name as a module in it."""
    names = [] if path.name == "__init__.py" else [path.stem]
    directory = path.parent
    while (directory / "__init__.py").is_file():
        names.insert(0, directory.name)
        directory = directory.parent
    bad = next((name for name in names if not name.isidentifier()), None)
    if bad is not None:
        raise CommandError(
            f"{path.name}: {bad!r} is no name of a module, and functions travel by their module",
            f"Rename the file, such as {bad.replace('-', '_').replace('.', '_')}.py",
        )
    return directory, ".".join(names)


def _line(error: BaseException, name: str) -> str:
    """Return the line of the user's file in which an error arose."""
    found = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == name:
            found = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {found})" if found is not None else ""
