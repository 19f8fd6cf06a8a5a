"""Resource quantities and durations: texts that stand for amounts."""

import math
import re

from aiowf.errors import ConfigurationError

_QUANTITY = re.compile(
    r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?", re.ASCII
)
_LOOSE_QUANTITY = re.compile(r"\+?([0-9.]+)\s*([a-zA-Z]*)", re.ASCII)
_QUANTITY_UNITS = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "k", "M", "G", "T", "P", "E")
_DURATION_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_DURATION_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}


def quantity(value: str | int | float, where: str = "resources") -> str:
    """Return a Kubernetes resource quantity as text: "500m", 2 → "2", "1.5Gi".

    Raises:
        ConfigurationError: It is none, or negative; the hint is the nearest one.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ConfigurationError(f"expected a quantity such as '500m', not {value!r}", where=where)
    text = str(value)
    if _QUANTITY.fullmatch(text):
        return text
    raise ConfigurationError(
        f"{text!r:.80} is no quantity: a number, then nothing or one of Ki Mi Gi Ti Pi Ei "
        "m k M G T P E",
        where=where,
        hint=_nearest_quantity(text),
    )


def amount(value: str | int | float) -> float:
    """Return the number that a quantity stands for: "500m" → 0.5, "1Ki" → 1024.

    Raises:
        ConfigurationError: It is no quantity.
    """
    found = _QUANTITY.fullmatch(quantity(value))
    assert found is not None
    number, unit = found[1], found[2] or ""
    if unit[:1] in ("e", "E") and len(unit) > 1 and unit != "Ei":
        return float(number + unit)
    base, power = (1024.0, "KMGTPE") if unit.endswith("i") else (1000.0, "kMGTPE")
    small = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3}
    factor = small[unit] if unit in small else base ** (1 + power.index(unit[0]))
    return float(number) * factor


def _nearest_quantity(text: str) -> str | None:
    """Return a hint for what people write: "512MB", "1 gb", "2 cpu"."""
    loose = _LOOSE_QUANTITY.fullmatch(text.strip())
    if not loose:
        return None
    number, unit = loose[1], loose[2].lower()
    unit = re.sub(r"(b|byte|bytes)$", "", unit) if len(unit) > 1 else unit
    units = {known.lower(): known for known in _QUANTITY_UNITS} | {"": "", "b": "", "cpu": ""}
    close = number + units.get(unit, "?")
    return f'did you mean "{close}"?' if _QUANTITY.fullmatch(close) else None


def duration(value: str, where: str = "duration") -> str:
    """Return a duration if Argo accepts it: Go's form ("1h30m", "90s") or bare seconds ("90").

    Raises:
        ConfigurationError: It is neither.
    """
    seconds(value, where)
    return value


def seconds(text: str, where: str = "duration") -> float:
    """Return the seconds of a duration in Go's form ("1h30m", "500ms") or of bare seconds ("90").

    Raises:
        ConfigurationError: It is neither.
    """
    if isinstance(text, str):
        if re.fullmatch(r"[0-9]+", text, re.ASCII):
            return float(text)
        parts = list(_DURATION_PART.finditer(text))
        if parts and sum(len(part[0]) for part in parts) == len(text):
            return math.fsum(float(part[1]) * _DURATION_SECONDS[part[2]] for part in parts)
    fitting = isinstance(text, (int, float)) and not isinstance(text, bool)
    raise ConfigurationError(
        f"{text!r:.80} is no duration: a text such as '90s', '1h30m' or '90'",
        where=where,
        hint=f'use "{text}s"' if fitting else None,
    )
