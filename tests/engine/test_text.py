"""Expressions, substitution, `depends`, durations, selectors and `fields`: pure functions."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aiowf.engine import durations, naming
from aiowf.engine.depends import dependencies_of
from aiowf.engine.expressions import (
    compile_expression,
    evaluate,
    is_true,
    should_execute,
)
from aiowf.engine.fields import parse_fields
from aiowf.engine.functions import ExpressionError, to_text
from aiowf.engine.loops import expand
from aiowf.engine.plan import ExecutionError
from aiowf.engine.refusal import Refusal
from aiowf.engine.selectors import field_requirements, label_selector
from aiowf.engine.substitution import substitute, substitute_json

RETRY = {
    "lastRetry.exitCode": "137",
    "lastRetry.status": "Failed",
    "lastRetry.duration": "3",
    "lastRetry.message": "main: Error (exit code 137)",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("asInt(lastRetry.exitCode) in [-1, 137, 143]", True),
        ("asInt(lastRetry.exitCode) not in [-1, 137, 143]", False),
        ("lastRetry.status == 'Failed' && asFloat(lastRetry.duration) < 3.5", True),
        ('lastRetry.status == "Error" or lastRetry.message contains "137"', True),
        ("not (lastRetry.status == 'Failed')", False),
        ("!(1 > 2) and 2 >= 2 and 1 <= 2 and 1 != 2", True),
        ("lastRetry.message startsWith 'main' && lastRetry.message endsWith ')'", True),
        ("lastRetry.message matches '[0-9]{3}'", True),
        ("lastRetry['exitCode'] == '137'", True),
        ("1 + 2 * 3 - 4 / 2", 5.0),
        ("7 % 4", 3),
        ("-2 + 1", -1),
        ("'a' + 'b'", "ab"),
        ("true ? 'yes' : 'no'", "yes"),
        ("false ? 'yes' : 'no'", "no"),
        ("len([1, 2]) == 2", True),
        ("nil == null", True),
        ("toJson([1, 'x'])", '[1,"x"]'),
        ("upper(trim(' a ')) + lower('B')", "Ab"),
        ("string(3) + string(true)", "3true"),
        ("int('4') + abs(-1)", 5),
        ("'it\\'s\\n'", "it's\n"),
        ("'abc' =~ 'b' && 'abc' !~ 'x'", True),
        ("filter([1, 2, 3], {# > 1})", [2, 3]),
        ("map([1, 2], # * 2)", [2, 4]),
        ("map([{n: 1}, {'n': 2}], {.n + #.n})", [2, 4]),
        ("all([1], {# > 0}) && any([0, 1], {# > 0}) && none([1], # > 1)", True),
        ("one([1, 2], {# == 1}) && count([1, 2, 3], {# > 1}) == 2", True),
        ("find([1, 2, 3], {# > 1}) == 2 && find([1], {# > 1}) == nil", True),
        ("map([1, 2], {filter([1, 2, 3], {# > 2})})[0][0]", 3),
        ("[1, 2, 3][1:] == [2, 3] && [1, 2, 3][:-1] == [1, 2]", True),
        ("[1, 2][-1] + [[7]][0][0]", 9),
        ("'abcdef'[1:3]", "bc"),
        ('fromJSON(\'{"a": {"b": [5]}}\').a.b[0]', 5),
        ("fromJSON('{}').a == nil", True),
        ("{a: 1, 'b': [2]}", {"a": 1, "b": [2]}),
        ("toJson({b: '<', a: 1.0})", '{"a":1,"b":"\\u003c"}'),
        ("asInt(3.7) + int('-2') + asFloat('0.5')", 1.5),
        ("max(1, 3, 2) + min([4, 5]) + sum([1, 2]) + mean([2, 4])", 13.0),
        ("split('a,b', ',') == ['a', 'b'] && join(['a', 'b'], '-') == 'a-b'", True),
        ("replace('aa', 'a', 'b') + repeat('x', 2) + trimPrefix('ab', 'a')", "bbxxb"),
        ("indexOf('abc', 'c') + lastIndexOf('abab', 'b')", 5),
        ("hasPrefix('ab', 'a') && hasSuffix('ab', 'b')", True),
        ("sort([2, 1]) == reverse([2, 1]) && first([1, 2]) == take([1, 2], 1)[0]", True),
        ("concat([1], [2]) == uniq([1, 2, 1]) && flatten([[1], 2]) == [1, 2]", True),
        ("keys({b: 1, a: 2}) == ['a', 'b'] && values({b: 1, a: 2}) == [2, 1]", True),
        ("last([]) == nil && round(2.5) == 3 && ceil(1.2) == 2 && floor(1.8) == 1", True),
        ("fromBase64(toBase64('ü')) == 'ü' && sprig.b64dec(sprig.b64enc('a')) == 'a'", True),
        ("toJSON([1]) == '[\n  1\n]'", True),
        ("sprig.trim(' a ') + sprig.trimAll('-', '-b-') + sprig.trimSuffix('c', 'ac')", "aba"),
        ("sprig.title('a bc') + sprig.nospace(' d e ') + sprig.trunc(2, 'fgh')", "A Bcdefg"),
        ("sprig.trunc(-1, 'ab') + sprig.substr(1, 3, 'abcd') + sprig.substr(2, -1, 'xyz')", "bbcz"),
        ("sprig.contains('a', 'ab') && sprig.hasPrefix('a', 'ab') && sprig.has(1, [1])", True),
        ("sprig.replace('a', 'b', 'ca') + sprig.quote('x') + sprig.squote(1)", "cb\"x\"'1'"),
        ("sprig.regexMatch('^a+$', 'aa') && sprig.splitList('-', 'a-b') == ['a', 'b']", True),
        ("sprig.join('-', sprig.list('a', 1)) + sprig.indent(2, 'b')", "a-1  b"),
        ("sprig.toString(3)", "3"),
        ("sprig.int('x') + sprig.atoi('4') + sprig.int64(2.9) + sprig.float64('0.5')", 6.5),
        ("sprig.add('1', 2, 3.9) - sprig.sub(5, 3) + sprig.mul(2, 3) + sprig.add1(0)", 11),
        ("sprig.div(-7, 2) + sprig.mod(7, 4) + sprig.max(1, 5) - sprig.min(2, 4)", 3),
        ("sprig.default('d', '') + sprig.coalesce('', 'c') + sprig.ternary('y', 'n', true)", "dcy"),
        ("sprig.empty([]) && sprig.rest([1, 2]) == [2] && sprig.initial([1, 2]) == [1]", True),
        ("sprig.repeat(2, 'ab') + string(sprig.round(1.25, 1))", "abab1.3"),
        ("sprig.date('2006-01-02 15:04:05', 86400)", "1970-01-02 00:00:00"),
        ("len(sprig.sha256sum('a')) + len(sprig.sha1sum('a'))", 104),
    ],
)
def test_expressions(text: str, expected: Any) -> None:
    """An expression has the value that Argo's has."""
    assert evaluate(text, RETRY) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 +",
        "nope",
        "f(1)",
        "(1",
        "[1",
        "1 2",
        "a.",
        "a[",
        "1 in 2",
        "1/0",
        "'a' + 1",
        "#",
        "-'x'",
        "'x' * 999999999",
        "[1] * 999999999",
        "1 % 0",
        "int('inf')",
        "+".join(["1"] * 5000),
        "int('1_0')",
        "int(true)",
        "int('3.7')",
        "float([])",
        "len(1)",
        "first('a')",
        "upper(1)",
        "[1][2]",
        "[1]['a']",
        "'a'[0]",
        "[1][",
        "{a 1}",
        "{a: 1",
        "{a: 1 b: 2}",
        "filter(1, {true})",
        "filter([1], {1})",
        "filter([1], {# > 0)",
        "filter([1])",
        ".a",
        "env('HOME')",
        "sprig.env('HOME')",
        "repeat('x', 9999999)",
        "sprig.div(1, 0)",
        "sprig.mod(1, 0)",
        "fromBase64('?')",
        "fromJSON('{')",
        "sprig.regexMatch('(', 'a')",
        "jsonpath('{}', 'a')",
        "jsonpath('{}', '$.a')",
        "jsonpath('{}', '$.a b')",
        "jsonpath('[1]', '$[1]')",
        "jsonpath('{', '$')",
        "keys(1)",
        "join([1], 2)",
        "replace(repeat('a', 9999), 'a', repeat('b', 9999))",
        "sprig.replace('a', repeat('b', 9999), repeat('a', 9999))",
        "join(split(repeat('a', 9999), ''), repeat('b', 9999))",
        "sprig.indent(9999, repeat('\n', 9999))",
    ],
)
def test_expressions_that_fail(text: str) -> None:
    """What cannot be read or evaluated is an ExpressionError, and never Python's own."""
    with pytest.raises(ExpressionError):
        evaluate(text, {})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", {"a": [{"n": "x", "v": 1}, {"n": "y", "v": 2}], "b-c": {"d": 3}}),
        ("$.a[0].n", "x"),
        ("$['b-c'].d", 3),
        ('$["b-c"]["d"]', 3),
        ("$.a[-1].v", 2),
        ("$.a[0:1]", [{"n": "x", "v": 1}]),
        ("$.a[*].n", ["x", "y"]),
        ("$.a.*.v", [1, 2]),
        ("$.a[0,1].v", [1, 2]),
        ("$.*.d", [3]),
        ("$..v", [1, 2]),
        ("$.a[?(@.n == 'y')].v", [2]),
        ('$.a[?(@.v > 0 && @.n == "x")].v', [1]),
        ("$.a[?(@.w)]", []),
        ("$.a[?(@.v)].n", ["x", "y"]),
        ("$.a[?(@.n > 1)]", []),
        ("$.a[7:].n", []),
        ("$..n.*", []),
    ],
)
def test_jsonpath(path: str, expected: Any) -> None:
    """One value, or a list of what a path may lead to."""
    text = '{"a":[{"n":"x","v":1},{"n":"y","v":2}],"b-c":{"d":3}}'
    assert expected == evaluate("jsonpath(p.text, p.path)", {"p.text": text, "p.path": path})


