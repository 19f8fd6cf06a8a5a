"""Arguments and values keep their types on the way to the pod and back."""

import dataclasses
import datetime as dt
import decimal
import enum
import math
import os
import socketserver
import sys
import threading
import uuid
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Annotated, Any, Literal, NewType

import functions_sample as sample
import pytest
from functions_sample import Colour, Mood, Node, Pair, Settings

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import bind, decode_value, encode_value, ship
from aiowf.tasks.reference import Reference
from aiowf.wire import inert
from aiowf.wire.values import large_value

WHEN = dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC)
UserId = NewType("UserId", int)


class Level(enum.IntEnum):
    LOW = 1


class Shape(enum.Enum):
    SQUARE = (1, 1)


class Odd(enum.Enum):
    TEXT = "a"
    NUMBER = 2
    ROW = (1,)


@dataclasses.dataclass
class Circle:
    radius: float


@dataclasses.dataclass
class Square:
    side: int
    name: str = "square"


def checked(value: Any, given: Any, kind: type) -> Any:
    assert type(given) is kind, type(given)
    return given


CASES: list[tuple[Any, Any]] = [
    (str, 'quotes " \\ \n ☃ {{workflow.name}} {{{ $$ $(HOME) \x00'),
    (int, 2**70),
    (float, 1e-300),
    (float, math.inf),
    (bool, True),
    (None, None),
    (list[int], [1, 2]),
    (list[dt.datetime], [WHEN]),
    (tuple[int, ...], (1, 2)),
    (tuple[int, dt.date], (1, WHEN.date())),
    (tuple, (1, 2)),
    (dict[str, float], {"a": 1.5}),
    (dict[int, bytes], {1: b"\x00\xff"}),
    (dict[Colour, int], {Colour.RED: 1, Colour.BLUE: 2}),
    (dict[bool, float], {True: 1.0}),
    (set[int], {1, 2}),
    (frozenset[str], frozenset({"a"})),
    (bytes, bytes(range(256))),
    (dt.datetime, WHEN),
    (dt.date, WHEN.date()),
    (dt.time, dt.time(1, 2, 3)),
    (dt.timedelta, dt.timedelta(days=1, microseconds=5)),
    (uuid.UUID, uuid.UUID(int=5)),
    (Path, Path("/a/b")),
    (decimal.Decimal, decimal.Decimal("1.10")),
    (Colour, Colour.BLUE),
    (Mood, Mood.GOOD | Mood.BAD),
    (Level, Level.LOW),
    (Shape, Shape.SQUARE),
    (Literal["a", "b"], "a"),
    (Annotated[int, "metres"], 3),
    (UserId, UserId(3)),
    (int | None, None),
    (dt.datetime | None, WHEN),
    (int | str | None, "x"),
    (int | dt.datetime, WHEN),
    (list[bytes | int], [b"x", 1]),
    (Circle | Square, Square(2)),
    (list[Circle | Square | None], [Circle(1.5), None]),
    (Node, Node("a", Colour.BLUE, [Node("b")])),
    (Settings, Settings(WHEN, b"s", Node("n"))),
    (Pair, Pair(1, WHEN)),
    (Sequence[dt.date], [WHEN.date()]),
    (Iterable, [1]),
    (Collection[int], [1]),
    (AbstractSet[bytes], {b"x"}),
    (Mapping, {"a": 1}),
    (Odd | None, Odd.NUMBER),
    (list[Odd | None], [Odd.TEXT, None]),
    (Annotated[Pair | None, "perhaps"] | None, Pair(1, WHEN)),
    (tuple[Annotated[sample.Row, "day"], int], ({"n": 1, "at": WHEN}, 1)),
]


@pytest.mark.parametrize(("kind", "value"), CASES, ids=lambda case: str(case)[:30])
def test_round_trip(pod: Any, python: str, kind: Any, value: Any) -> None:
    """A value arrives as what it was, in the pod and here."""
    if kind is Settings and python != sys.executable:
        pytest.skip("attrs is not installed there")
    expected = type(value)

    def echo(value: kind) -> kind:
        assert type(value) is expected, type(value)
        return value

    outcome = pod(echo, value, python=python)
    assert outcome.value == value
    assert type(outcome.value) is expected
    assert inert.is_inert(outcome.text())
    assert decode_value(encode_value(value), kind) == value


