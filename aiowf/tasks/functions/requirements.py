"""Which third-party imports nobody has declared."""

import re
from collections.abc import Iterable
from functools import cache

from aiowf.tasks.functions.script import ShippedFunction

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[.*?\])?\s*(?:$|[@<>=!~;(\s])")
_REQUIREMENT = re.compile(
    r"""\s* [A-Za-z0-9] (?: [A-Za-z0-9._-]* [A-Za-z0-9] )? \s* (?: \[ [^\]]* \] )? \s*
    (?: @ .+
      | \(? (?: (?: ~= | ===? | != | [<>]=? ) \s* [A-Za-z0-9*] [^\s,;()<>=~]* \s* ,? \s* )* \)? \s*
        (?: ; .+ )?
    )""",
    re.VERBOSE,
)
"""A name, its extras, versions or an URL, and a marker: PEP 508, loosely."""
_KNOWN = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Import names of distributions called otherwise, for those that are not installed here."""


def is_requirement(text: object) -> bool:
    """Tell whether pip can make something of it: a requirement, a URL or a path."""
    if not isinstance(text, str) or text.startswith("-") or "\n" in text:
        return False
    is_place = "/" in text or text.endswith((".whl", ".zip", ".tar.gz"))
    return bool(text.strip()) and (is_place or _REQUIREMENT.fullmatch(text) is not None)


def undeclared_imports(
    shipped: ShippedFunction, requirements: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the third-party modules that a function imports and no requirement brings.

    A requirement brings what it is called, the modules of the distribution of that name that is
    installed here, and what that one requires itself. One without a name (a path, a URL) may bring
    anything.
    """
    if not shipped.imports:
        return ()
    names = [_NAME.match(requirement) for requirement in requirements]
    if not all(names):
        return ()
    declared = {_normalised(match[1]) for match in names if match}
    missing = [name for name in shipped.imports if not declared & _called(name)]
    if missing and declared:
        from importlib import metadata

        brought = _with_dependencies(declared)
        known = metadata.packages_distributions()
        missing = [
            name
            for name in missing
            if not brought & {_normalised(one) for one in known.get(name, ())}
        ]
    return tuple(missing)


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _called(name: str) -> set[str]:
    return {_normalised(name), _KNOWN.get(name, "-")}


@cache
def _required(distribution: str) -> frozenset[str]:
    from importlib import metadata

    try:
        lines = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return frozenset()
    named = [_NAME.match(line) for line in lines if "extra ==" not in line]
    return frozenset(_normalised(match[1]) for match in named if match)


def _with_dependencies(names: set[str]) -> set[str]:
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _required(name)
    return found
