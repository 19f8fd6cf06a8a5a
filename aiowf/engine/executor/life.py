"""The life of one pod, from the queue to its result."""

import asyncio
import signal
from collections.abc import Callable
from functools import partial

from attrs import define, evolve, field

from aiowf.engine.executor.child import Child, spawn
from aiowf.engine.executor.command import NOT_FOUND, CommandNotFoundError
from aiowf.engine.executor.contained import prepare_container
from aiowf.engine.executor.containers import last_line
from aiowf.engine.executor.files import (
    OutputTooLargeError,
    read_message,
    read_outputs,
)
from aiowf.engine.executor.log import KEPT_IN_MEMORY, OutputLog
from aiowf.engine.executor.preparation import Prepared, Setting, prepare
from aiowf.engine.executor.rooms import TERMINATION
from aiowf.engine.executor.volumes import VolumeError
from aiowf.engine.pod import Pod, PodResult

# Argo keeps the newest 256 kB of a container's standard output as its result.
_STDOUT_BYTES = 256 * 1024
# Kubernetes: what a message holds of the log, with FallbackToLogsOnError.
_LAST_BYTES = 2048
_LAST_LINES = 80
_START_ERROR = 128
_SAVE_ERROR = 64
# What a pod that was killed while it waited ends with: 128 + SIGTERM.
NEVER_STARTED = PodResult(exit_code=143, reason="Error")