def test_nan(pod: Any) -> None:
    """Not-a-number is a number, annotated or not."""
    assert math.isnan(pod(lambda x: x, math.nan).value)


def test_records_in_module(pod: Any, python: str) -> None:
    """Classes that refer to themselves and each other are structured."""
    node = Node("leaf", Colour.RED, [Node("x")])
    assert pod(sample.tree, node, python=python).value == Node(
        "root", Colour.BLUE, [node, Node("x")]
    )
    given = Settings(WHEN, b"\x00", node)
    assert pod(sample.settings, given).value == Settings(WHEN, b"\x00\xff", node)
    outcome = pod(sample.records, Pair(1, WHEN), {"at": WHEN}, {Mood.BAD: 5}, python=python)
    assert outcome.value == (Pair(2, WHEN), {"at": WHEN}, list(Colour))


def test_variadic_arguments_are_structured(pod: Any) -> None:
    """Annotations of *args, **kwargs and keyword-only parameters count for each value."""

    def collect(*args: dt.date, last: dt.date, **kwargs: dt.date) -> list[dt.date]:
        return [min(args), last, *kwargs.values()]

    day = WHEN.date()
    assert pod(collect, day, day, last=day, more=day).value == [day] * 3


def test_objects_without_annotation(pod: Any) -> None:
    """Values of a function without annotation become plain JSON."""

    def made():
        return {"when": WHEN, "both": {1}, "node": Node("x"), Colour.RED: Path("p")}

    assert pod(made).value == {
        "when": WHEN.isoformat(),
        "both": [1],
        "node": {"name": "x", "colour": 1, "children": []},
        "1": "p",
    }


class Scalar:
    """Looks like a scalar of numpy."""

    def __init__(self, value: float) -> None:
        self.value = value

    def tolist(self) -> float:
        return self.value


def test_numpy_scalars_are_numbers(pod: Any) -> None:
    """What has a number inside arrives as that number."""

    def scalar(x: float) -> float:
        return Scalar(x)  # type: ignore[return-value]

    assert pod(scalar, Scalar(1.5)).value == 1.5


def test_values_that_are_no_json(pod: Any) -> None:
    """A generator or a lock as value fails the task with a message."""
    outcome = pod(sample.gives_generator)
    assert (outcome.code, outcome.note) == (
        1,
        "the value cannot be sent: <class 'generator'> is no JSON value; return list(...) instead",
    )


def test_unsuitable_annotations_are_refused() -> None:
    """The error names the parameter, or the function, and the type."""

    def takes(other: Any = None, server: socketserver.TCPServer | None = None) -> None:
        pass

    def gives() -> socketserver.TCPServer:
        raise NotImplementedError

    assert bind(ship(takes)).arguments == "[[], {}]"
    with pytest.raises(ConfigurationError, match=r"argument server of takes.*TCPServer"):
        bind(ship(takes), (None, 1))
    with pytest.raises(ConfigurationError, match=r"value of gives.*TCPServer"):
        ship(gives)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "missing a required argument: 'a'"),
        ((1, 2, 3), {}, "too many positional"),
        ((1,), {"nope": 1}, "unexpected keyword argument 'nope'"),
        ((WHEN,), {}, "argument a of call holds a datetime.datetime"),
        ((1, "soon"), {}, "argument when of call: .*Invalid isoformat"),
        ((object(),), {}, "argument a of call cannot travel as JSON"),
    ],
)
def test_wrong_calls(args: Any, kwargs: Any, message: str) -> None:
    """A call that would fail in the pod is refused here."""

    def call(a, when: dt.datetime | None = None) -> None:
        pass

    with pytest.raises(ConfigurationError, match=message):
        bind(ship(call), args, kwargs)


def test_decoding_tells_what_is_wrong() -> None:
    """A value of another type is an error with a path; int is good enough for float."""
    assert decode_value("3", float) == 3.0
    assert isinstance(decode_value("3", float), float)
    with pytest.raises(ConfigurationError, match=r"expected int @ \$\[1\]"):
        decode_value('[1, "x"]', list[int])
    with pytest.raises(ConfigurationError, match="expected str, not NoneType"):
        decode_value("null", str)


