"""A workflow that was submitted: to be watched, waited for and stopped."""

from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aiowf.client.backend import place_of
from aiowf.client.verbs import once, repeat, suspended, version_of
from aiowf.client.watching import Change, attach, changes, log_lines, until_closed
from aiowf.errors import ArgoError, BadRequestError, ConfigurationError
from aiowf.manifest import Workflow, unstructure
from aiowf.manifest.fields import Raw
from aiowf.manifest.showing import Shown
from aiowf.wire import labels
from aiowf.wire.events import FINAL_PHASES

if TYPE_CHECKING:
    from aiowf.argo import Subscription
    from aiowf.client.client import Client
    from aiowf.client.outcomes import Outcome
    from aiowf.client.planning import Plan
    from aiowf.client.result import Result
    from aiowf.client.submission import Sent
    from aiowf.replies.waiting import Pending

T = TypeVar("T")

_AWAITED = "`await run`, which waits for its end and gives its Result"
# What a Run has not, and is often looked for.
_MEANT = {
    "cancel": "`await run.stop()`, or `await run.terminate()`",
    "done": "`not await run.is_running()`",
    "files": "`(await run).files`",
    "get": _AWAITED,
    "join": _AWAITED,
    "status": "`run.phase`, or `await run.workflow()`",
    "succeeded": "`(await run).succeeded`",
    "value": "`(await run).value`",
    "values": "`(await run).values`",
}


