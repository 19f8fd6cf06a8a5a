"""Operations that become workflows: their options, their checks, their manifests."""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import timedelta
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, Literal, Never, NoReturn, TypeVar, cast

from attrs import field, fields, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest import PodGC, TTLStrategy, Workflow, converter, dumps, unstructure
from aiowf.manifest.names import operation_name
from aiowf.manifest.rendering import Submission
from aiowf.manifest.showing import Shown
from aiowf.operations.checks import check_operation
from aiowf.operations.context import PodExecutionContext, as_contexts
from aiowf.operations.flow import NO_FLOW, Flow
from aiowf.operations.lifecycle import (
    DEFAULT_TTL,
    Default,
    OnExitNotify,
    as_notify,
    as_pod_gc,
    as_ttl,
)
from aiowf.operations.managed import ManagedOperation, SyncOperation, refuse_options
from aiowf.operations.options import (
    as_account,
    as_parallelism,
    as_priority,
    as_shared,
    as_size,
    as_spec_overrides,
)
from aiowf.operations.rendering import render
from aiowf.profile import Profile
from aiowf.tasks.containers import SendResultTask
from aiowf.tasks.frozen import EMPTY, FrozenMapping
from aiowf.tasks.options import as_annotations, as_deadline, as_labels
from aiowf.tasks.task import Task
from aiowf.tasks.volumes import Volume

if TYPE_CHECKING:
    from aiowf.client import Client, Result, Run

T = TypeVar("T")
OnCancel = Literal["stop", "terminate", "leave"]
Time = float | timedelta | None
_NO_PROFILE = Profile()


