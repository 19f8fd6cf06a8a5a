"""Finding and listing workflows."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from aiowf.engine.clock import timestamp
from aiowf.engine.controller import Controller
from aiowf.engine.fields import parse_fields, with_empty_status
from aiowf.engine.refusal import Refusal, internal, invalid, not_found
from aiowf.engine.rendering import render
from aiowf.engine.run import WorkflowRun
from aiowf.engine.selectors import field_requirements, label_selector

_LATEST = "@latest"
_MOST = 2**63 - 1
_LONGEST = 20  # characters of such a number
Wanted = Callable[[WorkflowRun], bool]


def find(controller: Controller, namespace: str, name: str) -> WorkflowRun:
    """Return a workflow by its name, or the newest for "@latest".

    Raises:
        Refusal: There is none.
    """
    if not name:
        raise internal("resource name may not be empty")
    if name == _LATEST:
        runs = list(controller.store.all(namespace))
        if not runs:
            raise Refusal(5, "no workflows found")
        return cast(WorkflowRun, runs[-1])
    run = controller.store.get(namespace, name)
    if run is None and not namespace:
        run = next((one for one in controller.store.all() if one.name == name), None)
    if run is None:
        raise not_found(name)
    return cast(WorkflowRun, run)


def integer(text: str | None) -> int:
    """Return a parameter that is a whole number; 0 where it is absent.

    Raises:
        Refusal: It is something else.
    """
    if not text:
        return 0
    try:
        number = int(text) if len(text) <= _LONGEST else _MOST + 1
    except ValueError:
        raise invalid(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    if abs(number) > _MOST:
        raise invalid(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


def list_workflows(
    controller: Controller, namespace: str, query: Mapping[str, str]
) -> dict[str, Any]:
    """Return a page of workflows, the newest first."""
    limit = integer(query.get("listOptions.limit"))
    offset = _offset(query.get("listOptions.continue"))
    wanted, counted = _wanted(query)
    runs = cast(list[WorkflowRun], list(controller.store.all(namespace)))[::-1]
    runs = [run for run in runs if wanted(run)]
    page = runs[offset : offset + limit] if limit else runs[offset:]
    for run in page:
        controller.settle(run)
    metadata: dict[str, Any] = {"resourceVersion": str(controller.store.version)}
    if counted:
        left = max(0, len(runs) - offset - len(page))
        if left:
            metadata["continue"] = str(offset + len(page))
        metadata["remainingItemCount"] = left
    fields = parse_fields(query.get("fields"))
    items = [render(run, None, fields, "items.") for run in page]
    if fields is not None:
        pruned = fields.prune({"metadata": metadata, "items": items})
        metadata = pruned.get("metadata") or {}
        items = [with_empty_status(item) for item in pruned.get("items") or ()]
    return {"metadata": metadata, "items": items or None}


def _offset(text: str | None) -> int:
    if not text:
        return 0
    try:
        offset = int(text)
    except ValueError:
        raise invalid("listOptions.continue must be int") from None
    if offset < 0:
        raise invalid("listOptions.continue must >= 0")
    return offset


def _wanted(query: Mapping[str, str]) -> tuple[Wanted, bool]:
    """Return what chooses the workflows, and whether what is left is to be counted."""
    matches = label_selector(query.get("listOptions.labelSelector"))
    tests: list[Wanted] = [lambda run: matches(run.labels)]
    counted = False
    for name, how, value in field_requirements(query.get("listOptions.fieldSelector")):
        if name == "ext.showRemainingItemCount":
            counted = value == "true"
        elif name == "metadata.name":
            tests.append(_name_test(how, value, query.get("nameFilter")))
        elif name == "metadata.namespace" and how == "=":
            tests.append(_equal("namespace", value))
        elif name == "spec.startedAt" and how in "<>":
            tests.append(_started(how, value))
        else:
            raise invalid(f"unsupported requirement {name}{how}{value}")
    for key, how, attribute in (("createdAfter", ">", 0), ("finishedBefore", "<", 1)):
        if query.get(key):
            tests.append(_moment(how, query[key], finished=bool(attribute)))
    return lambda run: all(test(run) for test in tests), counted


def _equal(attribute: str, value: str) -> Wanted:
    return lambda run: getattr(run, attribute) == value


def _name_test(how: str, value: str, mode: str | None) -> Wanted:
    if mode == "Contains":
        return lambda run: value in run.name
    if mode == "Prefix":
        return lambda run: run.name.startswith(value)
    if how == "!=" or mode == "NotEquals":
        return lambda run: run.name != value
    return lambda run: run.name == value


def _started(how: str, value: str) -> Wanted:
    def test(run: WorkflowRun) -> bool:
        started = timestamp(run.started) or ""
        return started > value if how == ">" else started < value

    return test


def _moment(how: str, value: str, *, finished: bool) -> Wanted:
    def test(run: WorkflowRun) -> bool:
        # Argo's server keeps workflows that have not finished, whatever finishedBefore says.
        if finished and run.finished is None:
            return True
        when = (timestamp(run.finished) or "") if finished else run.metadata["creationTimestamp"]
        return bool(when > value) if how == ">" else bool(when < value)

    return test
