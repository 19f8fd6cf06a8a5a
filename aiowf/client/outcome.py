"""From a workflow that has ended to its Result."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from aiowf.client.result import Result, Values
from aiowf.errors import MissingResultsError
from aiowf.manifest import Workflow, WorkflowStatus
from aiowf.replies.files import Files
from aiowf.wire import labels, nodes
from aiowf.wire.events import FINAL_PHASES

Decoders = Mapping[str, Callable[[str | bytes], Any]]


def large_values(workflow: Workflow, decoders: Decoders) -> list[str]:
    """Return the tasks whose value was too large for a parameter and has to be fetched."""
    return [task for task in decoders if _marker(_returned(workflow, task)) is not None]


def build_result(
    workflow: Workflow,
    decoders: Decoders,
    *,
    files: Files | None = None,
    fetched: Mapping[str, bytes] | None = None,
) -> Result[Any]:
    """Build the Result of a workflow whose entry node has ended.

    Args:
        workflow: The workflow with its status.
        decoders: Task name → what reads its return value.
        files: Files that came back.
        fetched: Task name → JSON of a value that was too large for a parameter.
    """
    status = workflow.status or WorkflowStatus()
    verdict = nodes.verdict(workflow)
    # The files of a workflow come last: when they are here its work is done, whatever Argo, which
    # looks at a workflow now and then, says of it yet.
    early = files is not None and verdict.phase not in FINAL_PHASES
    name = str(workflow.metadata.name if workflow.metadata else "")
    return Result(
        name=name,
        phase="Succeeded" if early else verdict.phase,
        message=verdict.message,
        warnings=verdict.warnings,
        workflow=workflow,
        started_at=_time(status.started_at),
        finished_at=_time(status.finished_at),
        values=Values(
            {
                task: _reader(workflow, name, task, decoder, (fetched or {}).get(task))
                for task, decoder in decoders.items()
            }
        ),
        files=Files() if files is None else files,
    )


def _reader(
    workflow: Workflow,
    name: str,
    task: str,
    decoder: Callable[[str | bytes], Any],
    fetched: bytes | None,
) -> Callable[[], Any]:
    text = fetched if fetched is not None else _returned(workflow, task)

    def read() -> Any:
        if not text or (fetched is None and _marker(str(text)) is not None):
            raise MissingResultsError(
                f"task {task} of {name} returned no value",
                workflow_name=name,
                hint="It did not run to its end, or its process ended without returning.",
                task=task,
            )
        return decoder(text)

    return read


def _returned(workflow: Workflow, task: str) -> str | None:
    """Return the JSON of a task's return value; of its last attempt, if it was tried again."""
    node = nodes.task_node(workflow, task)
    return nodes.output_parameters(node).get(labels.OUTPUT_RETURN) if node is not None else None


def _marker(text: str | None) -> str | None:
    """Return the digest in the marker of a large value, or None if this is none."""
    if not text or labels.LARGE_VALUE not in text:
        return None
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    digest = data.get(labels.LARGE_VALUE) if isinstance(data, dict) else None
    return digest if isinstance(digest, str) else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
