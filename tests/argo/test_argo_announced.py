"""The note by which clients know a server that the same user runs."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from aiowf.argo import from_environment
from aiowf.argo.announced import Announced, announce, find, find_all

HERE = Announced("127.0.0.1:2746", "secret", "team")


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    """An environment that says where notes are."""
    return {"XDG_STATE_HOME": str(tmp_path)}


def note(environ: Mapping[str, str]) -> Path:
    """The file of a note."""
    return Path(environ["XDG_STATE_HOME"]) / "aiowf" / "servers" / "127.0.0.1%3A2746"


def test_a_server_is_known_while_it_lives(environ: Mapping[str, str]) -> None:
    """The token is in a file of the user's alone, which goes with the server."""
    assert find(HERE.server, environ) is None
    with announce(HERE, environ):
        assert HERE == find(HERE.server, environ)
        assert 0o600 == note(environ).stat().st_mode & 0o777
        assert find("127.0.0.1:2747", environ) is None
        assert "secret" not in repr(HERE)
    assert find(HERE.server, environ) is None
    assert not note(environ).exists()


def test_what_a_crash_leaves_gives_no_token_away(environ: Mapping[str, str]) -> None:
    """Nobody holds the lock of such a note; the next server at the address replaces it."""
    note(environ).parent.mkdir(parents=True)
    note(environ).write_text('{"server": "127.0.0.1:2746", "token": "old", "namespace": null}')
    note(environ).chmod(0o600)
    assert find(HERE.server, environ) is None
    with announce(HERE, environ):
        assert HERE == find(HERE.server, environ)


def test_the_next_server_at_an_address_keeps_its_note(environ: Mapping[str, str]) -> None:
    """It may begin before the one there has withdrawn its own."""
    following = Announced(HERE.server, "newer")
    before = announce(HERE, environ)
    before.__enter__()
    with announce(following, environ):
        before.__exit__(None, None, None)
        assert following == find(HERE.server, environ)
    assert [] == list(note(environ).parent.iterdir())


def test_whoever_looks_sees_whole_notes_alone(
    environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note is written and locked before it gets its name; one that fails leaves nothing."""
    rename = os.replace

    def refuse(source: str, target: Path) -> None:
        assert ([], None) == (find_all(environ), find(HERE.server, environ))
        rename(source, target)
        assert HERE == find(HERE.server, environ)
        rename(target, source)
        raise PermissionError

    monkeypatch.setattr(os, "replace", refuse)
    with announce(HERE, environ):
        assert [] == list(note(environ).parent.iterdir())


@pytest.mark.parametrize("damage", ["mode", "text", "server", "link"])
def test_a_note_that_others_could_have_written_is_not_believed(
    environ: Mapping[str, str], damage: str, tmp_path: Path
) -> None:
    """Nor is one that is broken, or of another server."""
    with announce(HERE, environ):
        match damage:
            case "mode":
                note(environ).chmod(0o644)
            case "text":
                note(environ).write_text("{")
            case "server":
                note(environ).write_text('{"server": "x", "token": "y", "namespace": null}')
            case _:
                os.rename(note(environ), tmp_path / "moved")
                note(environ).symlink_to(tmp_path / "moved")
        assert find(HERE.server, environ) is None


def test_where_nothing_can_be_written_nobody_is_told(tmp_path: Path) -> None:
    """The server serves all the same."""
    (tmp_path / "file").write_text("")
    environ = {"XDG_STATE_HOME": str(tmp_path / "file")}
    with announce(HERE, environ):
        assert find(HERE.server, environ) is None


@pytest.mark.parametrize("server", ["127.0.0.1:2746", "http://127.0.0.1:2746/", "localhost:2746"])
def test_the_address_is_enough(environ: Mapping[str, str], server: str) -> None:
    """Scheme, token and namespace come from the note; the very address is asked."""
    with announce(HERE, environ):
        found = from_environment({**environ, "ARGO_SERVER": server})
    assert ("http://127.0.0.1:2746", "secret", "team") == (found.url, found.token, found.namespace)
    assert from_environment({**environ, "ARGO_SERVER": server}).token is None


def test_what_the_environment_says_comes_first(environ: Mapping[str, str]) -> None:
    """A token and a namespace of its own; a server over TLS is another one."""
    told = {**environ, "ARGO_SERVER": HERE.server, "ARGO_TOKEN": "mine", "ARGO_NAMESPACE": "ns"}
    with announce(HERE, environ):
        found = from_environment(told)
        assert ("mine", "ns") == (found.token, found.namespace)
        secure = from_environment({**environ, "ARGO_SERVER": f"https://{HERE.server}"})
        assert (f"https://{HERE.server}", None) == (secure.url, secure.token)
        assert from_environment({**told, "ARGO_TOKEN": "", "ARGO_SECURE": "true"}).token is None


def test_a_unix_socket_has_its_note_too(environ: Mapping[str, str]) -> None:
    """Its address is its path."""
    with announce(Announced("unix:/run/x", "secret"), environ):
        found = from_environment({**environ, "ARGO_SERVER": "unix:/run/x"})
    assert ("unix:/run/x", "secret") == (found.server, found.token)
