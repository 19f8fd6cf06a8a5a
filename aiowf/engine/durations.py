"""Go's durations: `1h30m`, `2.5s`, or bare seconds as Argo accepts them."""

import math
import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_PART = r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)"
_PART_RE = re.compile(_PART)
_WHOLE_RE = re.compile(rf"[-+]?({_PART})+")


def seconds(text: str) -> float:
    """Return the seconds of a duration.

    Raises:
        ValueError: The text is neither a Go duration nor a whole number of seconds.
    """
    if re.fullmatch(r"[-+]?\d+", text):
        return float(text)
    if not _WHOLE_RE.fullmatch(text):
        raise ValueError(f'time: invalid duration "{text}"')
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART_RE.findall(text))
    return -total if text[0] == "-" else total


def spoken(duration: float) -> str:
    """Return a duration as Argo's messages speak it: `1 minutes 20 seconds`."""
    rest = math.floor(duration)
    words = []
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds")):
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count} {name}")
    return " ".join(words[:2]) or "0 seconds"
