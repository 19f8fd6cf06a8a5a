"""Tell whose a module is: the user's own source, or software that the pod must have installed."""

import sys
import types
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
    found: Any = sys.modules.get(module)
    for part in obj_name.split("."):
        found = getattr(found, part, None)
    if found is obj:
        return module, obj_name
    return next((("types", name) for name, one in vars(types).items() if one is obj), None)


def imported_expression(module: str, name: str) -> str:
    """Return an expression that imports the module and takes the dotted name of it."""
    if module == "builtins":
        return f"__import__('builtins').{name}"
    fromlist = ", fromlist=['_']" if "." in module else ""
    return f"__import__({module!r}{fromlist}).{name}"
