"""`aiowf demo`."""

import asyncio
import os
from pathlib import Path

import click

from aiowf.cli.errors import Exit
from aiowf.cli.target import connection_options


@click.command()
@click.option("--svg", type=click.Path(dir_okay=False), help="Save a picture of the run, too.")
@connection_options
def demo(svg: str | None) -> int:
    """Show what aiowf does.

    It runs on the embedded engine, takes a few seconds, and needs nothing.
    """
    from rich.console import Console

    from aiowf.cli.demo_run import run_demo

    console = Console(highlight=False, record=svg is not None, width=100 if svg else None)
    good = asyncio.run(run_demo(console))
    if svg is not None:
        # Beside its place first: a disk that is full leaves no half of a picture.
        part = Path(f"{svg}.part")
        try:
            part.write_text(console.export_svg(title="aiowf demo"), encoding="utf-8")
            os.replace(part, svg)
        finally:
            part.unlink(missing_ok=True)
    return Exit.DONE if good else Exit.FAILED


COMMANDS = (demo,)
