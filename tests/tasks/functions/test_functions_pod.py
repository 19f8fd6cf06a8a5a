"""The pod's code as ordinary modules: what it reads, writes and says."""

import asyncio
import http.server
import importlib
import io
import json
import linecache
import os
import socketserver
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aiowf.tasks.functions.pod import env, inputs, install, nested, output, replies, rich, runner
from aiowf.tasks.functions.pod import loading as loading_module
from aiowf.tasks.functions.pod import structure as structuring
from aiowf.tasks.functions.pod import tee as tee_module


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the pod's code a directory of its own, and take back what it does to the process."""
    for module in (output, inputs, install):
        monkeypatch.setattr(module, "BASE", str(tmp_path))
    monkeypatch.setenv("AIOWF_TERMINATION_LOG", str(tmp_path / "note"))
    monkeypatch.setenv("AIOWF_TASK", "big")
    monkeypatch.setattr(loading_module, "FILES", {})
    monkeypatch.setattr(linecache, "cache", dict(linecache.cache))
    return tmp_path


@pytest.fixture
def module_name() -> Iterator[str]:
    """Give the name of a package that is forgotten afterwards."""
    yield "pod_made.inner"
    for name in ("pod_made", "pod_made.inner"):
        sys.modules.pop(name, None)


def test_value_is_written_inert(base: Path) -> None:
    """The file of an output holds JSON that nobody substitutes anything in."""
    output.deliver("return", {"a": "{{x}} $y"})
    text = (base / "return").read_text()
    assert (json.loads(text), "{{" in text, "$" in text) == ({"a": "{{x}} $y"}, False, False)


class Scalar:
    """Looks like a scalar of numpy."""

    def tolist(self) -> float:
        return 1.5


def test_plain_values(base: Path) -> None:
    """The short encoder knows JSON's own types and numbers, and names what it does not know."""
    output.deliver("return", [Scalar()])
    assert (base / "return").read_text() == "[1.5]"
    with pytest.raises(SystemExit, match=r"the value cannot be sent: .*object.* is no JSON value"):
        output.deliver("return", object())


def test_value_larger_than_its_annotation_promises(base: Path) -> None:
    """A number that turns out to be a long text fails the task."""
    with pytest.raises(SystemExit, match="300002 bytes and is not what the annotation promises"):
        output.deliver("return", "x" * 300_000)
    assert (base / "note").read_text().startswith("the value has 300002 bytes")
    assert not (base / "return").exists()


