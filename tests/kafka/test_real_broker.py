"""The whole road on a real Apache Kafka: what it does, what is lost, and who may come in."""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from broker import Broker

import aiowf
from aiowf import operations, tasks
from aiowf.engine import launch
from aiowf.engine.launcher import Outside
from aiowf.errors import ReplyError
from aiowf.replies import KafkaSettings
from aiowf.replies.kafka import KafkaChannel
from aiowf.replies.waiting import Replies
from aiowf.wire.frames import Record
from aiowf.wire.replies import Notice, notice_record

pytestmark = pytest.mark.kafka


def write(count: int, size: int) -> int:
    """Write files of random bytes into the shared directory."""
    for n in range(count):
        Path(os.environ["shared_directory"], f"{n}.bin").write_bytes(os.urandom(size))
    return count


def notice(workflow: str) -> Record:
    return notice_record(Notice("Succeeded", None, workflow))


async def test_results_and_notices_of_an_operation(shared: Broker) -> None:
    """50 MB of results come back whole, and the user's queue has its notice."""
    task = tasks.PythonTask("write", write, args=(10, 5_000_000))
    op = operations.DistributedSyncOperationWithResults(
        "large-", task, on_exit_notify={"queue": "orders", "payload": "17"}
    )
    async with asyncio.timeout(120), aiowf.connect("local", kafka=shared.server) as client:
        result = await op.execute(client=client)
        contents = await asyncio.to_thread(lambda: list(result.files.values()))
        assert [len(content) for content in contents] == [5_000_000] * 10
        assert result.value == 10
        async with aclosing(client.notices.subscribe("orders")) as notices:
            found = await anext(notices)
        assert (found.status, found.payload, found.workflow) == ("Succeeded", "17", result.name)
        await client.notices.publish("numbers", {"n": 1})
        async with aclosing(client.notices.subscribe("numbers")) as notices:
            assert (await anext(notices)).raw == b'{"n":1}'


async def test_two_hundred_at_once(shared: Broker) -> None:
    """200 operations by gather, each with its exit notice over Kafka, each once."""
    op = operations.DistributedSyncOperation("many-", tasks.BashTask("true", "true"))
    async with asyncio.timeout(380), aiowf.connect("local", kafka=shared.server) as client:
        results = await asyncio.gather(*(op.execute(client=client) for _ in range(200)))
    assert len({result.name for result in results if result.succeeded}) == 200
    assert not [result.warnings for result in results if result.warnings]


async def test_a_broker_that_is_killed_and_comes_back(own: Broker) -> None:
    """Killed while an operation runs, the broker comes back, and the results are there."""
    op = operations.DistributedSyncOperationWithResults(
        "killed-", tasks.BashTask("work", "sleep 2; echo -n done > $shared_directory/f")
    )
    async with asyncio.timeout(120), aiowf.connect("local", kafka=own.server) as client:
        before = await op.execute(client=client)
        waiting = asyncio.create_task(op.execute(client=client))
        await asyncio.sleep(1)
        await asyncio.to_thread(own.kill)
        await asyncio.sleep(2)
        await own.restart()
        after = await waiting
    assert dict(before.files) == dict(after.files) == {"f": b"done"}


async def wait_for(future: "asyncio.Future[Any]") -> Any:
    async with asyncio.timeout(60):
        return await future


async def test_a_wiped_log_is_noticed(own: Broker, caplog: pytest.LogCaptureFixture) -> None:
    """With more records in the new log than in the old one, none is skipped, and it is told."""
    settings = KafkaSettings(bootstrap_servers=own.server, partitions=1)
    async with KafkaChannel(settings) as channel, Replies(channel) as replies:
        for n in range(20):
            await channel.publish("aiowf-replies", notice(f"old-{n}"))
        last = replies.expect("old-last")
        await channel.publish("aiowf-replies", notice("old-last"))
        await wait_for(last.notice)
        pending = [replies.expect(f"new-{n}") for n in range(60)]
        own.kill()
        own.wipe()
        await own.restart()
        async with KafkaChannel(settings) as other:  # makes the topic anew
            for n in range(60):
                await other.publish("aiowf-replies", notice(f"new-{n}"))
        for each in pending:
            await wait_for(each.notice)
        assert "was lost" in str(channel.trouble)
    assert "another one than before" in caplog.text


async def test_a_topic_that_is_made_anew_is_noticed(shared: Broker) -> None:
    """Deleted under the reader and created again in the same cluster: told apart by its id."""
    settings = KafkaSettings(bootstrap_servers=shared.server, topic="anew", partitions=1)
    admin = AIOKafkaAdminClient(bootstrap_servers=shared.server)
    await admin.start()
    try:
        async with KafkaChannel(settings) as channel, Replies(channel) as replies:
            old = replies.expect("old")
            for _ in range(5):
                await channel.publish("anew", notice("old"))
            await wait_for(old.notice)
            pending = replies.expect("new-0")
            await admin.delete_topics(["anew"])
            while not channel.trouble:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            async with KafkaChannel(settings) as other:
                for n in range(20):
                    await other.publish("anew", notice(f"new-{n}"))
            await wait_for(pending.notice)
    finally:
        await admin.close()


