"""Stored objects: templates, cluster templates, cron workflows."""

from typing import Any, Generic, TypeVar

from attrs import frozen

from aiowf.argo.transport import Service, body_of
from aiowf.manifest import ClusterWorkflowTemplate, CronWorkflow, WorkflowTemplate
from aiowf.manifest.fields import Raw
from aiowf.wire.answers import read_items
from aiowf.wire.requests import Request, list_query, make_request

T = TypeVar("T")


@frozen
class _Stored(Service, Generic[T]):
    """Objects that are created, read, changed, deleted and linted alike."""

    _service = ""
    _noun = ""
    _key = "template"

    def _class(self) -> type[T]:
        raise NotImplementedError

    def _request(self, verb: str, path: dict[str, str], **more: Any) -> Request:
        return make_request(f"{self._service}_{verb}", path, **more)

    async def list(
        self,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        limit: int | None = None,
        offset: str | None = None,
    ) -> tuple[T, ...]:
        """Return the objects of a namespace."""
        request = self._request(
            f"List{self._noun}s",
            self._path(namespace),
            query=list_query(label_selector=label_selector, limit=limit, offset=offset),
        )
        return read_items(request, await self._session.call_json(request), self._class())

    async def create(self, manifest: T | Raw, *, namespace: str | None = None) -> T:
        """Create an object."""
        return await self._send(f"Create{self._noun}", manifest, self._path(namespace))

    async def lint(self, manifest: T | Raw, *, namespace: str | None = None) -> T:
        """Return the object as the server understands it.

        Raises:
            InvalidWorkflowError: It is wrong.
        """
        return await self._send(f"Lint{self._noun}", manifest, self._path(namespace))

    async def get(self, name: str, *, namespace: str | None = None) -> T:
        """Return an object."""
        request = self._request(f"Get{self._noun}", self._path(namespace, name=name))
        return await self._session.call(request, self._class())

    async def update(self, name: str, manifest: T | Raw, *, namespace: str | None = None) -> T:
        """Change an object; its manifest has to hold the resourceVersion that was read.

        Raises:
            ConflictError: Somebody else changed it meanwhile.
        """
        return await self._send(f"Update{self._noun}", manifest, self._path(namespace, name=name))

    async def delete(self, name: str, *, namespace: str | None = None) -> None:
        """Delete an object."""
        request = self._request(f"Delete{self._noun}", self._path(namespace, name=name))
        await self._session.call_json(request)

    async def _send(self, verb: str, manifest: T | Raw, path: dict[str, str]) -> T:
        request = self._request(verb, path, body=body_of(manifest, self._key))
        return await self._session.call(request, self._class())


@frozen
class WorkflowTemplates(_Stored[WorkflowTemplate]):
    """Stored specifications of a namespace."""

    _service = "WorkflowTemplateService"
    _noun = "WorkflowTemplate"

    def _class(self) -> type[WorkflowTemplate]:
        return WorkflowTemplate


@frozen
class ClusterWorkflowTemplates(_Stored[ClusterWorkflowTemplate]):
    """Stored specifications for all namespaces; `namespace` means nothing here."""

    _service = "ClusterWorkflowTemplateService"
    _noun = "ClusterWorkflowTemplate"

    def _class(self) -> type[ClusterWorkflowTemplate]:
        return ClusterWorkflowTemplate


@frozen
class CronWorkflows(_Stored[CronWorkflow]):
    """Workflows that start by the clock."""

    _service = "CronWorkflowService"
    _noun = "CronWorkflow"
    _key = "cronWorkflow"

    def _class(self) -> type[CronWorkflow]:
        return CronWorkflow

    async def suspend(self, name: str, *, namespace: str | None = None) -> CronWorkflow:
        """Let a cron workflow start nothing."""
        return await self._switch("Suspend", name, namespace)

    async def resume(self, name: str, *, namespace: str | None = None) -> CronWorkflow:
        """Let a suspended cron workflow start workflows again."""
        return await self._switch("Resume", name, namespace)

    async def _switch(self, verb: str, name: str, namespace: str | None) -> CronWorkflow:
        path = self._path(namespace, name=name)
        request = self._request(f"{verb}{self._noun}", path, body=b"{}")
        return await self._session.call(request, CronWorkflow)
