"""From a workflow that has ended to its Result."""

import json
from collections.abc import Callable, Container, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from aiowf.client.result import Result, Values
from aiowf.errors import ConfigurationError, MissingResultsError
from aiowf.manifest import Workflow, WorkflowStatus
from aiowf.replies.files import Files
from aiowf.wire import labels, nodes
from aiowf.wire.replies import unpack_files
from aiowf.wire.values import LargeValue, large_value

if TYPE_CHECKING:
    from aiowf.client.settling import Settled

Decoders = Mapping[str, Callable[[str | bytes], Any]]


def decoders_of(workflow: Workflow) -> Decoders:
    """Return how to read the values of a workflow of which only the server's answer is known.

    Each task that returned a value gives it as plain JSON data: the annotations are not known.
    """
    found = nodes.nodes_of(workflow).values()
    names = [
        node.template_name
        for node in sorted(found, key=lambda node: (node.started_at or "", node.name or ""))
        if node.template_name and labels.OUTPUT_RETURN in nodes.output_parameters(node)
    ]
    return dict.fromkeys(names, json.loads)  # Python's own reader: NaN and Infinity are values too


def large_values(workflow: Workflow, decoders: Decoders) -> dict[str, LargeValue]:
    """Return the values that were too large for a parameter and have to be fetched, by task."""
    found = ((task, large_value(text)) for task, text in _returned(workflow, decoders).items())
    return {task: value for task, value in found if value is not None}


def build_result(
    settled: "Settled",
    decoders: Decoders,
    *,
    fetched: Mapping[str, bytes] | None = None,
) -> Result[Any]:
    """Build the Result of a workflow whose outcome is known.

    Args:
        settled: The workflow with its status, and the files that came back.
        decoders: Task name → what reads its return value.
        fetched: Task name → JSON of a value that was too large for a parameter.
    """
    workflow = settled.workflow
    status = workflow.status or WorkflowStatus()
    verdict = nodes.verdict(workflow)
    name = str(workflow.metadata.name if workflow.metadata else "")
    # Looked for when the first is asked for: it takes a walk over all nodes, and many never are.
    returned = cache(lambda: _returned(workflow, decoders))
    return Result(
        name=name,
        # Files and notice come last: when they are here the work is done, whatever Argo, which
        # looks at a workflow now and then, says of it yet.
        phase="Succeeded" if settled.is_early else verdict.phase,
        message=verdict.message,
        warnings=(*verdict.warnings, *settled.warnings),
        workflow=workflow,
        started_at=_time(status.started_at),
        finished_at=_time(status.finished_at),
        values=Values(
            {
                task: _reader(workflow, returned, task, decoder, (fetched or {}).get(task))
                for task, decoder in decoders.items()
            }
        ),
        files=Files() if settled.files is None else settled.files,
    )


def files_of(workflow: Workflow) -> Files | None:
    """Return the files that came as an output parameter, or None where there is none.

    Raises:
        CorruptResultsError: They are not what was sent.
        MissingResultsError: The workflow succeeded, and sent none.
    """
    found = [nodes.output_parameters(node) for node in nodes.nodes_of(workflow).values()]
    texts = [text for each in found if (text := each.get(labels.OUTPUT_FILES))]
    name = str(workflow.metadata.name if workflow.metadata else "")
    if texts:
        return Files(unpack_files(texts[-1], workflow=name))
    if nodes.verdict(workflow).phase != "Succeeded":
        return None
    raise MissingResultsError(
        f"the results of {name} did not come: no pod has the output parameter "
        f"{labels.OUTPUT_FILES!r}",
        workflow_name=name,
    )


def _reader(
    workflow: Workflow,
    returned: Callable[[], Mapping[str, str | None]],
    task: str,
    decoder: Callable[[str | bytes], Any],
    fetched: bytes | None,
) -> Callable[[], Any]:
    name = str(workflow.metadata.name if workflow.metadata else "")

    def read() -> Any:
        text = fetched if fetched is not None else returned().get(task)
        if not text or (fetched is None and large_value(text) is not None):
            raise _no_value(workflow, name, task)
        try:
            return decoder(text)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"what task {task} of {name} returned does not fit: {error.message}",
                where=error.where,
                hint=error.hint,
            ) from error

    return read


def _no_value(workflow: Workflow, name: str, task: str) -> MissingResultsError:
    templates = (workflow.spec.templates if workflow.spec else None) or ()
    steps = (step.name for each in templates for group in each.steps or () for step in group)
    if templates and task not in {*(each.name for each in templates), *steps}:
        return MissingResultsError(
            f"workflow {name} has no task {task}",
            workflow_name=name,
            hint="An operation with other tasks was executed with the same id before.",
            task=task,
        )
    return MissingResultsError(
        f"task {task} of {name} returned no value",
        workflow_name=name,
        hint="It did not run to its end, or its process ended without returning.",
        task=task,
    )


def _returned(workflow: Workflow, tasks: Container[str]) -> Mapping[str, str | None]:
    """Return the JSON of tasks' return values; of the last attempt, if one was tried again."""
    return {
        task: nodes.output_parameters(node).get(labels.OUTPUT_RETURN)
        for task, node in nodes.task_nodes(workflow, tasks).items()
    }


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
