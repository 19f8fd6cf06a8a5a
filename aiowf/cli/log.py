"""What the library logs and warns of, as lines of the command line."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiowf.cli.errors import say
from aiowf.display.escape import visible


class _Lines(logging.Handler):
    """Writes records to stderr as aiowf's other lines."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.module == "attempts":
            return  # a retry: what fails in the end says so in a line of its own
        text = "; ".join(record.getMessage().splitlines())
        say(f"aiowf: {record.levelname.lower()}: {visible(text)}")


def show_everything() -> None:
    """Show the whole log on stderr."""
    logging.basicConfig(
        level=logging.DEBUG, stream=sys.stderr, format="%(relativeCreated)6d %(name)s: %(message)s"
    )


@contextmanager
def quietly(*, debug: bool) -> Iterator[None]:
    """Show the library's warnings as lines, and of other libraries nothing, unless debugging."""
    with warnings.catch_warnings():
        if not debug:
            warnings.showwarning = _warn
            warnings.simplefilter("ignore")
            from aiowf.errors import AiowfWarning

            warnings.simplefilter("default", AiowfWarning)
        ours, root = logging.getLogger("aiowf"), logging.getLogger()
        lines, silence = _Lines(logging.WARNING), logging.NullHandler()
        if not debug:
            ours.addHandler(lines)
            root.addHandler(silence)
        try:
            yield
        finally:
            ours.removeHandler(lines)
            root.removeHandler(silence)


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    say(f"aiowf: warning: {visible('; '.join(str(message).splitlines()))}")
