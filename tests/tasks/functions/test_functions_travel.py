"""What a function needs from outside travels with it."""

import asyncio
import functools
import math
from pathlib import Path
from typing import Any

import functions_idioms as idioms
import functions_sample as sample
import pytest
from functions_sample_other import Far

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import ship


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (sample.both_names, ()),
        (sample.constants, ()),
        (sample.imports, ()),
        (sample.stacked, (1,)),
        (sample.cached, (1,)),
        (sample.decorated_helpers, (2,)),
        (sample.with_attribute, ()),
        (sample.sync_over, (4,)),
        (sample.even, (10,)),
        (sample.factorial, (5,)),
        (sample.uses_classes, (2,)),
        (sample.logs, ()),
        (sample.shadows, (3,)),
        (sample.uses_later, ()),
        (sample.dunder, ()),
        (sample.lambdas, (3,)),
        (sample.fstrings, (3,)),
        (sample.nothing, ()),
        (sample.in_block, (1,)),
        (sample.in_block_plain, (1,)),
        (sample.one_line, ("x",)),
        (sample.redefined, ()),
        (sample.first_redefined, ()),
        (sample.square, (3,)),
        (sample.Base.suffix, ()),
        (sample.guarded, ()),
        (sample.protocols, ()),
        (idioms.optional_imports, ()),
        (idioms.named_tuples, ()),
        (idioms.methods_of_values, ()),
        (idioms.made_methods, ()),
        (idioms.circle_of_classes, ()),
        (idioms.class_attributes, ()),
        (idioms.plugins, ()),
        (idioms.counted, ()),
        (idioms.made_values, ()),
        (idioms.constants_of_the_library, ()),
        (idioms.names_of_a_star, ()),
        (sample.rows_made, ()),
        (sample.FACTORS[1], (4,)),
        (math.sqrt, (4,)),
        (len, ([1, 2],)),
        (str.upper, ("a",)),
        (functools.partial(sample.factorial, 4), ()),
    ],
)
def test_same_value_as_here(pod: Any, python: str, function: Any, args: tuple[Any, ...]) -> None:
    """A call in the pod gives what the call here gives."""
    sample.cached.cache_clear()
    outcome = pod(function, *args, python=python)
    expected = function(*args)
    assert outcome.value == (list(expected) if isinstance(expected, tuple) else expected)


def test_coroutine_functions_are_run(pod: Any, python: str) -> None:
    """An async function is awaited, decorated or not."""
    assert pod(sample.sleeper, 1, python=python).value == 2
    assert pod(sample.wrapped(1)(sample.sync_over), 1).value == [[1]]


def test_kinds_of_parameters(pod: Any) -> None:
    """Positional-only, variadic and keyword-only parameters and their defaults arrive."""
    assert pod(sample.defaults, 1).value == [1, [0.5, 2], [], True, {}]
    outcome = pod(sample.defaults, 1, [2], 3, 4, c=5, d=6)
    assert outcome.value == [1, [2], [3, 4], False, {"d": 6}]


def test_global_statement(pod: Any) -> None:
    """A function may write globals, those that are not there yet included."""
    assert pod(sample.writes_global).value == 6


def test_types_only_for_checkers(pod: Any, python: str) -> None:
    """Imports for type checkers are looked up here, and never run in the pod."""
    outcome = pod(sample.only_for_checkers, Far(3), python=python)
    assert outcome.value == "3None"
    assert pod(sample.unresolved, {"a": 1}).value == {"a": 1}


def make_counter(start: int, step: Any) -> Any:
    """Return closures over closures."""
    factor = 2

    def scaled(x: int) -> int:
        return step(x) * factor

    def count(x: int, limit: int = start * 3) -> list[int]:
        nonlocal factor
        factor += 1
        return [start, scaled(x), limit, factor]

    return count


def make_mutual() -> Any:
    """Return two closures that call each other."""

    def ping(n: int) -> str:
        return "ping" if n == 0 else pong(n - 1)

    def pong(n: int) -> str:
        return "pong" if n == 0 else ping(n - 1)

    return ping


def test_closures(pod: Any, python: str) -> None:
    """Variables of enclosing functions travel as values."""
    outcome = pod(make_counter(5, lambda x: x + 1), 1, python=python)
    assert outcome.value == [5, 4, 15, 3]
    assert pod(make_mutual(), 3, python=python).value == "pong"


def test_function_inside_of_a_test(pod: Any) -> None:
    """A nested function may use classes and functions of its own scope."""
    import dataclasses

    @dataclasses.dataclass
    class Local:
        x: int

        def more(self) -> "Local":
            return Local(self.x + offset)

    class Child(Local):
        pass

    offset = 3

    def recursive(n: int) -> int:
        return Child(n).more().x if n > 2 else recursive(n + 1)

    assert pod(recursive, 0).value == 6


