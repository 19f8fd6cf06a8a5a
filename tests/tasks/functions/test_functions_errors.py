"""A task's failure shows the user's own lines; requirements come first; odd places have words."""

import atexit
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import attrs
import functions_sample as sample
import pytest
from IPython.core.interactiveshell import InteractiveShell

from aiowf.errors import ConfigurationError
from aiowf.tasks.functions import bind, is_requirement, ship, undeclared_imports


def line_of(text: str) -> int:
    """Return the number of the line in the sample."""
    lines = Path(sample.__file__).read_text(encoding="utf-8").split("\n")
    return 1 + next(i for i, line in enumerate(lines) if text in line)


def test_traceback_has_the_users_lines(pod: Any, python: str) -> None:
    """File names, line numbers and source lines are those of the user's file; nothing of ours."""
    outcome = pod(sample.raises, 0, python=python)
    assert outcome.code == 1
    assert outcome.note == "ValueError: no such luck"
    place = f'File "{sample.__file__}", line'
    assert f"{place} {line_of('        deeper(x)')}, in raises\n    deeper(x)" in outcome.stderr
    assert outcome.stderr.rstrip().endswith("ValueError: no such luck")
    assert "The above exception was the direct cause" in outcome.stderr
    frames = [line for line in outcome.stderr.split("\n") if line.startswith("  File ")]
    assert all(place in line for line in frames)
    assert len(frames) == 3


def test_error_in_a_nested_function(pod: Any, python: str) -> None:
    """Closures have their own lines as well."""
    word = "x"

    def fails() -> None:
        raise KeyError(word)

    outcome = pod(fails, python=python)
    number = fails.__code__.co_firstlineno + 1
    assert f'{__file__}", line {number}, in fails\n    raise KeyError(word)' in outcome.stderr
    assert outcome.note == "KeyError: 'x'"


def test_error_groups_and_long_messages(pod: Any) -> None:
    """A group prints as a group; the message is cut at 4 KB."""

    def fails() -> None:
        raise ExceptionGroup("x" * 5000, [ValueError("a"), OSError("b")])

    outcome = pod(fails)
    assert "| OSError: b" in outcome.stderr
    assert len(outcome.note) == 4096


def test_missing_module_in_the_pod(pod: Any, python: str) -> None:
    """An import that fails shows the user's import line."""

    def uses() -> str:
        return attrs.__name__

    if subprocess.run([python, "-c", "import attrs"], capture_output=True, check=False).returncode:
        outcome = pod(uses, python=python)
        assert outcome.note == "ModuleNotFoundError: No module named 'attrs'"
        assert f'{__file__}", line' in outcome.stderr
        assert "import attrs" in outcome.stderr


@pytest.mark.parametrize(
    ("code", "expected", "note"), [(None, 0, ""), (0, 0, ""), (3, 3, ""), ("bad day", 1, "bad day")]
)
def test_system_exit(pod: Any, code: Any, expected: int, note: str) -> None:
    """sys.exit keeps its code; a clean one is a success without value."""

    def leaves() -> int:
        sys.exit(code)

    outcome = pod(leaves)
    assert outcome.code == expected
    if expected:
        assert not (outcome.folder / "return").exists()
    else:
        assert outcome.text() == "null"
    if note:
        assert (outcome.note, outcome.stderr) == (note, f"{note}\n")


def test_no_place_for_the_message(pod: Any) -> None:
    """A missing termination log does no harm."""
    outcome = pod(sample.raises, 0, env={"AIOWF_TERMINATION_LOG": "/nowhere/log"})
    assert outcome.code == 1
    assert outcome.stderr.endswith("ValueError: no such luck\n")


def make_wheel(folder: Path) -> str:
    """Write a package that pip can install without a network."""
    import zipfile

    path = folder / "tiny_thing-1.0-py3-none-any.whl"
    info = "tiny_thing-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny_thing.py", "value = 42\n")
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return str(path)


def needs_tiny_thing() -> int:
    import tiny_thing

    return tiny_thing.value  # type: ignore[no-any-return]


def test_requirements_are_installed_first(pod: Any, tmp_path: Path) -> None:
    """pip installs into a directory of the pod's own, quietly."""
    outcome = pod(needs_tiny_thing, options={"requirements": (make_wheel(tmp_path),)})
    assert (outcome.value, outcome.stdout) == (42, "")


def test_requirements_that_cannot_be_installed(pod: Any, tmp_path: Path) -> None:
    """pip's output and a clear message say what is wrong."""
    outcome = pod(needs_tiny_thing, options={"requirements": (str(tmp_path / "no.whl"),)})
    assert outcome.code == 1
    assert outcome.note.startswith(f"pip could not install {tmp_path}/no.whl: ERROR")
    assert outcome.note in outcome.stderr


def needs_many() -> None:
    import cattrs  # noqa: F401
    import nobody_has_this  # noqa: F401
    import typing_extensions  # noqa: F401
    import yaml  # noqa: F401


