"""Ten thousand results over twenty restarts of the broker, and 200 MB of files."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest
from broker import Broker

from aiowf.replies import KafkaSettings
from aiowf.replies.kafka import KafkaChannel
from aiowf.replies.waiting import Replies
from aiowf.runtime.kafka import KafkaTransport
from aiowf.runtime.sending import send_results
from aiowf.wire.replies import FileEntry, done_record, file_records

pytestmark = pytest.mark.soak

RESULTS = 10_000
RESTARTS = 20
SENDERS = 4


def send(settings: KafkaSettings, names: list[str]) -> None:
    """Send the results of some operations, as a pod does."""
    with KafkaTransport(settings, partitions={settings.topic: 0}, deadline=600) as transport:
        for name in names:
            content = name.encode() * 100
            entry = FileEntry("f", len(content), hashlib.sha256(content).hexdigest(), 1)
            records = [*file_records(name, "f", [content], 1), done_record(name, [entry])]
            transport.send(settings.topic, records)


async def test_no_result_is_lost_or_doubled(own: Broker) -> None:
    """The broker is killed or stopped twenty times while results are sent and awaited."""
    settings = KafkaSettings(bootstrap_servers=own.server, partitions=1)
    names = [f"operation-{n:05d}" for n in range(RESULTS)]
    settled = dict.fromkeys(names, 0)
    async with KafkaChannel(settings) as channel, Replies(channel) as replies:
        pending = {name: replies.expect(name, files=True) for name in names}
        for name, each in pending.items():
            assert each.files is not None
            each.files.add_done_callback(
                lambda _, name=name: settled.update({name: settled[name] + 1})
            )
        size = RESULTS // (RESTARTS * SENDERS)
        waves = iter([names[n : n + size] for n in range(0, RESULTS, size)])
        for round in range(RESTARTS):
            sending = [
                asyncio.create_task(asyncio.to_thread(send, settings, next(waves)))
                for _ in range(SENDERS)
            ]
            await asyncio.sleep(0.5)
            await asyncio.to_thread(own.kill if round % 2 else own.stop)
            await own.restart()
            await asyncio.gather(*sending)
        async with asyncio.timeout(60):
            for name, each in pending.items():
                assert each.files is not None
                files = await each.files
                assert dict(files) == {"f": name.encode() * 100}
    assert set(settled.values()) == {1}


async def test_two_hundred_megabytes_come_back(shared: Broker, tmp_path: Path) -> None:
    """Files of every kind, 200 MB together, are sent in signed pieces and come back verified."""
    sent = tmp_path / "sent"
    contents = {"empty": b"", "ünïcode/ß/a b.txt": "é".encode(), "nested/deep/one.bin": b"\0" * 999}
    contents |= {f"large/{n}.bin": os.urandom(size) for n, size in enumerate((150 << 20, 50 << 20))}
    for path, content in contents.items():
        (sent / path).parent.mkdir(parents=True, exist_ok=True)
        (sent / path).write_bytes(content)
    (sent / "link").symlink_to(sent / "empty")
    key = "a key of 16 bytes and more"
    settings = KafkaSettings(bootstrap_servers=shared.server, topic="large", partitions=1)
    environ = {
        **settings.local_environment(),
        "AIOWF_REPLY_TOPIC": settings.topic,
        "AIOWF_REPLY_PARTITION": "0",
        "AIOWF_REPLY_KEY": key,
        "AIOWF_WORKFLOW_NAME": "w",
        "shared_directory": str(sent),
    }
    async with KafkaChannel(settings) as channel, Replies(channel, key.encode()) as replies:
        pending = replies.expect("w", files=True)
        assert pending.files is not None
        async with asyncio.timeout(300):
            said = await asyncio.to_thread(send_results, environ)
            files = await pending.files
    assert said == f"sent: 5 files, {sum(map(len, contents.values()))} bytes"
    assert sorted(files) == sorted(contents)
    for path, content in contents.items():
        assert files[path] == content
