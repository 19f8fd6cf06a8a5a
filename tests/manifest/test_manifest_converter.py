"""Values and Argo's JSON turn into each other without loss."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiowf import manifest
from aiowf.errors import ConfigurationError
from aiowf.manifest import (
    Container,
    EnvVar,
    Parameter,
    Template,
    TTLStrategy,
    Workflow,
    WorkflowSpec,
    WorkflowStep,
    dumps,
    loads,
    structure,
    unstructure,
)
from aiowf.manifest.fields import evolve
from aiowf.manifest.spelling import field_names

DATA = Path(__file__).parents[1] / "data" / "manifest"
RECORDED = json.loads((DATA / "recorded.json").read_text())

LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=4)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def objects(definition: str, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects of a definition with unknown fields, nulls and empty parts at any depth."""
    fields = {
        name: st.none() | parts(kind, depth)
        for name, kind in field_names()[definition].items()
        if kind and (kind.lstrip("[{") or kind in ("[", "{"))
    }
    unknown = st.dictionaries(st.sampled_from(["unknown", "x-y", "ä"]), ANYTHING, max_size=2)
    return st.builds(lambda known, more: {**more, **known}, few_of(fields), unknown)


@st.composite
def few_of(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    """Return a mapping with up to four of the fields."""
    names = draw(st.lists(st.sampled_from(sorted(fields)), max_size=4)) if fields else []
    return {name: draw(fields[name]) for name in names}


def parts(kind: str, depth: int) -> st.SearchStrategy[Any]:
    """Return values of a field by its kind in the table of field names."""
    if kind.startswith("["):
        return st.lists(st.none() | parts(kind[1:], depth), max_size=2)
    if kind.startswith("{"):
        return st.dictionaries(st.text(max_size=3), parts(kind[1:], depth), max_size=2)
    if not kind:
        return st.nothing() | st.none()
    return st.just({}) if depth == 0 else st.deferred(lambda: objects(kind, depth - 1))


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: f"{row['case']}-{row['kind']}")
def test_what_a_server_said_comes_back_as_it_was(row: dict[str, Any]) -> None:
    """Manifests sent to a real server and its answers survive the way to values and back."""
    value = structure(row["object"], getattr(manifest, row["kind"]))
    assert unstructure(value) == row["object"]
    assert json.loads(dumps(value)) == row["object"]


@given(objects("Workflow", 4))
def test_any_object_comes_back_as_it_was(data: dict[str, Any]) -> None:
    """Unknown fields at any depth, null, [] and {} come back where they were, and stay apart."""
    before = copy.deepcopy(data)
    value = structure(data, Workflow)
    assert unstructure(value) == before
    assert loads(dumps(value), Workflow) == value
    assert data == before


def scribble(data: Any) -> None:
    """Change all of some JSON data."""
    if isinstance(data, dict):
        for item in data.values():
            scribble(item)
        data["scribbled"] = True
    elif isinstance(data, list):
        for item in data:
            scribble(item)
        data.append("scribbled")


@given(objects("Workflow", 4))
def test_no_value_changes_with_the_json_that_it_came_from_or_went_to(data: dict[str, Any]) -> None:
    """Its unknown fields and raw parts are its own."""
    expected = copy.deepcopy(data)
    value = structure(data, Workflow)
    scribble(data)
    assert expected == unstructure(value)
    scribble(unstructure(value))
    assert expected == unstructure(value)


def test_absent_null_and_empty_stay_apart() -> None:
    """A field that is absent, null, empty list or empty object is four different things."""
    texts = (b"{}", b'{"spec":null}', b'{"spec":{}}', b'{"spec":{"templates":[]}}')
    assert [dumps(loads(text, Workflow)) for text in texts] == list(texts)
    assert loads(b'{"spec":null}', Workflow).extra == {"spec": None}
    steps = {"spec": {"templates": [None, {}, {"steps": [None, [], [None, {}]]}]}}
    assert unstructure(structure(steps, Workflow)) == steps


def test_names_that_are_no_camel_case_are_argos_own() -> None:
    """podGC, boundaryID, podIP and from keep their spelling."""
    data = {
        "spec": {"podGC": {"strategy": "x"}, "volumeClaimGC": {}},
        "status": {"nodes": {"n": {"boundaryID": "b", "podIP": "1.2.3.4"}}},
    }
    value = structure(data, Workflow)
    assert value.status is not None
    assert value.status.nodes is not None
    assert value.status.nodes["n"].boundary_id == "b"
    assert unstructure(value) == data
    assert unstructure(manifest.Artifact(from_="x")) == {"from": "x"}


def test_a_parameter_may_be_a_number_or_a_boolean() -> None:
    """Argo takes them for a parameter's value, though not for a variable's."""
    for item in ("1", 1, 1.5, True):
        assert structure({"name": "n", "value": item}, Parameter).value is item
        data = {"name": "n", "enum": ["x", item], "valueFrom": {"path": "/p", "default": item}}
        assert dumps(data) == dumps(structure(data, Parameter))