def test_a_jsonpath_that_leads_everywhere_is_given_up() -> None:
    """How many ways there are through what is nested grows with every step."""
    with pytest.raises(ExpressionError, match="more than 100000 elements"):
        evaluate("jsonpath(p, '$..*..*..*..*..*')", {"p": "[" * 60 + "]" * 60})


@pytest.mark.parametrize("operator", ["matches", "=~", "!~"])
def test_a_pattern_that_takes_for_ever_is_given_up(operator: str) -> None:
    """The engine does nothing else meanwhile; other patterns are not touched by it."""
    with pytest.raises(ExpressionError, match="took longer than"):
        evaluate(f"'{'a' * 40}b' {operator} '(a+)+$'", {})
    assert evaluate(f"'{'a' * 40}' {operator} '^a+$'", {}) is (operator != "!~")
    with pytest.raises(ExpressionError, match="took longer than"):
        evaluate(f"sprig.regexMatch('(a+)+$', '{'a' * 40}b')", {})
    with ThreadPoolExecutor(1) as pool:  # where no signal comes
        assert pool.submit(evaluate, "'a' matches 'a'", {}).result()


def test_a_condition_must_be_a_boolean() -> None:
    """An expression that decides must be true or false."""
    with pytest.raises(ExpressionError, match="expected a boolean"):
        is_true("1", {})


