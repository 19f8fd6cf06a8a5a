"""What tests of pods share."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from aiowf.engine.executor import ProcessExecutor
from aiowf.engine.pod import Pod

MakePod = Callable[..., Pod]
MakeExecutor = Callable[..., AbstractAsyncContextManager[ProcessExecutor]]


def nothing() -> None:
    """Take notice that a pod has started, and do nothing."""


async def read_log(executor: ProcessExecutor, pod: Pod) -> list[bytes]:
    """Return all lines of a pod's log so far."""
    log = executor.read_log(pod.key)
    assert log is not None
    lines: list[bytes] = []
    while some := await log.lines(follow=False):
        lines += some
    return lines
