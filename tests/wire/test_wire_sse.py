"""Streams are cut into messages, wherever their chunks end."""

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiowf.errors import ServerError
from aiowf.wire.sse import MessageReader

DATA = Path(__file__).parent.parent / "data" / "argo"
STREAMS: dict[str, list[dict[str, Any]]] = json.loads((DATA / "http-streams.json").read_text())
RECORDED = [exchange for exchanges in STREAMS.values() for exchange in exchanges]


def read(chunks: list[bytes]) -> list[Any]:
    """Return the messages of a stream."""
    reader = MessageReader()
    return [json.loads(text) for chunk in chunks for text in reader.feed(chunk)] + [
        json.loads(text) for text in reader.close()
    ]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at places."""
    borders = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(borders)]


@given(st.sampled_from(RECORDED), st.lists(st.integers(0, 100_000), max_size=20))
def test_the_borders_of_chunks_do_not_matter(exchange: dict[str, Any], places: list[int]) -> None:
    """A recorded stream has the same messages however it is cut."""
    chunks = [chunk.encode() for chunk in exchange["chunks"]]
    assert read(cut(b"".join(chunks), places)) == read(chunks)


def test_keepalives_and_other_fields_are_no_messages() -> None:
    """Only data is a message: comments, names and empty lines are not."""
    stream = b':\ndata: {"a":1} \n:\n\n\nevent: x\nid: 1\nretry: 5\r\n\r\n:\ndata:{"a":2}\n\n'
    assert read([stream]) == [{"a": 1}, {"a": 2}]


def test_json_lines_are_messages_too() -> None:
    """A stream without server-sent events is one JSON text a line, the last without newline."""
    assert read([b'{"result":1}\n{"res', b'ult":2}\n{"error":', b'{"message":"EOF"}}']) == [
        {"result": 1},
        {"result": 2},
        {"error": {"message": "EOF"}},
    ]


def test_a_huge_message_is_read_in_linear_time() -> None:
    """Ten times the chunks take about ten times as long, not a hundred times."""

    def seconds(chunks: int) -> float:
        reader = MessageReader()
        began = time.perf_counter()
        for _ in range(chunks):
            reader.feed(b"x" * 4096)
        assert len(reader.feed(b"\n")[0]) == chunks * 4096
        return time.perf_counter() - began

    assert min(seconds(5000) for _ in range(3)) < 40 * min(seconds(500) for _ in range(3)) + 0.05


def test_a_message_without_end_is_given_up() -> None:
    """A line longer than the limit ends in an error, not in the memory of the machine."""
    reader = MessageReader(limit=10)
    reader.feed(b"data: 123")
    with pytest.raises(ServerError, match="longer than 10 bytes"):
        reader.feed(b"45678")


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_any_bytes_are_cut_without_loss_of_order(chunks: list[bytes]) -> None:
    """The lines that carry something come whole and in order."""
    reader = MessageReader()
    found = [text for chunk in chunks for text in reader.feed(chunk)] + reader.close()
    fields = (b":", b"\r", b"event:", b"id:", b"retry:")
    lines = [line for line in b"".join(chunks).split(b"\n") if line and not line.startswith(fields)]
    assert found == [line.removeprefix(b"data:") for line in lines]