def test_undeclared_imports() -> None:
    """Requirements bring the modules of their distribution and of what it requires."""
    shipped = ship(needs_many)
    assert shipped.imports == ("cattrs", "nobody_has_this", "typing_extensions", "yaml")
    assert undeclared_imports(shipped) == shipped.imports
    declared = ("PyYAML>=6", "Nobody.Has-this[extra]")
    assert undeclared_imports(shipped, declared) == ("cattrs", "typing_extensions")
    assert undeclared_imports(shipped, (*declared, "cattrs")) == ()
    assert undeclared_imports(shipped, ("./some.whl",)) == ()
    assert undeclared_imports(ship(sample.raises), ()) == ()


def run_python(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run this Python with this aiowf."""
    import aiowf

    env = {**os.environ, "PYTHONPATH": str(Path(aiowf.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, *args], input=stdin, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="Python keeps the source since 3.13")
@pytest.mark.parametrize("how", ["-c", "-"])
def test_no_source(how: str) -> None:
    """Functions of `python -c` and standard input are refused with what to do."""
    text = "from aiowf.tasks.functions import ship\ndef f(): return 1\nship(f)\n"
    done = run_python("-c", text) if how == "-c" else run_python("-", stdin=text)
    assert "there is no source of f" in done.stderr
    assert "put the function into a file" in done.stderr


def test_main_of_a_script(tmp_path: Path) -> None:
    """Functions and classes of `__main__` and of modules beside it travel."""
    (tmp_path / "beside.py").write_text("def helper(x):\n    return x + 1\n")
    (tmp_path / "main.py").write_text(
        "import pickle, beside\n"
        "from enum import Enum\n"
        "from aiowf.tasks.functions import bind, ship\n"
        "class Color(Enum):\n    RED = 1\n"
        "def f(x):\n"
        "    assert pickle.loads(pickle.dumps(Color.RED)) is Color.RED\n"
        "    return [beside.helper(x), __name__]\n"
        "shipped = ship(f)\n"
        "if __name__ == '__main__':\n"
        "    print(shipped.script(bind(shipped, (1,)).arguments))\n"
    )
    done = run_python(str(tmp_path / "main.py"))
    assert done.returncode == 0, done.stderr
    env = {**os.environ, "AIOWF_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-"], input=done.stdout, text=True, env=env, check=True)
    assert (tmp_path / "return").read_text() == '[2, "__main__"]'


def test_notebook_cells(tmp_path: Path) -> None:
    """Functions, classes and imports of notebook cells travel, in their latest version."""
    shell = InteractiveShell()
    try:
        cells = [
            "import json as j\nfrom collections import namedtuple\nimport dataclasses",
            "P = namedtuple('P', 'x y')\n@dataclasses.dataclass\nclass D:\n    n: int = 1",
            "def helper(x):\n    return 1",
            "def f(x):\n    return j.dumps([helper(x), P(1, 2).y, D().n])",
            "from aiowf.tasks.functions import bind, ship\nship(f)",
            "def helper(x):\n    return x * 10",
            "shipped = ship(f)\nscript = shipped.script(bind(shipped, (4,)).arguments)",
        ]
        for cell in cells:
            shell.run_cell(cell).raise_error()
        script = shell.user_ns["script"]
    finally:
        shell.atexit_operations()
        atexit.unregister(shell.atexit_operations)
    env = {**os.environ, "AIOWF_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-"], input=script, text=True, env=env, check=True)
    assert (tmp_path / "return").read_text() == '"[40, 2, 1]"'


def test_changed_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not any more what was loaded is an error, not another function."""
    file = tmp_path / "changing.py"
    file.write_text("def f(x):\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import changing

    file.write_text("import os\n\ndef f(x):\n    return 1\n")
    with pytest.raises(ConfigurationError, match="the file has changed"):
        ship(changing.f)


def test_builtin_without_signature() -> None:
    """What has no signature is not checked here."""
    assert bind(ship(max), (1, 2)).arguments == "[[1, 2], {}]"


@pytest.mark.parametrize("args", [(), (1, 2, 3)])
def test_a_wrong_number_of_arguments_is_refused(args: tuple[int, ...]) -> None:
    """The error says the function's signature and what Python says of the call."""

    def add(one: int, two: int = 2) -> int:
        return one + two

    shipped = ship(add)
    assert "[[1], {}]" == bind(shipped, (1,)).arguments
    assert "[[1, 3], {}]" == bind(shipped, (1, 3)).arguments
    with pytest.raises(ConfigurationError, match=r"add\(one: int, two: int = 2\).* does not take"):
        bind(shipped, args)


@pytest.mark.parametrize(
    "text",
    [
        "numpy",
        "numpy >= 2, <3",
        "numpy[a,b]~=2.0; python_version > '3'",
        "numpy (==2.*)",
        "a @ https://example.org/a.whl",
        "git+https://example.org/a",
        "./dist/a.whl",
        "a.whl",
        "a==1!2.0",
    ],
)
def test_what_pip_can_install(text: str) -> None:
    """Requirements, URLs and paths are taken."""
    assert is_requirement(text)


def test_a_long_text_that_is_no_requirement_is_refused_at_once() -> None:
    """The pattern reads it in one way only: doubling the text never doubles the tries."""
    assert not is_requirement("a" + ">1" * 500 + "(")


def test_a_method_is_told_from_its_object() -> None:
    """What cannot travel is the object that the method belongs to."""
    with pytest.raises(ConfigurationError, match=r"is a method of an instance of threading\."):
        ship(threading.Event().set)
