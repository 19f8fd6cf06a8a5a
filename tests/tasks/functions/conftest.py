"""Run scripts as a pod would: in a process of their own, with a directory of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

from aiowf.tasks.functions import bind, decode_value, ship
from aiowf.wire import inert


@frozen
class Outcome:
    """What a pod left behind."""

    folder: Path
    code: int
    stdout: str
    stderr: str
    script: str
    annotation: Any = field(repr=False)

    def text(self, name: str = "return") -> str:
        """Return the content of an output file."""
        return (self.folder / name).read_bytes().decode()

    @property
    def value(self) -> Any:
        """The return value, typed."""
        assert self.code == 0, self.stderr
        return decode_value(self.text(), self.annotation)

    @property
    def note(self) -> str:
        """The termination message."""
        return self.text("note")


def oldest_python() -> str:
    """Return a Python 3.9, or skip the test."""
    installed = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python"))
    found = os.environ.get("AIOWF_OLDEST_PYTHON") or next(map(str, installed), None)
    found = found or shutil.which("python3.9")
    if found is None:
        pytest.skip("no Python 3.9 here")
    return found


@pytest.fixture
def pod(tmp_path: Path) -> Callable[..., Outcome]:
    """Return a function that ships a call, runs the script and gives its Outcome."""
    count = 0

    def run(
        function: Any,
        *args: Any,
        python: str = sys.executable,
        env: dict[str, str] | None = None,
        files: dict[str, str] | None = None,
        options: dict[str, Any] | None = None,
        text_inputs: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> Outcome:
        nonlocal count
        count += 1
        folder = tmp_path / f"pod{count}"
        (folder / "in").mkdir(parents=True)
        for name, text in (files or {}).items():
            (folder / "in" / name).write_text(text, encoding="utf-8")
        shipped = ship(function)
        call = bind(shipped, args, kwargs).with_text(*text_inputs)
        script = shipped.script(call.arguments, inputs=call.inputs, **(options or {}))
        assert inert.is_inert(script)
        source = folder / "script"
        source.write_bytes(script.encode())
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE"))}
        done = subprocess.run(
            [python, str(source)],
            cwd=folder,
            env={
                **clean,
                "AIOWF_DIR": str(folder),
                "AIOWF_TERMINATION_LOG": str(folder / "note"),
                **(env or {}),
            },
            capture_output=True,
            timeout=60,
            check=False,
        )
        stdout, stderr = done.stdout.decode(), done.stderr.decode()
        return Outcome(folder, done.returncode, stdout, stderr, script, shipped.return_annotation)

    return run


@pytest.fixture(params=["current", "oldest"])
def python(request: pytest.FixtureRequest) -> str:
    """Give this Python, and the oldest one that pods may have."""
    return sys.executable if request.param == "current" else oldest_python()
