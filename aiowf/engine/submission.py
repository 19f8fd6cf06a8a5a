"""Requests that make workflows: create, submit from a template, resubmit; and lint."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from aiowf.engine import again
from aiowf.engine.exchange import (
    ADMISSION,
    CONTROLLER,
    JOURNAL,
    NO_TIMES,
    TEMPLATES,
    answer,
    body_of,
    decoded,
)
from aiowf.engine.listing import find
from aiowf.engine.normalise import member
from aiowf.engine.refusal import Refusal, internal, invalid
from aiowf.engine.rendering import render
from aiowf.engine.templates import CLUSTER, NAMESPACED, Kind

# Clients take few headers: Python's http.client a hundred.
_MOST_NOTICES = 10
_KINDS = {kind.name.lower(): kind for kind in (NAMESPACED, CLUSTER)}
# Options of a submission → fields of the specification.
_SPEC_OPTIONS = {
    "entryPoint": "entrypoint",
    "serviceAccount": "serviceAccountName",
    "priority": "priority",
    "podPriorityClassName": "podPriorityClassName",
}


def routes() -> list[web.RouteDef]:
    """Return the routes to add to an application."""
    base = "/api/v1/workflows/{namespace}"
    return [
        web.post(base, _create),
        web.post(f"{base}/lint", _lint),
        web.post(f"{base}/submit", _submit),
        web.put(f"{base}/{{name}}/resubmit", _resubmit),
    ]


async def _create(request: web.Request) -> web.Response:
    body = await body_of(request)
    given = member(body, "workflow")
    if given is None:
        raise invalid("workflow body not specified")
    options = member(body, "createOptions") or {}
    server_dry_run = bool(member(body, "serverDryRun"))
    dry_run = server_dry_run or bool(member(options, "dryRun"))
    return _told(request, *_made(request, decoded(given), dry_run=dry_run, ask=server_dry_run))


def _made(
    request: web.Request, workflow: dict[str, Any], *, dry_run: bool = False, ask: bool = False
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Create a workflow, and return it, and what is odd about it.

    Args:
        request: The request.
        workflow: The workflow.
        dry_run: Whether it is only looked at.
        ask: Whether even then its name must be free.
    """
    namespace, controller = request.match_info["namespace"], request.app[CONTROLLER]
    admitted = request.app[ADMISSION].check(workflow, namespace)
    if not dry_run:
        return render(controller.create(admitted, namespace)), admitted.notices
    run = controller.prepare(admitted, namespace)
    if ask:
        controller.store.refuse_taken(run)
    return render(run), admitted.notices


def _told(request: web.Request, made: dict[str, Any], notices: Sequence[str]) -> web.Response:
    """Answer with a workflow, and tell what is odd about it.

    Where others are served, whoever runs the engine is told; else the client, as Kubernetes' API
    server would.
    """
    response, journal = answer(made), request.app[JOURNAL]
    told = list(notices[:_MOST_NOTICES])
    if len(notices) > len(told):
        told.append(f"there are {len(notices) - len(told)} more such warnings")
    for notice in told:
        if journal.is_read:
            journal.write(notice)
        else:
            response.headers.add("Warning", f"299 - {orjson.dumps(notice).decode()}")
    return response


async def _lint(request: web.Request) -> web.Response:
    given = member(await body_of(request), "workflow")
    if given is None:
        raise Refusal(2, "unable to get a workflow")
    try:
        workflow = decoded(given)
        request.app[ADMISSION].check(workflow, request.match_info["namespace"], lint=True)
    except Refusal as refusal:
        raise Refusal(2, refusal.message) from None
    return answer({**workflow, "status": NO_TIMES})


async def _resubmit(request: web.Request) -> web.Response:
    body, namespace = await body_of(request), request.match_info["namespace"]
    run = find(request.app[CONTROLLER], namespace, request.match_info["name"])
    return _told(request, *_made(request, again.resubmitted(run, body)))


async def _submit(request: web.Request) -> web.Response:
    body = await body_of(request)
    given, name = str(member(body, "resourceKind") or ""), str(member(body, "resourceName") or "")
    if given.lower() == "cronworkflow":
        raise Refusal(12, "CronWorkflow: the embedded engine has no cron workflows")
    kind = _KINDS.get(given.lower())
    if kind is None:
        raise invalid(f"Resource kind '{given}' is not supported for submitting")
    request.app[TEMPLATES].get(kind, request.match_info["namespace"], name)
    options = member(body, "submitOptions") or {}
    if not isinstance(options, Mapping):
        raise invalid("json: cannot unmarshal submitOptions into Go value of type SubmitOpts")
    ask, dry_run = bool(member(options, "serverDryRun")), bool(member(options, "dryRun"))
    made, notices = _made(request, _from(kind, name, options), dry_run=dry_run or ask, ask=ask)
    if dry_run:
        kept = ("name", "generateName", "labels", "annotations")
        made["metadata"] = {key: made["metadata"][key] for key in kept if key in made["metadata"]}
    return _told(request, made, notices)


def _from(kind: Kind, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the workflow that a submission from a template makes."""
    reference: dict[str, Any] = {"name": name}
    if kind is CLUSTER:
        reference["clusterScope"] = True
    arguments = again.with_parameters({}, again.parameters_of(options))
    spec: dict[str, Any] = {"arguments": arguments, "workflowTemplateRef": reference}
    for option, field in _SPEC_OPTIONS.items():
        if member(options, option):
            spec[field] = member(options, option)
    metadata: dict[str, Any] = {"generateName": member(options, "generateName") or f"{name}-"}
    if member(options, "name"):
        metadata["name"] = member(options, "name")
    labels = _pairs(member(options, "labels"), "labels", "label")
    metadata["labels"] = {**labels, kind.label: name}
    annotations = _pairs(member(options, "annotations"), "annotations", "annotation")
    if annotations:
        metadata["annotations"] = annotations
    return decoded({"metadata": metadata, "spec": spec})


def _pairs(text: Any, what: str, one: str) -> dict[str, str]:
    """Read "NAME1=VALUE1,NAME2=VALUE2"."""
    found: dict[str, str] = {}
    for pair in str(text or "").split(","):
        name, equals, value = pair.strip().partition("=")
        if equals:
            found[name] = value
        elif pair:
            raise internal(
                f"expected {what} of the form: NAME1=VALUE2,NAME2=VALUE2. Received: {text}: "
                f"unexpected {one} spec: {pair}"
            )
    return found
