"""A workflow that was submitted: to be watched, waited for and stopped."""

from collections.abc import AsyncIterator, Generator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aiowf.client.watching import Change, attach, changes, log_lines
from aiowf.manifest import Workflow
from aiowf.wire import labels

if TYPE_CHECKING:
    from aiowf.argo import Subscription
    from aiowf.client.client import Client
    from aiowf.client.result import Result
    from aiowf.client.submission import Plan, Sent

T = TypeVar("T")


class Run(Generic[T]):
    """A workflow that was submitted.

    `await run` waits for its end and gives its Result.

    Attributes:
        name: Name of the workflow.
        namespace: Its namespace.
        phase: The phase last seen: "", "Pending", "Running", "Succeeded", "Failed" or "Error".
    """

    def __init__(
        self,
        client: "Client",
        name: str,
        namespace: str,
        *,
        plan: "Plan | None" = None,
        check: bool = True,
        pending_timeout: float | None = None,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.phase = ""
        self._client = client
        self._plan = plan
        self._check = check
        self._pending_timeout = pending_timeout
        # Set once, when the end was seen: all who wait get the same.
        self._result: Result[T] | None = None
        # Set for a run that this client submitted itself: its events come over the client's watch.
        self._subscription: Subscription | None = None

    def _bind(self, sent: "Sent", subscription: "Subscription") -> None:
        """Take what the server answered; a workflow of another session is watched by its name."""
        self.phase = (sent.workflow.get("status") or {}).get("phase") or ""
        meta = sent.workflow.get("metadata") or {}
        if (meta.get("labels") or {}).get(labels.SESSION) == self._client.backend.session_id:
            attach(subscription, sent.workflow)
            self._subscription = subscription
        else:
            subscription.close()
        replies = self._client.watching.replies
        if not sent.is_new and replies is not None and self._plan and self._plan.wants_files:
            notes = meta.get("annotations") or {}
            if labels.REPLY_TOPIC in notes:
                replies.replay(self.name, notes[labels.REPLY_TOPIC])

    def __repr__(self) -> str:
        return f"<Run {self.namespace}/{self.name} [{self.phase or 'submitted'}]>"

    def __await__(self) -> "Generator[Any, None, Result[T]]":
        return self.wait().__await__()

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
        async for change in changes(self):
            yield change

    async def logs(self, task: Any = None, *, follow: bool = True) -> AsyncIterator[str]:
        """Yield the lines of the log, live.

        Args:
            task: A task or its name; None: all tasks, each line behind the name of its pod's task.
            follow: Whether to go on until the workflow ends.
        """
        name = task if task is None or isinstance(task, str) else task.name
        async for line in log_lines(self, name, follow=follow):
            yield line

    async def suspend(self) -> None:
        """Start no further node until it is resumed; what runs goes on."""
        await self._client.argo.workflows.suspend(self.name, namespace=self.namespace)

    async def resume(self) -> None:
        """Go on after `suspend`, or behind a suspended node."""
        await self._client.argo.workflows.resume(self.name, namespace=self.namespace)

    async def stop(self) -> None:
        """End it; its exit handler still runs."""
        await self._client.argo.workflows.stop(self.name, namespace=self.namespace)

    async def terminate(self) -> None:
        """End it at once, without its exit handler."""
        await self._client.argo.workflows.terminate(self.name, namespace=self.namespace)

    async def delete(self) -> None:
        """Delete it from the server, running or not."""
        await self._client.argo.workflows.delete(self.name, namespace=self.namespace)