def test_marker_like_values(pod: Any) -> None:
    """A dict that looks like the marker of a large value stays a dict."""
    marker = {"aiowf.dev/value": "0" * 64, "size": 1}
    outcome = pod(lambda: marker)
    assert outcome.value == marker
    assert large_value(outcome.text()) is None
    assert decode_value(encode_value(marker)) == marker


def test_references(pod: Any) -> None:
    """Values of earlier tasks are read at run time, wherever they stand."""

    def use(node: Node, texts: list[str], **more: Any) -> list[Any]:
        return [node.colour.name, texts, more]

    first, out = Reference("first"), Reference("shell", "stdout")
    call = bind(ship(use), (first, ["a", out]), {"deep": {"x": [(first,)]}})
    assert [(i.path, i.name) for i in call.inputs] == [
        ((0, 0), "output-first"),
        ((0, 1, 1), "stdout-shell"),
        ((1, "deep", "x", 0, 0), "output-first"),
    ]
    outcome = pod(
        use,
        first,
        ["a", out],
        deep={"x": [(first,)]},
        files={"output-first": encode_value(Node("x", Colour.BLUE)), "stdout-shell": "é\r\n"},
        text_inputs=("stdout-shell",),
    )
    plain = {"name": "x", "colour": "b", "children": []}
    assert outcome.value == ["BLUE", ["a", "é\r\n"], {"deep": {"x": [[plain]]}}]


@pytest.mark.parametrize("use", [str, bool, iter, "{}".format, lambda r: r["x"]])
def test_references_are_no_values(use: Any) -> None:
    """Formatting or testing a reference is an error that says what to do."""
    with pytest.raises(ConfigurationError, match=r"first.output has no value yet"):
        use(Reference("first"))
    assert Reference("a", annotation=int) == Reference("a")
    assert hash(Reference("a")) == hash(Reference("a"))


def test_references_in_sets_and_keys() -> None:
    """A reference may not stand in a set or as a key."""
    for wrong in ({Reference("a")}, {Reference("a"): 1}):
        with pytest.raises(ConfigurationError, match=r"set|key"):
            bind(ship(len), (wrong,))


def test_stdout(pod: Any) -> None:
    """What the task and its children print is kept, and goes to the log."""

    def prints() -> int:
        print("{{a}} $$")  # noqa: T201
        os.system("echo child")
        print("last", flush=True)  # noqa: T201
        return 1

    outcome = pod(prints, options={"capture_stdout": True, "raw_stdout": True})
    assert outcome.stdout == "{{a}} $$\nchild\nlast\n"
    assert outcome.value == 1
    assert decode_value(outcome.text("stdout"), str) == "{{a}} $$\nchild\nlast"
    assert outcome.text("stdout-env") == "$(AIOWF_LB)$(AIOWF_LB)a}} $$$$\nchild\nlast"


def test_stdout_of_a_failure(pod: Any) -> None:
    """The log of a task that fails is complete."""

    def prints() -> None:
        print("before")  # noqa: T201
        raise RuntimeError

    outcome = pod(prints, options={"capture_stdout": True})
    assert (outcome.code, outcome.stdout) == (1, "before\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [("a{{b}} $x", "a$(AIOWF_LB)$(AIOWF_LB)b}} $$x"), ([1, "é"], '[1, "é"]'), (None, "null")],
)
def test_value_for_a_variable(pod: Any, value: Any, text: str) -> None:
    """A str is written raw for a variable, everything else as JSON."""
    assert pod(lambda: value, options={"raw_return": True}).text("return-env") == text


def test_value_too_long_for_a_variable(pod: Any) -> None:
    """More than 100 KB in a variable fails the task."""
    outcome = pod(lambda: "x" * 110_000, options={"raw_return": True})
    assert outcome.code == 1
    assert "too long for a variable" in outcome.note


def test_large_values_without_replies(pod: Any) -> None:
    """200 KB travel; 300 KB fail the task and say so in one line."""
    assert pod(lambda: "x" * 200_000).value == "x" * 200_000
    outcome = pod(lambda: "x" * 300_000)
    assert outcome.code == 1
    assert outcome.note.startswith("the value has 300002 bytes, the limit is 262144")
    assert outcome.stderr == f"aiowf: {outcome.note}\n"


