"""Requests that are sent again: by stamina, which tells nothing of them but that it waits."""

import contextvars
import logging
from collections.abc import AsyncIterator, Callable

import stamina

_log = logging.getLogger("aiowf.argo")

# The latest failure here that stamina was asked about: its repr, by which stamina's record of it
# is known, and what is to be said of it. Texts, so that no error outlives its handling.
_failed: contextvars.ContextVar[tuple[str, str]] = contextvars.ContextVar("failed")


def attempts(
    on: Callable[[Exception], bool | float], *, most: int, timeout: float
) -> AsyncIterator[stamina.Attempt]:
    """Give the attempts of one request; each one that is followed by another is logged.

    The line says which request failed and why, the number of the attempt, and how long stamina
    waits; it is an INFO, since what fails for good is raised. It comes in place of stamina's own
    line, and only if stamina tells the logging module of its retries at all: hooks of the program
    that were set by `stamina.instrumentation` stay, and are told as ever.

    Args:
        on: Returns of an error whether to try again, or after how many seconds.
        most: How many attempts there are at most.
        timeout: Seconds for all of them.
    """
    logging.getLogger("stamina").addFilter(_say_more)  # adds it once

    def decide(error: Exception) -> bool | float:
        again = on(error)
        if again is not False:
            _failed.set((repr(error), str(error).partition("\n")[0]))
        return again

    return aiter(stamina.retry_context(on=decide, attempts=most, timeout=timeout))


def _say_more(record: logging.LogRecord) -> bool:
    """Log a retry of ours in words; leave what others retry as it is."""
    known, text = _failed.get(("", ""))
    told = vars(record)
    if not known or told.get("stamina.caused_by") != known:
        return True
    _log.info(
        "attempt %d failed, the next one follows in %.2g s: %s",
        told["stamina.retry_num"],
        told["stamina.wait_for"],
        text,
    )
    return False
