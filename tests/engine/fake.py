"""A simple executor for tests: pods are bare subprocesses, or what a test says."""

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from aiowf.engine.pod import Pod, PodResult
from aiowf.manifest import Container, ScriptTemplate, Volume


class FakeLog:
    """The lines of a pod, once it has ended."""

    def __init__(self, lines: list[bytes], ended: asyncio.Event) -> None:
        self._lines, self._ended, self._read = lines, ended, 0

    async def lines(self, *, follow: bool) -> list[bytes]:
        """Return what is new."""
        if follow:
            await self._ended.wait()
        new = self._lines[self._read :]
        self._read += len(new)
        return new


class SubprocessExecutor:
    """Runs pods as subprocesses in temporary directories; a path in a command is not mapped."""

    def __init__(self) -> None:
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self.killed: set[str] = set()
        self.logs: dict[str, tuple[list[bytes], asyncio.Event]] = {}
        self.pods: dict[str, Pod] = {}
        self.forgotten: list[str] = []

    def check(self, container: Container | ScriptTemplate, where: str) -> None:
        """Accept everything."""

    def check_volume(self, volume: Volume, where: str) -> None:
        """Accept everything."""

    async def run(self, pod: Pod, started: Callable[[], None]) -> PodResult:
        """Run a pod."""
        self.pods[pod.key] = pod
        lines: list[bytes] = []
        ended = asyncio.Event()
        self.logs[pod.key] = (lines, ended)
        try:
            return await self._run(pod, started, lines)
        finally:
            ended.set()

    async def _run(self, pod: Pod, started: Callable[[], None], lines: list[bytes]) -> PodResult:
        if pod.key in self.killed:
            return PodResult(exit_code=143)
        with tempfile.TemporaryDirectory() as directory:
            command = [*(pod.container.command or ()), *(pod.container.args or ())]
            command = [part.replace("/tmp/", f"{directory}/") for part in command]
            if isinstance(pod.container, ScriptTemplate):
                source = Path(directory, "source")
                source.write_text(pod.container.source or "")
                command.append(str(source))
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                )
            except FileNotFoundError:
                started()
                text = f'exec: "{command[0]}": executable file not found in $PATH'
                return PodResult(
                    exit_code=64, message=f"failed to find name in PATH: {text}", reason="Error"
                )
            self.processes[pod.key] = process
            started()
            try:
                output, _ = await process.communicate()
            except asyncio.CancelledError:
                os.killpg(process.pid, 9)
                await process.wait()
                raise
            lines.extend(output.splitlines(keepends=True))
            code = process.returncode or 0
            return PodResult(
                exit_code=code if code >= 0 else 128 - code,
                outputs={
                    name: path.read_text()
                    for name, at in pod.outputs.items()
                    if (path := Path(at.replace("/tmp/", f"{directory}/"))).exists()
                },
                stdout=output.decode().removesuffix("\n") if pod.capture_stdout else None,
                reason="Error" if code else "Completed",
            )

    def kill(self, pod_key: str, *, grace: float) -> None:
        """Kill a pod."""
        self.killed.add(pod_key)
        process = self.processes.get(pod_key)
        if process is not None and process.returncode is None:
            os.killpg(process.pid, 15)

    def read_log(self, pod_key: str) -> FakeLog | None:
        """Return a reader of a pod's log."""
        return FakeLog(*self.logs[pod_key]) if pod_key in self.logs else None

    def forget(self, pod_key: str) -> None:
        """Forget a pod."""
        self.logs.pop(pod_key, None)
        self.forgotten.append(pod_key)
