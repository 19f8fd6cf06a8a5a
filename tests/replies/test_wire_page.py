"""The examples of docs/wire.md are what the functions make, and take."""

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

from aiowf.replies import Files
from aiowf.wire.frames import Record
from aiowf.wire.replies import Assembly, Notice, is_authentic, notice_record, unpack_files

PAGE = (Path(__file__).parents[2] / "docs" / "wire.md").read_text()
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.+?)```", PAGE, re.DOTALL)]


def record(example: dict[str, Any]) -> Record:
    headers = tuple((name, text.encode()) for name, text in example["headers"].items())
    return Record(example["value"].encode(), example["key"], headers)


def test_the_records_of_the_page_are_files_and_a_notice() -> None:
    """Files and their list give the files; the notice is what the exit handler sends."""
    (examples,) = [each for each in EXAMPLES if isinstance(each, list)]
    *files, notice = [record(each) for each in examples]
    kept = Files()
    assembly = Assembly("report-x7k2m9q4ab", kept)
    assert [assembly.feed(each) for each in files] == [False, False, True]
    assert dict(kept) == {"report.txt": b"hello", "logs/empty": b""}
    made = notice_record(Notice("Succeeded", '{"order": 17}', "report-x7k2m9q4ab"))
    assert made == notice


def test_the_signed_record_of_the_page_is_authentic() -> None:
    """The HMAC of the page is the one of its key, headers and value."""
    (example,) = [each for each in EXAMPLES if "secret" in each]
    assert is_authentic(record(example), example["secret"].encode())


def test_the_packed_files_of_the_page_are_files() -> None:
    """Compressed and in base64, the JSON of the page is read as an output parameter."""
    (example,) = [each for each in EXAMPLES if "content" in str(each) and "files" in each]
    text = base64.b64encode(zlib.compress(json.dumps(example).encode())).decode()
    assert unpack_files(text, workflow="w") == {"report.txt": b"hello"}
