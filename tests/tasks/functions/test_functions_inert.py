"""Literal text arrives unchanged through Argo's and Kubernetes' substitutions."""

import ast
import json
import re
import subprocess

import functions_sample as sample
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiowf.tasks.functions import ship
from aiowf.tasks.functions.pod import embedding
from aiowf.tasks.functions.pod.embedding import embedded
from aiowf.wire import inert

TEXTS = st.text(st.sampled_from("{}$()aA_'\"\\\n x☃\r"), max_size=30)
VARIABLES = {"AIOWF_LB": "{", "A": "changed", "a": "changed", "_": "changed"}


def substituted(text: str) -> str:
    """Do to a text what Argo and then Kubernetes do."""
    text = re.sub(r"\{\{.*?\}\}", "changed", text, flags=re.DOTALL)
    return re.sub(
        r"\$(\$|\(([^)]*)\))",
        lambda m: "$" if m[1] == "$" else VARIABLES.get(m[2], m[0]),
        text,
    )


@given(TEXTS)
def test_json_text(text: str) -> None:
    """JSON text stays the same value, alone and behind other text."""
    written = inert.json_text(json.dumps([text], ensure_ascii=False))
    assert inert.is_inert(written)
    assert "$" not in written
    assert json.loads(substituted(written)) == [text]


@given(TEXTS)
def test_python_literal(text: str) -> None:
    """A Python literal stays the same value."""
    written = inert.python_literal(text)
    assert inert.is_inert(written)
    assert ast.literal_eval(substituted(written)) == text


@given(TEXTS)
def test_env_value(text: str) -> None:
    """A variable's value arrives as the text, whatever variables there are."""
    written = inert.env_value(text)
    assert "{{" not in written
    assert substituted(written) == text


@pytest.mark.parametrize("text", ["\x00'''{{", "'", "a\n'", 'a\n"""', "a\n\\", "\ud800\n", ""])
def test_python_literals_with_odd_ends(text: str) -> None:
    """Quotes, backslashes and what no file can hold are escaped."""
    written = inert.python_literal(text)
    assert ast.literal_eval(written) == text
    written.encode()


@pytest.mark.parametrize(
    "source",
    [
        "echo plain $HOME ${HOME} $(echo cmd)",
        "echo '{{workflow.name}} {{{' \"it's\" \\\\ $(printf A)",
        "printf '%s' '$$' '$(A)' ; test $$ -gt 1; echo $?",
        "cat <<'END'\n$$ {{x}} \\n \\\\ 'quoted' ☃\nEND\nexit 3",
    ],
)
def test_bash_source(source: str) -> None:
    """A script does what it would do untouched."""
    written = inert.bash_source(source)
    results = [
        subprocess.run(["bash", "-c", text], capture_output=True, check=False)
        for text in (source, substituted(written))
    ]
    assert results[0].stdout == results[1].stdout
    assert results[0].returncode == results[1].returncode


def test_harmless_bash_is_left_alone() -> None:
    """Only what would be changed is wrapped."""
    assert inert.bash_source("x=$(ls -l) && echo ${x}") == "x=$(ls -l) && echo ${x}"
    assert inert.bash_source("echo $$").startswith("eval $'")


@pytest.mark.parametrize("name", embedding._MODULES)
def test_embedded_code(name: str) -> None:
    """The pod's code is inert, valid for Python 3.9 and free of comments."""
    text = embedded(name)
    assert inert.is_inert(text)
    assert ast.parse(text, feature_version=(3, 9))
    assert "#" not in text
    assert '"""' not in text


def test_size_of_the_pods_code() -> None:
    """Two hundred scripts leave room in a workflow of 1.5 MB."""

    assert len(ship(sample.factorial).script()) < 3_800
    assert len(ship(sample.nothing).script()) < 6_800
    assert "exchange" not in ship(sample.factorial).script()
