"""Sphinx builds the documentation: `nox -s docs`."""

from importlib.metadata import version as version_of
from pkgutil import resolve_name
from typing import Any

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

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
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"aiowf {release}"


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


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.connect("missing-reference", leave_internal_names)
