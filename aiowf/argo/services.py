"""The smaller services of a server: archive, events, artifacts, and the server itself."""

import asyncio
import errno
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from attrs import frozen

from aiowf.argo.transport import Service
from aiowf.manifest import (
    GetUserInfoResponse,
    InfoResponse,
    Version,
    Workflow,
    WorkflowList,
    dumps,
)
from aiowf.manifest.fields import Raw
from aiowf.wire.answers import read_items
from aiowf.wire.requests import QueryValue, Request, list_query, make_request


@frozen
class ArchivedWorkflows(Service):
    """Finished workflows that the server has put into its archive."""

    async def list(
        self,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        name_prefix: str | None = None,
        limit: int | None = None,
        offset: str | None = None,
    ) -> WorkflowList:
        """Return a page of workflows; none where the server keeps no archive."""
        query: dict[str, QueryValue] = {
            **list_query(label_selector=label_selector, limit=limit, offset=offset),
            "namePrefix": name_prefix,
            "namespace": self._session.namespace if namespace is None else namespace,
        }
        request = make_request("ArchivedWorkflowService_ListArchivedWorkflows", query=query)
        return await self._session.call(request, WorkflowList)

    async def get(self, uid: str) -> Workflow:
        """Return a workflow.

        Raises:
            NotFoundError: It is not there, or there is no archive.
        """
        return await self._session.call(self._of("GetArchivedWorkflow", uid), Workflow)

    async def delete(self, uid: str) -> None:
        """Delete a workflow from the archive."""
        await self._session.call_json(self._of("DeleteArchivedWorkflow", uid))

    async def retry(self, uid: str, *, namespace: str | None = None) -> Workflow:
        """Run what failed of a workflow again."""
        body = orjson.dumps(self._path(namespace))
        return await self._session.call(self._of("RetryArchivedWorkflow", uid, body), Workflow)

    async def resubmit(self, uid: str, *, namespace: str | None = None) -> Workflow:
        """Create a workflow like this one; never sent twice by itself."""
        body = orjson.dumps(self._path(namespace))
        return await self._session.call(self._of("ResubmitArchivedWorkflow", uid, body), Workflow)

    async def label_keys(self, *, namespace: str | None = None) -> tuple[str, ...]:
        """Return the label keys that occur in the archive."""
        query: dict[str, QueryValue] = {"namespace": namespace}
        request = make_request("ArchivedWorkflowService_ListArchivedWorkflowLabelKeys", query=query)
        return read_items(request, await self._session.call_json(request), str)

    async def label_values(self, key: str, *, namespace: str | None = None) -> tuple[str, ...]:
        """Return the values that a label has in the archive."""
        query: dict[str, QueryValue] = {**list_query(label_selector=key), "namespace": namespace}
        request = make_request(
            "ArchivedWorkflowService_ListArchivedWorkflowLabelValues", query=query
        )
        return read_items(request, await self._session.call_json(request), str)

    def _of(self, verb: str, uid: str, body: bytes | None = None) -> Request:
        return make_request(f"ArchivedWorkflowService_{verb}", {"uid": uid}, body=body)


@frozen
class Events(Service):
    """Events from outside that start workflows (WorkflowEventBinding)."""

    async def send(
        self, payload: Any, *, discriminator: str = "default", namespace: str | None = None
    ) -> None:
        """Send an event; the bindings whose selector matches it start their workflows.

        Args:
            payload: JSON data.
            discriminator: Tells kinds of events apart in a selector.
            namespace: The namespace of the bindings.
        """
        path = self._path(namespace, discriminator=discriminator)
        await self._session.call_json(
            make_request("EventService_ReceiveEvent", path, body=dumps(payload))
        )

    async def list_bindings(self, *, namespace: str | None = None) -> tuple[Raw, ...]:
        """Return the bindings of a namespace, as JSON."""
        request = make_request("EventService_ListWorkflowEventBindings", self._path(namespace))
        return read_items(request, await self._session.call_json(request), dict)


