"""Sphinx builds the documentation: `nox -s docs`."""

import inspect
from importlib.metadata import version as version_of
from pkgutil import resolve_name
from typing import Any

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.inspect import stringify_signature

project = "aiowf"
copyright = "the aiowf authors"
version = release = version_of("aiowf")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
default_role = "code"
nitpicky = True
# Names of other projects are not looked up, so that the build needs no network.
nitpick_ignore_regex = [(r"py:.*", r"(?!aiowf\.).*")]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The notebooks are run at each build, by the interpreter that runs Sphinx.
nb_execution_mode = "force"
nb_execution_timeout = 60
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"aiowf {release}"
html_static_path = ["_static"]
html_css_files = ["aiowf.css"]


def leave_internal_names(
    app: Sphinx, env: Any, node: pending_xref, text: Element
) -> Element | None:
    """Print a name that exists and has no entry, such as a private base, as plain text."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target.startswith("aiowf."):
        return None
    try:
        resolve_name(target)
    except (AttributeError, ImportError):
        return None  # a mistake: Sphinx warns of it
    return text


def show_arguments(
    app: Sphinx, what: str, name: str, value: Any, options: Any, arguments: str, returns: str
) -> tuple[str, str] | None:
    """Show what a class's `__init__` takes, where its `__new__` only checks it."""
    if what != "class" or not arguments or not arguments.startswith("(*args"):
        return None
    shown = stringify_signature(
        inspect.signature(value), show_return_annotation=False, unqualified_typehints=True
    )
    return shown, returns


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.connect("autodoc-process-signature", show_arguments)
    app.connect("missing-reference", leave_internal_names)
