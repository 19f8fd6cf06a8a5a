"""Ten thousand results over twenty restarts of the broker: none lost, none twice."""

import asyncio
import hashlib

import pytest
from broker import Broker

from aiowf.replies import KafkaSettings
from aiowf.replies.kafka import KafkaChannel
from aiowf.replies.waiting import Replies
from aiowf.runtime.kafka import KafkaTransport
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
