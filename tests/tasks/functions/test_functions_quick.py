"""A pod of a simple function starts in little more than the time of its interpreter."""

import json
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from aiowf.tasks.functions import ship
from aiowf.tasks.functions.pod import encode, parse

# Each takes a good part of the time in which Python starts.
HEAVY = {"dataclasses", "enum", "json", "linecache", "re", "traceback", "types"}
SIMPLE = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(st.recursive(SIMPLE, lambda of: st.lists(of) | st.dictionaries(st.text(), of)))
def test_values_survive_without_the_json_module(value: object) -> None:
    """What is simple is written and read as that module would."""
    text = encode.encode(value)
    assert value == parse.parse(text) == json.loads(text)
    assert repr(json.loads(text)) == repr(parse.parse(text))


def test_what_python_cannot_read_is_left_to_the_json_module() -> None:
    """Names that only JSON has, and deep lists."""
    assert str(parse.parse("[NaN, -Infinity]")) == "[nan, -inf]"
    assert str(parse.parse("[" * 300 + "]" * 300)) == "[" * 300 + "]" * 300


def double(n):  # type: ignore[no-untyped-def]
    return 2 * n


def test_a_simple_script_imports_next_to_nothing(tmp_path: Path) -> None:
    """Neither a function without annotations nor its value needs more than Python has loaded."""
    source = ship(double).script("[[21], {}]")
    watched = f"import sys\nbefore = {{*sys.modules}}\n{source}print({{*sys.modules}} - before)"
    ended = subprocess.run(
        [sys.executable, "-c", watched],
        env={"AIOWF_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert (tmp_path / "return").read_text() == "42"
    assert set() == HEAVY & eval(ended.stdout)
