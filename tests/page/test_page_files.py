"""The page's files: who may get them, under which policy, and what they may hold."""

import re
from pathlib import Path

import pytest
from bed import Bed, bed

from aiowf.engine import page

ASSETS = Path(page.__file__).parent / "assets"
SCRIPTS = sorted(path.name for path in ASSETS.glob("*.js"))


@pytest.mark.parametrize("path", ["/", "/workflows", "/workflows/ns/wf", "/nothing"])
async def test_the_document_is_at_every_address_under_a_strict_policy(path: str) -> None:
    """No token is needed for the document, and nothing foreign can be loaded into it."""
    async with bed(token="secret") as running, running.client.get(path) as response:
        assert (200, "text/html") == (response.status, response.content_type)
        policy = response.headers["Content-Security-Policy"].split("; ")
        assert {
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        } == set(policy)
        assert "nosniff" == response.headers["X-Content-Type-Options"]
        assert "no-referrer" == response.headers["Referrer-Policy"]
        assert "no-cache" == response.headers["Cache-Control"]


async def test_a_file_that_has_not_changed_is_not_sent_again() -> None:
    """A browser that knows the tag of a file gets 304, with another tag the file."""
    async with bed() as running:
        async with running.client.get("/assets/main.js") as response:
            tag, text = response.headers["ETag"], await response.text()
            assert "text/javascript" == response.content_type
        for known, status in ((tag, 304), ('"other"', 200), (f'"other", W/{tag}', 304)):
            headers = {"If-None-Match": known}
            async with running.client.get("/assets/main.js", headers=headers) as response:
                assert (status, tag) == (response.status, response.headers["ETag"])
                assert ("" if status == 304 else text) == await response.text()
                assert "Content-Security-Policy" in response.headers


@pytest.mark.parametrize("name", ["nothing.js", "..%2f__init__.py", "__init__.py", "%00"])
async def test_only_the_pages_files_are_served(name: str) -> None:
    """No name leads out of the directory, or to what is no part of the page."""
    async with bed() as running, running.client.get(f"/assets/{name}") as response:
        assert 404 == response.status
        assert "nosniff" == response.headers["X-Content-Type-Options"]


async def test_what_is_not_the_pages_stays_what_it_is() -> None:
    """Unknown routes of the API, and of the engine's own interface, are no documents."""
    async with bed() as running:
        statuses = [await _status(running, path) for path in ("/api/v1/nothing", "/aiowf/v1/no")]
    assert [501, 404] == statuses


async def _status(running: Bed, path: str) -> int:
    async with running.client.get(path) as response:
        return response.status


def test_all_scripts_are_loaded_at_once() -> None:
    """The document names every module, so that none waits until another one has asked for it."""
    document = (ASSETS / "index.html").read_text()
    assert SCRIPTS == sorted(re.findall(r'"/assets/([\w.]+\.js)"', document))


@pytest.mark.parametrize("path", sorted(ASSETS.iterdir()), ids=lambda path: path.name)
def test_a_file_is_small_and_asks_nobody_else(path: Path) -> None:
    """No other host is named, nothing can turn text into markup, and a file is soon read."""
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//[a-z]+\.", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert len(text.splitlines()) <= 500
