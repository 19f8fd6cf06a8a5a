"""What a client does in the background ends with it."""

import asyncio

import pytest

from aiowf.client import errands
from aiowf.client.errands import Errands


async def test_nothing_goes_on_behind_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """What must end is waited for, then cancelled, and that is awaited too."""
    monkeypatch.setattr(errands, "_PATIENCE", 0.05)
    found = Errands()
    ended: list[str] = []

    async def work(name: str, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    attended = found.attend(work("attended", 60))
    kept = found.keep(work("kept", 0.001))
    endless = found.keep(work("endless", 60))
    await asyncio.sleep(0)
    await found.aclose()
    assert ended == ["attended", "kept", "endless"]
    assert (attended.cancelled(), kept.cancelled(), endless.cancelled()) == (True, False, True)
    assert found.is_idle
