"""Files of a result: large ones are not in memory, and none is written outside."""

import gc
import hashlib
import os
import pickle
from pathlib import Path

import pytest

from aiowf.errors import ConfigurationError
from aiowf.replies import Files, files
from aiowf.wire.replies import FileEntry


def filled(contents: dict[str, list[bytes]]) -> Files:
    """Return files whose chunks have come, the last one first."""
    made = Files()
    for path, chunks in contents.items():
        for index in reversed(range(len(chunks))):
            made.put(path, index, chunks[index])
        whole = b"".join(chunks)
        digest = hashlib.sha256(whole).hexdigest()
        assert digest == made.join(FileEntry(path, len(whole), digest, len(chunks)))
    return made


def test_large_files_are_in_a_temporary_file_that_goes_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is above the threshold lies in one temporary file, deleted with the last reference."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    large = [b"a" * files.SMALL_BYTES, b"b" * (files.SMALL_BYTES + 1), b"c"]
    made = filled({"large": large, "small": [b"x"]})
    assert made._spool is not None
    assert os.fstat(made._spool).st_size == files.SMALL_BYTES + 1
    assert list(tmp_path.iterdir()) == []  # it has no name: nothing is left even by a crash
    assert made["large"] == b"".join(large)
    assert dict(pickle.loads(pickle.dumps(made))) == dict(made)
    handle = made._spool
    del made
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)


def test_many_small_files_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound for all of them together, small files go to the temporary file too."""
    monkeypatch.setattr(files, "IN_MEMORY_BYTES", 10)
    contents = {str(n): [bytes([n]) * 4] for n in range(5)}
    made = filled(contents)
    assert {path: chunks[0] for path, chunks in contents.items()} == dict(made)
    assert made._in_memory == 8


def test_content_as_text_and_json_and_saved(tmp_path: Path) -> None:
    """Files are read as text and as JSON, and saved with their directories."""
    made = Files({"ünï.txt": "é".encode(), "a/b.json": b'{"x": 1}', "empty": b""})
    assert (made.text("ünï.txt"), made.json("a/b.json")) == ("é", {"x": 1})
    assert repr(made) == "Files(ünï.txt, a/b.json, empty)"
    assert ("empty" in made, "other" in made, len(made)) == (True, False, 3)
    written = made.save(tmp_path / "out")
    assert {path: path.read_bytes() for path in written} == {
        tmp_path / "out" / path: made[path] for path in made
    }


def test_names_of_any_bytes_can_be_shown_and_saved(tmp_path: Path) -> None:
    """A name that is no UTF-8, or has a backslash, is as good as any."""
    name = os.fsdecode(b"b\xff\\c")
    files = Files({name: b"x", "a": b"y"})
    assert "Files('b\\udcff\\\\c', a)" == repr(files)
    files.save(tmp_path)
    assert {b"b\xff\\c", b"a"} == set(os.listdir(bytes(tmp_path)))


@pytest.mark.parametrize("path", ["../a", "/a", "a/../../b", "..\\b", "link/a", "."])
def test_nothing_is_written_outside(tmp_path: Path, path: str) -> None:
    """Whatever a path claims, and wherever links lead, nothing is written outside."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path)
    with pytest.raises(ConfigurationError, match="lies outside"):
        Files({"good": b"", path: b"x"}).save(tmp_path / "out")
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["link"]


def test_a_file_that_cannot_be_saved_leaves_nothing(tmp_path: Path) -> None:
    """A directory in the place of a file: the error names the file, and no part of it is left."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken") as caught:
        Files({"taken": b"content"}).save(tmp_path)
    assert str(tmp_path / "taken") == caught.value.filename
    assert [tmp_path / "taken"] == list(tmp_path.iterdir())


def test_a_path_that_is_not_there_is_told_with_the_nearest() -> None:
    """As a directory too many or too few, a slip, or a few of those that are there."""
    files = Files({"out/a.json": b"{}", "log": b""})
    for path, said in (
        ("a.json", 'did you mean "out/a.json"?'),
        ("/mnt/shared/log", 'did you mean "log"?'),
        ("out/b.json", '"out/a.json"'),
        ("x" * 30, 'there is "out/a.json", "log"'),
    ):
        with pytest.raises(KeyError) as caught:
            files[path]
        assert said in str(caught.value)
    with pytest.raises(KeyError, match=r'none came back.*os.environ\["shared_directory"\]'):
        Files()["a"]
