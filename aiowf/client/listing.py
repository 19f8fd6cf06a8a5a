"""Listing workflows: one page after the other, each workflow once."""

from collections.abc import AsyncIterator, Collection, Generator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from aiowf.errors import ConfigurationError, ServerError
from aiowf.manifest.names import label_key, label_value, nearest
from aiowf.wire.errors import unreadable
from aiowf.wire.events import LIST_FIELDS, LISTED, as_event
from aiowf.wire.labels import ARGO_PHASE
from aiowf.wire.requests import make_request

if TYPE_CHECKING:
    from aiowf.client.client import Client
    from aiowf.client.run import Run

PAGE = 100
PHASES = ("Pending", "Running", "Succeeded", "Failed", "Error")


def _as_phases(phase: str | Collection[str] | None) -> tuple[str, ...]:
    if phase is None:
        return ()
    if not isinstance(phase, str | Collection) or not phase:
        raise ConfigurationError(
            f"phase={phase!r:.60}: it must be a phase, or several of them", hint=nearest("", PHASES)
        )
    phases = (phase,) if isinstance(phase, str) else tuple(phase)
    for each in phases:
        if each not in PHASES:
            raise ConfigurationError(
                f"{each!r} is no phase of a workflow",
                where="phase",
                hint=nearest(str(each), PHASES),
            )
    return phases


def _as_limit(limit: int | None) -> int | None:
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise ConfigurationError(f"limit={limit!r}: it must be a positive number, or None")
    return limit


def _as_time(created_after: datetime | timedelta | None) -> datetime | None:
    if isinstance(created_after, timedelta):
        try:
            return datetime.now(UTC) - created_after
        except OverflowError:
            raise ConfigurationError(
                f"created_after={created_after!r:.60} is before all time"
            ) from None
    if created_after is not None and not isinstance(created_after, datetime):
        raise ConfigurationError(
            f"created_after={created_after!r:.60}: a datetime with a time zone, or a timedelta"
        )
    if created_after is not None and created_after.tzinfo is None:
        raise ConfigurationError(
            "created_after has no time zone", hint="datetime.now(UTC), or a timedelta: so long ago"
        )
    return created_after


def _as_labels(labels: Mapping[str, str | None] | None) -> Mapping[str, str | None]:
    if labels is not None and not isinstance(labels, Mapping):
        raise ConfigurationError(
            f"expected labels and their values, not {labels!r:.60}",
            where="labels",
            hint='Such as {"team": "red"}; None as value: whatever it says.',
        )
    for name, value in (labels or {}).items():
        label_key(name, "labels")
        if value is not None:
            label_value(value, f"labels[{name!r}]")
    return labels or {}


@frozen(kw_only=True)
class Listing:
    """Workflows of a server: `await` it for a list, or `async for` over it.

    The newest come first, as the server sorts them.
    """

    client: "Client" = field(repr=False)
    phase: tuple[str, ...] = field(default=None, converter=_as_phases)
    labels: Mapping[str, str | None] = field(default=None, converter=_as_labels)
    created_after: datetime | None = field(default=None, converter=_as_time)
    limit: int | None = field(default=None, converter=_as_limit)
    namespace: str | None = None

    def __await__(self) -> Generator[Any, None, "list[Run[Any]]"]:
        return self._all().__await__()

    async def _all(self) -> "list[Run[Any]]":
        return [run async for run in self]

    async def __aiter__(self) -> "AsyncIterator[Run[Any]]":
        seen = 0
        async for page in self.client.argo.workflows.pages(
            namespace=self.namespace,
            label_selector=self._selector() or None,
            created_after=self._created_after(),
            fields=LIST_FIELDS,
            page_size=min(PAGE, self.limit or PAGE),
        ):
            for workflow in page:
                event = as_event(LISTED, workflow)
                if event is None or not event.name:
                    raise self._unreadable()
                namespace = event.object["metadata"].get("namespace")
                run = self.client.get_run(event.name, namespace=namespace)
                run.phase = event.phase
                yield run
                seen += 1
                if seen == self.limit:
                    return

    def _unreadable(self) -> ServerError:
        namespace = self.client.argo.namespace if self.namespace is None else self.namespace
        request = make_request("WorkflowService_ListWorkflows", {"namespace": namespace})
        return unreadable(request, "an item of the list is no workflow")

    def _created_after(self) -> str | None:
        if self.created_after is None:
            return None
        return self.created_after.astimezone(UTC).isoformat(timespec="seconds")

    def _selector(self) -> str:
        said = [name if value is None else f"{name}={value}" for name, value in self.labels.items()]
        if len(self.phase) == 1:
            said.append(f"{ARGO_PHASE}={self.phase[0]}")
        elif self.phase:
            said.append(f"{ARGO_PHASE} in ({','.join(self.phase)})")
        return ",".join(said)
