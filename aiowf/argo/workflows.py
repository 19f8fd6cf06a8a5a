"""The workflows of a server: `session.workflows.get(…)`."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from attrs import frozen

from aiowf.argo.transport import Service, body_of
from aiowf.manifest import SubmitOpts, Workflow, WorkflowList, dumps
from aiowf.manifest.fields import Raw
from aiowf.wire.answers import read_items
from aiowf.wire.errors import unreadable
from aiowf.wire.events import LISTED, WatchEvent, as_event
from aiowf.wire.requests import QueryValue, Request, list_query, make_request

_PAGE = 500


@frozen
class Workflows(Service):
    """Workflows. Where no namespace is named, the session's is meant; "" means all to a list."""

    async def create(
        self,
        workflow: Workflow | Raw | bytes,
        *,
        namespace: str | None = None,
        server_dry_run: bool = False,
    ) -> Workflow:
        """Create a workflow; it is never sent twice by itself.

        Args:
            workflow: The workflow, or the whole body of the request as JSON, ready to send.
            namespace: Its namespace.
            server_dry_run: Whether to check only, in Kubernetes too. Not with a ready body.

        Raises:
            InvalidWorkflowError: The server finds the workflow wrong; `where` says the place.
            AlreadyExistsError: The name is taken.
            ArgoError: Anything else went wrong; after an UnavailableError or ServerError the
                workflow may exist all the same.
        """
        return await self._session.call(
            self._creation(workflow, namespace, server_dry_run), Workflow
        )

    async def create_raw(self, body: bytes, *, namespace: str | None = None) -> dict[str, Any]:
        """Create a workflow from a ready body, and return the answer's JSON as it is."""
        data = await self._session.call_json(self._creation(body, namespace, False))
        return data if isinstance(data, dict) else {}

    async def lint(
        self, workflow: Workflow | Raw | bytes, *, namespace: str | None = None
    ) -> Workflow:
        """Return the workflow as the server understands it.

        Raises:
            InvalidWorkflowError: It is wrong.
        """
        body = body_of(workflow, "workflow")
        return await self._session.call(
            make_request("WorkflowService_LintWorkflow", self._path(namespace), body=body),
            Workflow,
        )

    async def submit(
        self,
        template: str,
        *,
        kind: str = "WorkflowTemplate",
        options: SubmitOpts | None = None,
        namespace: str | None = None,
    ) -> Workflow:
        """Create a workflow from a stored template.

        Args:
            template: Name of the template.
            kind: "WorkflowTemplate", "ClusterWorkflowTemplate" or "CronWorkflow".
            options: Name, parameters ("name=value"), labels and so on.
            namespace: The namespace of the new workflow.
        """
        body: dict[str, Any] = {
            "resourceKind": kind,
            "resourceName": template,
            "submitOptions": options or {},
        }
        return await self._session.call(
            make_request("WorkflowService_SubmitWorkflow", self._path(namespace), body=dumps(body)),
            Workflow,
        )

    async def get(
        self,
        name: str,
        *,
        namespace: str | None = None,
        fields: tuple[str, ...] | None = None,
        uid: str | None = None,
    ) -> Workflow:
        """Return a workflow; the archive is looked at too.

        Args:
            name: Its name, or "@latest".
            namespace: Its namespace.
            fields: Only these, such as ("metadata.name", "status.phase"); None for all. With a "-"
                in front of the first: all but these.
            uid: Its uid, for one in the archive.
        """
        return await self._session.call(self._reading(name, namespace, fields, uid), Workflow)

    async def get_raw(
        self, name: str, *, namespace: str | None = None, fields: tuple[str, ...] | None = None
    ) -> dict[str, Any]:
        """Return a workflow's JSON as it is."""
        data = await self._session.call_json(self._reading(name, namespace, fields, None))
        return data if isinstance(data, dict) else {}

    async def get_event(
        self, name: str, *, namespace: str | None = None, fields: tuple[str, ...] | None = None
    ) -> WatchEvent:
        """Return a workflow as a watch would tell it.

        Raises:
            NotFoundError: There is none of this name.
            ServerError: What the server answered is not this workflow.
        """
        request = self._reading(name, namespace, fields, None)
        event = as_event(LISTED, await self._session.call_json(request))
        if event is None or event.name != name:
            raise unreadable(request, f"the server answered what is not the workflow {name}")
        return event

    async def list(
        self,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        limit: int | None = None,
        offset: str | None = None,
        fields: tuple[str, ...] | None = None,
        name_filter: str | None = None,
        created_after: str | None = None,
        finished_before: str | None = None,
    ) -> WorkflowList:
        """Return a page of workflows, the youngest first.

        Args:
            namespace: The namespace; "" for all.
            label_selector: Kubernetes' label selector.
            field_selector: On metadata.name, metadata.namespace or spec.startedAt.
            limit: The most to return; None for all.
            offset: What to go on from: the page's `metadata.continue_`, or a number as text.
            fields: Only these, such as ("items.metadata.name",).
            name_filter: How metadata.name of the field selector is meant: "Exact", "Contains",
                "Prefix" or "NotEquals".
            created_after: RFC 3339 time.
            finished_before: RFC 3339 time.
        """
        query: dict[str, QueryValue] = {
            **list_query(
                label_selector=label_selector,
                field_selector=field_selector,
                limit=limit,
                offset=offset,
            ),
            "fields": fields,
            "nameFilter": name_filter,
            "createdAfter": created_after,
            "finishedBefore": finished_before,
        }
        request = make_request("WorkflowService_ListWorkflows", self._path(namespace), query)
        return await self._session.call(request, WorkflowList)

    async def pages(
        self,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        fields: tuple[str, ...] | None = None,
        created_after: str | None = None,
        page_size: int = _PAGE,
    ) -> AsyncIterator[tuple[Raw, ...]]:
        """Give all workflows, page by page, as JSON, each once.

        Servers may never set `continue`, and take any offset for it: so pages are counted until
        one is short or brings nothing new. Workflows that come or go meanwhile may be missed.
        """
        seen: set[str] = set()
        offset = 0
        following: str | None = None
        while True:
            query: dict[str, QueryValue] = {
                **list_query(
                    label_selector=label_selector,
                    field_selector=field_selector,
                    limit=page_size,
                    offset=following,
                ),
                "fields": fields,
                "createdAfter": created_after,
            }
            request = make_request("WorkflowService_ListWorkflows", self._path(namespace), query)
            data = await self._session.call_json(request)
            items: tuple[dict[str, Any], ...] = read_items(request, data, dict)
            offset += len(items)
            fresh = {uid: item for item in items if (uid := _uid(item)) not in seen}
            seen.update(fresh)
            if fresh:
                yield tuple(fresh.values())
            told = _continue(data)
            if not fresh or not (told or len(items) >= page_size):
                return
            following = str(told or offset)

    async def delete(self, name: str, *, namespace: str | None = None, force: bool = False) -> None:
        """Delete a workflow, from the archive not.

        Args:
            name: Its name.
            namespace: Its namespace.
            force: Whether its finalizers are dropped.
        """
        query: dict[str, QueryValue] = {"force": True if force else None}
        await self._session.call_json(
            make_request("WorkflowService_DeleteWorkflow", self._path(namespace, name=name), query)
        )

    async def suspend(self, name: str, *, namespace: str | None = None) -> Workflow:
        """Let a workflow start nothing new."""
        return await self._act("Suspend", name, namespace)

    async def resume(
        self, name: str, *, namespace: str | None = None, node_selector: str | None = None
    ) -> Workflow:
        """Let a suspended workflow go on, or the suspended nodes that are selected.

        Args:
            name: Name of the workflow.
            namespace: Its namespace.
            node_selector: Such as "displayName=approve".
        """
        return await self._act("Resume", name, namespace, nodeFieldSelector=node_selector)

    async def stop(
        self,
        name: str,
        *,
        namespace: str | None = None,
        node_selector: str | None = None,
        message: str | None = None,
    ) -> Workflow:
        """End a workflow; its exit handler still runs."""
        return await self._act(
            "Stop", name, namespace, nodeFieldSelector=node_selector, message=message
        )

    async def terminate(self, name: str, *, namespace: str | None = None) -> Workflow:
        """End a workflow at once; no exit handler runs."""
        return await self._act("Terminate", name, namespace)

    async def retry(
        self,
        name: str,
        *,
        namespace: str | None = None,
        restart_successful: bool | None = None,
        node_selector: str | None = None,
        parameters: tuple[str, ...] | None = None,
    ) -> Workflow:
        """Run what failed of a finished workflow again."""
        return await self._act(
            "Retry",
            name,
            namespace,
            restartSuccessful=restart_successful,
            nodeFieldSelector=node_selector,
            parameters=parameters,
        )

    async def resubmit(
        self,
        name: str,
        *,
        namespace: str | None = None,
        memoized: bool | None = None,
        parameters: tuple[str, ...] | None = None,
    ) -> Workflow:
        """Create a workflow like a finished one; never sent twice by itself."""
        return await self._act(
            "Resubmit", name, namespace, memoized=memoized, parameters=parameters
        )

    async def set(
        self,
        name: str,
        *,
        node_selector: str,
        namespace: str | None = None,
        message: str | None = None,
        phase: str | None = None,
        output_parameters: Mapping[str, str] | None = None,
    ) -> Workflow:
        """Set the outputs, the phase or the message of suspend nodes."""
        outputs = None if output_parameters is None else json.dumps(dict(output_parameters))
        return await self._act(
            "Set",
            name,
            namespace,
            nodeFieldSelector=node_selector,
            message=message,
            phase=phase,
            outputParameters=outputs,
        )

    def watch_request(
        self,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        resource_version: str | None = None,
        fields: tuple[str, ...] | None = None,
        timeout_seconds: int | None = None,
    ) -> Request:
        """Return the request for a stream of changes; `aiowf.argo.Watch` reads it.

        The prefix of `fields` is "result.", and "error" has to be among them.
        """
        query: dict[str, QueryValue] = {
            **list_query(
                label_selector=label_selector,
                field_selector=field_selector,
                resource_version=resource_version,
                bookmarks=True,
                timeout_seconds=timeout_seconds,
            ),
            "fields": fields,
        }
        return make_request("WorkflowService_WatchWorkflows", self._path(namespace), query)

    def log_request(
        self,
        name: str,
        *,
        namespace: str | None = None,
        pod: str | None = None,
        follow: bool = False,
        timestamps: bool = False,
        tail_lines: int | None = None,
        grep: str | None = None,
        container: str = "main",
    ) -> Request:
        """Return the request for a log; `aiowf.argo.follow_logs` reads it.

        A container is always named: without one the answer is empty, or the server crashes.
        """
        query: dict[str, QueryValue] = {
            "podName": pod,
            "logOptions.container": container,
            "logOptions.follow": True if follow else None,
            "logOptions.timestamps": True if timestamps else None,
            "logOptions.tailLines": tail_lines,
            "grep": grep,
        }
        return make_request("WorkflowService_WorkflowLogs", self._path(namespace, name=name), query)

    def kubernetes_events_request(
        self, *, namespace: str | None = None, field_selector: str | None = None
    ) -> Request:
        """Return the request for the stream of Kubernetes' events, such as "FailedScheduling"."""
        return make_request(
            "WorkflowService_WatchEvents",
            self._path(namespace),
            list_query(field_selector=field_selector),
        )

    def _creation(
        self, workflow: Workflow | Raw | bytes, namespace: str | None, dry_run: bool
    ) -> Request:
        more = {"serverDryRun": True} if dry_run else {}
        return make_request(
            "WorkflowService_CreateWorkflow",
            self._path(namespace),
            body=body_of(workflow, "workflow", **more),
        )

    def _reading(
        self, name: str, namespace: str | None, fields: tuple[str, ...] | None, uid: str | None
    ) -> Request:
        query: dict[str, QueryValue] = {"fields": fields, "uid": uid}
        return make_request("WorkflowService_GetWorkflow", self._path(namespace, name=name), query)

    async def _act(self, verb: str, name: str, namespace: str | None, **options: Any) -> Workflow:
        body = orjson.dumps({key: item for key, item in options.items() if item is not None})
        request = make_request(
            f"WorkflowService_{verb}Workflow", self._path(namespace, name=name), body=body
        )
        return await self._session.call(request, Workflow)


def _continue(data: Any) -> Any:
    metadata = data.get("metadata") if isinstance(data, dict) else None
    return metadata.get("continue") if isinstance(metadata, dict) else None


def _uid(item: Raw) -> str:
    metadata = item.get("metadata")
    return str(metadata.get("uid")) if isinstance(metadata, dict) else ""
