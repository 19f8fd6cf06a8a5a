"""Where an engine puts its directory and its socket."""

import shutil
from pathlib import Path

import pytest

from aiowf.engine.directories import choose_directories, remove_tree


def test_the_socket_is_in_the_directory(tmp_path: Path) -> None:
    """As long as its path is short enough."""
    directory, socket_path = choose_directories("name", str(tmp_path))
    assert (directory, socket_path) == (f"{tmp_path}/name", f"{tmp_path}/name/engine.sock")
    assert not Path(directory).exists()


def test_a_long_path_for_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it is where the session's runtime files are, or in /tmp."""
    long = str(tmp_path / ("x" * 100))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run")
    assert choose_directories("name", long) == (f"{long}/name", "/run/name/engine.sock")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/no/such/directory")
    assert choose_directories("name", long) == (f"{long}/name", "/tmp/name/engine.sock")


def test_removing_what_a_task_has_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories without permissions are opened up; symbolic links are not followed."""
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    (tree / "a" / "b" / "c").mkdir(parents=True)
    (tree / "a" / "file").touch()
    outside.mkdir(0o755)
    (tree / "link").symlink_to(outside)
    for path in (tree / "a" / "b", tree / "a"):
        path.chmod(0)
    attempts = []

    def rmtree(path: str, *, ignore_errors: bool) -> None:
        """Fail at first as if permissions had stopped it, which they do not for root."""
        attempts.append(tree.stat().st_mode)
        if len(attempts) > 1:
            assert (tree / "a" / "b").stat().st_mode & 0o777 == 0o700
            remove(path, ignore_errors=ignore_errors)

    remove = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", rmtree)
    remove_tree(str(tree))
    assert (tree.exists(), outside.stat().st_mode & 0o777, len(attempts)) == (False, 0o755, 2)
