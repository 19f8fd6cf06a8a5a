"""The project keeps its own rules."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from blockbuster import BlockingError

import aiowf
from aiowf.wire import labels

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "aiowf"
DOCS = ROOT / "docs"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

ROOMS = sorted(
    path.stem
    for path in PACKAGE.iterdir()
    if path.name != "__init__.py" and (path.suffix == ".py" or (path / "__init__.py").exists())
)
LINT_IMPORTS = [
    sys.executable,
    "-c",
    "from importlinter.cli import lint_imports_command as run; run()",
]
# What only a client, a display or a command needs.
CLIENT_ONLY = {"aiohttp", "aiokafka", "click", "rich", "ssl", "stamina", "tenacity", "yaml"}


def modules_after(statement: str) -> set[str]:
    """Return the names of the modules that a fresh interpreter has loaded after a statement."""
    program = f"{statement}\nimport sys, json; print(json.dumps(list(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE)
    return set(json.loads(ended.stdout))


def test_a_room_imports_only_rooms_below_it() -> None:
    """The contract of import-linter in pyproject.toml holds."""
    # In a process of its own: it switches off the loggers that other tests listen to.
    linted = subprocess.run(
        [*LINT_IMPORTS, "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        capture_output=True,
        text=True,
    )
    assert (0, "") == (linted.returncode, linted.stderr), linted.stdout


def test_the_front_door_imports_almost_nothing() -> None:
    """`import aiowf` loads no third-party module, and no asyncio."""
    heavy = CLIENT_ONLY | {"asyncio", "attr", "attrs", "cattrs", "orjson"}
    assert modules_after("import aiowf") & heavy == set()


def test_building_operations_needs_no_client() -> None:
    """Importing operations and tasks loads nothing that only a client needs."""
    assert modules_after("from aiowf import operations, tasks") & CLIENT_ONLY == set()


def test_every_name_of_the_front_door_exists() -> None:
    """`aiowf.__all__` is sorted, and every name in it can be had."""
    assert list(aiowf.__all__) == sorted(aiowf.__all__)
    assert [name for name in aiowf.__all__ if not hasattr(aiowf, name)] == []


def test_an_unknown_name_of_the_front_door_is_an_attribute_error() -> None:
    """The lazy imports leave a misspelt name the error that it is everywhere in Python."""
    with pytest.raises(AttributeError, match="conect"):
        aiowf.conect  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", ["aiowf", *(f"aiowf.{room}" for room in ROOMS)])
def test_every_exported_name_is_documented(name: str) -> None:
    """Whatever a room exports has a docstring of its own."""
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [name for name in vars(module) if name[0] != "_"])
    values = {name: getattr(module, name) for name in exported}
    bare = [
        name
        for name, value in values.items()
        if (inspect.isclass(value) and not value.__dict__.get("__doc__"))
        or (inspect.isfunction(value) and not value.__doc__)
    ]
    assert bare == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_reference_page(room: str) -> None:
    """The reference documents each room."""
    assert f"aiowf.{room}" in (DOCS / "reference" / f"{room}.md").read_text()


def test_no_module_is_long() -> None:
    """No module has more than 500 lines."""
    lengths = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert [str(path) for path, lines in lengths.items() if lines > 500] == []


def test_every_test_says_what_it_shows() -> None:
    """Every test function has a docstring."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_every_dependency_is_justified() -> None:
    """docs/dependencies.md has a line for each dependency, and for nothing else."""
    project = PROJECT["project"]
    extras = {k: v for k, v in project["optional-dependencies"].items() if k != "all"}
    required = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    names = {re.split(r"[^\w-]", line)[0] for line in required}
    listed = re.findall(r"^- `([\w-]+)`", (DOCS / "dependencies.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(names)


def test_every_label_is_documented() -> None:
    """docs/wire.md names every label, annotation, variable and path of `aiowf.wire.labels`."""
    text = (DOCS / "wire.md").read_text()
    values = [value for name, value in vars(labels).items() if name.isupper()]
    assert [value for value in values if isinstance(value, str) and f"`{value}`" not in text] == []


def test_the_readme_has_the_two_commands_that_ci_runs() -> None:
    """The first command block of the README ends in the demo, the second in the tests."""
    blocks = re.findall(r"^```bash\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    last = [block.strip().splitlines()[-1].split("&& ")[-1] for block in blocks[:2]]
    assert last == [".venv/bin/aiowf demo", ".venv/bin/pytest -n auto"]


async def test_a_blocking_call_in_the_loop_fails(tmp_path: Path) -> None:
    """The guard of conftest.py is on: to read a directory in the loop is an error."""
    (tmp_path / "app" / "tasks" / "sum").mkdir(parents=True)
    with pytest.raises(BlockingError):
        aiowf.ImageCatalogue.from_directory(tmp_path)
