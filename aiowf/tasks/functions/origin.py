"""Tell whose a module is: the user's own source, or software that the pod must have installed."""

import importlib
import sys
import types
from collections.abc import Iterator
from types import ModuleType
from typing import Any

_INSTALLED = ("/site-packages/", "/dist-packages/")


def top(module: str) -> str:
    """Return the top-level package of a module name."""
    return module.partition(".")[0]


def is_standard(module: str) -> bool:
    """Tell whether the module is part of Python."""
    return top(module) in sys.stdlib_module_names and module != "__main__"


def is_own(module: str, packages: frozenset[str]) -> bool:
    """Tell whether things of the module travel as source.

    Those of the function's own top-level packages do, and of modules that are installed nowhere.
    """
    name = top(module)
    if name == "__main__" or name in packages:
        return not is_standard(name)
    if is_standard(name) or name == "aiowf":
        return False
    found = sys.modules.get(module)
    file = (getattr(found, "__file__", None) or "").replace("\\", "/")
    if not file:
        return found is not None and not hasattr(found, "__path__")
    return file.endswith(".py") and not any(part in file for part in _INSTALLED)


def own_packages(module: str) -> frozenset[str]:
    """Return the top-level packages that travel with a function of the module."""
    names = {top(module)}
    if module == "__main__":
        spec = getattr(sys.modules.get("__main__"), "__spec__", None)
        names |= {top(spec.name)} if spec else set()
    return frozenset(names)


def namespace(module: str) -> dict[str, Any]:
    """Return the globals of a module, which is imported if it is not yet."""
    return vars(sys.modules.get(module) or importlib.import_module(module))


def walk(space: dict[str, Any], names: list[str]) -> Any:
    """Return what a dotted name means in a namespace, or None."""
    found = space.get(names[0])
    for name in names[1:]:
        found = getattr(found, name, None)
    return found


def import_path(module: ModuleType) -> str | None:
    """Return the name by which the module can be imported, on any system."""
    if module is sys.modules.get("os.path"):
        return "os.path"
    name = module.__name__
    return name if sys.modules.get(name) is module else None


def located(obj: Any) -> tuple[str, str] | None:
    """Return the module and the dotted name under which importing finds this very object."""
    module: Any
    obj_name: Any
    owner = getattr(obj, "__objclass__", None)
    if isinstance(owner, type):
        obj_name = f"{owner.__qualname__}.{getattr(obj, '__name__', '')}"
        module = owner.__module__
    else:
        module = getattr(obj, "__module__", None) or type(obj).__module__
        obj_name = getattr(obj, "__qualname__", None) or getattr(obj, "__name__", "")
    if not isinstance(module, str) or not isinstance(obj_name, str) or not obj_name:
        return None
    for each in _public_first(module):
        if _attribute(each, obj_name) is obj:
            return each, obj_name
    return next((("types", name) for name, one in vars(types).items() if one is obj), None)


def _public_first(module: str) -> Iterator[str]:
    """Yield the modules that may export what is defined in the module.

    Where it is private (`pathlib._local`, `_io`), it may be another one in the pod's version: its
    public packages and the module without the underscore come first.
    """
    parts = module.split(".")
    for count, part in enumerate(parts):
        if part.startswith("_") and not part.startswith("__"):
            yield from (".".join(parts[:n]) for n in range(count, 0, -1))
            yield ".".join([*parts[:count], part.lstrip("_")])
            break
    yield module


def _attribute(module: str, dotted: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in dotted.split("."):
        found = getattr(found, part, None)
    return found


def imported_expression(module: str, name: str) -> str:
    """Return an expression that imports the module and takes the dotted name of it."""
    if module == "builtins":
        return f"__import__('builtins').{name}"
    fromlist = ", fromlist=['_']" if "." in module else ""
    return f"__import__({module!r}{fromlist}).{name}"


def without_aiowf(obj: Any) -> Any:
    """Return the function inside of what a decorator of aiowf made."""
    while hasattr(type(obj), "__mro__") and hasattr(obj, "__wrapped__"):
        space = getattr(obj, "__globals__", None)
        module = space.get("__name__", "") if space else type(obj).__module__
        if top(module) != "aiowf":
            break
        obj = obj.__wrapped__
    return obj
