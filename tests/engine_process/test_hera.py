"""Hera's own clients, unchanged, against the served engine."""

from pathlib import Path
from typing import Any

import pytest
from hera.exceptions import HeraException, NotFound
from hera.workflows import (
    DAG,
    ClusterWorkflowTemplate,
    Parameter,
    Step,
    Steps,
    Suspend,
    Task,
    Workflow,
    WorkflowsService,
    WorkflowTemplate,
    script,
)
from hera.workflows.async_service import AsyncWorkflowsService
from hera.workflows.models import (
    ClusterWorkflowTemplateCreateRequest,
    ClusterWorkflowTemplateLintRequest,
    SubmitOpts,
    WorkflowCreateRequest,
    WorkflowLintRequest,
    WorkflowResubmitRequest,
    WorkflowResumeRequest,
    WorkflowRetryRequest,
    WorkflowSetRequest,
    WorkflowStopRequest,
    WorkflowSubmitRequest,
    WorkflowSuspendRequest,
    WorkflowTemplateCreateRequest,
    WorkflowTemplateLintRequest,
    WorkflowTemplateUpdateRequest,
    WorkflowTerminateRequest,
)

# How Hera uses Pydantic and httpx is no matter of ours.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pydantic.warnings.PydanticDeprecatedSince20", "ignore:Use 'content:DeprecationWarning"
)
NAMESPACE = "team"
POLL: Any = 0.1  # Hera says int, and sleeps as long as it is told


@pytest.fixture
def service(host: str) -> WorkflowsService:
    """Return Hera's client."""
    return WorkflowsService(host=host, token="Bearer secret", namespace=NAMESPACE)


@script(image="python:3.12", outputs=[Parameter(name="n", value_from={"path": "/tmp/aiowf/n"})])
def count(text: str) -> None:
    import os

    with open(os.path.join(os.environ["AIOWF_DIR"], "n"), "w") as file:
        file.write(str(len(text)))


@script(image="python:3.12")
def say(text: str) -> None:
    import sys

    sys.stdout.write(str(text))


@script(image="python:3.12")
def fail_once(mark: str) -> None:
    import os
    import sys

    if not os.path.exists(mark):
        open(mark, "w").close()
        sys.exit(3)


def waiting(name: str, service: WorkflowsService | None) -> Workflow:
    """Return a workflow that waits until somebody ends it."""
    with Workflow(
        name=name, namespace=NAMESPACE, entrypoint="main", workflows_service=service
    ) as workflow:
        gate = Suspend(name="gate")
        with Steps(name="main"):
            Step(name="wait", template=gate)
    return workflow


def test_a_dag_of_scripts(service: WorkflowsService) -> None:
    """Parameters, a loop and a condition: created, waited for, and its logs read."""
    with (
        Workflow(
            generate_name="dag-", namespace=NAMESPACE, entrypoint="main", workflows_service=service
        ) as workflow,
        DAG(name="main"),
    ):
        counted: Task = count(name="count", arguments={"text": "four"})
        each: Task = say(name="each", arguments={"text": "{{item}}"}, with_items=["a", "b"])
        shown: Task = say(
            name="shown",
            arguments={"text": counted.get_parameter("n")},
            when="{{tasks.count.outputs.parameters.n}} == 4",
        )
        skipped: Task = say(name="not", arguments={"text": "no"}, when="1 == 2")
        counted >> [each, shown, skipped]
    workflow.lint()
    workflow.create()
    done = workflow.wait(poll_interval=POLL)
    assert done.status is not None
    nodes = {node.display_name: node for node in (done.status.nodes or {}).values()}
    messages = {name: node.message for name, node in nodes.items() if node.message}
    assert done.status.phase == "Succeeded", messages
    assert nodes["not"].phase == "Skipped"
    assert {"each(0:a)", "each(1:b)", "shown"} < nodes.keys()