@frozen(slots=False)
class ContainerizedOperation(Shown, ManagedOperation):
    """An operation that runs as a workflow.

    Operations are values: nothing about a run is stored on them, so that one may be executed many
    times at once.

    Attributes:
        name: Begin of the workflows' names; a last "-" is added where there is none.
        pod_context: PodExecutionContext, one or several: which pods run near which.
        shared_directory: A directory that all tasks share: True ("/mnt/shared"),
            "[claim:]/path[:mode]", a Volume, or several; its path is in the variable
            `shared_directory`.
        shared_volume_size: Size in MiB of a shared directory that is made for the workflow.
        ttl_strategy: When the finished workflow is deleted: a mapping in Argo's names, a
            TTLStrategy, or None: never.
        pod_gc: When its pods are: a mapping, a strategy's name, a PodGC, or None: never.
        on_exit_notify: A notice that goes out at the end: {"queue": …, "payload": …, "image": …}.
        labels: Labels of the workflow.
        annotations: Annotations of the workflow.
        parallelism: Most pods of the workflow at once.
        active_deadline: Seconds (or a timedelta) after which the workflow is ended.
        priority: Order in which a controller at its limit takes workflows; higher is sooner.
        service_account: Service account of the pods, instead of the profile's.
        spec_overrides: What is merged into the workflow's spec, in Argo's own camelCase: a mapping,
            or a WorkflowSpec.

    Raises:
        ConfigurationError: One of these cannot be, or the tasks do not fit together; the message
            says which and why.
    """

    pod_context: tuple[PodExecutionContext, ...] = field(
        default=(), kw_only=True, converter=as_contexts
    )
    shared_directory: tuple[Volume, ...] = field(default=(), kw_only=True, converter=as_shared)
    shared_volume_size: int = field(default=10, kw_only=True, converter=as_size)
    ttl_strategy: TTLStrategy | None = field(default=DEFAULT_TTL, kw_only=True, converter=as_ttl)
    # It may hold mappings, which cannot be hashed.
    pod_gc: PodGC | Default | None = field(
        default=Default.DEFAULT, kw_only=True, converter=as_pod_gc, hash=False
    )
    on_exit_notify: OnExitNotify | None = field(default=None, kw_only=True, converter=as_notify)
    labels: FrozenMapping[str] = field(default=EMPTY, kw_only=True, converter=as_labels)
    annotations: FrozenMapping[str] = field(default=EMPTY, kw_only=True, converter=as_annotations)
    parallelism: int | None = field(default=None, kw_only=True, converter=as_parallelism)
    active_deadline: int | None = field(default=None, kw_only=True, converter=as_deadline)
    priority: int | None = field(default=None, kw_only=True, converter=as_priority)
    service_account: str | None = field(default=None, kw_only=True, converter=as_account)
    spec_overrides: FrozenMapping[Any] = field(
        default=EMPTY, kw_only=True, converter=as_spec_overrides
    )
    # How values flow between the tasks: computed from them, once.
    _flow: Flow = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        vars(self)["_flow"] = check_operation(self)

    @staticmethod
    def _prefix(name: str) -> str:
        """Return the name with its last "-", checked as the begin of a workflow's name."""
        return operation_name(name)

    @property
    @abstractmethod
    def groups(self) -> tuple[tuple[Task[Any], ...], ...]:
        """The tasks, in groups that run one after the other."""

    @property
    @abstractmethod
    def entrypoint(self) -> str:
        """Name of the template where the workflow begins."""

    @property
    def shared_template(self) -> str | None:
        """Name of the one template of all tasks; None: each has one of its name."""
        return None

    @property
    def is_sync(self) -> bool:
        """Whether `execute` waits for the end."""
        return isinstance(self, SyncOperation)

    @property
    def wants_files(self) -> bool:
        """Whether the files of the shared directory come back."""
        return any(isinstance(task, SendResultTask) for group in self.groups for task in group)

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """All volumes: the shared ones, and those of single tasks."""
        own = [task.volume_mounts for group in self.groups for task in group if task.volume_mounts]
        return (*self.shared_directory, *chain(*own)) if own else self.shared_directory

    @property
    def claims(self) -> tuple[str, ...]:
        """Names of the claims of which whoever submits has to find out whether they exist."""
        unknown = (volume.claim for volume in self.volumes if volume.ephemeral is None)
        return tuple(dict.fromkeys(claim for claim in unknown if claim))

    @property
    def decoders(self) -> Mapping[str, Callable[[str | bytes], Any]]:
        """Task name → what turns its return value's JSON into a value, in order of execution."""
        return {
            task.name: decoder
            for group in self.groups
            for task in group
            if (decoder := task.decoder) is not None
        }

    @property
    def shape(self) -> tuple[Hashable, tuple[Any, ...]] | None:
        """What decides how the workflow comes out, and the parts in which it may differ."""
        cls = self.__class__
        if self._flow is not NO_FLOW or cls.to_workflow is not ContainerizedOperation.to_workflow:
            return None
        if self.shared_template is not None or self.spec_overrides is not EMPTY:
            return None  # of overrides 1 and True are equal, and do not render alike
        said = vars(self)
        key: list[Hashable] = [cls, self.entrypoint, *[said[name] for name in _options(cls)]]
        parts: list[Any] = []
        for group in self.groups:
            for task in group:
                shape = task.shape
                if shape is None:
                    return None
                key.append(shape[0])
                parts += shape[1]
            key.append(None)  # the group ends
        return tuple(key), tuple(parts)

    def to_workflow(
        self, profile: Profile | None = None, *, submission: Submission | None = None
    ) -> Workflow:
        """Render the workflow.

        Args:
            profile: Where the tasks run; None: nothing is assumed.
            submission: What is known only at submission; None: claims are taken to exist, and the
                name is a prefix.

        Raises:
            ConfigurationError: The profile lacks an image, or overrides do not fit.
        """
        if profile is not None and not isinstance(profile, Profile):
            raise ConfigurationError(f"expected a Profile, not {profile!r:.60}", where="profile")
        return render(self, self._flow, profile or _NO_PROFILE, submission)

    def _refuse(self, unknown: Iterable[str]) -> NoReturn:
        known = frozenset(type(self).execute.__kwdefaults__ or ())
        refuse_options(f"{type(self).__name__}.execute", unknown, known)

    def to_dict(self, profile: Profile | None = None) -> dict[str, Any]:
        """Render the workflow as JSON data."""
        return cast(dict[str, Any], unstructure(self.to_workflow(profile)))

    def to_json(self, profile: Profile | None = None, *, indent: bool = False) -> str:
        """Render the workflow as JSON text."""
        return dumps(self.to_workflow(profile), indent=indent).decode()

    def to_yaml(self, profile: Profile | None = None) -> str:
        """Render the workflow as YAML text.

        Raises:
            ConfigurationError: PyYAML is not installed.
        """
        try:
            import yaml
        except ImportError:
            raise ConfigurationError(
                "YAML needs PyYAML, which is not installed",
                hint='pip install "aiowf[yaml]"; or take to_json(), which is YAML as well',
            ) from None
        import orjson

        # By way of JSON: tuples become lists, and no two places share an object (YAML's anchors).
        text: str = yaml.safe_dump(
            orjson.loads(self.to_json(profile)), sort_keys=False, allow_unicode=True
        )
        return text


