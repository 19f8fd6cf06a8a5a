"""The client that is generated from Argo's OpenAPI, unchanged, against the served engine."""

from collections.abc import Iterator
from typing import Any

import argo_workflows
import pytest
from argo_workflows import ApiClient, models
from argo_workflows.api.archived_workflow_service_api import ArchivedWorkflowServiceApi
from argo_workflows.api.cluster_workflow_template_service_api import (
    ClusterWorkflowTemplateServiceApi,
)
from argo_workflows.api.cron_workflow_service_api import CronWorkflowServiceApi
from argo_workflows.api.info_service_api import InfoServiceApi
from argo_workflows.api.workflow_service_api import WorkflowServiceApi
from argo_workflows.api.workflow_template_service_api import WorkflowTemplateServiceApi
from argo_workflows.exceptions import ApiException, NotFoundException, ServiceException

NAMESPACE = "generated"
# Argo's times may be null, and its OpenAPI does not say so: this client is always used like that.
LOOSE = {"_check_return_type": False}


@pytest.fixture
def api(host: str) -> Iterator[ApiClient]:
    """Return a client of the served engine."""
    configuration = argo_workflows.Configuration(host=host)
    configuration.api_key = {"BearerToken": "secret"}
    configuration.api_key_prefix = {"BearerToken": "Bearer"}
    with ApiClient(configuration) as client:
        yield client


def model(name: str, /, **fields: Any) -> Any:
    """Return a value of Argo's types."""
    return getattr(models, f"IoArgoprojWorkflowV1alpha1{name}")(**fields)


def specification(**template: Any) -> Any:
    """Return a specification of one template."""
    return model(
        "WorkflowSpec", entrypoint="main", templates=[model("Template", name="main", **template)]
    )


def hello() -> Any:
    """Return a specification that says hello."""
    command = models.Container(image="busybox", command=["echo"], args=["hello"])
    return specification(container=command)


def named(kind: str, name: str, spec: Any) -> Any:
    """Return a workflow or template."""
    return model(kind, metadata=models.ObjectMeta(name=name), spec=spec)


def finished(workflows: WorkflowServiceApi, name: str) -> Any:
    """Wait until a workflow has finished; return it."""
    stream = workflows.watch_workflows(
        NAMESPACE,
        list_options_field_selector=f"metadata.name={name}",
        _preload_content=False,
        _request_timeout=30,
    )
    with stream:
        for line in stream:
            if b'"workflows.argoproj.io/completed":"true"' in line:
                break
    return workflows.get_workflow(NAMESPACE, name)


def test_a_workflow(api: ApiClient) -> None:
    """Lint, create, watch, get, list, logs, resubmit and delete."""
    workflows = WorkflowServiceApi(api)
    workflow = named("Workflow", "one", hello())
    workflows.lint_workflow(NAMESPACE, model("WorkflowLintRequest", workflow=workflow), **LOOSE)
    dry = model("WorkflowCreateRequest", workflow=workflow, server_dry_run=True)
    workflows.create_workflow(NAMESPACE, dry, **LOOSE)
    create = model("WorkflowCreateRequest", workflow=workflow)
    workflows.create_workflow(NAMESPACE, create, **LOOSE)
    with pytest.raises(ApiException, match="already exists"):
        workflows.create_workflow(NAMESPACE, create, **LOOSE)
    assert finished(workflows, "one").status.phase == "Succeeded"
    listed = workflows.list_workflows(
        NAMESPACE, list_options_label_selector="workflows.argoproj.io/phase=Succeeded"
    )
    assert [item.metadata.name for item in listed.items] == ["one"]
    log = workflows.workflow_logs(NAMESPACE, "one", log_options_container="main")
    assert log.result.content == "hello"
    again = workflows.resubmit_workflow(NAMESPACE, "one", model("WorkflowResubmitRequest"), **LOOSE)
    assert again.metadata["generateName"] == "one-"
    workflows.delete_workflow(NAMESPACE, "one")
    with pytest.raises(NotFoundException):
        workflows.get_workflow(NAMESPACE, "one")


