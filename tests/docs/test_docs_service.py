"""The service in docs/client.md, run as it stands there."""

import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

PAGE = Path(__file__).parents[2] / "docs" / "client.md"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example as a module of its own, from the page's own text."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (text,) = [block for block in blocks if "def make_app" in block]
    (tmp_path / "docs_service.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    import docs_service  # type: ignore[import-not-found]

    return docs_service


async def test_the_service_of_the_page_works(service: Any) -> None:
    """One endpoint computes, one starts, one tells how it fares."""
    async with TestClient(TestServer(service.make_app())) as caller:
        answer = await caller.post("/square/7")
        assert {"value": 49} == await answer.json()
        answer = await caller.post("/slow")
        assert 202 == answer.status
        name = (await answer.json())["name"]
        answer = await caller.get(f"/runs/{name}")
        assert (await answer.json())["running"] is True
