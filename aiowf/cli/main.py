"""The commands."""

import asyncio
import sys

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aiowf")
def cli() -> None:
    """Run and follow Argo workflows, on a server or on this machine."""


@cli.command()
@click.option("--svg", type=click.Path(dir_okay=False), help="Save a picture of the run, too.")
def demo(svg: str | None) -> None:
    """Show what aiowf does, on the embedded engine: takes a few seconds and needs nothing."""
    from rich.console import Console

    from aiowf.cli.demo import run_demo

    console = Console(highlight=False, record=svg is not None, width=100 if svg else None)
    good = asyncio.run(run_demo(console))
    if svg is not None:
        console.save_svg(svg, title="aiowf demo")
    sys.exit(0 if good else 1)