def test_what_is_done_to_a_workflow(api: ApiClient) -> None:
    """Suspend, resume, set, stop, retry and terminate."""
    workflows = WorkflowServiceApi(api)
    waits = specification(suspend=model("SuspendTemplate"))
    create = model("WorkflowCreateRequest", workflow=named("Workflow", "held", waits))
    workflows.create_workflow(NAMESPACE, create, **LOOSE)
    held = workflows.suspend_workflow(NAMESPACE, "held", model("WorkflowSuspendRequest"), **LOOSE)
    assert held.spec["suspend"] is True
    workflows.set_workflow(
        NAMESPACE,
        "held",
        model("WorkflowSetRequest", node_field_selector="name=held", message="seen"),
        **LOOSE,
    )
    workflows.stop_workflow(NAMESPACE, "held", model("WorkflowStopRequest"), **LOOSE)
    assert finished(workflows, "held").status.phase == "Failed"
    workflows.retry_workflow(NAMESPACE, "held", model("WorkflowRetryRequest"), **LOOSE)
    workflows.terminate_workflow(NAMESPACE, "held", model("WorkflowTerminateRequest"), **LOOSE)
    assert finished(workflows, "held").status.message == "Stopped with strategy 'Terminate'"
    create = model("WorkflowCreateRequest", workflow=named("Workflow", "resumed", waits))
    workflows.create_workflow(NAMESPACE, create, **LOOSE)
    workflows.resume_workflow(NAMESPACE, "resumed", model("WorkflowResumeRequest"), **LOOSE)
    assert finished(workflows, "resumed").status.phase == "Succeeded"


def test_stored_templates(api: ApiClient) -> None:
    """Create, get, list, update, submit and delete; those of the cluster likewise."""
    templates, workflows = WorkflowTemplateServiceApi(api), WorkflowServiceApi(api)
    template = named("WorkflowTemplate", "stored", hello())
    request = {"template": template}
    templates.lint_workflow_template(NAMESPACE, model("WorkflowTemplateLintRequest", **request))
    templates.create_workflow_template(NAMESPACE, model("WorkflowTemplateCreateRequest", **request))
    found = templates.get_workflow_template(NAMESPACE, "stored")
    found.metadata.labels = {"team": "a"}
    templates.update_workflow_template(
        NAMESPACE, "stored", model("WorkflowTemplateUpdateRequest", template=found)
    )
    listed = templates.list_workflow_templates(NAMESPACE, list_options_label_selector="team=a")
    assert [item.metadata.name for item in listed.items] == ["stored"]
    submit = model(
        "WorkflowSubmitRequest",
        resource_kind="WorkflowTemplate",
        resource_name="stored",
        submit_options=model("SubmitOpts", name="submitted", labels="b=c"),
    )
    made = workflows.submit_workflow(NAMESPACE, submit, **LOOSE)
    assert made.metadata["labels"]["b"] == "c"
    assert finished(workflows, "submitted").status.phase == "Succeeded"
    templates.delete_workflow_template(NAMESPACE, "stored")
    everywhere = ClusterWorkflowTemplateServiceApi(api)
    create = model(
        "ClusterWorkflowTemplateCreateRequest",
        template=named("ClusterWorkflowTemplate", "generated", hello()),
    )
    everywhere.create_cluster_workflow_template(create)
    assert everywhere.get_cluster_workflow_template("generated").metadata.name == "generated"
    everywhere.delete_cluster_workflow_template("generated")


def test_what_the_engine_is_and_has_not(api: ApiClient, host: str) -> None:
    """Its version, an archive that is empty, no cron workflows, and nothing without a token."""
    assert InfoServiceApi(api).get_version().version.startswith("v4.")
    assert InfoServiceApi(api).get_info().modals == {
        "feedback": False,
        "firstTimeUser": False,
        "newVersion": False,
    }
    InfoServiceApi(api).get_user_info()
    assert ArchivedWorkflowServiceApi(api).list_archived_workflows(**LOOSE)["items"] is None
    with pytest.raises(ServiceException, match="no cron workflows"):
        CronWorkflowServiceApi(api).list_cron_workflows(NAMESPACE)
    with (
        ApiClient(argo_workflows.Configuration(host=host)) as nobody,
        pytest.raises(ApiException, match="token not valid"),
    ):
        InfoServiceApi(nobody).get_info()
