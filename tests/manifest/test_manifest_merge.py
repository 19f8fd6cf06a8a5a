"""Overrides are merged as deep as they go, and misspelt ones are refused."""

from typing import Any

import pytest

from aiowf.errors import ConfigurationError
from aiowf.manifest import (
    Container,
    EnvVar,
    LogEntry,
    RetryStrategy,
    Template,
    Volume,
    VolumeMount,
    WorkflowSpec,
    check_fields,
    deep_merge,
    unstructure,
)

BASE = Template(
    name="a",
    container=Container(
        image="x",
        args=("1", "2"),
        env=(EnvVar(name="A", value="1"), EnvVar(name="B", value="2")),
        volume_mounts=(VolumeMount(name="v", mount_path="/v"),),
    ),
    retry_strategy=RetryStrategy(limit=10),
    volumes=(Volume(name="v", extra={"emptyDir": {}}),),
)


def merged(overrides: Any) -> Any:
    """Return the JSON of the base with overrides."""
    return unstructure(deep_merge(BASE, overrides))


def test_objects_are_merged_field_by_field() -> None:
    """What the overrides do not name stays, at any depth."""
    result = merged({"container": {"resources": {"limits": {"cpu": "1"}}}, "daemon": True})
    expected = unstructure(BASE)
    expected["daemon"] = True
    expected["container"]["resources"] = {"limits": {"cpu": "1"}}
    assert result == expected


def test_a_value_of_the_class_can_be_the_overrides() -> None:
    """In a Template as overrides None says nothing."""
    result = deep_merge(BASE, Template(retry_strategy=RetryStrategy(retry_policy="Always")))
    assert result.retry_strategy == RetryStrategy(limit=10, retry_policy="Always")
    assert result.container == BASE.container


def test_lists_with_a_key_are_merged_by_it() -> None:
    """A variable of the same name takes the old one's place, whole; a new one comes last."""
    result = merged(
        {"container": {"env": [{"name": "B", "valueFrom": {}}, EnvVar(name="C", value="3")]}}
    )
    assert result["container"]["env"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {}},
        {"name": "C", "value": "3"},
    ]


def test_mounts_are_told_apart_by_their_path() -> None:
    """Two mounts of one volume at two paths are two mounts."""
    mounts = [{"name": "w", "mountPath": "/v"}, {"name": "v", "mountPath": "/w"}]
    assert merged({"container": {"volumeMounts": mounts}})["container"]["volumeMounts"] == mounts


def test_a_volume_of_the_same_name_takes_the_old_ones_place() -> None:
    """Two sources of one volume would be none."""
    volumes = [{"name": "v", "hostPath": {"path": "/x"}}]
    assert merged({"volumes": volumes})["volumes"] == volumes


def test_templates_of_a_specification_are_merged() -> None:
    """spec_overrides reach into a template by its name."""
    spec = WorkflowSpec(templates=(BASE, Template(name="b")))
    result = deep_merge(spec, {"templates": [{"name": "a", "container": {"image": "y"}}]})
    assert result.templates is not None
    assert [item.name for item in result.templates] == ["a", "b"]
    assert result.templates[0].container is not None
    assert result.templates[0].container.image == "y"
    assert result.templates[0].container.args == ("1", "2")


def test_lists_without_a_key_are_replaced() -> None:
    """Arguments are not added to arguments."""
    assert merged({"container": {"args": ("3",)}})["container"]["args"] == ["3"]


def test_null_removes_a_field() -> None:
    """None in a mapping takes a field away, where there is one."""
    result = merged({"retryStrategy": None, "daemon": None, "container": {"args": None}})
    assert "retryStrategy" not in result
    assert "daemon" not in result
    assert "args" not in result["container"]


def test_what_is_no_item_with_a_key_is_added() -> None:
    """Items without the key are not confused with each other."""
    result = deep_merge(WorkflowSpec(), {"tolerations": [{"operator": "Exists"}, {"key": "k"}]})
    assert unstructure(result)["tolerations"] == [{"operator": "Exists"}, {"key": "k"}]


def test_the_base_stays_as_it_is() -> None:
    """Merging makes a new value."""
    before = unstructure(BASE)
    merged({"container": {"env": [{"name": "A", "value": "9"}], "args": None}})
    assert unstructure(BASE) == before


@pytest.mark.parametrize(
    ("overrides", "where", "hint"),
    [
        ({"active_deadline_seconds": 3}, "overrides", 'did you mean "activeDeadlineSeconds"?'),
        ({"retryStrategy": {"limits": 1}}, "overrides.retryStrategy", 'did you mean "limit"?'),
        (
            {"container": {"volumeMounts": [{"mountPath": "/x", "readonly": True}]}},
            "overrides.container.volumeMounts[0]",
            'did you mean "readOnly"?',
        ),
        ({"image": "x"}, "overrides", 'it belongs in "container" or "script"'),
        ({"zzz": 1}, "overrides", None),
        ({"container": {"args": 3}}, "overrides.container.args", None),
        (3, "overrides", None),
        (
            {"steps": [[{"name": "a", "hooks": {"exit": {"tmplate": "t"}}}]]},
            "overrides.steps[0][0].hooks.exit",
            'did you mean "template"?',
        ),
    ],
)
def test_wrong_overrides_are_refused(overrides: Any, where: str, hint: str | None) -> None:
    """An unknown field is told with its path in Argo's names and the nearest right name."""
    with pytest.raises(ConfigurationError) as caught:
        deep_merge(BASE, overrides)
    assert caught.value.where == where
    assert caught.value.hint == hint


def test_a_class_outside_the_schema_is_merged_too() -> None:
    """Without a definition nothing is known of the fields, and nothing refused."""
    entry = LogEntry(content="x", pod_name="p")
    assert deep_merge(entry, {"content": "y"}) == LogEntry(content="y", pod_name="p")


def test_unknown_fields_of_a_workflow_are_found_at_any_depth() -> None:
    """The first is told in full, the others by their paths, which begin inside the spec."""
    data = {
        "spec": {
            "podGc": {},
            "templates": [{"name": "a", "container": {"resources": {"limit": {"cpu": "1"}}}}],
            "volumes": None,
        },
        "metadata": {"labels": {"anything": "goes"}},
        "sepc": {},
    }
    with pytest.raises(ConfigurationError) as caught:
        check_fields(data)
    assert caught.value.message == 'unknown field "podGc"'
    assert caught.value.where == "spec"
    assert caught.value.hint == (
        'did you mean "podGC"?; 2 more: templates[0].container.resources.limit, sepc'
    )


def test_known_fields_pass() -> None:
    """What Argo knows passes: opaque parts, free keys, and what is no object at all."""
    check_fields(
        {
            "spec": {
                "templates": [{"name": "a", "plugin": {"x": {"y": 1}}}],
                "arguments": {"parameters": "no list"},
                "nodeSelector": {"a/b": "c"},
            },
            "status": {"nodes": {"n-1": {"outputs": {"exitCode": "0"}}}},
        }
    )