def test_message_without_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A termination log that cannot be written does no harm."""
    monkeypatch.setenv("AIOWF_TERMINATION_LOG", "/nowhere/log")
    with pytest.raises(SystemExit, match="aiowf: bad"):
        output.fail("bad")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({1, 2}, [1, 2]),
        ({(): 1}, TypeError),
        ({Path("a"): b"x"}, {"a": "eA=="}),
        ((Path("b"), Scalar()), ["b", 1.5]),
        ({"a": {Path("b"): [Path("c")]}}, {"a": {"b": ["c"]}}),
        (iter(()), TypeError),
    ],
)
def test_rich_values(value: Any, expected: Any) -> None:
    """The long encoder turns all it knows into JSON, keys of dicts included."""
    if expected is TypeError:
        with pytest.raises(TypeError, match="is no JSON value"):
            rich.encode_any(value)
    else:
        assert json.loads(rich.encode_any(value)) == expected


def test_text_for_a_variable(base: Path) -> None:
    """A str goes raw, anything else as JSON, too much of it fails the task."""
    env.write_env("return-env", "{{a}} $b")
    assert (base / "return-env").read_text() == "$(AIOWF_LB)$(AIOWF_LB)a}} $$b"
    env.write_env("return-env", [1])
    assert (base / "return-env").read_text() == "[1]"
    with pytest.raises(SystemExit, match="too long for a variable"):
        env.write_env("return-env", "x" * 110_000)


def test_no_replies() -> None:
    """A large value needs somewhere to go."""
    with pytest.raises(SystemExit, match="9 bytes, the limit is 262144: set KAFKA_BOOTSTRAP"):
        replies.send_large("return", b'"too big"')


class Values(http.server.BaseHTTPRequestHandler):
    """Keeps what is put, and refuses to delete."""

    kept: dict[str, bytes]

    def do_PUT(self) -> None:
        self.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(self.kept[self.path])

    def _answer(self, body: bytes) -> None:
        self.send_response(200 if self.headers["Authorization"] == "Bearer t" else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "pod"

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(params=["tcp", "unix"])
def kept(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, bytes]]:
    """Serve the values of tasks, and let the environment say where."""
    handler = type("Handler", (Values,), {"kept": {}})
    server: socketserver.BaseServer
    if request.param == "tcp":
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        port = server.server_address[1]  # type: ignore[index]
        monkeypatch.setenv("AIOWF_REPLY_URL", f"http://127.0.0.1:{port}")
    else:
        server = socketserver.ThreadingUnixStreamServer(str(tmp_path / "s"), handler)
        monkeypatch.setenv("AIOWF_REPLY_SOCKET", str(tmp_path / "s"))
    monkeypatch.setenv("AIOWF_REPLY_VALUE_PATH", "/values/wf")
    monkeypatch.setenv("AIOWF_REPLY_TOKEN", "t")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler.kept  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


def test_large_values(base: Path, kept: dict[str, bytes]) -> None:
    """The value and the output of one task go to different places, and come back from there."""
    (base / "in").mkdir()
    output.deliver("return", "v" * 300_000, send=replies.send_large)
    output.deliver("stdout", "o" * 300_000, send=replies.send_large)
    assert sorted(kept) == ["/values/wf/big", "/values/wf/big.stdout"]
    for name in ("return", "stdout"):
        (base / name).rename(base / "in" / name)
    given = [["", {"k": ""}], {}]
    sources = [
        ((0, 0), "return", "json", "big", "return"),
        ((0, 1, "k"), "stdout", "json", "big", "stdout"),
    ]
    assert inputs.fill(given, sources) == [["v" * 300_000, {"k": "o" * 300_000}], {}]
    kept["/values/wf/big"] = b'"changed"'
    with pytest.raises(SystemExit, match="the value of big is not what that task sent"):
        inputs.fill(given, sources)


def test_refusal(kept: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer other than 2xx fails the task."""
    monkeypatch.delenv("AIOWF_REPLY_TOKEN")
    with pytest.raises(SystemExit, match="PUT /values/wf/big: 401"):
        replies.send_large("return", b"1")


def test_inputs(base: Path) -> None:
    """Texts are read as they are, JSON as values, wrapped dicts without their wrapping."""
    (base / "in").mkdir()
    marked = {replies.MARK: "0", "size": 1}
    (base / "in" / "text").write_bytes(b"a\r\n")
    (base / "in" / "json").write_text(json.dumps(replies.escaped(marked)))
    assert inputs.receive("text", "text", "a", "stdout") == "a\r\n"
    assert inputs.receive("json", "json", "a", "return") == marked
    (base / "in" / "json").write_text("[1]")
    assert inputs.receive("json", "json", "a", "return") == [1]


def test_modules_are_rebuilt(module_name: str) -> None:
    """Pieces of a module run in it, with the file and the lines that they have."""
    loading_module.load(module_name, "/nowhere/inner.py", 3, "def f(x):\n  return x / 0\n")
    loading_module.load(module_name, "/nowhere/inner.py", 1, "K = 2\n")
    made = importlib.import_module(module_name)
    assert made is importlib.import_module("pod_made").inner
    assert (made.K, made.__file__, made.f.__code__.co_firstlineno) == (2, "/nowhere/inner.py", 3)
    with pytest.raises(ZeroDivisionError) as caught:
        made.f(1)
    assert "    return x / 0\n" in "".join(traceback.format_tb(caught.tb))
    lines = [linecache.getline("/nowhere/inner.py", n) for n in (1, 2, 3, 4)]
    assert lines == ["K = 2\n", "\n", "def f(x):\n", "  return x / 0\n"]