@define(eq=False)
class Life:
    """One pod: it waits for its turn, lives as a process, and is buried.

    Attributes:
        pod: The pod.
        setting: What it has in common with others.
        cookie: What the environment of its processes tells them by.
        log: What it writes.
        turn: While it waits for its turn: True when the turn has come, False when it was killed.
        room: Its own directory, from the start until it is given back or deleted.
    """

    pod: Pod
    setting: Setting
    cookie: str
    log: OutputLog
    turn: "asyncio.Future[bool] | None" = field(default=None, init=False)
    room: str | None = field(default=None, init=False)
    # What it was started with; None before.
    _prepared: Prepared | None = field(default=None, init=False)
    # While its image is pulled.
    _pulling: "asyncio.Task[None] | None" = field(default=None, init=False)
    # Why podman or docker could not run what it was to run, "" if the log says so; None: they have.
    # Known in the end.
    _unstarted: str | None = field(default=None, init=False)
    # While its image is built; cancelled when somebody wants the pod's end.
    _build: "asyncio.Future[bytes] | None" = field(default=None, init=False)
    # The process, as long as it runs.
    _child: Child | None = field(default=None, init=False)
    # The shortest grace that was given by those who wanted its end; None: nobody did.
    _grace: float | None = field(default=None, init=False)
    # Runs while the process has its grace.
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)
    # The newest part of its standard output, where asked for.
    _stdout: bytearray = field(factory=bytearray, init=False)
    # While the log is written to a file; the pipes are not read meanwhile.
    _storing: "asyncio.Task[None] | None" = field(default=None, init=False)

    @property
    def pid(self) -> int | None:
        """Return the id of its process, while it runs."""
        return self._child.popen.pid if self._child else None

    @property
    def is_doomed(self) -> bool:
        """Return whether somebody wanted its end."""
        return self._grace is not None

    def kill(self, *, grace: float) -> None:
        """Have the pod end: at once if it waits for its turn, else within `grace` seconds."""
        if self._grace is not None and self._grace <= grace:
            return
        self._grace = grace
        if self._pulling:
            self._pulling.cancel()
        if self.turn and not self.turn.done():
            self.turn.set_result(False)
        if self._build:
            self._build.cancel()
        if self._child:
            self._end(self._child, grace)

    async def pull(self) -> None:
        """Have the image of a container, unless somebody wants the end of the pod meanwhile.

        Raises:
            ImagePullError: It cannot be had.
        """
        containers, container = self.setting.containers, self.pod.container
        pulls = self.setting.pulls
        if containers and pulls and containers.pulls(container, self.setting.images):
            self._pulling = asyncio.ensure_future(pulls.have(container))
            await asyncio.wait([self._pulling])
            pulled, self._pulling = self._pulling, None
            if not pulled.cancelled():
                pulled.result()

    async def live(self, started: Callable[[], None]) -> PodResult | int:
        """Start the process, and wait for its end.

        Returns:
            Its exit code, or the result if it could not be started.
        """
        if (unbuilt := await self._build_image()) is not None:
            return unbuilt
        try:
            child: Child = await self.setting.offload(self._start)
        except CommandNotFoundError as error:
            return _not_found(str(error))
        except OSError as error:
            return _start_error(error.strerror or str(error))
        except (VolumeError, ValueError) as error:  # ValueError: a NUL in a text.
            return _start_error(str(error))
        self._child = child
        try:
            child.watch()
            started()
            if self._grace is not None:
                self._end(child, self._grace)
            await child.exited
        finally:
            if self._timer:
                self._timer.cancel()
            code = child.finish()
            self._child = None
        return code

    async def bury(self, end: PodResult | int) -> PodResult:
        """Return the result, after the process has ended; the log is complete."""
        if self._storing:
            await self._storing
        await self.log.store(self.setting.offload, keep=KEPT_IN_MEMORY)
        self.log.close()
        result: PodResult = await self.setting.offload(partial(self._collect, end))
        policy = self.pod.container.termination_message_policy
        if self._unstarted:
            return _not_found(self._unstarted)
        if self._unstarted == "":
            return _start_error(last_line(await self._last_words()))
        if result.exit_code and not result.message and policy == "FallbackToLogsOnError":
            return evolve(result, message=await self._last_words())
        return result

    async def _last_words(self) -> str:
        """Return the end of the log, as kubelet takes it for a message."""
        words, offset = b"", max(self.log.start, self.log.end - _LAST_BYTES)
        while more := await self.log.read(offset, self.setting.offload):
            words, offset = words + more, offset + len(more)
        return "\n".join(words.decode(errors="replace").splitlines()[-_LAST_LINES:])

    async def _build_image(self) -> PodResult | None:
        """Have the pod's image built, if it is built here; return why it cannot run."""
        builds = self.setting.builds
        if not builds or not self._is_contained:
            return None
        self._build = builds.build(str(self.pod.container.image))
        if self._build is None:
            return None
        if not self.is_doomed:
            await asyncio.wait((self._build,))
        build, self._build = self._build, None
        if self.is_doomed:
            build.cancel()
            return NEVER_STARTED
        if said := build.result():
            self.log.append(said)
            return _start_error(last_line(said.decode(errors="replace")))
        return None

    @property
    def _is_contained(self) -> bool:
        containers, container = self.setting.containers, self.pod.container
        return containers is not None and containers.takes(container, self.setting.images)

    def _start(self) -> Child:
        self.room = self.setting.rooms.take()
        prepared = self._prepared = self._prepare(self.room)
        return spawn(
            prepared.arguments,
            prepared.program,
            prepared.environment,
            prepared.directory,
            self._on_output,
            self._on_stdout if self.pod.capture_stdout else None,
        )

    def _prepare(self, room: str) -> Prepared:
        containers = self.setting.containers
        if containers and self._is_contained:
            return prepare_container(self.pod, self.setting, containers, room, self.cookie)
        return prepare(self.pod, self.setting, room, self.cookie)

    def _end(self, child: Child, grace: float) -> None:
        if self._timer:
            self._timer.cancel()
        if grace > 0:
            child.signal_group(signal.SIGTERM)
            later = asyncio.get_running_loop().call_later
            self._timer = later(grace, child.signal_group, signal.SIGKILL)
        else:
            child.signal_group(signal.SIGKILL)

    def _on_output(self, data: bytes) -> None:
        self.log.append(data)
        if self.log.is_full and self._child and not self._storing:
            self._child.pause()
            self._storing = asyncio.ensure_future(self._store())

    async def _store(self) -> None:
        await self.log.store(self.setting.offload)
        self._storing = None
        if self._child:
            self._child.resume()

    def _on_stdout(self, data: bytes) -> None:
        self._stdout += data
        if len(self._stdout) > 2 * _STDOUT_BYTES:
            del self._stdout[:-_STDOUT_BYTES]

    def _collect(self, end: PodResult | int) -> PodResult:
        """Read what the pod has left, and give its directory back. In a thread."""
        if self._prepared and self._prepared.afterwards and isinstance(end, int):
            self._unstarted = self._prepared.afterwards(end)
        result = end if isinstance(end, PodResult) else self._result(end)
        if self.room and self.setting.rooms.give_back(self.room):
            self.room = None
        # The log may be wanted for a long time yet, the rest is not.
        self._prepared = None
        self._stdout = bytearray()
        return result

    def _result(self, code: int) -> PodResult:
        assert self._prepared is not None
        message = read_message(f"{self.room}/{TERMINATION}")
        try:
            outputs = read_outputs(self._prepared.view, self.pod.outputs)
        except OutputTooLargeError as error:
            code, message, outputs = code or _SAVE_ERROR, message or str(error), {}
        stdout = None
        if self.pod.capture_stdout:
            stdout = self._stdout[-_STDOUT_BYTES:].decode(errors="replace").removesuffix("\n")
        return PodResult(
            exit_code=code,
            message=message,
            outputs=outputs,
            stdout=stdout,
            reason=_reason(code),
        )


def _not_found(message: str) -> PodResult:
    return PodResult(exit_code=NOT_FOUND, message=message, reason="Error")


def _start_error(message: str) -> PodResult:
    return PodResult(exit_code=_START_ERROR, message=message, reason="StartError")


def _reason(code: int) -> str:
    return {0: "Completed", _START_ERROR: "StartError"}.get(code, "Error")
