"""Listing workflows: one page after the other, each workflow once."""

from collections.abc import AsyncIterator, Generator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from aiowf.wire.events import LIST_FIELDS
from aiowf.wire.labels import ARGO_PHASE

if TYPE_CHECKING:
    from aiowf.client.client import Client
    from aiowf.client.run import Run

PAGE = 100


@frozen(kw_only=True)
class Listing:
    """Workflows of a server: `await` it for a list, or `async for` over it.

    The newest come first, as the server sorts them.
    """

    client: "Client" = field(repr=False)
    phase: str | None = None
    labels: Mapping[str, str] | None = None
    limit: int | None = None
    namespace: str | None = None

    def __await__(self) -> Generator[Any, None, "list[Run[Any]]"]:
        return self._all().__await__()

    async def _all(self) -> "list[Run[Any]]":
        return [run async for run in self]

    async def __aiter__(self) -> "AsyncIterator[Run[Any]]":
        selector = ",".join(f"{name}={value}" for name, value in self._selected().items())
        seen = 0
        async for page in self.client.argo.workflows.pages(
            namespace=self.namespace,
            label_selector=selector or None,
            fields=LIST_FIELDS,
            page_size=min(PAGE, self.limit or PAGE),
        ):
            for workflow in page:
                meta = workflow["metadata"]
                run = self.client.get_run(meta["name"], namespace=meta.get("namespace"))
                run.phase = (workflow.get("status") or {}).get("phase") or ""
                yield run
                seen += 1
                if seen == self.limit:
                    return

    def _selected(self) -> dict[str, str]:
        phase = {ARGO_PHASE: self.phase} if self.phase else {}
        return {**(self.labels or {}), **phase}
