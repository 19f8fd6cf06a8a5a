"""From a node and its template to a Pod, and from a PodResult back to the node's end."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from attrs import define, field, frozen

from aiowf.engine.clock import Timer
from aiowf.engine.naming import claim_name
from aiowf.engine.plan import Bound, ExecutionError
from aiowf.engine.pod import ImagePullError, Pod, PodResult
from aiowf.engine.substitution import Variables, substitute_json
from aiowf.manifest import Container, ScriptTemplate, Volume, structure
from aiowf.wire import labels

_COMPLETED = "workflows.argoproj.io/completed"
DEADLINE = "Pod was active on the node longer than the specified deadline"


@define(eq=False)
class PodRun:
    """The pod of a node, from its creation to the end of its process.

    Attributes:
        pod: What the executor runs.
        deadline: Seconds that its process may run, or None.
        declared: The template's output parameters.
        capture_stdout: Whether its standard output is an output.
    """

    pod: Pod
    deadline: float | None
    declared: Sequence[Mapping[str, Any]]
    capture_stdout: bool
    # When its process started; None before.
    started: float | None = None
    # Whether its process has ended, or never will start.
    ended: bool = False
    # Whether it was killed because its deadline passed.
    too_late: bool = False
    timer: Timer | None = None
    # Set when it is asked to end, perhaps before the executor knows of it.
    killed: asyncio.Event = field(factory=asyncio.Event)
    # Whether nobody wants its log any more.
    abandoned: bool = False
    # Whether the name of its workflow, or a retry of it, waits for its end.
    leaving: bool = False

    @property
    def scheduled(self) -> bool:
        """Whether the pod has come out of the queue."""
        return self.started is not None or self.ended


@frozen
class Ending:
    """How a pod ends its node."""

    phase: str
    message: str
    outputs: dict[str, Any] | None


def build_pod(
    *,
    name: str,
    node_id: str,
    node_name: str,
    workflow: Mapping[str, str],
    bound: Bound,
    data: Mapping[str, Any],
    volumes: Sequence[Volume],
    metadata: Mapping[str, Any],
    on_exit: bool,
    capture_stdout: bool,
) -> Pod:
    """Build the pod of a node.

    Args:
        name: Its name.
        node_id: Id of the node.
        node_name: Name of the node.
        workflow: The workflow's name, namespace and uid.
        bound: The template.
        data: The template after the last pass of substitution.
        volumes: The volumes of the specification.
        metadata: The specification's podMetadata.
        on_exit: Whether the pod belongs to the exit handler.
        capture_stdout: Whether another template refers to its standard output.

    Raises:
        ExecutionError: A mount names a volume that is not there.
    """
    container = bound.plan.container(data)
    own = data.get("metadata") or {}
    own_volumes = [structure(volume, Volume) for volume in data.get("volumes") or ()]
    return Pod(
        name=name,
        namespace=workflow["namespace"],
        workflow_name=workflow["name"],
        workflow_uid=workflow["uid"],
        node_id=node_id,
        template_name=bound.plan.name,
        container=container,
        labels={
            **(metadata.get("labels") or {}),
            **(own.get("labels") or {}),
            labels.ARGO_WORKFLOW: workflow["name"],
            _COMPLETED: "false",
            **({labels.ARGO_ON_EXIT: "true"} if on_exit else {}),
        },
        annotations={
            **(metadata.get("annotations") or {}),
            **(own.get("annotations") or {}),
            labels.ARGO_NODE_NAME: node_name,
        },
        volumes=_mounted(container, [*volumes, *own_volumes]),
        files={
            artifact["path"]: artifact["raw"].get("data", "").encode()
            for artifact in (data.get("inputs") or {}).get("artifacts") or ()
            if artifact.get("raw")
        },
        outputs={
            parameter["name"]: parameter["valueFrom"]["path"]
            for parameter in (data.get("outputs") or {}).get("parameters") or ()
        },
        capture_stdout=capture_stdout,
    )


def _mounted(
    container: Container | ScriptTemplate, volumes: Sequence[Volume]
) -> tuple[Volume, ...]:
    known = {volume.name: volume for volume in volumes}
    mounted: dict[str | None, Volume] = {}
    for mount in container.volume_mounts or ():
        if mount.name not in known:
            raise ExecutionError(f"volume '{mount.name}' not found in workflow spec")
        mounted[mount.name] = known[mount.name]
    return tuple(mounted.values())


def check_image(image: str | None) -> None:
    """Refuse an image that can never be pulled.

    Nothing is pulled here, so a name tells it only if no host can have it: those of the domain
    `.invalid` (RFC 6761).

    Raises:
        ImagePullError: It cannot.
    """
    host = (image or "").partition("/")[0].partition(":")[0]
    if host.endswith(".invalid"):
        raise ImagePullError.failed(str(image), "not found")


def claim_volumes(workflow: str, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the volumes that stand for the claim templates of a specification."""
    return [
        {"name": name, "persistentVolumeClaim": {"claimName": claim_name(workflow, name)}}
        for template in spec.get("volumeClaimTemplates") or ()
        for name in (template["metadata"]["name"],)
    ]


def resolve_volumes(data: Sequence[Mapping[str, Any]], variables: Variables) -> list[Volume]:
    """Return volumes with everything in them substituted."""
    text = substitute_json(orjson.dumps(data).decode(), variables)
    return [structure(volume, Volume) for volume in orjson.loads(text)]


def ending_of(run: PodRun, result: PodResult) -> Ending:
    """Return how a pod's result ends its node, in Argo's words."""
    parameters, missing = _output_parameters(run, result)
    outputs: dict[str, Any] = {}
    if parameters:
        outputs["parameters"] = parameters
    if run.capture_stdout and result.stdout is not None:
        outputs["result"] = result.stdout
    outputs["exitCode"] = str(result.exit_code)
    if run.too_late:
        return Ending("Failed", DEADLINE, outputs if run.started is not None else None)
    if result.exit_code:
        return Ending("Failed", _failure(result), outputs)
    if missing:
        text = f"open /var/run/argo/outputs/parameters{missing}: no such file or directory"
        return Ending("Error", f"wait: Error (exit code 64): {text}", outputs)
    return Ending("Succeeded", "", outputs)


def _failure(result: PodResult) -> str:
    reason = "StartError" if result.reason == "StartError" else "Error"
    message = f"main: {reason} (exit code {result.exit_code})"
    return f"{message}: {result.message}" if result.message else message


def _output_parameters(run: PodRun, result: PodResult) -> tuple[list[dict[str, Any]], str]:
    """Return the output parameters, and the path of the first that is missing, or ""."""
    parameters: list[dict[str, Any]] = []
    missing = ""
    for declared in run.declared:
        source = declared["valueFrom"]
        value = result.outputs.get(declared["name"], source.get("default"))
        if value is None:
            missing = missing or source["path"]
            parameters.append(dict(declared))
        else:
            parameters.append({"name": declared["name"], "value": value, **declared})
    return parameters, missing