@frozen
class Artifacts(Service):
    """Artifacts, as streams of bytes: `async with session.artifacts.output(…) as chunks:`."""

    def output(
        self, workflow: str, node_id: str, artifact: str, *, namespace: str | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open an output artifact of a node.

        Raises:
            ArgoError: When entered; a missing artifact is a ServerError, as Argo answers 500.
        """
        return self._open("GetOutputArtifact", workflow, node_id, artifact, namespace)

    def input(
        self, workflow: str, node_id: str, artifact: str, *, namespace: str | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open an input artifact of a node."""
        return self._open("GetInputArtifact", workflow, node_id, artifact, namespace)

    def archived_output(
        self, uid: str, node_id: str, artifact: str
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open an output artifact of a workflow in the archive."""
        return self._open_by_uid("GetOutputArtifactByUID", uid, node_id, artifact)

    def archived_input(
        self, uid: str, node_id: str, artifact: str
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open an input artifact of a workflow in the archive."""
        return self._open_by_uid("GetInputArtifactByUID", uid, node_id, artifact)

    def file(
        self,
        workflow: str,
        node_id: str,
        artifact: str,
        *,
        kind: str = "outputs",
        archived: bool = False,
        namespace: str | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open an artifact, or the listing of one that is a directory.

        Args:
            workflow: Name of the workflow; its uid if archived.
            node_id: Id of the node.
            artifact: Name of the artifact, with the path of a file in it after a "/".
            kind: "outputs" or "inputs".
            archived: Whether the workflow is in the archive.
            namespace: Its namespace.
        """
        path = self._path(
            namespace,
            idDiscriminator="archived-workflows" if archived else "workflows",
            id=workflow,
            nodeId=node_id,
            artifactDiscriminator=kind,
            artifactName=artifact,
        )
        return self._session.download(make_request("ArtifactService_GetArtifactFile", path))

    async def save(
        self,
        workflow: str,
        node_id: str,
        artifact: str,
        path: Path,
        *,
        namespace: str | None = None,
    ) -> int:
        """Write an output artifact into a file, piece by piece; return its size in bytes.

        A file that is there is replaced when the artifact has come whole, and not before: what
        comes is written beside it, under a name that begins with a dot.

        Raises:
            ArgoError: There is none, or it did not come whole.
            OSError: It cannot be written.
        """
        size = 0
        async with self.output(workflow, node_id, artifact, namespace=namespace) as chunks:
            file = await asyncio.to_thread(_beside, path)
            try:
                async for chunk in chunks:
                    size += await asyncio.to_thread(file.write, chunk)
                await asyncio.to_thread(_put, file, path)
            except BaseException:
                # Shielded: it must happen even if the caller is cancelled once more.
                await asyncio.shield(asyncio.to_thread(_drop, file))
                raise
        return size

    def _open(
        self, verb: str, workflow: str, node_id: str, artifact: str, namespace: str | None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        path = self._path(namespace, name=workflow, nodeId=node_id, artifactName=artifact)
        return self._session.download(make_request(f"ArtifactService_{verb}", path))

    def _open_by_uid(
        self, verb: str, uid: str, node_id: str, artifact: str
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        path = {"uid": uid, "nodeId": node_id, "artifactName": artifact}
        return self._session.download(make_request(f"ArtifactService_{verb}", path))


def _beside(path: Path) -> BinaryIO:
    """Open a new file in the directory of another."""
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "this is no regular file", str(path))
    return path.with_name(f".aiowf-{secrets.token_hex(8)}.part").open("xb")


def _put(file: BinaryIO, path: Path) -> None:
    """Close a file that is complete, and give it its name."""
    file.close()
    Path(file.name).replace(path)


def _drop(file: BinaryIO) -> None:
    """Close a file that is not complete, and remove it."""
    try:
        file.close()
    finally:
        Path(file.name).unlink(missing_ok=True)


@frozen
class Server(Service):
    """What the server says of itself and of the caller."""

    async def info(self) -> InfoResponse:
        """Return the server's configuration, as far as it tells."""
        return await self._session.call(make_request("InfoService_GetInfo"), InfoResponse)

    async def version(self) -> Version:
        """Return the server's version."""
        return await self._session.call(make_request("InfoService_GetVersion"), Version)

    async def user_info(self) -> GetUserInfoResponse:
        """Return whom the server takes the caller for."""
        return await self._session.call(
            make_request("InfoService_GetUserInfo"), GetUserInfoResponse
        )