def test_closures_end() -> None:
    """Closures within closures come to an end that is not far away."""
    hundred = f"[{','.join(['1'] * 100)}]"
    nested = f"map({hundred}, {{map({hundred}, {{map({hundred}, {{#}})}})}})"
    with pytest.raises(ExpressionError, match="more than 100000 items"):
        evaluate(nested, {})


def test_deep_expressions_end() -> None:
    """An expression that is nested too deeply is refused."""
    with pytest.raises(ExpressionError, match="cannot read"):
        compile_expression("(" * 5000)


@pytest.mark.parametrize(
    ("when", "expected"),
    [("1 == 1", True), ("foo != bar", True), ("'a b' == 'a b'", True), ("a.b == c", False)],
)
def test_when(when: str, expected: bool) -> None:
    """Free words in `when` are strings."""
    assert should_execute(when) is expected


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("{{x}} == 1", "Invalid 'when' expression '{{x}} == 1': Invalid token: '{{x' (hint: "),
        ("a", "Expected boolean evaluation for 'a'. Got a"),
    ],
)
def test_when_that_fails(when: str, message: str) -> None:
    """A broken `when` is explained as Argo explains it."""
    with pytest.raises(ExpressionError) as caught:
        should_execute(when)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (None, "<nil>"), (3.0, "3"), (2.5, "2.5"), ("x", "x"), ([1], "[1]"), (7, "7")],
)
def test_values_as_go_prints_them(value: Any, text: str) -> None:
    """Scalars and trees become the text that Go makes of them."""
    assert to_text(value) == text


