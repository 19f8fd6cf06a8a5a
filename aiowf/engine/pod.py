"""The line between the engine's controller, which decides what runs, and what runs it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from attrs import field, frozen

from aiowf.manifest import Container, ScriptTemplate, Volume


@frozen(kw_only=True)
class Pod:
    """One pod to run, with every `{{…}}` of Argo resolved.

    Attributes:
        name: Pod name (Argo's v2 format).
        namespace: Its namespace.
        workflow_name: Name of the workflow.
        workflow_uid: Its uid.
        node_id: Id of the node that the pod stands for.
        template_name: Name of the template.
        labels: Labels of the pod.
        annotations: Annotations of the pod.
        container: The container to run; a ScriptTemplate's `source` is run by its `command`.
        volumes: The volumes that its mounts may name; claim templates are claims by now.
        files: Path in the pod → content, from raw input artifacts.
        outputs: Name of an output parameter → path of the file that holds its value.
        capture_stdout: Whether somebody refers to the standard output.
    """

    name: str
    namespace: str
    workflow_name: str
    workflow_uid: str
    node_id: str
    template_name: str
    container: Container | ScriptTemplate
    labels: Mapping[str, str] = field(factory=dict)
    annotations: Mapping[str, str] = field(factory=dict)
    volumes: tuple[Volume, ...] = ()
    files: Mapping[str, bytes] = field(factory=dict)
    outputs: Mapping[str, str] = field(factory=dict)
    capture_stdout: bool = False

    @property
    def key(self) -> str:
        """Return what tells this pod from all others of the engine: "<namespace>/<name>"."""
        return f"{self.namespace}/{self.name}"


class ImagePullError(Exception):
    """An image that cannot be had; the text says why, as the message of a pending pod."""

    @classmethod
    def failed(cls, image: str, why: str) -> "ImagePullError":
        """Return what is said of an image that was asked for in vain."""
        return cls(f'ErrImagePull: failed to pull and unpack image "{image}": {why}')

    @classmethod
    def never(cls, image: str) -> "ImagePullError":
        """Return what is said of one that is not here, and is not to be pulled."""
        return cls(
            f'ErrImageNeverPull: Container image "{image}" is not present with pull policy of Never'
        )


@frozen(kw_only=True)
class PodResult:
    """How a pod ended.

    Attributes:
        exit_code: Exit code of the main container; 128 + n after signal n.
        message: What it wrote to the termination log, or why it did not start, or "".
        outputs: Name of an output parameter → its value. A file that is missing has no entry.
        stdout: What it wrote to the standard output, without the last newline, where asked for;
            the newest 256 KiB of it.
        reason: "Error" if the process ran and failed, "StartError" if it could not be started, as
            Kubernetes has it ("main: StartError (exit code 128): …"); "Completed" if all went well.
    """

    exit_code: int
    message: str = ""
    outputs: Mapping[str, str] = field(factory=dict)
    stdout: str | None = None
    reason: str = "Completed"


class Executor(Protocol):
    """Runs pods, not more than its limit at a time."""

    def check(self, container: Container | ScriptTemplate, where: str) -> str | None:
        """Refuse, at submission, what can never run here.

        Returns:
            What whoever submits it should know, or None.

        Raises:
            ConfigurationError: The field and what is missing.
        """
        ...

    def check_volume(self, volume: Volume, where: str) -> None:
        """Refuse, at submission, a volume of a kind that can never be mounted here.

        Raises:
            ConfigurationError: The field and what is wrong.
        """
        ...

    async def run(self, pod: Pod, started: Callable[[], None]) -> PodResult:
        """Run a pod to its end; call `started` when its process runs. Cancelling kills it.

        Raises:
            ImagePullError: It cannot start, now or ever.
        """
        ...

    def kill(self, pod_key: str, *, grace: float) -> None:
        """Ask a pod to end (SIGTERM), and make it end (SIGKILL) after `grace` seconds.

        Its `run` then returns as always (143 or 137). One that waits never starts: 143.
        """
        ...

    def read_log(self, pod_key: str) -> "PodLog | None":
        """Return the log of a pod, or None if there is none (any more)."""
        ...

    def forget(self, pod_key: str) -> None:
        """Delete what is left of a finished pod: its log."""
        ...


class LogLine(NamedTuple):
    """A line of a pod's output.

    Attributes:
        text: What was written, without the end of the line.
        time: When its first byte came, in nanoseconds since the epoch. It rises from line to line
            of a pod, and is the same for every reader.
    """

    text: bytes
    time: int


class PodLog(Protocol):
    """One reader's view of the output of a pod: standard output and error, as written.

    A pod may have several readers; each `read_log` makes one, which begins at the first line.
    """

    async def lines(self, *, follow: bool) -> list[LogLine]:
        """Return the lines that have come since the last call; with follow, wait for some.

        An empty list is the end: of what there is, or with `follow`, of the pod.
        """
        ...
