"""What a container runs."""

import os
import sys
from pathlib import Path

import pytest

from aiowf.engine.executor.command import (
    CommandNotFoundError,
    arguments,
    check_command,
    find_program,
    stand_in,
)
from aiowf.engine.executor.interpreter import interpreter_directories
from aiowf.errors import ConfigurationError
from aiowf.manifest import Container, ScriptTemplate

IMAGES = {"samples-sum": ["python", "sum.py"], "team/other": ["other"]}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("samples-sum", IMAGES["samples-sum"]),
        ("samples-sum:1.0", IMAGES["samples-sum"]),
        ("registry:5000/team/samples-sum:1.0", IMAGES["samples-sum"]),
        ("registry/samples-sum@sha256:0a1b", IMAGES["samples-sum"]),
        ("team/other:2", IMAGES["team/other"]),
        ("registry/team/other", None),
        ("samples", None),
        (None, None),
    ],
)
def test_an_image_is_known_by_its_name(image: str | None, expected: list[str] | None) -> None:
    """Registry and tag do not matter."""
    assert stand_in(IMAGES, image) == expected


def test_arguments_follow_the_stand_in() -> None:
    """The stand-in is what the image's entry point would be."""
    container = Container(image="samples-sum:1", args=("1", "2"))
    assert arguments(container, IMAGES, None) == ["python", "sum.py", "1", "2"]


def test_a_command_is_stronger_than_the_image() -> None:
    """As Kubernetes has it, a command replaces the image's entry point."""
    container = Container(image="samples-sum", command=("true",))
    assert arguments(container, IMAGES, None) == ["true"]


def test_a_source_comes_last() -> None:
    """A script's command gets its arguments, then the file with the source."""
    script = ScriptTemplate(image="x", command=("bash", "-e"), source="true")
    assert arguments(script, {}, "/script") == ["bash", "-e", "/script"]


def test_an_image_that_nobody_knows_is_refused() -> None:
    """Without a command there is nothing to run; the error says what to do."""
    with pytest.raises(ConfigurationError) as caught:
        check_command(Container(image="reg/lost:1"), "templates[0].container", IMAGES)
    assert caught.value.where == "templates[0].container.command"
    assert 'images={"lost": ["…"]}' in str(caught.value)
    check_command(Container(image="reg/samples-sum:1"), "templates[0].container", IMAGES)


@pytest.mark.parametrize("name", ["python", "python3"])
def test_python_is_the_engines_interpreter(name: str, tmp_path: Path) -> None:
    """Whatever PATH says."""
    assert find_program(name, "/nowhere", str(tmp_path)) == sys.executable


def test_programs_are_found_by_path(tmp_path: Path) -> None:
    """A program that appears or goes away after it was looked for is noticed."""
    program = tmp_path / "tool"
    with pytest.raises(CommandNotFoundError):
        find_program("tool", str(tmp_path), "/")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_program("tool", str(tmp_path), "/") == str(program)
    program.unlink()
    with pytest.raises(CommandNotFoundError):
        find_program("tool", str(tmp_path), "/")


def test_relative_names_begin_at_the_working_directory(tmp_path: Path) -> None:
    """./tool is looked for where the pod works."""
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert os.path.normpath(find_program("./tool", "", str(tmp_path))) == str(program)
    program.chmod(0o644)
    with pytest.raises(CommandNotFoundError, match="permission denied"):
        find_program("./tool", "", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no-such-command", "executable file not found in $PATH"),
        ("/no/such", "stat /no/such: no such file or directory"),
        ("/etc", "permission denied"),
    ],
)
def test_not_found_in_the_words_of_argo(name: str, why: str) -> None:
    """The reasons are worded as Argo's executor words them."""
    with pytest.raises(CommandNotFoundError) as caught:
        find_program(name, "/usr/bin:/bin", "/")
    assert str(caught.value) == f'failed to find name in PATH: exec: "{name}": {why}'


def test_an_interpreter_by_another_name_gets_shims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no `python` beside the interpreter, small scripts call it."""
    interpreter = tmp_path / "my python"
    interpreter.write_text('#!/bin/sh\necho "$@"\n')
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    directory = tmp_path / "engine"
    directory.mkdir()
    shims, own = interpreter_directories(directory)
    assert own == str(tmp_path)
    assert sorted(path.name for path in Path(shims).iterdir()) == ["python", "python3"]
    assert f"exec '{interpreter}' \"$@\"" in Path(shims, "python").read_text()