VARIABLES = {"workflow.name": "w", "inputs.parameters.q": 'a "b"\n', "n": "4"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{workflow.name}} and {{ workflow.name }}", "w and w"),
        ("{{x}} {{.Names}} {{ foo }}", "{{x}} {{.Names}} {{ foo }}"),
        ("{{=1+1}} {{=workflow.name}} {{=nope}}", "2 w {{=nope}}"),
        ("{{='{{'}}workflow.name}}", "{{workflow.name}}"),
        ("if (x) {{ y = {{workflow.name}} }}", "if (x) {{ y = w }}"),
        ("{{ a {{b}}", "{{ a {{b}}"),
        ("f'{{{x}}} {{}}'", "f'{{{x}}} {{}}'"),
        ("no tags", "no tags"),
    ],
)
def test_substitution(text: str, expected: str) -> None:
    """Known names are substituted, everything else stays as it is."""
    assert substitute(text, VARIABLES) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": "{{inputs.parameters.q}}"}', '{"a": "a \\"b\\"\\n"}'),
        ('{"a": "{{=n + \\"2\\"}}"}', '{"a": "42"}'),
        ('{"a": "{{=\\q}}"}', '{"a": "{{=\\q}}"}'),
    ],
)
def test_substitution_in_json(text: str, expected: str) -> None:
    """Values are escaped, and expressions unescaped, where the text is JSON."""
    assert substitute_json(text, VARIABLES) == expected


PHASES = {"a": "Succeeded", "b": "Failed", "c": "Skipped", "d-1": "Errored"}


@pytest.mark.parametrize(
    ("depends", "expected"),
    [
        ("a", True),
        ("b", False),
        ("c", True),
        ("a && b", False),
        ("a || b", True),
        ("b.Failed && !a.Failed", True),
        ("(a && b) || d-1.Errored", True),
        ("!(a || b)", False),
    ],
)
def test_depends(depends: str, expected: bool) -> None:
    """The condition holds for the results of the tasks it names."""
    needs = dependencies_of({"name": "x", "depends": depends}, {})
    assert needs.condition(lambda task, result: PHASES[task] == result) is expected
    assert set(needs.tasks) <= set(PHASES)


def test_dependencies_with_continue_on() -> None:
    """A bare dependency on a task that may fail holds when it failed."""
    task = {"name": "x", "dependencies": ["b", "d-1"]}
    continue_on = {"b": {"failed": True}, "d-1": {"error": True}}
    needs = dependencies_of(task, continue_on)
    assert needs.condition(lambda name, result: PHASES[name] == result) is True


@pytest.mark.parametrize("depends", ["a &&", "(a", "a b", "a.Nope", "&", "&& a", "a)"])
def test_depends_that_fails(depends: str) -> None:
    """What cannot be read is a ValueError."""
    with pytest.raises(ValueError, match=r"depends logic|task result"):
        dependencies_of({"name": "x", "depends": depends}, {})


@pytest.mark.parametrize(
    ("text", "seconds"), [("5", 5), ("1h2m3s", 3723), ("1.5s", 1.5), ("250ms", 0.25), ("-2s", -2)]
)
def test_durations(text: str, seconds: float) -> None:
    """Go's durations and bare seconds are read."""
    assert durations.seconds(text) == seconds


def test_durations_that_fail() -> None:
    """Other texts are refused with Go's words."""
    with pytest.raises(ValueError, match='time: invalid duration "soon"'):
        durations.seconds("soon")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0 seconds"), (80, "1 minutes 20 seconds"), (90061, "1 days 1 hours")],
)
def test_durations_in_messages(seconds: float, text: str) -> None:
    """A duration is spoken in its two largest units."""
    assert durations.spoken(seconds) == text


def test_names() -> None:
    """Ids and pod names are hashed and cut as Argo does it."""
    assert naming.node_id("s-fail", "s-fail[1].bad") == "s-fail-2541377361"
    assert naming.node_id("wf", "wf") == "wf"
    assert naming.pod_name("wf", "wf", "main") == "wf"
    assert naming.pod_name("s-exitf", "s-exitf.onExit", "bye") == "s-exitf-bye-81707192"
    assert len(naming.pod_name("w" * 63, "node", "t" * 200)) <= 253
    assert naming.generated_name("p" * 80)[:58] == "p" * 58


LABELS = {"a": "1", "b": "2", "x/y": "z"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", True),
        ("a=1", True),
        ("a==1,b=2", True),
        ("a!=1", False),
        ("c!=1", True),
        ("a in (1,2), b notin (3)", True),
        ("a notin (1)", False),
        ("c", False),
        ("!c,x/y=z", True),
        ("!a", False),
    ],
)
def test_label_selectors(selector: str, expected: bool) -> None:
    """Labels match as they do in Kubernetes."""
    assert label_selector(selector)(LABELS) is expected