def secured(broker: Broker, **changes: Any) -> KafkaSettings:
    """Return the settings that let bob in, with some of them changed."""
    directory = broker.directory
    known = {
        "bootstrap_servers": broker.sasl,
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_username": "bob",
        "sasl_password": "bob-secret",
        "ssl_cafile": directory / "ca.pem",
        "start_timeout": 10.0,
    }
    return KafkaSettings(**{**known, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "sasl_mechanism": "PLAIN",
            "sasl_username": "alice",
            "sasl_password": "alice-secret",
        },
    ],
)
async def test_who_has_the_password_comes_in(shared: Broker, changes: dict[str, Any]) -> None:
    """SCRAM and PLAIN over TLS, for the client and for the pods of the embedded engine."""
    settings = secured(shared, topic="secured", **changes)
    op = operations.DistributedSyncOperationWithResults(
        "secured-", tasks.BashTask("work", "echo -n x > $shared_directory/x")
    )
    async with asyncio.timeout(60), aiowf.connect("local", kafka=settings) as client:
        result = await op.execute(client=client)
    assert dict(result.files) == {"x": b"x"}
    assert settings.sasl_password not in str(result.workflow)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sasl_password": "wrong"}, "does not accept this user and password"),
        ({"sasl_username": "nobody"}, "does not accept this user and password"),
        (
            {"sasl_mechanism": "PLAIN", "sasl_username": "alice", "sasl_password": "wrong"},
            "does not accept this user and password",
        ),
        ({"sasl_mechanism": "SCRAM-SHA-256"}, "does not offer this SASL mechanism"),
        ({"bootstrap_servers": "other_host"}, "certificate is for another host name"),
        ({"ssl_cafile": "other-ca.pem"}, "not from a CA that is trusted"),
        ({"bootstrap_servers": "server"}, "KAFKA_SECURITY_PROTOCOL"),
        (
            {
                "security_protocol": "PLAINTEXT",
                "sasl_mechanism": None,
                "sasl_username": None,
                "sasl_password": None,
            },
            "KAFKA_SECURITY_PROTOCOL",
        ),
        (
            {
                "security_protocol": "SSL",
                "sasl_mechanism": None,
                "sasl_username": None,
                "sasl_password": None,
            },
            "KAFKA_SECURITY_PROTOCOL",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_who_does_not_is_told_why(
    shared: Broker, changes: dict[str, Any], message: str
) -> None:
    """Password, user, mechanism, host name, CA or protocol: the error says which is wrong."""
    if changes.get("bootstrap_servers"):
        changes = {**changes, "bootstrap_servers": getattr(shared, changes["bootstrap_servers"])}
    if changes.get("ssl_cafile"):
        changes = {**changes, "ssl_cafile": shared.directory / changes["ssl_cafile"]}
    settings = secured(shared, **changes)
    with pytest.raises(ReplyError, match=message) as caught:
        async with KafkaChannel(settings):
            pass
    assert "secret" not in str(caught.value)
    gc.collect()  # aiokafka forgets to close a connection whose SASL mechanism is refused


CLIENT = """
import asyncio, sys
import aiowf
from aiowf import operations, tasks

op = operations.DistributedSyncOperationWithResults(
    "durable-", tasks.BashTask("work", "sleep 1; echo -n once > $shared_directory/f"))

async def main():
    server, token, kafka = sys.argv[1:]
    async with aiowf.connect(server, token=token, namespace="default", kafka=kafka,
                             profile=aiowf.Profile(runtime_image="aiowf-runtime")) as client:
        waiting = asyncio.create_task(op.execute(id="order-17"))
        while not [run async for run in client.list()]:
            await asyncio.sleep(0.05)
        print("submitted", flush=True)
        result = await waiting
        print(dict(result.files), flush=True)

asyncio.run(main())
"""


async def test_another_process_takes_over_after_a_kill(shared: Broker, tmp_path: Path) -> None:
    """The client is killed; the same line in a new process gives the same files, sent meanwhile."""
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await stack.enter_async_context(asyncio.timeout(90))
        outside = Outside(listener, lambda _: None)
        engine = await stack.enter_async_context(launch(outside=outside))
        command = [sys.executable, str(script), url, f"Bearer {engine.token}", shared.server]
        first = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert first.stdout is not None
        assert await first.stdout.readline() == b"submitted\n"
        first.send_signal(signal.SIGKILL)
        await first.wait()
        await asyncio.sleep(4)  # the workflow ends while nobody waits
        second = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        out, _ = await second.communicate()
    assert out.splitlines()[-1] == b"{'f': b'once'}"
