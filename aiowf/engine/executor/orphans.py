"""What the processes of a pod leave behind: children that took their leave of it."""

import asyncio
import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress

from attrs import define, field

from aiowf.engine.processes import children_of_main_thread, environment_of, set_subreaper

POD_COOKIE = "AIOWF_POD"
# How long an orphan that has ended may stay a zombie.
_REAP_SECONDS = 0.2


@define(eq=False)
class Orphans:
    """The processes that became our children because their parents ended.

    Only where this process is a sub-reaper (Linux) do orphans come to it; elsewhere there are none
    that it could know of.

    Attributes:
        own: Returns the processes that we started and wait for ourselves; None while one is being
            started, when nobody can tell.
    """

    own: Callable[[], Collection[int] | None]
    _active: bool = field(default=False, init=False)
    # Runs from the first end of a child until orphans are reaped.
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    def adopt(self) -> None:
        """Become the parent of orphans, and reap them as they end. In the main thread only."""
        self._active = set_subreaper()
        if self._active:
            asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap_soon)

    def release(self) -> None:
        """Leave what comes to whoever else is interested."""
        if self._active:
            self._active = False
            set_subreaper(False)
            if self._timer:
                self._timer.cancel()
            asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)

    def reap(self) -> None:
        """Reap those that have ended; the next time if that cannot be told now."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        for pid in self._pids() if self.own() is not None else ():
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    async def kill(self, cookie: str) -> None:
        """Kill those that carry a pod's cookie in their environment, and their children."""
        mark = f"{POD_COOKIE}={cookie}".encode()
        spared: set[int] = set()
        while found := [
            pid for pid in self._pids() if pid not in spared and mark in environment_of(pid)
        ]:
            spared |= {pid for pid in found if not await _kill(pid)}
            self.reap()

    def _reap_soon(self) -> None:
        # Most children are pods, which are reaped as they end.
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_REAP_SECONDS, self.reap)

    def _pids(self) -> list[int]:
        if not self._active:
            return []
        own = self.own() or ()
        return [pid for pid in children_of_main_thread() if pid not in own]


async def _kill(pid: int) -> bool:
    """Kill a child and wait for its end; return False if we may not. It is reaped elsewhere."""
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    with suppress(ChildProcessError):
        await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return True
