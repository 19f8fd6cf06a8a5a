"""The command line."""

import sys


def main() -> None:
    """Run the `aiowf` command."""
    try:
        from aiowf.cli.main import main as run
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit(f"the command line needs {error.name}: pip install 'aiowf[cli]'")
    sys.exit(run())
