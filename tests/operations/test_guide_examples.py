"""The examples of the guide run."""

import ast
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from schema import validate

from aiowf.manifest import unstructure
from aiowf.operations import ContainerizedOperation
from aiowf.profile import Profile

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["tasks", "operations"])
def test_the_examples_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that await are only compiled; the operations of the others render valid workflows."""
    blocks = BLOCK.findall((DOCS / f"{page}.md").read_text())
    waiting = [block for block in blocks if "await " in block]
    for block in waiting:
        compile(block, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    source = tmp_path / f"guide_{page}.py"
    source.write_text("\n".join(block for block in blocks if block not in waiting))
    spec = spec_from_file_location(source.stem, source)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, source.stem, module)
    spec.loader.exec_module(module)
    made = [value for value in vars(module).values() if isinstance(value, ContainerizedOperation)]
    assert made != []
    for op in made:
        validate(unstructure(op.to_workflow(Profile(runtime_image="runtime:1"))))
