"""`aiowf doctor`: what is wrong with server, token, permissions, Kafka, images and clock."""

import os
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import click

from aiowf.cli.errors import Exit
from aiowf.cli.output import output_option, write, write_data
from aiowf.cli.target import Target, asynchronous, connection_options

if TYPE_CHECKING:
    from aiowf.cli.doctor.finding import Finding

_SIGNS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


@click.command()
@click.option("--try", "tries", is_flag=True,
              help="Create a workflow that only pauses, stop it and delete it.")  # fmt: skip
@output_option
@connection_options
@asynchronous
async def doctor(target: Target, tries: bool, output: str) -> int:
    """Check what workflows need.

    That is the server (or the embedded engine), token, permissions, clock, images, Kafka and its
    topic. Each check says what is wrong and what to do; without --try nothing is changed. The exit
    code is 1 if one fails.
    """
    from attrs import asdict

    findings = []
    async for finding in _checks(target, tries=tries):
        findings.append(finding)
        if output == "table":
            _show(finding)
    if output != "table":
        write_data([asdict(finding) for finding in findings], output)
    return Exit.FAILED if any(each.state == "fail" for each in findings) else Exit.DONE


async def _checks(target: Target, *, tries: bool) -> "AsyncIterator[Finding]":
    from aiowf.cli.doctor.finding import Finding, told
    from aiowf.cli.doctor.server import check_server
    from aiowf.cli.doctor.surroundings import check_engine, check_images, check_kafka
    from aiowf.cli.doctor.variables import check_variables
    from aiowf.errors import ConfigurationError

    for finding in check_variables(os.environ):
        yield finding
    embedded, failed = False, ""  # failed: why nobody is reached
    try:
        embedded = target.place().is_local
        if embedded:
            hint = "Set ARGO_SERVER, or give --server, to look at a server."
            yield Finding("server", "ok", "none is named: the embedded engine serves", hint)
            async for finding in check_engine():
                yield finding
        else:
            async with target.session() as session:
                async for finding in check_server(session, tries=tries):
                    # `aiowf dev` says so itself.
                    embedded |= finding.check == "version" and finding.said.endswith("+aiowf")
                    if (finding.check, finding.state) == ("connection", "fail"):
                        failed = finding.said
                    yield finding
    except ConfigurationError as error:
        finding = Finding("server", "fail", *told(error))
        failed = finding.said
        yield finding
    images = check_images(target, embedded=embedded)
    # Which images a server will need does not matter yet where none is reached; what is wrong does.
    if not failed or (images.state == "fail" and images.said != failed):
        yield images
    async for finding in check_kafka():
        yield finding


def _show(finding: "Finding") -> None:
    from aiowf.display.escape import visible
    from aiowf.display.text import colours, folded, paint, terminal_width

    sign, style = _SIGNS[finding.state]
    mark = paint(sign, style, colour=colours(sys.stdout))
    said = folded(f"{sign} {finding.check}: {visible(finding.said)}", terminal_width())
    write(mark + said.removeprefix(sign))
    if finding.hint and finding.state != "ok":
        write(folded(f"  {visible(finding.hint)}", terminal_width()))
    sys.stdout.flush()


COMMANDS = (doctor,)
