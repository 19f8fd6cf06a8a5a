"""The files of several tasks come back as the guide says."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import aiowf

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


async def test_the_example_of_the_guide_runs(client: aiowf.Client) -> None:
    """A pipeline that ends with SendResultTask gives files to whoever awaits its run."""
    before, _, behind = (DOCS / "operations.md").read_text().partition("## Files of a pipeline\n")
    first = BLOCK.findall(before)[0]
    build, execute = BLOCK.findall(behind)[:2]
    names: dict[str, Any] = {}
    for block in (first, build):
        exec(block, names)
    names["op"] = _By(names["op"], client)
    await eval(compile(execute, "guide", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    assert {"now", "size"} == set(names["result"].files)
    assert len(names["result"].files["now"]) == names["size"]


class _By:
    """An operation that is executed by one client."""

    def __init__(self, op: aiowf.operations.PipelineOperation, client: aiowf.Client) -> None:
        self._op, self._client = op, client

    async def execute(self) -> Any:
        """Execute it."""
        return await self._op.execute(client=self._client)
