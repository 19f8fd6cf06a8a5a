"""Errors say where: the option, and the place inside it."""

from typing import Any

import pytest

from aiowf import operations, tasks
from aiowf.errors import ConfigurationError
from aiowf.manifest import TTLStrategy

A = tasks.BashTask("a", "true")


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"shared_directory": ["/a", "b"]}, "shared_directory[1]"),
        ({"shared_directory": "c:/a:rox"}, "shared_directory"),
        ({"shared_directory": ["/a", "c:/a"]}, "shared_directory"),
        ({"shared_directory": "/{{workflow.name}}"}, "shared_directory"),
        (
            {"ttl_strategy": TTLStrategy(seconds_after_success=-1)},
            "ttl_strategy.secondsAfterSuccess",
        ),
        ({"spec_overrides": {"parallelism": "3"}}, "spec_overrides.parallelism"),
        ({"spec_overrides": {"arguments": {"parameters": [1]}}}, "spec_overrides.arguments.para"),
        ({"annotations": {"a": "x" * 2**18}}, "annotations"),
        ({"on_exit_notify": {"queue": "q q"}}, "on_exit_notify.queue"),
        ({"pod_context": ["k", "v"]}, "pod_context"),
    ],
)
def test_an_operation_says_where(options: dict[str, Any], where: str) -> None:
    """It is a fact of the error, and the operation is not even built."""
    with pytest.raises(ConfigurationError) as caught:
        operations.SingleTaskOperation("op", A, **options)
    assert (caught.value.where or "").startswith(where)


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"retry_limit": -1}, "retry_limit"),
        ({"image_pull_policy": "always"}, "image_pull_policy"),
        ({"options": {}}, "options"),
        ({"FOO": None}, "env.FOO"),
        ({"retry_limt": 1}, "retry_limt"),
        ({"volume_mounts": ["a:/a", "b:/b:x"]}, "volume_mounts[1]"),
        ({"volume_mounts": ["a:/a", "b:/a"]}, "volume_mounts"),
        (
            {"template_overrides": {"script": {"env": [{"name": "A", "value": 1}]}}},
            "template_overrides.script.env[0].value",
        ),
        ({"template_overrides": {"container": {"image": "x"}}}, "template_overrides.container"),
    ],
)
def test_a_task_says_where(options: dict[str, Any], where: str) -> None:
    """Overrides are checked when the task is built, types included."""
    with pytest.raises(ConfigurationError) as caught:
        tasks.BashTask("a", "true", **options)
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("cls", "given", "where"),
    [
        (operations.SingleTaskOperation, len, "task"),
        (operations.PipelineOperation, (A, None), "tasks[1]"),
    ],
)
def test_what_is_no_task_is_told_by_its_place(cls: Any, given: Any, where: str) -> None:
    """In the constructor's own words."""
    with pytest.raises(ConfigurationError) as caught:
        cls("op", given)
    assert caught.value.where == where


def test_an_option_of_tasks_that_is_no_keyword_says_how_it_is_given() -> None:
    """Labels of a task are one of TaskOptions; as keyword they would be a variable."""
    with pytest.raises(ConfigurationError, match=r"options=TaskOptions\(labels=…\)"):
        tasks.BashTask("a", "true", labels={"a": "b"})  # type: ignore[arg-type]


def test_bytes_are_no_command() -> None:
    """A sequence of numbers is not what anybody means."""
    with pytest.raises(ConfigurationError, match="command: expected a text"):
        tasks.CommandBasedTask("a", b"true")  # type: ignore[arg-type]


def test_flat_resources_are_told_both_right_forms() -> None:
    """Hera, for one, takes them flat."""
    with pytest.raises(ConfigurationError, match=r"Resources\(cpu=1"):
        tasks.BashTask("a", "true", resources={"cpu": 1})


@pytest.mark.parametrize("path", ["/a/", "//a", "/a//b", "/a/./b"])
def test_a_path_in_another_form_is_refused_with_the_plain_one(path: str) -> None:
    """Kubernetes compares mount paths as texts."""
    plain = "/a/b" if "b" in path else "/a"
    with pytest.raises(ConfigurationError, match=f'use "{plain}"'):
        operations.Volume(path)


def test_a_payload_that_is_too_long_is_told_what_to_do() -> None:
    """It stands in a variable, of which Linux takes 128 KiB."""
    with pytest.raises(ConfigurationError, match="send the place where it is kept"):
        operations.OnExitNotify("q", "x" * 200_000)


def test_a_profile_that_is_none_is_refused() -> None:
    """The path of a values file, for example, is one for Profile.cloudharness."""
    wrong: Any = "/opt/allvalues.yaml"
    with pytest.raises(ConfigurationError, match="profile: expected a Profile"):
        operations.SingleTaskOperation("op", A).to_workflow(wrong)