def test_steps_of_scripts(service: WorkflowsService) -> None:
    """Steps in groups, with a result that the next one takes."""
    with (
        Workflow(
            generate_name="steps-",
            namespace=NAMESPACE,
            entrypoint="main",
            workflows_service=service,
        ) as workflow,
        Steps(name="main") as steps,
    ):
        first: Step = say(name="first", arguments={"text": "hello"})
        with steps.parallel():
            say(name="left", arguments={"text": first.result})
            say(name="right", arguments={"text": "right"})
    created = workflow.create(wait=True, poll_interval=POLL)
    assert created.status is not None
    assert created.status.phase == "Succeeded"
    nodes = (created.status.nodes or {}).values()
    left = next(node for node in nodes if node.display_name == "left")
    assert left.inputs is not None
    assert left.inputs.parameters is not None
    assert left.inputs.parameters[0].value == "hello"
    # Hera reads one entry only, so one pod is asked that wrote one line.
    service.workflow_logs(str(created.metadata.name), pod_name=None, container="main", grep="right")


def test_what_is_done_to_workflows(service: WorkflowsService, tmp_path: Path) -> None:
    """Get, list, stop, terminate, retry, resubmit and delete."""
    for name in ("stopped", "terminated"):
        waiting(name, service).create()
    assert service.get_workflow("stopped").metadata.name == "stopped"
    listed = service.list_workflows(name_filter="Prefix").items or []
    assert {"stopped", "terminated"} <= {item.metadata.name for item in listed}
    service.stop_workflow("stopped", WorkflowStopRequest(name="stopped", namespace=NAMESPACE))
    service.terminate_workflow(
        "terminated", WorkflowTerminateRequest(name="terminated", namespace=NAMESPACE)
    )
    for name, strategy in (("stopped", "Stop"), ("terminated", "Terminate")):
        ended = waiting(name, service).wait(poll_interval=POLL)
        assert ended.status is not None
        assert (ended.status.phase, ended.status.message) == (
            "Failed",
            f"Stopped with strategy '{strategy}'",
        )
        service.delete_workflow(name)
        with pytest.raises(NotFound):
            service.get_workflow(name)
    with (
        Workflow(
            name="again", namespace=NAMESPACE, entrypoint="main", workflows_service=service
        ) as workflow,
        Steps(name="main"),
    ):
        fail_once(arguments={"mark": str(tmp_path / "mark")})
    workflow.create()
    assert workflow.wait(poll_interval=POLL).status.phase == "Failed"
    service.retry_workflow("again", WorkflowRetryRequest(name="again", namespace=NAMESPACE))
    assert workflow.wait(poll_interval=POLL).status.phase == "Succeeded"
    other = service.resubmit_workflow(
        "again", WorkflowResubmitRequest(name="again", namespace=NAMESPACE)
    )
    assert other.metadata.generate_name == "again-"


def test_templates(service: WorkflowsService) -> None:
    """Create, get, update, list, lint, submit and delete WorkflowTemplates."""
    with WorkflowTemplate(
        name="shared",
        namespace=NAMESPACE,
        entrypoint="say",
        arguments={"text": "from the template"},
        workflows_service=service,
    ) as template:
        say()
    template.lint()
    template.create()
    template.labels = {"team": "a"}
    template.update()
    stored = service.get_workflow_template("shared")
    assert stored.metadata.labels == {"team": "a"}
    listed = service.list_workflow_templates(label_selector="team=a").items or []
    assert [item.metadata.name for item in listed] == ["shared"]
    made = service.submit_workflow(
        WorkflowSubmitRequest(
            namespace=NAMESPACE,
            resource_kind="WorkflowTemplate",
            resource_name="shared",
            submit_options=SubmitOpts(name="from-shared", parameters=["text=mine"]),
        )
    )
    assert made.metadata.name == "from-shared"
    service.delete_workflow_template("shared")
    with pytest.raises(NotFound):
        service.get_workflow_template("shared")


def test_what_is_refused(service: WorkflowsService, host: str) -> None:
    """A workflow that cannot run, a name that is taken, a wrong token."""
    with pytest.raises(HeraException):
        Workflow(
            name="bad", namespace=NAMESPACE, entrypoint="nope", workflows_service=service
        ).lint()
    waiting("taken", service).create()
    with pytest.raises(HeraException, match="already exists"):
        waiting("taken", service).create()
    with pytest.raises(HeraException):
        WorkflowsService(host=host, token="Bearer x", namespace=NAMESPACE).get_info()


