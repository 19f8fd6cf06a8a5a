"""The commands."""

import asyncio
import sys

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aiowf")
def cli() -> None:
    """Run and follow Argo workflows, on a server or on this machine."""


@cli.command()
def demo() -> None:
    """Show what aiowf does, on the embedded engine: takes a few seconds and needs nothing."""
    from aiowf.cli.demo import run_demo

    sys.exit(0 if asyncio.run(run_demo()) else 1)