@pytest.mark.parametrize(
    ("data", "where", "message"),
    [
        ({"spec": {"templates": [{"name": 3}]}}, "templates[0].name", "expected str, not 3"),
        ({"spec": {"templates": {}}}, "templates", "expected a list, not {}"),
        ({"spec": []}, "spec", "expected an object, not []"),
        ({"metadata": {"labels": {"a": 1}}}, "metadata.labels.a", "expected str, not 1"),
        ({"metadata": {"labels": []}}, "metadata.labels", "expected an object, not []"),
        ({"spec": {"securityContext": "x"}}, "securityContext", "expected an object, not 'x'"),
        ({"spec": {"priority": True}}, "priority", "expected int, not True"),
        (
            {"spec": {"templates": [{"script": {"env": [{}, {"value": 1}]}}]}},
            "templates[0].script.env[1].value",
            "expected str, not 1",
        ),
        (
            {"spec": {"templates": [{"retryStrategy": {"limit": 1.5}}]}},
            "templates[0].retryStrategy.limit",
            "expected int or str, not 1.5",
        ),
        ({"spec": {"templates": [{"container": {"args": "x"}}]}}, None, "expected a list, not 'x'"),
        ([], None, "expected an object, not []"),
    ],
)
def test_an_error_tells_its_path_in_argos_names(data: Any, where: str, message: str) -> None:
    """What has the wrong type is refused with the path inside the spec."""
    with pytest.raises(ConfigurationError) as caught:
        structure(data, Workflow)
    assert message in caught.value.message
    assert where is None or caught.value.where == where


def test_text_that_is_no_json_is_refused() -> None:
    """Broken JSON is a ConfigurationError, as all bad input is."""
    with pytest.raises(ConfigurationError, match="this is not JSON"):
        loads(b"{", Workflow)


def test_json_data_that_holds_values_can_be_dumped() -> None:
    """Values inside plain dicts and lists are written too, indented where asked for."""
    data = {"workflow": Workflow(spec=WorkflowSpec(entrypoint="a"))}
    assert json.loads(dumps(data)) == {"workflow": {"spec": {"entrypoint": "a"}}}
    assert b"\n" in dumps(data, indent=True)


def test_raw_parts_and_parts_of_another_class_are_written_as_they_are() -> None:
    """A dict where a value belongs is not lost: it is plain JSON already."""
    step: Any = {"name": "a"}
    assert unstructure(Template(steps=((step,),))) == {"steps": [[{"name": "a"}]]}


def test_an_inline_template_is_a_template() -> None:
    """Steps may hold templates, which hold steps."""
    data = {"steps": [[{"name": "a", "inline": {"steps": [[{"name": "b"}]]}}]]}
    value = structure(data, Template)
    assert value.steps is not None
    assert isinstance(value.steps[0][0].inline, Template)
    assert unstructure(value) == data


def test_values_are_equal_by_value_hashable_and_frozen() -> None:
    """Two values with the same fields are one; None is the same as absent."""
    one = EnvVar(name="a", value=None)
    assert one == EnvVar(name="a")
    assert hash(one) == hash(EnvVar(name="a"))
    assert one != EnvVar(name="b")
    assert one != TTLStrategy()
    assert one.__eq__("a") is NotImplemented
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.name = "b"  # type: ignore[misc]


def test_values_evolve_pickle_and_show_what_is_set() -> None:
    """attrs.evolve, pickle and repr work as with any attrs class."""
    container = Container(image="i", args=("a",))
    assert attrs.evolve(container, image="j") == Container(image="j", args=("a",))
    assert pickle.loads(pickle.dumps(container)) == container
    assert repr(container) == "Container(image='i', args=('a',))"


def test_a_field_that_is_called_value_evolves_too() -> None:
    """A parameter's and a variable's, for example."""
    assert evolve(manifest.EnvVar(name="A", value="1"), value="2").value == "2"
    assert evolve(manifest.Parameter(name="a", value=1), value=None) == manifest.Parameter(name="a")


def test_a_misspelt_keyword_is_a_type_error() -> None:
    """The error names the nearest field."""
    with pytest.raises(TypeError, match=r"argument 'tmplate'; did you mean \"template\""):
        WorkflowStep(tmplate="x")  # type: ignore[call-arg]


def test_an_unknown_name_of_the_room_is_an_attribute_error() -> None:
    """The lazy front door of the room opens for its own names only."""
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        manifest.nonsense  # noqa: B018
    assert manifest.check_workflow.__module__ == "aiowf.manifest.checks"


def test_a_constant_is_written_as_any_other_value() -> None:
    """What is made into data once looks the same in JSON, and never becomes a caller's own data."""
    made = manifest.constant(manifest.Backoff(duration="1s", extra={"unknown": 1}))
    strategy = manifest.RetryStrategy(limit=1, backoff=made)
    expected = {"limit": 1, "backoff": {"duration": "1s", "unknown": 1}}
    for _ in range(2):
        assert expected == json.loads(manifest.dumps(strategy))
        data = manifest.unstructure(strategy)
        assert expected == data
        data["backoff"]["duration"] = "changed"