def test_report(
    module_name: str,
    base: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The traceback begins at the user's first line; without one it is whole."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
    runner.begin()
    loading_module.load(module_name, "/nowhere/inner.py", 3, "def f(x):\n  return x / 0\n")
    try:
        importlib.import_module(module_name).f(1)
    except ZeroDivisionError:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    error = capsys.readouterr().err
    assert 'File "/nowhere/inner.py", line 4, in f\n    return x / 0' in error
    assert __file__ not in error
    assert (base / "note").read_text() == "ZeroDivisionError: division by zero"
    try:
        raise KeyError("ours")
    except KeyError:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    assert __file__ in capsys.readouterr().err


def test_nested_definitions(module_name: str) -> None:
    """Closures get their variables, at once or later; other definitions another name."""
    text = "  def f():\n    return a, b\n"
    nested.nest(module_name, "/nowhere/inner.py", 2, text, "f", "_f_0", {"a": 1, "b": None})
    nested.nest(module_name, "/nowhere/inner.py", 5, "g = 1\n", "g", "_g_1", {})
    made = importlib.import_module(module_name)
    nested.link(made._f_0, b=2)
    assert (made._f_0(), made._g_1) == ((1, 2), 1)
    assert not hasattr(made, "f")


def test_calls(base: Path) -> None:
    """Coroutines are awaited, clean exits are None, others keep their code and message."""

    async def later() -> int:
        await asyncio.sleep(0)
        return 3

    assert runner.call(later, [], {}) == 3
    assert runner.call(max, [1, 2], {}) == 2
    assert runner.call(sys.exit, [0], {}) is None
    with pytest.raises(SystemExit) as caught:
        runner.call(sys.exit, ["bad day"], {})
    assert (caught.value.code, (base / "note").read_text()) == ("bad day", "bad day")


def test_decoders() -> None:
    """Arguments are decoded by place and by name."""
    text = structuring.either(number=str, object=structuring.by_field(a=len, b=sorted))
    decode = structuring.structured([str], text, {"n": structuring.table(int, float)}, tuple)
    assert decode([1, 2, {"b": 1}, None], {"n": {"1": "2"}, "o": "ab"}) == (
        ["1", "2", ["b"], None],
        {"n": {1: 2.0}, "o": ("a", "b")},
    )
    assert structuring.row(tuple, int, str)(["1", 2]) == (1, "2")
    assert structuring.many(list, int)(["1"]) == [1]


def test_record_with_a_field_that_is_no_argument() -> None:
    """What __init__ does not take is set afterwards; what is missing keeps its default."""

    class Made:
        def __init__(self, a: int) -> None:
            self.a, self.b, self.c = a, 0, 0

    decode = structuring.record(Made, lambda: {"a": ("a", int), "b": ("", int), "c": ("c", int)})
    assert vars(decode({"a": "1", "b": "2"})) == {"a": 1, "b": 2, "c": 0}


def test_output_is_kept(base: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What the process and its children print is written down, and still reaches the log."""
    finish = tee_module.tee()
    os.system("echo child")
    os.write(1, b"{{a}}\n")
    finish(True)
    assert json.loads((base / "stdout").read_text()) == "child\n{{a}}"
    assert (base / "stdout-env").read_text() == "child\n$(AIOWF_LB)$(AIOWF_LB)a}}"
    assert capfd.readouterr().out == "child\n{{a}}\n"


@pytest.mark.parametrize("code", [0, 1])
def test_installing(
    code: int, base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """pip's directory comes first on the path, for child processes as well."""
    calls: list[list[str]] = []

    def run(command: list[str], **options: Any) -> Any:
        calls.append(command)
        return install.subprocess.CompletedProcess(command, code, b"trouble\nthe reason\n")

    monkeypatch.setattr(install.subprocess, "run", run)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "/before")
    if code:
        with pytest.raises(SystemExit, match=r"pip could not install a, b>=1: the reason"):
            install.install(["a", "b>=1"])
        assert capsys.readouterr().err == "trouble\nthe reason\n"
        return
    install.install(["a", "b>=1"])
    target = str(base / "packages")
    assert calls[0][-4:] == ["--target", target, "a", "b>=1"]
    assert (sys.path[0], os.environ["PYTHONPATH"]) == (target, f"{target}{os.pathsep}/before")
    monkeypatch.delenv("PYTHONPATH")
    install.install(["a"])
    assert os.environ["PYTHONPATH"] == target
