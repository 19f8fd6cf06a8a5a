"""Values between tasks: references become parameters, artifacts and arguments."""

from typing import Any

import pytest

from aiowf import operations, tasks
from aiowf.errors import ConfigurationError


def make() -> dict[str, int]:
    return {"n": 1}


def use(value: Any, other: Any = None) -> Any:
    return value


MAKER = tasks.PythonTask("maker", make)
PRINTER = tasks.BashTask("printer", "echo x")
FOREIGN = tasks.CommandBasedTask("foreign", "echo x")


def taking(**options: Any) -> tasks.PythonTask[Any]:
    """Return a Python task that takes something."""
    options.setdefault("args", (1,))
    return tasks.PythonTask("taker", use, **options)


def flow(*given: tasks.Task[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the last task's step and all templates of a pipeline."""
    spec = operations.PipelineOperation("op", given).to_dict()["spec"]
    templates = {template["name"]: template for template in spec["templates"]}
    return templates["op-pipeline"]["steps"][-1][0], templates


def outputs(template: dict[str, Any]) -> list[str]:
    """Return the names of a template's output parameters."""
    return [each["name"] for each in template.get("outputs", {}).get("parameters", ())]


@pytest.mark.parametrize(
    ("producer", "reference", "name", "value"),
    [
        (MAKER, MAKER.output, "output-maker", "outputs.parameters.return"),
        (MAKER, MAKER.stdout, "stdout-maker", "outputs.parameters.stdout"),
        (PRINTER, PRINTER.stdout, "stdout-printer", "outputs.parameters.stdout"),
        (FOREIGN, FOREIGN.stdout, "stdout-foreign", "outputs.result"),
    ],
)
def test_values_among_arguments_are_files(
    producer: Any, reference: Any, name: str, value: str
) -> None:
    """A parameter brings the value, a raw artifact puts it into a file: no size limit of Linux."""
    step, templates = flow(producer, taking(args=(reference,)))
    parameter = {"name": name, "value": f"{{{{steps.{producer.name}.{value}}}}}"}
    assert step["arguments"] == {"parameters": [parameter]}
    assert templates["taker"]["inputs"] == {
        "parameters": [{"name": name}],
        "artifacts": [
            {
                "name": name,
                "path": f"/tmp/aiowf/in/{name}",
                "raw": {"data": f"{{{{inputs.parameters.{name}}}}}"},
            }
        ],
    }
    if value != "outputs.result":
        assert value.rpartition(".")[2] in outputs(templates[producer.name])


def test_a_foreign_output_arrives_as_text() -> None:
    """It is no JSON, and the script knows."""
    _, templates = flow(FOREIGN, taking(args=(FOREIGN.stdout,)))
    assert "'stdout-foreign', 'text'" in templates["taker"]["script"]["source"]
    _, templates = flow(PRINTER, taking(args=(PRINTER.stdout,)))
    assert "'stdout-printer', 'json'" in templates["taker"]["script"]["source"]


@pytest.mark.parametrize(
    ("producer", "reference", "value"),
    [
        (MAKER, MAKER.output, "outputs.parameters.return-env"),
        (MAKER, MAKER.stdout, "outputs.parameters.stdout-env"),
        (PRINTER, PRINTER.stdout, "outputs.parameters.stdout-env"),
        (FOREIGN, FOREIGN.stdout, "outputs.result"),
    ],
)
@pytest.mark.parametrize(
    "taker",
    [
        lambda reference: taking(FOO=reference),
        lambda reference: tasks.BashTask("taker", "env", env={"FOO": reference}),
        lambda reference: tasks.CustomTask("taker", "i:1", FOO=reference),
        lambda reference: tasks.CommandBasedTask("taker", "env", FOO=reference),
        lambda reference: tasks.CustomTask("taker", "i:1", args=["-n", reference]),
        lambda reference: tasks.CommandBasedTask("taker", ["echo", reference]),
    ],
)
def test_values_in_variables_and_commands_are_text(
    producer: Any, reference: Any, value: str, taker: Any
) -> None:
    """They are written so that neither Argo nor Kubernetes changes them."""
    step, templates = flow(producer, taker(reference))
    parameter = {"name": "env-0", "value": f"{{{{steps.{producer.name}.{value}}}}}"}
    assert step["arguments"] == {"parameters": [parameter]}
    template = templates["taker"]
    assert template["inputs"] == {"parameters": [{"name": "env-0"}]}
    body = template.get("script") or template["container"]
    text = "{{inputs.parameters.env-0}}"
    words = [*body.get("command", ()), *body.get("args", ())]
    places = [*words, *(each.get("value") for each in body["env"])]
    assert places.count(text) == 1
    assert body["env"][0]["name"] == "AIOWF_LB"


def test_one_value_in_many_places_is_one_parameter() -> None:
    """Also at any depth of lists and dicts."""
    given = {"a": [MAKER.output], "b": MAKER.output}
    step, templates = flow(MAKER, taking(args=(given,), X=MAKER.output, Y=MAKER.output))
    names = [each["name"] for each in step["arguments"]["parameters"]]
    assert names == ["output-maker", "env-0"]
    assert [each["name"] for each in templates["taker"]["inputs"]["artifacts"]] == ["output-maker"]


def test_only_what_is_taken_is_produced() -> None:
    """A return value always is, everything else when a task asks for it."""
    _, templates = flow(MAKER, PRINTER, taking())
    assert outputs(templates["maker"]) == ["return"]
    assert outputs(templates["printer"]) == []
    _, templates = flow(MAKER, taking(X=MAKER.stdout, Y=MAKER.output))
    assert outputs(templates["maker"]) == ["return", "return-env", "stdout-env"]


@pytest.mark.parametrize(
    ("make_operation", "message"),
    [
        (lambda: operations.PipelineOperation("op", (taking(X=MAKER.output), MAKER)), "after it"),
        (lambda: operations.ParallelOperation("op", (MAKER, taking(X=MAKER.output))), "beside it"),
        (
            lambda: operations.SimpleDagOperation("op", (MAKER, taking(args=(MAKER.output,)))),
            "beside it",
        ),
        (lambda: operations.PipelineOperation("op", (taking(X=MAKER.output),)), "no task 'maker'"),
        (lambda: operations.SingleTaskOperation("op", taking(X=MAKER.output)), "no task 'maker'"),
        (
            lambda: operations.PipelineOperation(
                "op", (tasks.BashTask("a", "x", X=tasks.Reference("a", "stdout")),)
            ),
            "the task itself",
        ),
        (
            lambda: operations.PipelineOperation(
                "op", (PRINTER, taking(X=tasks.Reference("printer", "output")))
            ),
            r"take printer\.stdout",
        ),
        (
            lambda: operations.PipelineOperation(
                "op", (MAKER, taking(X=tasks.Reference("makr", "output")))
            ),
            'did you mean "maker"',
        ),
    ],
)
def test_references_that_lead_nowhere_are_refused(make_operation: Any, message: str) -> None:
    """They are refused when the operation is built."""
    with pytest.raises(ConfigurationError, match=message):
        make_operation()


def test_values_flow_over_groups() -> None:
    """From any earlier group of a simple DAG."""
    op = operations.SimpleDagOperation("op", MAKER, (PRINTER, FOREIGN), taking(X=MAKER.output))
    steps = op.to_dict()["spec"]["templates"][0]["steps"]
    assert steps[2][0]["arguments"]["parameters"][0]["value"] == (
        "{{steps.maker.outputs.parameters.return-env}}"
    )