@pytest.mark.parametrize("selector", ["a===b", "a in 1", "=1", "a,,b"])
def test_label_selectors_that_fail(selector: str) -> None:
    """A selector that cannot be read is refused."""
    with pytest.raises(Refusal):
        label_selector(selector)


def test_field_selectors() -> None:
    """Requirements are read with their operators."""
    assert field_requirements("a=1,b!=2,c>3") == [
        ("a", "=", "1"),
        ("b", "!=", "2"),
        ("c", ">", "3"),
    ]


OBJECT = {"metadata": {"name": "n", "labels": {"x.y/z": "1"}}, "spec": {"a": [{"b": 1, "c": 2}]}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("metadata.name", {"metadata": {"name": "n"}}),
        ("-spec,metadata.labels", {"metadata": {"name": "n"}}),
        ("-spec,-metadata", {"metadata": OBJECT["metadata"]}),
        ("spec.a.b", {"spec": {"a": [{"b": 1}]}}),
        ("-spec.a.b", {**OBJECT, "spec": {"a": [{"c": 2}]}}),
        ("metadata.labels.x.y/z", {"metadata": {"labels": {"x.y/z": "1"}}}),
        ("metadata.name.more", {"metadata": {}}),
        ("nothing", {}),
        ("-", OBJECT),
        ("nothing,", {}),
    ],
)
def test_fields(fields: str, expected: Any) -> None:
    """Paths keep what they name, or leave it out."""
    parsed = parse_fields(fields)
    assert parsed is not None
    assert parsed.prune(OBJECT) == expected


@pytest.mark.parametrize(("fields", "expected"), [("at", OBJECT), ("-at", {})])
def test_fields_below_a_path(fields: str, expected: Any) -> None:
    """What is kept, or left out, above an object is so for all of it."""
    parsed = parse_fields(fields)
    assert parsed is not None
    assert parsed.prune(OBJECT, "at.here") == expected


def test_what_fields_want() -> None:
    """Whether a part is rendered at all follows from the paths."""
    keeping, leaving = parse_fields("spec.a"), parse_fields("-spec.a,status")
    assert keeping is not None
    assert leaving is not None
    assert (keeping.wants("spec"), keeping.wants("spec.a.b"), keeping.wants("status")) == (
        True,
        True,
        False,
    )
    assert (leaving.wants("spec"), leaving.wants("spec.a.b"), leaving.wants("status")) == (
        True,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("loop", "names"),
    [
        ({"withItems": ["x", 2, True]}, ["s(0:x)", "s(1:2)", "s(2:true)"]),
        ({"withItems": [{"k": "p", "a": 1}]}, ["s(0:a:1,k:p)"]),
        ({"withItems": [[1, 2]]}, ["s(0:[1,2])"]),
        ({"withItems": []}, []),
        ({"withParam": '["a"]'}, ["s(0:a)"]),
        ({"withSequence": {"count": "2"}}, ["s(0:0)", "s(1:1)"]),
        ({"withSequence": {"start": 3, "end": "1"}}, ["s(0:3)", "s(1:2)", "s(2:1)"]),
        ({"withSequence": {"end": 1, "format": "n%02d"}}, ["s(0:n00)", "s(1:n01)"]),
    ],
)
def test_loops(loop: dict[str, Any], names: list[str]) -> None:
    """A loop becomes one step for each item, named as Argo names it."""
    assert [step["name"] for step in expand({"name": "s", **loop})] == names


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        ({"withParam": "not json"}, "invalid character 'o' in literal null (expecting 'u')"),
        ({"withParam": ""}, "unexpected end of JSON input"),
        ({"withParam": "x"}, "invalid character 'x' looking for beginning of value"),
        (
            {"withParam": "{}"},
            "json: cannot unmarshal object into Go value of type []v1alpha1.Item",
        ),
        ({"withSequence": {"count": "many"}}, "invalid literal"),
        ({"withSequence": {"count": "1000000000000"}}, "more than 10000"),
        ({"withSequence": {"end": "9" * 99}}, "more than 10000"),
        ({"withSequence": {"start": "9" * 99}}, "more than 10000"),
        ({"withParam": '["\\ud800"]'}, "could not be parsed as a JSON list"),
    ],
)
def test_loops_that_fail(loop: dict[str, Any], message: str) -> None:
    """Items that cannot be read are explained."""
    with pytest.raises(ExecutionError) as caught:
        expand({"name": "s", **loop})
    assert message in str(caught.value)
