"""What people see of workflows: in a terminal, in notebooks, on pages."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiowf.client import Run


def mimebundle(value: object) -> dict[str, str]:
    """Return what a notebook shows of an operation, a run or a result: HTML, and plain text."""
    from aiowf.display import notebook

    return notebook.mimebundle(value)


def show(run: "Run[Any]") -> None:
    """Display a run in IPython; in a notebook the picture changes until the run ends."""
    from aiowf.display import notebook

    notebook.show(run)
