"""Reply records as pure functions: what is sent comes back whole, and nothing else does."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiowf.errors import ConfigurationError, CorruptResultsError, MissingResultsError
from aiowf.replies import Files
from aiowf.wire.frames import Record
from aiowf.wire.replies import (
    Assembly,
    FileEntry,
    Notice,
    done_record,
    file_records,
    is_authentic,
    notice_record,
    pack_files,
    parse_notice,
    reply_key,
    safe_path,
    type_of,
    unpack_files,
)

KEY = b"a key of 16 bytes and more"


def records_of(files: dict[str, bytes], *, size: int = 3, key: bytes | None = None) -> list[Record]:
    """Return the records of some files, in chunks of so many bytes."""
    records, entries = [], []
    for path, content in files.items():
        chunks = [content[i : i + size] for i in range(0, len(content), size)] or [b""]
        records += file_records("w", path, chunks, len(chunks), key=key)
        digest = hashlib.sha256(content).hexdigest()
        entries.append(FileEntry(path, len(content), digest, len(chunks)))
    return [*records, done_record("w", entries, key=key)]


FILES = st.dictionaries(
    st.text("abü /", min_size=1, max_size=6).filter(safe_path), st.binary(max_size=12), max_size=4
)


@given(FILES, st.data())
def test_files_come_back_in_any_order_and_with_repeats(
    files: dict[str, bytes], data: st.DataObject
) -> None:
    """However records are shuffled and doubled, the last one that was missing completes them."""
    records = records_of(files)
    extra = data.draw(st.lists(st.sampled_from(records), max_size=4))
    shuffled = data.draw(st.permutations([*records, *extra]))
    kept = Files()
    assembly = Assembly("w", kept)
    whole = [assembly.feed(record) for record in shuffled]
    assert whole[-1] is True
    assert files == dict(kept)
    first = whole.index(True)
    assert not any(set(records) <= set(shuffled[:n]) for n in range(first + 1))


@given(FILES.filter(bool), st.data())
def test_what_is_missing_is_named(files: dict[str, bytes], data: st.DataObject) -> None:
    """Without one of the records there is an error that says what did not come."""
    records = records_of(files)
    lost = data.draw(st.sampled_from(range(len(records))))
    assembly = Assembly("w", Files())
    assert not any(assembly.feed(each) for n, each in enumerate(records) if n != lost)
    error = assembly.missing()
    assert isinstance(error, MissingResultsError)
    if lost == len(records) - 1:
        assert "the list of all files did not" in error.message
    else:
        assert error.details["path"] in files
        assert f"chunk {error.details['chunk'] + 1} of" in error.message


def header(record: Record, name: str, text: str) -> Record:
    """Return a record with another value of a header."""
    headers = tuple((key, text.encode() if key == name else data) for key, data in record.headers)
    return record._replace(headers=headers)


CHUNK, DONE = records_of({"a.txt": b"abc"})


def listing(**changes: object) -> Record:
    """Return the last record with some facts of its file changed."""
    (entry,) = json.loads(DONE.value)["files"]
    return DONE._replace(value=json.dumps({"files": [{**entry, **changes}]}).encode())


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([CHUNK._replace(value=b"abX"), DONE], "chunk 1 of 'a.txt' was changed on its way"),
        ([CHUNK._replace(value=b"ab"), DONE], "chunk 1 of 'a.txt' was changed on its way"),
        ([header(CHUNK, "aiowf-file", "../../etc/passwd")], "no file that can be"),
        ([header(CHUNK, "aiowf-file", "/etc/passwd")], "no file that can be"),
        ([header(CHUNK, "aiowf-chunk", "-1")], "no file that can be"),
        ([CHUNK, listing(size=4)], "has 3 bytes, not 4"),
        ([CHUNK, listing(sha256="0" * 64)], "is not what was sent"),
        ([CHUNK, listing(path="../a.txt")], "outside the shared directory"),
        ([CHUNK, listing(chunks=0)], "contradicts itself"),
        ([DONE._replace(value=b"{}")], "cannot be read"),
        ([DONE._replace(value=b"\xff")], "cannot be read"),
    ],
)
def test_what_is_not_what_was_sent_is_an_error(records: list[Record], message: str) -> None:
    """A changed, truncated or invented record is an error that says what is wrong."""
    assembly = Assembly("w", Files())
    for record in records[:-1]:
        assert not assembly.feed(record)
    with pytest.raises(CorruptResultsError, match=message):
        assembly.feed(records[-1])


def test_an_absurd_number_of_chunks_is_no_work() -> None:
    """A list that claims a trillion chunks names the first that is missing, at once."""
    assembly = Assembly("w", Files())
    assert not assembly.feed(CHUNK)
    assert not assembly.feed(listing(chunks=10**12))
    assert assembly.missing().details["chunk"] == 1


def test_every_byte_is_authenticated() -> None:
    """With a key, no change of key, headers or value goes unnoticed, and no key is no proof."""
    record = records_of({"a": b"x"}, key=KEY)[0]
    assert is_authentic(record, KEY)
    changed = [
        record._replace(key="other"),
        record._replace(value=b"y"),
        record._replace(headers=record.headers[1:]),
        header(record, "aiowf-file", "b"),
        CHUNK,
    ]
    assert not any(is_authentic(each, KEY) for each in changed)
    assert not is_authentic(record, b"another key of sixteen")


def test_a_short_key_is_refused() -> None:
    """A key that could be guessed is a configuration error; none is none."""
    assert reply_key("") is None
    with pytest.raises(ConfigurationError, match="16 characters"):
        reply_key("short")


@pytest.mark.parametrize("payload", [None, "", '{"a": "ü"}', "{{x}} $(Y)"])
def test_a_notice_comes_back(payload: str | None) -> None:
    """The shape is CloudHarness's; the payload comes back byte for byte."""
    record = notice_record(Notice("Succeeded", payload, "w"))
    expected = {"status": "Succeeded", "payload": payload, "workflow": "w"}
    assert expected == json.loads(record.value)
    assert parse_notice(record.value) == Notice("Succeeded", payload, "w", record.value)
    assert (type_of(record), record.key) == ("notice", "w")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"text", "text"),
        (b"[1]", "[1]"),
        (b'{"n": 1}', '{"n": 1}'),
        (b'"s"', '"s"'),
        (b"", ""),
        (b"\xff\xfe", None),
        (b'{"status": 1}', None),
    ],
)
def test_a_message_of_another_shape_keeps_its_bytes(value: bytes, text: str | None) -> None:
    """What is no notice has no status, its text as payload if it is text, and all of its bytes."""
    assert parse_notice(value) == Notice(None, text, None, value)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("aiowf-type", b"file"),),
        (("aiowf-version", b"2"), ("aiowf-type", b"file")),
        (("aiowf-version", b"1"), ("aiowf-type", b"\xff")),
    ],
)
def test_a_foreign_record_has_no_type(headers: tuple[tuple[str, bytes], ...]) -> None:
    """Records without our headers, or of another version, are not ours."""
    assert type_of(Record(b"", "w", headers)) is None


@given(FILES)
def test_small_files_travel_as_one_text(files: dict[str, bytes]) -> None:
    """The text of an output parameter has nothing that Argo would replace."""
    text = pack_files(files)
    assert "{{" not in text
    assert files == unpack_files(text, workflow="w")


@pytest.mark.parametrize(
    "text", ["", "%%%", "YWJj", pack_files({"../a": b"x"}), pack_files({"a": b"x"})[:-8]]
)
def test_a_damaged_text_is_an_error(text: str) -> None:
    """What is not what was packed is refused."""
    with pytest.raises(CorruptResultsError, match="output parameter"):
        unpack_files(text, workflow="w")