@cache
def _options(cls: type) -> tuple[str, ...]:
    """Return the fields of an operation, but for its name and its tasks."""
    own = {"name", "task", "tasks", "_flow"}
    return tuple(each.name for each in fields(cls) if each.name not in own)


def _open_client(client: "Client | None") -> "Client | None":
    """Return the client that serves the caller; None: the default one, which may have to open."""
    if client is None:
        return _look_up()()
    if not hasattr(client, "execute"):
        raise ConfigurationError(
            f"expected a Client, not {client!r:.80}",
            where="client",
            hint="async with aiowf.connect(…) as client: …",
        )
    return client


@cache
def _look_up() -> "Callable[[], Client | None]":
    # Ten thousand operations may begin at once: an import in each is half the time that they take.
    from aiowf.client.current import open_client

    return open_client


async def _default_client() -> "Client":
    from aiowf.client.current import current_client

    return await current_client()


class AsyncOperation(ContainerizedOperation, Generic[T]):
    """An operation whose `execute` submits it and gives a Run at once."""

    async def execute(
        self,
        *,
        client: "Client | None" = None,
        id: str | None = None,
        timeout: Time = None,
        pending_timeout: Time = None,
        on_cancel: OnCancel = "stop",
        check: bool = True,
        **unknown: Never,
    ) -> "Run[T]":
        """Submit the operation.

        Args:
            client: The client to use; None: the current one.
            id: Makes the execution durable: the same id attaches to the same workflow, also from
                another process.
            timeout: Seconds (or a timedelta) for the submission.
            pending_timeout: Seconds for which a pod may be pending, for whatever reason.
            on_cancel: What becomes of the workflow if this call is cancelled while it submits.
            check: Whether waiting for a run that did not succeed raises.

        Raises:
            ConfigurationError: The operation cannot run here; nothing was sent.
            OperationTimeoutError: It could not be submitted in time.
            ArgoError: The server refused it.
        """
        if unknown:
            self._refuse(unknown)
        client = _open_client(client) or await _default_client()
        run: Run[T] = await client.execute(
            self,
            id=id,
            timeout=timeout,
            pending_timeout=pending_timeout,
            on_cancel=on_cancel,
            check=check,
        )
        return run


class WaitingOperation(ContainerizedOperation, SyncOperation, Generic[T]):
    """An operation whose `execute` waits for the end."""

    async def execute(
        self,
        *,
        client: "Client | None" = None,
        id: str | None = None,
        timeout: Time = None,
        pending_timeout: Time = None,
        on_cancel: OnCancel = "stop",
        check: bool = True,
        **unknown: Never,
    ) -> "Result[T]":
        """Run the operation to its end.

        Args:
            client: The client to use; None: the current one.
            id: Makes the execution durable: the same id attaches to the same workflow, also from
                another process.
            timeout: Seconds (or a timedelta) for the whole.
            pending_timeout: Seconds for which a pod may be pending, for whatever reason; None: only
                image and configuration errors end the wait, after 120 s.
            on_cancel: What becomes of the workflow on timeout or cancellation: "stop" (exit
                handlers run), "terminate" or "leave".
            check: Whether a workflow that did not succeed raises.

        Raises:
            ConfigurationError: The operation cannot run here; nothing was sent.
            OperationFailedError: It did not succeed, and `check` is set.
            OperationTimeoutError: It did not end in time.
            OperationStuckError: A pod of it can never start.
            ArgoError: The server refused it.
        """
        if unknown:
            self._refuse(unknown)
        client = _open_client(client) or await _default_client()
        result: Result[T] = await client.execute(
            self,
            id=id,
            timeout=timeout,
            pending_timeout=pending_timeout,
            on_cancel=on_cancel,
            check=check,
        )
        return result


converter.register_unstructure_hook_func(
    lambda cls: isinstance(cls, type) and issubclass(cls, ContainerizedOperation),
    lambda op: converter.unstructure(op.to_workflow()),
)