class Replies(BaseHTTPRequestHandler):
    """Keeps what is put."""

    kept: dict[str, bytes]
    status = 200

    def do_PUT(self) -> None:
        self.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status if self.headers["Authorization"] == "Bearer t" else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        body = self.kept[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass

    def address_string(self) -> str:
        return "pod"


@pytest.fixture(params=["tcp", "unix"])
def replies(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """Serve the values of tasks; give the handler and the pod's environment."""
    handler = type("Handler", (Replies,), {"kept": {}})
    env = {"AIOWF_REPLY_VALUE_PATH": "/values/wf", "AIOWF_REPLY_TOKEN": "t", "AIOWF_TASK": "big"}
    server: socketserver.BaseServer
    if request.param == "tcp":
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        env["AIOWF_REPLY_URL"] = f"http://127.0.0.1:{server.server_address[1]}/base"  # type: ignore[index]
    else:
        path = str(tmp_path / "s")
        server = socketserver.ThreadingUnixStreamServer(path, handler)
        env["AIOWF_REPLY_SOCKET"] = path
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler, env
    server.shutdown()
    server.server_close()
    thread.join()


def test_large_values_travel_by_replies(pod: Any, python: str, replies: Any) -> None:
    """A large value is put, its marker stands for it, and a later task gets it back."""
    handler, env = replies
    outcome = pod(lambda: "${{x}}" * 100_000, env=env, python=python)
    assert outcome.code == 0, outcome.stderr
    ((path, body),) = handler.kept.items()
    assert path.endswith("/values/wf/big")
    assert decode_value(body) == "${{x}}" * 100_000
    marker = large_value(outcome.text())
    assert marker is not None
    assert marker.size == len(body)
    with pytest.raises(ConfigurationError, match="travels by the replies"):
        decode_value(outcome.text())
    later = pod(len, Reference("big"), env=env, files={"output-big": outcome.text()}, python=python)
    assert later.value == 600_000
    handler.kept[path] = b'"changed"'
    changed = pod(len, Reference("big"), env=env, files={"output-big": outcome.text()})
    assert changed.note == "the value of big is not what that task sent"


def test_large_value_and_large_output(pod: Any, replies: Any) -> None:
    """One task may have both; a later task gets each of them."""

    def prints() -> str:
        print("o" * 300_000)  # noqa: T201
        return "v" * 300_000

    def takes(value: str, out: str) -> list[str]:
        return [value[:2], out[:2]]

    handler, env = replies
    outcome = pod(prints, env=env, options={"capture_stdout": True})
    assert outcome.code == 0, outcome.stderr
    assert [path.rpartition("/")[2] for path in sorted(handler.kept)] == ["big", "big.stdout"]
    big = Reference("big"), Reference("big", "stdout")
    files = {"output-big": outcome.text(), "stdout-big": outcome.text("stdout")}
    assert pod(takes, *big, env=env, files=files).value == ["vv", "oo"]


def test_replies_that_refuse(pod: Any, replies: Any) -> None:
    """An answer other than 2xx fails the task."""
    handler, env = replies
    handler.status = 507
    outcome = pod(lambda: "x" * 300_000, env=env)
    assert outcome.code == 1
    assert "507" in outcome.note


@dataclasses.dataclass
class Holder:
    held: Any


@pytest.mark.parametrize(
    "value", [Holder(1), Holder([Reference("a")]), {Reference("a")}, OrderedDict(a=Reference("a"))]
)
def test_a_reference_in_a_value_of_another_kind(value: Any) -> None:
    """What is no list, tuple or dict cannot hold a task's value; what it is, is told."""

    def takes(x: Any) -> None: ...

    if isinstance(value, Holder) and value.held == 1:
        value = [value, Holder(Reference("a", "stdout"))]
    with pytest.raises(ConfigurationError, match="a task's value stands in a"):
        bind(ship(takes), (value,))


def test_an_argument_that_contains_itself() -> None:
    """It is refused when the task is built."""
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ConfigurationError, match="contains itself"):
        bind(ship(checked), (value, 1, 2))


def test_half_of_a_surrogate_pair(pod: Any, python: str) -> None:
    """The name of a file that is no UTF-8 travels there and back."""

    def same(x: str) -> str:
        return x

    name = os.fsdecode(b"a\xff")
    assert name == pod(same, name, python=python).value
