"""What a client makes of workflows before it sends them, without any server."""

import enum
import json
from typing import Any

import orjson
import pytest

from aiowf.client.forms import Forms, Terms, make_form
from aiowf.client.planning import as_workflow, check_id
from aiowf.errors import ConfigurationError
from aiowf.manifest.rendering import Submission
from aiowf.operations import SingleTaskOperation
from aiowf.profile import Profile
from aiowf.tasks import BashTask
from aiowf.wire import labels


class Level(str, enum.Enum):  # noqa: UP042 (str() of a StrEnum is its value)
    """A text that str() writes in another way."""

    LOW = "low"
    HIGH = '"high" for $5'


def test_a_variable_that_is_an_enum_has_its_value_each_time() -> None:
    """The second operation of a shape sends what the first one would have sent."""
    forms = Forms()
    sent = []
    for level in ("text", Level.LOW, Level.HIGH):
        op = SingleTaskOperation("job", BashTask("task", "true", env={"LEVEL": level}))
        found = op.shape
        assert found is not None
        parts = [orjson.dumps(part) for part in found[1]]
        form = forms.find(found[0], parts)
        if form is None:
            workflow = op.to_workflow(Profile(), submission=Submission(workflow_name="job-1234"))
            form = make_form(workflow, "job-1234", "key-5678", parts, terms=Terms())
            forms.keep(found[0], form)
        body = json.loads(form.fill("job-1234", "key-5678", parts, tags={}, notes={}))
        env = body["workflow"]["spec"]["templates"][0]["script"]["env"]
        sent += [one["value"] for one in env if one["name"] == "LEVEL"]
    assert ["text", "low", '"high" for $$5'] == sent


@pytest.mark.parametrize("metadata", [{}, {"podMetadata": None}, {"podMetadata": {"labels": None}}])
def test_null_is_as_good_as_nothing(metadata: dict[str, Any]) -> None:
    """YAML that names a field and says nothing of it has null there, as Kubernetes allows."""
    template = {"name": "main", "container": {"image": "busybox"}}
    given = {
        "metadata": {"name": "job", "labels": None, "annotations": None},
        "spec": {"entrypoint": "main", "templates": [template], **metadata},
    }
    form = make_form(as_workflow(given), "job", "key", terms=Terms())
    body = json.loads(form.fill("job", "key", (), tags={"a": "b"}, notes={"c": "d"}))["workflow"]
    assert {labels.OPERATION_ID: "key"} == body["spec"]["podMetadata"]["labels"]
    assert {"a": "b"} == body["metadata"]["labels"]
    assert {"c": "d"} == body["metadata"]["annotations"]


def test_a_workflow_with_nothing_in_it_is_refused() -> None:
    """`spec: null` has no entrypoint."""
    with pytest.raises(ConfigurationError, match="entrypoint"):
        make_form(as_workflow({"metadata": {"name": "a"}, "spec": None}), "a", "key", terms=Terms())


@pytest.mark.parametrize("id", ["", 17, "\ud800"])
def test_an_id_is_a_text_that_can_be_sent(id: Any) -> None:
    """The name of the workflow is made of it, and an annotation holds it."""
    with pytest.raises(ConfigurationError, match="id="):
        check_id(id)
