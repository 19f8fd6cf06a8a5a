"""Regular expressions that users give.

Argo's need time in proportion to the text; Python's may need as good as for ever for a pattern such
as `(a+)+$`, and nothing else happens in the engine meanwhile. So a search is broken off.
"""

import re
import signal
import threading
from typing import Any

SECONDS = 0.5  # of the processor's time, for one search


class SlowPatternError(ValueError):
    """A search has taken too long."""


def search(pattern: str | re.Pattern[str], text: str) -> bool:
    """Return whether a pattern is found in a text.

    Raises:
        SlowPatternError: It takes too long.
        re.error: It is no pattern.
    """
    compiled = re.compile(pattern)
    if threading.current_thread() is not threading.main_thread():  # no signal would come
        return compiled.search(text) is not None
    # A search looks for signals now and then. This one is nobody else's: its timer counts only
    # while the process computes.
    before = signal.signal(signal.SIGVTALRM, _break_off)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        return compiled.search(text) is not None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _break_off(*_: Any) -> None:
    raise SlowPatternError(f"a regular expression took longer than {SECONDS:g} s, and was given up")