def test_defaults_of_lambdas(pod: Any, python: str) -> None:
    """Defaults of a lambda have the values that they have here, whatever they look like."""
    made = [lambda x, n=n, d={"{{n}}": n}, u=-n: ([x, n, d, u]) for n in (2, 3)]
    assert pod(made[0], 1, python=python).value == [1, 2, {"{{n}}": 2}, -2]
    locked = lambda lock=asyncio.Lock(): lock  # noqa: B008, E731
    with pytest.raises(ConfigurationError, match="the default of lock cannot travel"):
        ship(locked)


def test_tabs(pod: Any) -> None:
    """Sources indented with tabs travel as they are."""
    namespace = load_source("if True:\n\tdef f(x):\n\t\tif x:\n\t\t\treturn 'a\tb'\n", "tabs")
    assert pod(namespace["f"], 1).value == "a\tb"


def test_crlf_and_unicode(pod: Any) -> None:
    """Sources with CRLF and other scripts than Latin travel."""
    namespace = load_source(
        'def f(x):\r\n    größe = """é\r\n☃"""\r\n    return größe * x\r\n', "crlf"
    )
    assert pod(namespace["f"], 1).value == "é\n☃"


def test_long_function(pod: Any) -> None:
    """Errors in a function of 200 lines have the right line."""
    body = "".join(f"    x += {n}\n" for n in range(200))
    namespace = load_source(f"\n\ndef f(x):\n{body}    return x / 0\n", "long")
    outcome = pod(namespace["f"], 1)
    assert 'long.py", line 204, in f\n    return x / 0' in outcome.stderr


def test_match_statement(pod: Any) -> None:
    """Names bound by patterns are the function's own."""

    def matcher(value: Any) -> Any:
        match value:
            case {"a": [first, *others], **rest}:
                return [first, others, rest]
            case _:
                return None

    assert pod(matcher, {"a": [1, 2], "b": 3}).value == [1, [2], {"b": 3}]


def load_source(text: str, name: str) -> dict[str, Any]:
    """Run source as the module of a file that is known to linecache only."""
    import linecache

    file = f"/nowhere/{name}.py"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": "__main__", "__file__": file}
    exec(compile(text, file, "exec"), namespace)
    return namespace


@pytest.mark.parametrize(
    ("function", "name", "line"),
    [
        (sample.locked, "LOCK", "with LOCK"),
        (sample.holds_lock, "locks", "def holds_lock"),
        (sample.undefined, "not_there", "return not_there"),
        (sample.badly_guarded, "never_there", "return never_there"),
        (sample.generates, "generates", "def generates"),
        (idioms.locked, "OTHERS_LOCK", "with OTHERS_LOCK"),
        (idioms.locked_there, "OTHERS_LOCK", "with other.OTHERS_LOCK"),
        (idioms.misspelt, 'did you mean "same_name"', "return other.same_nam()"),
    ],
)
def test_what_cannot_travel_is_named(function: Any, name: str, line: str) -> None:
    """The error names the variable and its line in the user's file."""
    with pytest.raises(ConfigurationError, match=name) as caught:
        ship(function)
    file = function.__code__.co_filename
    lines = Path(file).read_text(encoding="utf-8").split("\n")
    number = 1 + next(i for i, text in enumerate(lines) if line in text)
    assert f"{file}:{number}" == caught.value.where


def test_closure_that_cannot_travel() -> None:
    """A variable of a closure is named as well."""
    handle = object.__new__(type(asyncio.Lock()))

    def uses() -> Any:
        return handle

    with pytest.raises(ConfigurationError, match="handle cannot travel"):
        ship(uses)


def test_bound_method_of_what_cannot_travel() -> None:
    """A method travels only if its object does."""
    with pytest.raises(ConfigurationError, match=r"append|instance"):
        ship(sample.logger.handlers.__class__([sample.LOCK]).append)


def test_seen_functions_are_cached_until_something_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed global or constant is noticed, and nothing else ships anew."""
    first = ship(sample.constants)
    assert ship(sample.constants) is first
    monkeypatch.setattr(sample, "RATE", 0.25)
    second = ship(sample.constants)
    assert second is not first
    assert "RATE = 0.25" in second.script()
    monkeypatch.setitem(sample.TABLE, "new", 1)
    assert "'new': 1" in ship(sample.constants).script()


def test_cache_does_not_keep_functions() -> None:
    """A function that nobody holds any more is forgotten."""
    import gc
    import weakref

    from aiowf.tasks.functions import shipping

    function = make_mutual()
    ship(function)
    key, reference = id(function), weakref.ref(function)
    assert key in shipping._cache
    del function
    gc.collect()
    assert reference() is None
    assert key not in shipping._cache


def test_attributes_of_classes_are_those_of_now() -> None:
    """What a class counts or collects travels as it is when the task is built."""

    def script() -> str:
        return ship(idioms.class_attributes).script()

    before = script()
    idioms.Settings.seen.append(3)
    try:
        assert "Settings.seen = [3]" in script()
    finally:
        idioms.Settings.seen.clear()
    assert before == script()
