"""The table of field names and the merge keys agree with the schema that Argo publishes."""

import json
from importlib.resources import files
from typing import Any

import pytest
from schema import argo_schema, validate

import aiowf.manifest
from aiowf.manifest.fields import EXTRA, described, is_value
from aiowf.manifest.merge import MERGE_KEYS
from aiowf.manifest.spelling import field_names

ROOTS = ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")
VALUES = [
    getattr(aiowf.manifest, name)
    for name in aiowf.manifest.__all__
    if is_value(getattr(aiowf.manifest, name))
]


def full_name(short: str) -> str:
    """Return the definition that a short name means: Argo's, else Kubernetes'."""
    names = [name for name in argo_schema()["definitions"] if name.rpartition(".")[2] == short]
    order = ("io.argoproj.workflow", "io.k8s", "")
    return min(names, key=lambda name: [name.startswith(prefix) for prefix in order].index(True))


def key_of(name: str) -> str:
    """Return the key of a definition in the table: its short name, if that is not another's."""
    short = name.rpartition(".")[2]
    return short if full_name(short) == name else ".".join(name.split(".")[-3:])


def kind_of(part: dict[str, Any]) -> str:
    """Return what the table says of a property."""
    definitions = argo_schema()["definitions"]
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        if definitions[name].get("type") == "array":
            return "[" + kind_of(definitions[name]["items"])
        return key_of(name) if definitions[name].get("properties") else ""
    if part.get("type") == "array":
        return "[" + kind_of(part["items"])
    if part.get("type") == "object" and part.get("additionalProperties"):
        return "{" + kind_of(part["additionalProperties"])
    return ""


def generate() -> dict[str, dict[str, str]]:
    """Make the table of field names from the schema."""
    definitions = argo_schema()["definitions"]
    table: dict[str, dict[str, str]] = {}
    todo = [full_name(root) for root in ROOTS]
    while todo:
        name = todo.pop()
        properties = definitions[name].get("properties")
        if key_of(name) not in table:
            if properties:
                fields = {field: kind_of(part) for field, part in properties.items()}
                table[key_of(name)] = dict(sorted(fields.items()))
            text = json.dumps([properties, definitions[name].get("items")])
            todo += [other for other in definitions if f'"#/definitions/{other}"' in text]
    return dict(sorted(table.items()))


def test_the_table_of_field_names_is_what_the_schema_gives() -> None:
    """Making field_names.json anew from Argo's schema changes nothing in it."""
    text = files("aiowf.manifest").joinpath("field_names.json").read_text()
    assert json.loads(text) == generate()


def test_every_definition_that_is_named_is_in_the_table() -> None:
    """No field leads to a definition that the table does not have."""
    kinds = {kind.lstrip("[{") for fields in field_names().values() for kind in fields.values()}
    assert kinds - {""} <= field_names().keys()


@pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__name__)
def test_a_class_has_the_fields_of_its_definition(cls: type) -> None:
    """Every value class has exactly the fields of the definition whose name it bears."""
    definition = argo_schema()["definitions"][full_name(cls.__name__)]
    names = {key for name, key, _ in described(cls) if name != EXTRA}
    assert names == definition.get("properties", {}).keys()


def test_merge_keys_are_those_of_the_schema() -> None:
    """Lists are merged by the keys that the schema declares; `containers` is ours."""
    declared = {
        field: part["x-kubernetes-patch-merge-key"]
        for name in field_names()
        if name not in ("ObjectMeta", "PersistentVolumeClaimStatus") and "." not in name
        for field, part in argo_schema()["definitions"][full_name(name)]["properties"].items()
        if "x-kubernetes-patch-merge-key" in part
    }
    assert {**declared, "containers": "name"} == MERGE_KEYS


def test_the_validator_refuses_an_unknown_field() -> None:
    """The schema as the tests use it is strict: a misspelt field does not pass."""
    mount = {"name": "v", "mountPath": "/x", "readonly": True}
    container = {"image": "i", "volumeMounts": [mount]}
    with pytest.raises(AssertionError, match="readonly"):
        validate({"metadata": {}, "spec": {"templates": [{"name": "a", "container": container}]}})


def test_the_validator_takes_both_forms_of_a_retry_limit() -> None:
    """`limit: 3` and `limit: "3"` both pass, as they do in Argo."""
    for limit in (3, "3"):
        template = {"name": "a", "suspend": {}, "retryStrategy": {"limit": limit}}
        validate({"metadata": {}, "spec": {"templates": [template]}})
