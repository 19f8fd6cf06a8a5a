"""aiokafka's log, at a rate that can be read, and what it says while a connection comes about.

During an outage aiokafka logs dozens of lines a second; and when it cannot start, only its log says
why.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from attrs import define, field

_LOGGERS = (
    "aiokafka",
    *(f"aiokafka.{name}" for name in ("conn", "cluster", "admin.client")),
    *(f"aiokafka.consumer.{name}" for name in ("consumer", "fetcher", "group_coordinator")),
    *(f"aiokafka.producer.{name}" for name in ("producer", "sender")),
)
# A message of one kind is let through once in so many seconds.
INTERVAL = 30.0


@define
class Heard:
    """What aiokafka said; it listens until it is closed."""

    lines: list[str] = field(factory=list)
    is_open: bool = True


_listener: ContextVar[Heard | None] = ContextVar("aiowf_kafka_listener", default=None)


class _Valve(logging.Filter):
    """Lets a message of each kind through now and then, and says how many it kept back."""

    def __init__(self) -> None:
        super().__init__()
        # (Logger, text before its arguments) → when it was let through, how many were not since.
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        heard = _listener.get()
        if heard is not None and heard.is_open and record.levelno >= logging.WARNING:
            heard.lines.append(record.getMessage())
            return False
        kind = (record.name, str(record.msg))
        now = time.monotonic()
        at, kept_back = self._seen.get(kind, (-INTERVAL, 0))
        if now - at < INTERVAL:
            self._seen[kind] = (at, kept_back + 1)
            return False
        self._seen[kind] = (now, 0)
        if kept_back:
            record.msg = f"{record.msg} [and {kept_back} more of the kind]"
        return True


_valve = _Valve()
# How many channels are open in this process: the valve is in place while there are any.
_users = 0


def quieten() -> None:
    """Put the valve into aiokafka's log; `release` takes it out."""
    global _users
    _users += 1
    if _users == 1:
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_valve)


def release() -> None:
    """Take the valve out when nobody else needs it."""
    global _users
    _users -= 1
    if _users == 0:
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(_valve)


@contextmanager
def listening() -> Iterator[Heard]:
    """Collect the warnings and errors of aiokafka in this context, instead of logging them."""
    heard = Heard()
    token = _listener.set(heard)
    try:
        yield heard
    finally:
        heard.is_open = False
        _listener.reset(token)
