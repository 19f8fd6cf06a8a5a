"""Tasks that differ in their arguments alone: one template, a parameter for each call."""

from typing import Any

import attrs
import pytest

from aiowf import operations, tasks
from aiowf.errors import ConfigurationError


def double(n: Any) -> int:
    return 2 * n


def half(n: Any) -> int:
    return n // 2


def calls(*args: Any, **options: Any) -> list[tasks.PythonTask[int]]:
    """Return one task for each argument."""
    return [tasks.PythonTask(f"n-{n}", double, args=(a,), **options) for n, a in enumerate(args)]


def test_a_thousand_calls_have_two_templates() -> None:
    """The name and the arguments of a call are the parameters of its step."""
    spec = operations.MapOperation("sim", calls(*range(1000))).to_dict()["spec"]
    entry, template = spec["templates"]
    assert (spec["entrypoint"], entry["name"], template["name"]) == (
        "sim-map",
        "sim-map",
        "sim-task",
    )
    (group,) = entry["steps"]
    assert len(group) == 1000
    assert group[7] == {
        "name": "n-7",
        "template": "sim-task",
        "arguments": {
            "parameters": [{"name": "task", "value": "n-7"}, {"name": "call", "value": "[[7], {}]"}]
        },
    }
    assert template["inputs"] == {"parameters": [{"name": "task"}, {"name": "call"}]}
    assert {"name": "AIOWF_TASK", "value": "{{inputs.parameters.task}}"} in template["script"][
        "env"
    ]
    assert template["script"]["source"].count("{{") == 1


def test_the_arguments_are_literal() -> None:
    """Nothing in them ends the script's literal, or means something to Argo, Go or Kubernetes."""
    text = "{{workflow.name}} $(X) $$ ' \" \\ \n \x7f \u200b \U000e0001 \ud800 é"
    spec = operations.MapOperation("sim", calls(text)).to_dict()["spec"]
    value = spec["templates"][0]["steps"][0][0]["arguments"]["parameters"][1]["value"]
    for wrong in ("{{", "$", "'", "\x7f", "\u200b", "\U000e0001", "\ud800"):
        assert wrong not in value
    assert "é" in value
    assert [[text], {}] == eval(f"__import__('json').loads(r'{value}')")


def test_the_operation_is_a_value() -> None:
    """It is equal to one made alike, and evolves; options are those of every operation."""
    one = operations.MapOperation("sim", calls(1, 2), parallelism=1)
    assert one == operations.MapOperation("sim", calls(1, 2), parallelism=1)
    assert one != operations.MapOperation("sim", calls(1, 3), parallelism=1)
    assert attrs.evolve(one, name="other").entrypoint == "other-map"
    assert list(one.decoders) == ["n-0", "n-1"]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ([], "there are no tasks"),
        ([tasks.BashTask("b", "true")], "'b' is a BashTask"),
        ([*calls(1), tasks.PythonTask("other", half, args=(1,))], "more than name and arguments"),
        ([*calls(1), tasks.PythonTask("other", double, args=(1,), X=1)], "more than name"),
        ([*calls(1), *calls(2)], "two tasks are called 'n-0'"),
        (calls(tasks.PythonTask("n-1", half, args=(1,)).output), "no task 'n-1'"),
    ],
)
def test_what_cannot_share_a_template_is_refused(given: Any, match: str) -> None:
    """Other types, functions, options, the same name twice and other tasks' values."""
    with pytest.raises(ConfigurationError, match=match):
        operations.MapOperation("sim", given)
