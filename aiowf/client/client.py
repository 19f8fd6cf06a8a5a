"""The client: it owns every session, every background task and, on a laptop, the engine."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from contextvars import Token
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from aiowf.client import current
from aiowf.client.listing import Listing
from aiowf.client.run import Run
from aiowf.client.settings import ClientSettings, read_settings
from aiowf.client.submission import Plan, plan_operation, plan_workflow, send
from aiowf.errors import ConfigurationError
from aiowf.manifest import Workflow
from aiowf.manifest.rendering import Renderable

if TYPE_CHECKING:
    from pathlib import Path

    from aiowf.argo import ArgoSession, Subscription
    from aiowf.client.backend import Backend
    from aiowf.client.notices import Notices
    from aiowf.client.watching import Watching
    from aiowf.profile import Profile

R = TypeVar("R")

# The life of a client, from one to the next; it closes from each of them, and stays closed.
_NEW, _OPENING, _OPEN, _CLOSED = "new", "opening", "open", "closed"
# Seconds that the close waits for the ends of cancelled operations.
_PATIENCE = 10.0


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
) -> "Client":
    """Make a client; `async with` opens and closes it. No I/O happens here.

    Args:
        server: "host:port" or an URL of an Argo Server; "local": the embedded engine;
            "cloudharness": what allvalues.yaml names. None: ARGO_SERVER, and where it is not set
            the embedded engine.
        namespace: Namespace of the workflows; None: ARGO_NAMESPACE, else the server's.
        token: "Bearer …" or "Basic …", or a callable that gives it; None: ARGO_TOKEN.
        kafka: Settings of the reply channel; None: KAFKA_*.
        profile: Where tasks run; a path or a mapping is an allvalues.yaml. None: AIOWF_PROFILE.
        max_active: Most workflows of this client in flight at once; None: no bound.
        completion: What ends the wait for a sync operation: "both", "watch" or "notice".
        ui: Base address of Argo's user interface, for `run.ui_url`; None: AIOWF_UI_URL.
        images: For the embedded engine: image → the command (argv) that stands in for it.
        max_pods: For the embedded engine: most pods at once; None: the number of processors.
        claims: For the embedded engine: the directory of its persistent volume claims, which are
            the directories `<namespace>/<claim>` in it; None: it begins without any.

    Raises:
        ConfigurationError: A value is wrong, or this is a Kubernetes pod and nothing names a
            server.
    """
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
    )
    return Client(settings)


class Client:
    """Submits operations and workflows, and follows them to their end.

    Opened by `async with`. Several operations may run at once, from any task of the same event
    loop.

    Attributes:
        settings: What it was told.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self._state = _NEW
        # What must be closed, in reverse order; filled by open, emptied by aclose.
        self._stack = AsyncExitStack()
        # Set exactly while the client is open.
        self._backend: Backend | None = None
        self._watching: Watching | None = None
        self._notices: Notices | None = None
        self._token: Token[tuple[Client, ...]] | None = None
        # Tasks that must outlive their caller, such as the stop of a cancelled operation; aclose
        # awaits them.
        self._loose_ends: set[asyncio.Task[Any]] = set()
        # One permit for each workflow that may be in flight; None: no bound.
        self._permits = asyncio.Semaphore(settings.max_active) if settings.max_active else None

    def __repr__(self) -> str:
        return f"<Client {self.settings.server} [{self._state}]>"

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
        from aiowf.client.notices import Notices
        from aiowf.client.watching import Watching

        self._state = _OPENING
        try:
            async with AsyncExitStack() as stack:
                self._backend = await open_backend(self.settings, stack)
                self._watching = await stack.enter_async_context(Watching(self._backend))
                self._notices = Notices(self._backend)
                self._stack = stack.pop_all()
        except BaseException:
            self._state = _CLOSED
            raise
        self._state = _OPEN

    async def aclose(self) -> None:
        """Close the client: whoever still waits gets an error that says so."""
        if self._state == _CLOSED:
            return
        self._state = _CLOSED
        if self._loose_ends:
            await asyncio.wait(self._loose_ends, timeout=_PATIENCE)
        for task in self._loose_ends:
            task.cancel()
        await self._stack.aclose()
        self._backend = None

    @property
    def backend(self) -> "Backend":
        """Return what stands behind the client.

        Raises:
            ConfigurationError: The client is not open.
        """
        if self._backend is None or self._state != _OPEN:
            raise ConfigurationError(
                f"this client is {self._state}, not open",
                hint="async with aiowf.connect() as client: …",
            )
        return self._backend

    @property
    def watching(self) -> "Watching":
        """Return what follows the workflows of this client."""
        assert self._watching is not None
        return self._watching

    @property
    def argo(self) -> "ArgoSession":
        """Return the session with the server, for everything that has no method here."""
        return self.backend.argo

    @property
    def notices(self) -> "Notices":
        """Return the queues: `publish` and `subscribe`."""
        assert self._notices is not None
        return self._notices

    async def execute(
        self,
        op: Renderable,
        *,
        id: str | None = None,
        timeout: float | timedelta | None = None,
        pending_timeout: float | timedelta | None = None,
        on_cancel: str = "stop",
        check: bool = True,
    ) -> Any:
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
        from aiowf.client.execution import execute

        return await execute(
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

        Raises:
            ConfigurationError: Argo would refuse it, or drop a part of it; nothing was sent.
            ArgoError: The server refused it.
        """
        if isinstance(what, (Workflow, Mapping)):
            return await self.send(plan_workflow(what, self.backend))
        return await self.send(await plan_operation(what, self.backend, id=id))

    async def send(self, plan: Plan, **defaults: Any) -> Run[Any]:
        """Send a workflow that is ready, once, within the bound of `max_active`."""
        run: Run[Any] = Run(self, plan.name, self.backend.namespace, plan=plan, **defaults)
        if self._permits is not None:
            await self._permits.acquire()
        subscription: Subscription | None = None
        try:
            subscription = self.watching.expect(run)
            created = await send(plan, self.backend, run.namespace)
        except BaseException:
            if subscription is not None:
                subscription.close()
            self.watching.unexpect(run)
            if self._permits is not None:
                self._permits.release()
            raise
        run._bind(created, subscription)
        if self._permits is not None:
            self.watching.when_ended(run, self._permits.release)
        return run

    def get_run(self, name: str, *, namespace: str | None = None) -> Run[Any]:
        """Return a Run for a workflow by its name, without asking the server."""
        return Run(self, name, namespace or self.backend.namespace)

    def list(
        self,
        *,
        phase: str | None = None,
        labels: Mapping[str, str] | None = None,
        limit: int | None = None,
        namespace: str | None = None,
    ) -> Listing:
        """List workflows as Runs: `await` it for a list, or `async for` over it.

        Args:
            phase: Only those of this phase, such as "Running".
            labels: Only those with these labels.
            limit: At most so many.
            namespace: Another namespace than the client's.
        """
        return Listing(
            client=self,
            phase=phase,
            labels=labels,
            limit=limit,
            namespace=namespace or self.backend.namespace,
        )

    async def delete(self, name: str, *, namespace: str | None = None) -> None:
        """Delete a workflow, running or not.

        Raises:
            NotFoundError: There is none of this name.
        """
        await self.argo.workflows.delete(name, namespace=namespace or self.backend.namespace)

    def keep(self, work: Coroutine[Any, Any, R]) -> "asyncio.Task[R]":
        """Run something that must end even if its caller is cancelled; `aclose` awaits it."""
        task = asyncio.create_task(work)
        self._loose_ends.add(task)
        task.add_done_callback(self._loose_ends.discard)
        return task
