"""What tests of pods share."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from aiowf.engine.executor import ProcessExecutor
from aiowf.engine.pod import LogLine, Pod

MakePod = Callable[..., Pod]
MakeExecutor = Callable[..., AbstractAsyncContextManager[ProcessExecutor]]


def nothing() -> None:
    """Take notice that a pod has started, and do nothing."""


def texts(lines: list[LogLine]) -> list[bytes]:
    """Return what lines say."""
    return [line.text for line in lines]


async def read_log(executor: ProcessExecutor, pod: Pod) -> list[bytes]:
    """Return all lines of a pod's log so far."""
    log = executor.read_log(pod.key)
    assert log is not None
    lines: list[bytes] = []
    while some := await log.lines(follow=False):
        lines += texts(some)
    return lines
