"""The commands, and what is common to them: global options, errors, exit codes."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper

import click

from aiowf.cli import (
    demo,
    dev,
    doctor,
    files,
    listing,
    logs,
    running,
    showing,
    submitting,
    verbs,
)
from aiowf.cli.errors import CommandError, Exit, report, say
from aiowf.cli.target import Target, connection_options


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`aiowf COMMAND --help` tells each command's options. Without a server (--server, or "
    "ARGO_SERVER), `run` and `submit --wait` use the embedded engine; `aiowf dev` starts a server.",
)
@click.version_option(package_name="aiowf", message="aiowf %(version)s")
@connection_options
def cli() -> None:
    """Run and follow Argo workflows, on a server or on this machine."""


for _module in (demo, dev, files, running, submitting, listing, showing, logs, verbs, doctor):
    for _command in _module.COMMANDS:
        cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; return its exit code."""
    target = Target()
    try:
        _prepare_streams()
        code = _invoke(arguments, target)
        _flush()
    except (Exception, KeyboardInterrupt) as error:
        code = report(_first(error), debug=target.debug)
        with suppress(OSError):
            _flush()
    return code


def _invoke(arguments: Sequence[str] | None, target: Target) -> int:
    # click's own `main` ends the interpreter where the reader of the output has gone.
    if "_AIOWF_COMPLETE" in os.environ:  # a shell asks what may stand here
        cli.main(prog_name="aiowf")
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with cli.make_context("aiowf", words, obj=target) as context:
            code = cli.invoke(context)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        return Exit.USAGE
    except click.ClickException as error:
        say(f"aiowf: {_usage(error)}")
        return Exit.USAGE
    return code if isinstance(code, int) else Exit.DONE


def _prepare_streams() -> None:
    """Write what the encoding of a stream cannot say as an escape, instead of failing."""
    if sys.stdout is None:
        raise CommandError(
            "standard output is closed",
            "Give it somewhere to write, such as >/dev/null.",
            Exit.LOCAL_IO,
        )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flush() -> None:
    """Write what is left of the output, so that a failure is seen; then let nothing come behind."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        # The interpreter would try again at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "aiowf"
    message = " ".join(error.format_message().split())
    return f"{message}{'' if message[-1:] in '.?)' else '.'} Try '{path} --help'."


def _first(error: BaseException) -> BaseException:
    """Return the error that counts of a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
