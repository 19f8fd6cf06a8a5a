"""The plugin that pytest loads: the fixtures `aiowf_engine` and `aiowf_images`, the mark `aiowf`.

It loads nothing else of aiowf until a test asks for one of them.
"""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aiowf.testing.engine import AiowfEngine, EngineProcess
    from aiowf.testing.images import Image

_MARK = "aiowf"
_CLOCKS = ("real", "skip")
# What would lead a client elsewhere; AIOWF_REPLY_KEY, _TOPIC and so on are about a broker.
_ELSEWHERE = ("ARGO_", "KAFKA_", "AIOWF_REPLY_")


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the mark."""
    config.addinivalue_line(
        "markers",
        'aiowf(images=None, clock="real"): what the fixture aiowf_engine runs in place of images, '
        'and whether its clock is the machine\'s, or goes to what is due next: "skip".',
    )


@pytest.fixture(scope="session")
def _aiowf_process() -> "Iterator[EngineProcess]":
    """The engine's process, from the first test that needs it to the last."""
    from aiowf.testing.engine import EngineProcess

    process = EngineProcess()
    try:
        yield process
    finally:
        process.close()


@pytest.fixture
def aiowf_images() -> "Mapping[str, Image]":
    """What stands in for images, image name → command or function; override it in conftest.py."""
    return {}


@pytest.fixture
def aiowf_engine(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    _aiowf_process: "EngineProcess",
    aiowf_images: "Mapping[str, Image]",
) -> "Iterator[AiowfEngine]":
    """An embedded engine for this test alone; `aiowf.connect()` and `op.execute()` lead to it.

    Nothing of an earlier test is left in it. What still runs at the end of the test is killed.
    """
    from aiowf.testing.engine import AiowfEngine

    images, clock = _wishes(request.node)
    process = _aiowf_process
    process.begin({**aiowf_images, **images}, skips=clock == "skip")
    for name in [name for name in os.environ if name.startswith(_ELSEWHERE)]:
        monkeypatch.delenv(name)
    for name, text in process.environment.items():
        monkeypatch.setenv(name, text)
    yield AiowfEngine(process, skips=clock == "skip")
    process.begin({}, skips=False)


def _wishes(node: pytest.Item) -> tuple[dict[str, Any], str]:
    """Return what the marks of a test say; the nearest one counts, for each image on its own."""
    images: dict[str, Any] = {}
    clock = "real"
    for mark in reversed(list(node.iter_markers(_MARK))):
        unknown = sorted(mark.kwargs.keys() - {"images", "clock"})
        if mark.args or unknown:
            given = unknown[0] if unknown else repr(mark.args[0])
            raise pytest.UsageError(
                f"@pytest.mark.aiowf takes images=… and clock=…, by name, and not {given}"
            )
        images.update(mark.kwargs.get("images") or {})
        clock = mark.kwargs.get("clock", clock)
    if clock not in _CLOCKS:
        raise pytest.UsageError(f'@pytest.mark.aiowf(clock={clock!r}): it must be "real" or "skip"')
    return images, clock
