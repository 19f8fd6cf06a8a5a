"""The client: it owns every session, every background task and, on a laptop, the engine."""

import asyncio
from collections.abc import Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from contextvars import Token
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Never, NoReturn, Self, TypeVar

from attrs import evolve

from aiowf.client import current
from aiowf.client.errands import Errands
from aiowf.client.execution import execute
from aiowf.client.listing import Listing
from aiowf.client.pace import Pace
from aiowf.client.planning import (
    Parcel,
    name_of_operation,
    plan_operation,
    plan_workflow,
)
from aiowf.client.run import Run
from aiowf.client.settings import ClientSettings, read_settings, without_password
from aiowf.client.submission import Sent, send
from aiowf.client.turns import Turns
from aiowf.errors import ConfigurationError, RateLimitedError
from aiowf.manifest import Workflow, unstructure
from aiowf.manifest.names import nearest
from aiowf.manifest.rendering import Renderable

if TYPE_CHECKING:
    from pathlib import Path

    from aiowf.argo import ArgoSession
    from aiowf.client.backend import Backend
    from aiowf.client.notices import Notices
    from aiowf.client.stalls import Stalls
    from aiowf.client.watching import Watching
    from aiowf.profile import Profile

R = TypeVar("R")

# The life of a client, from one to the next; it closes from each of them, and stays closed. While
# it is closing, what it owns may still talk to the server.
_NEW, _OPENING, _OPEN, _CLOSING, _CLOSED = "new", "opening", "open", "closing", "closed"


def connect(
    server: str | None = None,
    *,
    namespace: str | None = None,
    token: Any = None,
    kafka: Any = None,
    profile: "Profile | str | Path | Mapping[str, Any] | None" = None,
    max_active: int | None = None,
    completion: str = "both",
    ui: str | None = None,
    images: Mapping[str, Any] | None = None,
    max_pods: int | None = None,
    claims: "str | Path | None" = None,
    containers: bool | str | Sequence[str] | None = None,
    build: "str | Path | None" = None,
    **unknown: Never,
) -> "Client":
    """Make a client; `async with` opens and closes it. No I/O happens here.

    Args:
        server: "host:port" or an URL of an Argo Server; "local": the embedded engine;
            "cloudharness": what allvalues.yaml names. None: ARGO_SERVER, and where it is not set
            the embedded engine.
        namespace: Namespace of the workflows; None: ARGO_NAMESPACE, else the server's.
        token: "Bearer …" or "Basic …", or a callable that gives it; None: ARGO_TOKEN.
        kafka: KafkaSettings of the reply channel, "host:port" or a mapping; None: KAFKA_*; False:
            no Kafka.
        profile: Where tasks run; a path or a mapping is an allvalues.yaml. None: AIOWF_PROFILE.
        max_active: Most workflows of this client in flight at once; None: no bound.
        completion: What ends the wait for a sync operation: "both", "watch" or "notice".
        ui: Base address of Argo's user interface, for `run.ui_url`; None: AIOWF_UI_URL.
        images: For the embedded engine: image → the command (argv) that stands in for it.
        max_pods: For the embedded engine: most pods at once; None: the number of processors.
        claims: For the embedded engine: the directory of its persistent volume claims, which are
            the directories `<namespace>/<claim>` in it; None: it begins without any.
        containers: For the embedded engine: True, "podman", "docker" or a command with options:
            every pod is a container; False: none is; None: those are whose image has no command
            that could run here, if podman or docker is installed.
        build: For the embedded engine: the directory of applications whose images are built when
            they are first needed: `applications/myapp/tasks/mytask/Dockerfile` is `myapp-mytask`.

    Raises:
        ConfigurationError: A value is wrong, an option unknown, or this is a Kubernetes pod and
            nothing names a server.
    """
    for name in unknown:
        raise ConfigurationError(
            "connect has no such option",
            where=name,
            hint=nearest(name, connect.__kwdefaults__ or ()),
        )
    settings = read_settings(
        server,
        namespace=namespace,
        token=token,
        kafka=kafka,
        profile=profile,
        max_active=max_active,
        completion=completion,
        ui=ui,
        images=images or {},
        max_pods=max_pods,
        claims=claims,
        containers=containers,
        build=build,
    )
    return Client(settings)