class Run(Shown, Generic[T]):
    """A workflow that was submitted.

    `await run` waits for its end and gives its Result.

    Attributes:
        name: Name of the workflow.
        namespace: Its namespace.
        phase: The phase last seen: "", "Pending", "Running", "Succeeded", "Failed" or "Error"; the
            client's watch keeps it fresh for runs that it submitted.
    """

    __slots__ = (
        "_callbacks",
        "_check",
        "_client",
        "_found",
        "_id",
        "_known",
        "_pending",
        "_pending_timeout",
        "_phase",
        "_plan",
        "_posted",
        "_result",
        "_subscription",
        "_trouble",
        "name",
        "namespace",
    )

    def __init__(
        self,
        client: "Client",
        name: str,
        namespace: str,
        *,
        plan: "Plan | None" = None,
        check: bool = True,
        pending_timeout: float | None = None,
        id: str | None = None,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self._client = client
        # The phase that was read, as against told by the watch.
        self._phase = ""
        self._plan = plan
        self._check = check
        self._pending_timeout = pending_timeout
        # The id that it was submitted with, and whether an earlier call with it had begun it.
        self._id, self._found = id, False
        # Set once, when the end was seen: all who wait get the same.
        self._result: Result[T] | None = None
        # Called once, when the result is set; empty afterwards.
        self._callbacks: list[Callable[[Result[T]], None]] = []
        # Whether a request that creates the workflow may have reached the server, and whether the
        # server has said that it has it.
        self._posted = self._known = False
        # What went wrong last while it was submitted.
        self._trouble: ArgoError | None = None
        # Set for a run that this client submitted itself: its events come over the client's watch.
        self._subscription: Subscription | None = None
        # What is to come by the reply channel; set from before the submission to the result.
        self._pending: Pending | None = None

    def _heard(self, trouble: ArgoError) -> None:
        """Note what went wrong while it is submitted."""
        self._trouble = trouble

    def _bind(self, sent: "Sent", subscription: "Subscription") -> None:
        """Take what the server answered; a workflow of another session is watched by its name."""
        self._known, self._found = True, sent.is_earlier
        self.phase = (sent.workflow.get("status") or {}).get("phase") or ""
        meta = sent.workflow.get("metadata") or {}
        if (meta.get("labels") or {}).get(labels.SESSION) == self._client.backend.session_id:
            attach(subscription, sent.workflow)
            self._subscription = subscription
        else:
            subscription.close()
        replies = self._client.watching.replies
        if not sent.is_new and replies is not None and self._pending is not None:
            place = place_of(meta.get("annotations") or {})
            if place is not None:
                replies.replay(self.name, place)

    @property
    def phase(self) -> str:
        """Return the phase last seen, without asking the server."""
        told = self._subscription.phase if self._subscription is not None else ""
        return self._phase if self._phase in FINAL_PHASES or not told else told

    @phase.setter
    def phase(self, phase: str) -> None:
        self._phase = phase

    if not TYPE_CHECKING:  # a type checker knows what a Run has

        def __getattr__(self, name: str) -> Any:
            """Say what is meant by what a Run has not, and futures and results have."""
            meant = f"; did you mean {_MEANT[name]}?" if name in _MEANT else ""
            raise AttributeError(f"a Run has no {name!r}{meant}", name=name, obj=self)

    def __repr__(self) -> str:
        return f"<Run {self.namespace}/{self.name} [{self.phase or 'submitted'}]>"

    def _ipython_display_(self) -> None:
        import aiowf

        aiowf.display.show(self)

    def __await__(self) -> "Generator[Any, None, Result[T]]":
        return self.wait().__await__()

    @property
    def client(self) -> "Client":
        """Return the client that it belongs to."""
        return self._client

    @property
    def result(self) -> "Result[T] | None":
        """Return what came of it, once somebody has awaited it here; None before."""
        return self._result

    def add_done_callback(self, callback: "Callable[[Result[T]], None]") -> None:
        """Call back with the Result as soon as somebody who awaits the run here gets it."""
        if self._result is not None:
            callback(self._result)
        else:
            self._callbacks.append(callback)

    def _end(self, result: "Result[T]") -> None:
        """Take the result for all who wait."""
        self._result, self.phase = result, result.phase
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(result)

    @property
    def ui_url(self) -> str | None:
        """Return the address of the workflow in Argo's user interface, or None if none is known."""
        base = self._client.settings.ui
        return f"{base.rstrip('/')}/workflows/{self.namespace}/{self.name}" if base else None

    async def wait(
        self, timeout: float | timedelta | None = None, check: bool | None = None
    ) -> "Result[T]":
        """Wait for the end.

        Args:
            timeout: Seconds to wait, or None; when they are over the workflow goes on all the same.
            check: Whether a workflow that did not succeed raises; None: as `execute` was told,
                which is to raise unless it was told otherwise.

        Raises:
            OperationTimeoutError: It did not end in time.
            OperationFailedError: It did not succeed, and `check` is set.
            OperationStuckError: A pod of it can never start.
            NotFoundError: It was deleted before its end was seen.
        """
        from aiowf.client.waiting import wait

        return await wait(self, timeout=timeout, check=self._check if check is None else check)

    async def workflow(self) -> Workflow:
        """Return the workflow as the server has it now, its status included."""
        workflow = await self._client.argo.workflows.get(self.name, namespace=self.namespace)
        self.phase = (workflow.status.phase if workflow.status else None) or self.phase
        return workflow

    async def is_running(self) -> bool:
        """Return whether it has not ended yet."""
        await self.workflow()
        return self.phase in ("", "Pending", "Running")

    async def is_error(self) -> bool:
        """Return whether it has ended as Failed or Error."""
        await self.workflow()
        return self.phase in ("Failed", "Error")

    async def watch(self) -> "AsyncIterator[Change]":
        """Yield every change until the end, the present state first."""
        async with aclosing(until_closed(self, changes(self))) as found:
            async for change in found:
                yield change

    async def outcomes(self) -> "AsyncIterator[Outcome[Any]]":
        """Yield the outcome of each task when it ends: its value, or its error; until the run ends.

        A task that returns a value, and was not run, is told last.

        Raises:
            OperationStuckError: A pod of it can never start.
            NotFoundError: It was deleted before its end was seen.
        """
        from aiowf.client.outcomes import outcomes

        async with aclosing(until_closed(self, outcomes(self))) as found:
            async for outcome in found:
                yield outcome

    async def logs(self, task: Any = None, *, follow: bool = True) -> AsyncIterator[str]:
        """Yield the lines of the log, live.

        Args:
            task: A task or its name; None: all tasks, each line behind the name of its pod's task.
            follow: Whether to go on until the workflow ends.
        """
        name = task if task is None or isinstance(task, str) else getattr(task, "name", None)
        if task is not None and not isinstance(name, str):
            raise ConfigurationError(f"{task!r:.60} is neither a task nor its name", where="task")
        lines = log_lines(self, name, follow=follow)
        async with aclosing(until_closed(self, lines)) as found:
            async for line in found:
                yield line

    async def suspend(self) -> None:
        """Start no further node until it is resumed; what runs goes on."""
        workflows = self._client.argo.workflows
        await repeat(lambda: workflows.suspend(self.name, namespace=self.namespace))

    async def resume(self, nodes: Any = None) -> None:
        """Go on after `suspend`, or behind suspended nodes.

        Args:
            nodes: Only these suspended nodes: a task, its name, or Argo's selector, such as
                "displayName=approve,templateName=gate"; None: all.
        """
        workflows, selector = self._client.argo.workflows, _selector(nodes)
        await once(
            self,
            lambda: workflows.resume(self.name, namespace=self.namespace, node_selector=selector),
            suspended,
        )

    async def stop(self, nodes: Any = None, *, message: str | None = None) -> None:
        """End it; its exit handler still runs.

        Args:
            nodes: Only these suspended nodes, as for `resume`: they fail, and the workflow goes on
                as it does behind a failure.
            message: Why, for the suspended nodes that are stopped.
        """
        workflows, selector = self._client.argo.workflows, _selector(nodes)

        async def send() -> Workflow:
            return await workflows.stop(
                self.name, namespace=self.namespace, node_selector=selector, message=message
            )

        if selector is not None:
            await once(self, send, suspended)
            return
        await repeat(send)
        self._client.watching.stopped(self)

    async def terminate(self) -> None:
        """End it at once, without its exit handler."""
        workflows = self._client.argo.workflows
        await repeat(lambda: workflows.terminate(self.name, namespace=self.namespace))
        self._client.watching.stopped(self)

    async def set(
        self,
        nodes: Any,
        *,
        phase: str | None = None,
        message: str | None = None,
        outputs: Mapping[str, str] | None = None,
    ) -> None:
        """Set what suspended nodes say: their phase, message and output parameters.

        Args:
            nodes: Which, as for `resume`.
            phase: Such as "Succeeded"; None leaves it.
            message: Their message; None leaves it.
            outputs: Output parameters that the template supplies from outside, name → value.
        """
        workflows, selector = self._client.argo.workflows, _selector(nodes)
        if selector is None:
            raise ConfigurationError("set needs nodes, such as a task or its name", where="nodes")
        await once(
            self,
            lambda: workflows.set(
                self.name,
                namespace=self.namespace,
                node_selector=selector,
                phase=phase,
                message=message,
                output_parameters=outputs,
            ),
            suspended,
        )

    async def retry(
        self,
        *,
        restart_successful: bool = False,
        nodes: Any = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        """Run what failed once more; afterwards the run can be awaited again.

        Args:
            restart_successful: Whether nodes that succeeded run again too, those that `nodes`
                selects.
            nodes: Which nodes, as for `resume`; None: those that failed.
            parameters: Other values for parameters of the workflow.

        Raises:
            BadRequestError: It has not ended, or has succeeded.
        """
        workflows = self._client.argo.workflows
        try:
            found = await once(
                self,
                lambda: workflows.retry(
                    self.name,
                    namespace=self.namespace,
                    restart_successful=restart_successful or None,
                    node_selector=_selector(nodes),
                    parameters=texts(parameters),
                ),
                version_of,
            )
        except BadRequestError as error:
            if "restartSuccessful" in error.message:  # so Argo says of one that has succeeded
                error.hint = (
                    "It has succeeded: run.retry(restart_successful=True, nodes=task) runs a task "
                    "of it again, run.resubmit() all."
                )
            raise
        self._begin_again(unstructure(found))

    async def resubmit(
        self, *, memoized: bool = False, parameters: Mapping[str, Any] | None = None
    ) -> "Run[T]":
        """Create a new workflow like this one, and return its Run.

        It is sent once: the server makes up the name, so that after a failure nobody could say
        whether it exists.

        Args:
            memoized: Whether nodes that succeeded are taken over instead of being run.
            parameters: Other values for parameters of the workflow.
        """
        return await self._client.resubmit(self, memoized=memoized, parameters=texts(parameters))

    async def delete(self) -> None:
        """Delete it from the server, running or not."""
        workflows = self._client.argo.workflows
        await repeat(lambda: workflows.delete(self.name, namespace=self.namespace))

    def _begin_again(self, found: Raw) -> None:
        """Forget the end that was seen: the workflow runs on."""
        self._result, self._found = None, False
        self.phase = (found.get("status") or {}).get("phase") or ""
        if self._subscription is not None:
            self._subscription = self._client.watching.expect(self)
            attach(self._subscription, found)


def texts(parameters: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """Return parameters as Argo's API takes them, "name=value"; what is no text becomes JSON."""
    if parameters is None:
        return None
    return tuple(f"{name}={text_of(value, name)}" for name, value in parameters.items())


def text_of(value: Any, name: str) -> str:
    """Return the value of a parameter as text.

    Raises:
        ConfigurationError: It is no text, and cannot be JSON.
    """
    if isinstance(value, str):
        return value
    import orjson

    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        raise ConfigurationError(
            f"{value!r:.60} cannot be a parameter: {error}",
            where=f"parameters[{name!r}]",
            hint="A parameter is text; anything that JSON can say becomes its JSON.",
        ) from None


def _selector(nodes: Any) -> str | None:
    """Return Argo's selector of nodes, for a selector, a task or its name."""
    if nodes is None:
        return None
    name = nodes if isinstance(nodes, str) else nodes.name
    return name if "=" in name else f"displayName={name}"