async def test_the_async_service(host: str) -> None:
    """The same with the asynchronous client."""
    async with AsyncWorkflowsService(
        host=host, token="Bearer secret", namespace=NAMESPACE
    ) as service:
        workflow = waiting("async", None).build()
        await service.lint_workflow(WorkflowLintRequest(workflow=workflow))
        await service.create_workflow(WorkflowCreateRequest(workflow=workflow))
        assert (await service.get_workflow("async")).metadata.name == "async"
        listed = await service.list_workflows()
        assert "async" in {item.metadata.name for item in listed.items or []}
        await service.stop_workflow("async", WorkflowStopRequest())
        await service.retry_workflow("async", WorkflowRetryRequest())
        await service.terminate_workflow("async", WorkflowTerminateRequest())
        await service.delete_workflow("async")
        with WorkflowTemplate(name="atemplate", namespace=NAMESPACE, entrypoint="say") as template:
            say()
        built = template.build()
        await service.lint_workflow_template(WorkflowTemplateLintRequest(template=built))
        stored = await service.create_workflow_template(
            WorkflowTemplateCreateRequest(template=built)
        )
        await service.update_workflow_template(
            "atemplate", WorkflowTemplateUpdateRequest(template=stored)
        )
        assert (await service.get_workflow_template("atemplate")).metadata.generation == 1
        assert len((await service.list_workflow_templates()).items or []) >= 1
        await service.delete_workflow_template("atemplate")


async def test_waits_and_logs_of_the_async_service(host: str) -> None:
    """A workflow is created and waited for, its logs are read, and it is made again."""
    async with AsyncWorkflowsService(
        host=host, token="Bearer secret", namespace=NAMESPACE
    ) as service:
        with (
            Workflow(
                name="awaited", namespace=NAMESPACE, entrypoint="main", workflows_service=service
            ) as workflow,
            Steps(name="main"),
        ):
            say(name="first", arguments={"text": "hello"})
        await workflow.async_lint()
        done = await workflow.async_create(wait=True, poll_interval=POLL)
        assert done.status.phase == "Succeeded"
        pod = next(node for node in done.status.nodes.values() if node.type == "Pod")
        # Hera reads one entry only.
        await service.workflow_logs("awaited", container="main", grep="hell")
        await service.workflow_logs(
            "awaited", container="main", selector="workflows.argoproj.io/workflow=awaited"
        )
        name = f"awaited-{pod.template_name}-{pod.id.rpartition('-')[2]}"
        await service.pod_logs("awaited", name, container="main", tail_lines="1")
        again = await service.resubmit_workflow("awaited", WorkflowResubmitRequest())
        assert again.metadata.generate_name == "awaited-"
        assert (await service.get_version()).version.startswith("v4.")
        await service.get_info()
        await service.get_user_info()
        assert not (await service.list_archived_workflows()).items


async def test_suspension_and_cluster_templates_of_the_async_service(host: str) -> None:
    """Suspend, set outputs, resume, and submit from a ClusterWorkflowTemplate."""
    async with AsyncWorkflowsService(
        host=host, token="Bearer secret", namespace=NAMESPACE
    ) as service:
        workflow = waiting("held", service)
        await workflow.async_create(wait=False)
        held = await service.suspend_workflow("held", WorkflowSuspendRequest())
        assert held.spec.suspend is True
        node = "displayName=wait"
        await service.set_workflow(
            "held", WorkflowSetRequest(message="seen", node_field_selector=node)
        )
        await service.resume_workflow("held", WorkflowResumeRequest())
        await service.resume_workflow("held", WorkflowResumeRequest(node_field_selector=node))
        assert (await workflow.async_wait(poll_interval=POLL)).status.phase == "Succeeded"
        with ClusterWorkflowTemplate(
            name="everywhere", entrypoint="say", arguments={"text": "from everywhere"}
        ) as template:
            say()
        built = template.build()
        await service.lint_cluster_workflow_template(
            ClusterWorkflowTemplateLintRequest(template=built)
        )
        await service.create_cluster_workflow_template(
            ClusterWorkflowTemplateCreateRequest(template=built)
        )
        made = await service.submit_workflow(
            WorkflowSubmitRequest(
                resource_kind="ClusterWorkflowTemplate", resource_name="everywhere"
            )
        )
        assert made.metadata.generate_name == "everywhere-"
        await service.delete_cluster_workflow_template("everywhere")
        with pytest.raises(HeraException, match="no cron workflows"):
            await service.list_cron_workflows()