class Client:
    """Submits operations and workflows, and follows them to their end.

    Opened by `async with`. Several operations may run at once, from any task of the same event
    loop.

    Attributes:
        settings: What it was told.
        errands: What it does in the background.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self._state = _NEW
        # What must be closed, in reverse order; filled by open, emptied by aclose.
        self._stack = AsyncExitStack()
        # Set exactly while the client is open.
        self._backend: Backend | None = None
        # The loop that it was opened on, and lives on.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watching: Watching | None = None
        self._stalls: Stalls | None = None
        self._notices: Notices | None = None
        self._token: Token[Any] | None = None
        self.errands = Errands()
        # Entered around everything that submits.
        self.turns = Turns(settings.max_active)
        self._pace = Pace()

    def __repr__(self) -> str:
        namespace = self.settings.namespace or (self._backend and self._backend.namespace)
        place = without_password(self.settings.server)
        said = f"{place} namespace={namespace}" if namespace else place
        return f"<Client {said} [{self._state}]>"

    def __enter__(self) -> NoReturn:
        raise ConfigurationError(
            "a client is opened by `async with`, not by `with`",
            hint="In a coroutine: async with aiowf.connect() as client: …\n"
            "asyncio.run(main()) runs one.",
        )

    def __exit__(self, *_: object) -> None: ...

    async def __aenter__(self) -> Self:
        await self.open()
        self._token = current.entered(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        current.left(self, self._token)
        await self.aclose()

    async def open(self) -> None:
        """Open the client; `async with` does it.

        Raises:
            EngineError: The embedded engine does not start.
            ConfigurationError: It is open or closed already.
        """
        if self._state != _NEW:
            raise ConfigurationError(
                f"this client is {self._state}", hint="Make a new one: aiowf.connect(…)."
            )
        from aiowf.client.backend import open_backend
        from aiowf.client.heartbeat import Heartbeat
        from aiowf.client.notices import Notices
        from aiowf.client.stalls import Stalls
        from aiowf.client.watching import Watching

        self._state = _OPENING
        self._loop = asyncio.get_running_loop()
        try:
            async with AsyncExitStack() as stack:
                self._backend = await open_backend(self.settings, stack)
                self._watching = await stack.enter_async_context(Watching(self._backend))
                self._stalls = await stack.enter_async_context(Stalls(self._backend))
                self._notices = Notices(self._backend)
                await stack.enter_async_context(Heartbeat())
                self._stack = stack.pop_all()
        except BaseException:
            self._state = _CLOSED
            raise
        self._state = _OPEN

    async def aclose(self) -> None:
        """Close the client: whoever still waits gets an error that says so."""
        if self._state in (_CLOSING, _CLOSED):
            return
        self._state = _CLOSING
        if self._backend is not None:
            self._backend.closing.set()
        try:
            await self.errands.aclose()
        finally:
            self._state = _CLOSED
            await self._stack.aclose()
            self._backend = None

    @property
    def backend(self) -> "Backend":
        """Return what stands behind the client.

        Raises:
            ConfigurationError: The client is not open, or open on another event loop.
        """
        if self._backend is None or self._state not in (_OPEN, _CLOSING):
            raise ConfigurationError(
                f"this client is {self._state}, not open",
                hint="async with aiowf.connect() as client: …",
            )
        if asyncio._get_running_loop() not in (self._loop, None):
            raise ConfigurationError(
                "this client belongs to another event loop",
                hint="Open one on this loop, or from another thread: "
                "asyncio.run_coroutine_threadsafe(op.execute(client=client), loop).",
            )
        return self._backend

    @property
    def watching(self) -> "Watching":
        """Return what follows the workflows of this client."""
        assert self._watching is not None
        return self._watching

    @property
    def stalls(self) -> "Stalls":
        """Return what looks at runs that show no progress."""
        assert self._stalls is not None
        return self._stalls

    @property
    def argo(self) -> "ArgoSession":
        """Return the session with the server, for everything that has no method here."""
        return self.backend.argo

    @property
    def notices(self) -> "Notices":
        """Return the queues: `publish` and `subscribe`."""
        assert self._notices is not None
        return self._notices

    def execute(
        self,
        op: Renderable,
        *,
        id: str | None = None,
        timeout: float | timedelta | None = None,
        pending_timeout: float | timedelta | None = None,
        on_cancel: str = "stop",
        check: bool = True,
    ) -> Coroutine[Any, Any, Any]:
        """Run an operation: a sync one to its end, an async one until it is submitted.

        Args:
            op: The operation.
            id: Makes the execution durable: the same id attaches to the same workflow.
            timeout: Seconds for the whole of a sync operation, or for the submission of an async
                one.
            pending_timeout: Seconds for which a pod may be pending for whatever reason; None: only
                image and configuration errors end the wait, after 120 s.
            on_cancel: What becomes of the workflow of a sync operation on timeout or cancellation:
                "stop" (exit handlers run), "terminate" or "leave".
            check: Whether a sync operation that did not succeed raises.

        Returns:
            A Result for a sync operation, a Run for an async one.

        Raises:
            ConfigurationError: The operation cannot run here; nothing was sent.
            OperationFailedError: It did not succeed, and `check` is set.
            OperationTimeoutError: It did not end in time.
            OperationStuckError: A pod of it can never start.
            ArgoError: The server refused.
        """
        # It is no coroutine function itself: while ten thousand wait, each frame counts.
        return execute(
            self,
            op,
            id=id,
            timeout=timeout,
            pending_timeout=pending_timeout,
            on_cancel=on_cancel,
            check=check,
        )

    async def submit(
        self, what: Renderable | Workflow | Mapping[str, Any], *, id: str | None = None
    ) -> Run[Any]:
        """Submit an operation, or a workflow as a value or as data; it is checked first.

        Args:
            what: The operation or the workflow.
            id: Makes it durable, as for `execute`; a workflow then has a generateName.

        Raises:
            ConfigurationError: Argo would refuse it, or drop a part of it; nothing was sent.
            ArgoError: The server refused it.
        """
        if not isinstance(what, (Workflow, Mapping)):
            async with self.turns:
                run = self.run_of(name_of_operation(what, id), id=id)
                return await self.send_operation(what, run, id=id)
        return await self._send_parcel(plan_workflow(what, self.backend, id=id), id)

    async def submit_from(
        self,
        template: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        kind: str = "WorkflowTemplate",
        id: str | None = None,
        name: str | None = None,
        entrypoint: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        priority: int | None = None,
        service_account: str | None = None,
    ) -> Run[Any]:
        """Submit a workflow of a stored template; its parameters are checked first.

        Args:
            template: Name of the template.
            parameters: Values of its parameters; what is no text becomes JSON.
            kind: "WorkflowTemplate", "ClusterWorkflowTemplate" or "CronWorkflow".
            id: Makes it durable, as for `execute`.
            name: Full name of the workflow; None: the template's name, and a suffix.
            entrypoint: The template to begin with; None: as stored.
            labels: Labels of the workflow.
            annotations: Annotations of the workflow.
            priority: Its priority.
            service_account: Its service account.

        Raises:
            ConfigurationError: A parameter is unknown, or missing, or not among its enum; nothing
                was created.
            NotFoundError: There is no such template.
            ArgoError: The server refused it.
        """
        from aiowf.client.templates import plan_submission

        parcel = await plan_submission(
            self.backend,
            template,
            parameters or {},
            kind=kind,
            id=id,
            name=name,
            entrypoint=entrypoint,
            labels=labels,
            annotations=annotations,
            priority=priority,
            service_account=service_account,
        )
        return await self._send_parcel(parcel, id)

    async def lint(self, what: Renderable | Workflow | Mapping[str, Any]) -> Workflow:
        """Let the server check an operation or a workflow; nothing is created.

        Returns:
            The workflow as the server understands it.

        Raises:
            ConfigurationError: It is wrong already as seen from here.
            InvalidWorkflowError: The server finds it wrong; `where` says the place.
        """
        if isinstance(what, (Workflow, Mapping)):
            parcel = plan_workflow(what, self.backend)
        else:
            parcel = await plan_operation(what, name_of_operation(what), self.backend)
        return await self.argo.workflows.lint(parcel.body, namespace=self.backend.namespace)

    def run_of(self, name: str, **defaults: Any) -> Run[Any]:
        """Return the Run of a workflow that is about to be sent."""
        return Run(self, name, self.backend.namespace, **defaults)

    async def send_operation(
        self, op: Renderable, run: Run[Any], *, id: str | None = None, timeout: float | None = None
    ) -> Run[Any]:
        """Render an operation and send it, once, within the caller's turn (`turns`)."""
        parcel = await plan_operation(op, run.name, self.backend, id=id, timeout=timeout)
        return await self._send(parcel, run)

    async def _send_parcel(self, parcel: Parcel, id: str | None) -> Run[Any]:
        async with self.turns:
            return await self._send(parcel, self.run_of(parcel.plan.name, id=id))

    async def _send(self, parcel: Parcel, run: Run[Any]) -> Run[Any]:
        run._plan = parcel.plan
        subscription = self.watching.expect(run)
        run._posted = True
        try:
            sent = await send(parcel, self.backend, run.namespace, self._pace, run._heard)
            run._bind(sent, subscription)
        except BaseException:
            subscription.close()
            self.watching.unexpect(run)
            raise
        if self.turns.is_bounded:
            self.watching.when_ended(run, self.turns.ended)
        return run

    async def resubmit(
        self, run: Run[Any], *, memoized: bool, parameters: tuple[str, ...] | None
    ) -> Run[Any]:
        """Create a workflow like that of a run; see `Run.resubmit`."""
        sent_at = await self._pace.turn()
        try:
            made = await self.argo.workflows.resubmit(
                run.name, namespace=run.namespace, memoized=memoized or None, parameters=parameters
            )
        except RateLimitedError as error:
            self._pace.refused(sent_at, error.retry_after)
            raise
        self._pace.accepted()
        name = str(made.metadata.name if made.metadata else "")
        plan = None if run._plan is None else evolve(run._plan, name=name)
        again: Run[Any] = Run(
            self,
            name,
            run.namespace,
            plan=plan,
            check=run._check,
            pending_timeout=run._pending_timeout,
        )
        again._bind(Sent(unstructure(made), False), self.watching.expect(again))
        return again

    def get_run(self, name: str, *, namespace: str | None = None) -> Run[Any]:
        """Return a Run for a workflow by its name, without asking the server."""
        if not isinstance(name, str) or not name:
            raise ConfigurationError(
                f"expected the name of a workflow, not {name!r:.60}", where="name"
            )
        return Run(self, name, namespace or self.backend.namespace)

    def list(
        self,
        *,
        phase: str | Collection[str] | None = None,
        labels: Mapping[str, str | None] | None = None,
        created_after: datetime | timedelta | None = None,
        limit: int | None = None,
        namespace: str | None = None,
    ) -> Listing:
        """List workflows as Runs: `await` it for a list, or `async for` over it.

        Args:
            phase: Only those of this phase, such as "Running", or of one of these.
            labels: Only those with these labels; None as value: with the label, whatever it says.
            created_after: Only those created since this time (with a time zone), or since so long
                ago.
            limit: At most so many, the youngest.
            namespace: Another namespace than the client's; "" for all.

        Raises:
            ConfigurationError: One of these makes no sense.
        """
        return Listing(
            client=self,
            phase=phase,
            labels=labels,
            created_after=created_after,
            limit=limit,
            namespace=self.backend.namespace if namespace is None else namespace,
        )

    async def delete(self, name: str, *, namespace: str | None = None) -> None:
        """Delete a workflow, running or not.

        Raises:
            NotFoundError: There is none of this name.
        """
        await self.get_run(name, namespace=namespace).delete()
