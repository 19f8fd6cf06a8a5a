"""Replies over a real Kafka, compared with bare aiokafka on the same topic of the same broker."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from aiowf.replies import KafkaSettings
from aiowf.replies.kafka import KafkaChannel
from aiowf.replies.waiting import Replies
from aiowf.runtime.sending import send_results
from aiowf.wire.frames import Record
from aiowf.wire.replies import FileEntry, Notice, done_record, file_records, notice_record
from benchmarks.row import Row

EVENTS = 20_000
PENDING = 1_000
SECONDS = 4
MEGABYTES = 100
OPERATIONS = 200
ROUNDS = 3
KEY = b"a key of 16 bytes and more"


def rows() -> list[Row]:
    """Start a broker, and measure everything against it."""
    from tests.kafka.broker import broker

    with tempfile.TemporaryDirectory() as directory, broker(Path(directory) / "kafka") as running:
        found = asyncio.run(_events(running.server))
        found += asyncio.run(_latency(running.server))
        found += _results(running.server, Path(directory))
        found += _operations(running.server)
    return found


@asynccontextmanager
async def _channel(server: str, topic: str) -> AsyncIterator[KafkaChannel]:
    settings = KafkaSettings(bootstrap_servers=server, topic=topic, partitions=1)
    async with KafkaChannel(settings) as channel:
        yield channel


async def _bare(server: str, topic: str) -> AIOKafkaConsumer:
    """Return a consumer at the beginning of a topic, as somebody would write it."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=server, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    return consumer


async def _fill(server: str, topic: str, records: list[Record]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=server, linger_ms=5)
    await producer.start()
    for record in records:
        key = None if record.key is None else record.key.encode()
        await producer.send(topic, record.value, key, partition=0, headers=list(record.headers))
    await producer.stop()


async def _best(measure: Callable[[], Coroutine[Any, Any, float]]) -> float:
    """Return the best rate of some rounds."""
    return max([await measure() for _ in range(ROUNDS)])


async def _events(server: str) -> list[Row]:
    """Notices to awaiting tasks, signed notices, and foreign records that are skipped."""
    found = []
    names = [f"operation-{n:08d}" for n in range(EVENTS)]
    for name, key, floor in (("notices", None, 0.7), ("signed notices", KEY, None)):
        topic = f"events-{'signed' if key else 'plain'}"
        notices = [notice_record(Notice("Succeeded", "x" * 200, n), key=key) for n in names]
        async with _channel(server, topic):
            await _fill(server, topic, notices)

        async def ours(topic: str = topic, key: bytes | None = key) -> float:
            async with _channel(server, topic) as channel:
                channel._reader._consumer.seek(TopicPartition(topic, 0), 0)
                replies = Replies(channel, key)
                tasks = [asyncio.create_task(_wait(replies.expect(n).notice)) for n in names]
                await asyncio.sleep(0)
                begin = time.perf_counter()
                async with replies:
                    await asyncio.gather(*tasks)
                    return EVENTS / (time.perf_counter() - begin)

        async def bare(topic: str = topic) -> float:
            consumer = await _bare(server, topic)
            waiting = {n: asyncio.get_running_loop().create_future() for n in names}
            tasks = [asyncio.create_task(_wait(future)) for future in waiting.values()]
            await asyncio.sleep(0)
            begin = time.perf_counter()
            left = EVENTS
            while left:
                for batch in (await consumer.getmany(timeout_ms=1000)).values():
                    for message in batch:
                        event = orjson.loads(message.value or b"")
                        waiting[event["workflow"]].set_result(event)
                        left -= 1
            await asyncio.gather(*tasks)
            rate = EVENTS / (time.perf_counter() - begin)
            await consumer.stop()
            return rate

        found.append(
            Row(
                name=f"{name} resolved to awaiting tasks",
                ours=await _best(ours),
                peer=await _best(bare),
                unit="/s",
                at_least=floor,
            )
        )
    return [*found, await _foreign(server)]


async def _wait(future: "asyncio.Future[Any]") -> Any:
    return await future


async def _foreign(server: str) -> Row:
    topic = "events-plain"

    async def ours() -> float:
        async with _channel(server, topic) as channel:
            channel._reader._consumer.seek(TopicPartition(topic, 0), 0)
            replies = Replies(channel)
            begin = time.perf_counter()
            async with replies:
                while replies.skipped < EVENTS:  # noqa: ASYNC110 (yields to the reader)
                    await asyncio.sleep(0.001)
                return EVENTS / (time.perf_counter() - begin)

    async def bare() -> float:
        consumer = await _bare(server, topic)
        begin = time.perf_counter()
        left = EVENTS
        while left:
            for batch in (await consumer.getmany(timeout_ms=1000)).values():
                for message in batch:
                    if message.headers[0][1] != b"mine":
                        left -= 1
        rate = EVENTS / (time.perf_counter() - begin)
        await consumer.stop()
        return rate

    return Row(
        name="foreign records skipped",
        ours=await _best(ours),
        peer=await _best(bare),
        unit="/s",
        at_least=0.8,
    )


async def _latency(server: str) -> list[Row]:
    """From send to the resumed task, with a thousand pending, a thousand a second."""
    ours = await _latencies_of(server, _our_waiter)
    bare = await _latencies_of(server, _bare_waiter)
    name = f"send → task resumes, {PENDING:,} pending, {PENDING:,}/s"
    return [
        Row(name=f"{name}: p50", ours=ours[0], peer=bare[0], unit="ms", at_most=1.3),
        Row(name=f"{name}: p99", ours=ours[1], peer=bare[1], unit="ms", at_most=2),
    ]


@asynccontextmanager
async def _our_waiter(server: str, topic: str, names: list[str]) -> AsyncIterator[list[Any]]:
    async with _channel(server, topic) as channel, Replies(channel) as replies:
        yield [replies.expect(name).notice for name in names]


@asynccontextmanager
async def _bare_waiter(server: str, topic: str, names: list[str]) -> AsyncIterator[list[Any]]:
    async with _channel(server, topic):
        pass
    consumer = await _bare(server, topic)
    waiting = {name: asyncio.get_running_loop().create_future() for name in names}

    async def read() -> None:
        while True:
            for batch in (await consumer.getmany(timeout_ms=1000)).values():
                for message in batch:
                    event = orjson.loads(message.value or b"")
                    waiting[event["workflow"]].set_result(event)

    reader = asyncio.create_task(read())
    try:
        yield list(waiting.values())
    finally:
        reader.cancel()
        await asyncio.wait({reader})
        await consumer.stop()


async def _latencies_of(server: str, waiter: Any) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds, of the best of some rounds each."""
    found = [await _latencies(server, waiter, round) for round in range(ROUNDS)]
    return min(p50 for p50, _ in found), min(p99 for _, p99 in found)


async def _latencies(server: str, waiter: Any, round: int) -> tuple[float, float]:
    topic = f"latency-{waiter.__name__.strip('_')}-{round}"
    names = [f"operation-{n:08d}" for n in range(PENDING * SECONDS)]
    resumed: dict[str, float] = {}

    async def wait(name: str, future: "asyncio.Future[Any]") -> None:
        await future
        resumed[name] = time.time()

    async with waiter(server, topic, names) as futures:
        tasks = [asyncio.create_task(wait(*each)) for each in zip(names, futures, strict=True)]
        sender = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.bench_replies", "send", server, topic),
            str(len(names)),
            stdout=subprocess.PIPE,
        )
        assert sender.stdout is not None
        await asyncio.gather(*tasks)
        out, _ = await sender.communicate()
    sent = dict(zip(names, json.loads(out), strict=True))
    late = sorted((resumed[name] - sent[name]) * 1000 for name in names)
    return late[len(late) // 2], late[len(late) * 99 // 100]


async def _send_slowly(server: str, topic: str, count: int) -> None:
    """Send so many notices at a thousand a second; print when each one was sent."""
    producer = AIOKafkaProducer(bootstrap_servers=server)
    await producer.start()
    await producer.partitions_for(topic)
    sent = []
    begin = time.perf_counter()
    for n in range(count):
        record = notice_record(Notice("Succeeded", "x" * 200, f"operation-{n:08d}"))
        assert record.key is not None
        pause = begin + n / PENDING - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        sent.append(time.time())
        await producer.send(
            topic, record.value, record.key.encode(), partition=0, headers=list(record.headers)
        )
    await producer.stop()
    print(json.dumps(sent))


def _results(server: str, directory: Path) -> list[Row]:
    """100 MB of results, as a pod sends them; then read by a client of its own process."""
    shared = directory / "shared"
    shared.mkdir()
    for n in range(MEGABYTES // 10):
        (shared / f"{n}.bin").write_bytes(os.urandom(10_000_000))
    asyncio.run(_make_topics(server))
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": server,
        "AIOWF_REPLY_TOPIC": "results",
        "AIOWF_REPLY_PARTITION": "0",
        "AIOWF_WORKFLOW_NAME": "w",
        "shared_directory": str(shared),
    }
    sent: list[float] = []
    raw: list[float] = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        send_results(environ)
        sent.append(MEGABYTES / (time.perf_counter() - begin))
        raw.append(asyncio.run(_send_raw(server, shared)))
    # By turns, so that both have the same machine.
    pairs = [(_in_child("receive", server), _in_child("receive-raw", server)) for _ in range(5)]
    ours, bare = zip(*pairs, strict=True)
    name = f"{MEGABYTES} MB of results"
    return [
        Row(name=f"{name}: sent", ours=max(sent), peer=max(raw), unit="MB/s", at_least=0.7),
        Row(
            name=f"{name}: received, verified, in files",
            ours=max(each["rate"] for each in ours),
            peer=max(each["rate"] for each in bare),
            unit="MB/s",
            at_least=0.7,
        ),
        Row(
            name=f"{name}: memory of the client above idle",
            ours=min(each["megabytes"] for each in ours),
            unit="MB",
            at_most=64,
        ),
    ]


async def _make_topics(server: str) -> None:
    for topic in ("results", "results-raw"):
        async with _channel(server, topic):
            pass


def _in_child(*arguments: str) -> dict[str, float]:
    program = [sys.executable, "-m", "benchmarks.bench_replies", *arguments]
    ended = subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


async def _send_raw(server: str, shared: Path) -> float:
    producer = AIOKafkaProducer(bootstrap_servers=server, acks="all")
    await producer.start()
    begin = time.perf_counter()
    futures = []
    for path in sorted(shared.iterdir()):  # noqa: ASYNC240
        with path.open("rb") as file:
            while chunk := file.read(900 * 1024):
                futures.append(await producer.send("results-raw", chunk, partition=0))
    for future in futures:
        await future
    rate = MEGABYTES / (time.perf_counter() - begin)
    await producer.stop()
    return rate


async def _receive(server: str) -> dict[str, float]:
    async with _channel(server, "results") as channel:
        channel._reader._consumer.seek(TopicPartition("results", 0), 0)
        replies = Replies(channel)
        idle = _peak_megabytes()
        pending = replies.expect("w", files=True)
        assert pending.files is not None
        begin = time.perf_counter()
        async with replies:
            await pending.files
            rate = MEGABYTES / (time.perf_counter() - begin)
    return {"rate": rate, "megabytes": _peak_megabytes() - idle}


async def _receive_raw(server: str) -> dict[str, float]:
    consumer = await _bare(server, "results-raw")
    begin = time.perf_counter()
    left = MEGABYTES * 1_000_000
    while left > 0:
        for batch in (await consumer.getmany(timeout_ms=1000)).values():
            left -= sum(len(message.value or b"") for message in batch)
    rate = MEGABYTES / (time.perf_counter() - begin)
    await consumer.stop()
    return {"rate": rate}


def _peak_megabytes() -> float:
    # Unlike ru_maxrss this begins anew with a program: it knows nothing of the parent's memory.
    (line,) = [each for each in Path("/proc/self/status").read_text().splitlines() if "HWM" in each]
    return int(line.split()[1]) * 1024 / 1e6


def _operations(server: str) -> list[Row]:
    """Sync operations with results, against a server in another process that costs nothing."""
    measured = _in_child("operations", server)
    name = f"{OPERATIONS} sync operations with results at once"
    return [
        Row(name=f"{name}: client CPU each", ours=measured["cpu"], unit="ms", at_most=3),
        Row(name=f"{name}: consumers", ours=measured["consumers"], unit="", at_most=1),
        Row(name=f"{name}: sockets to the broker", ours=measured["sockets"], unit="", at_most=3),
    ]


async def _operate(server: str) -> dict[str, float]:
    import aiowf
    from aiowf import operations, tasks
    from aiowf.profile import Profile

    argo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.bench_replies", "argo", server), stdout=subprocess.PIPE
    )
    assert argo.stdout is not None
    url = (await argo.stdout.readline()).decode().strip()
    made = 0
    original = AIOKafkaConsumer.__init__

    def counted(self: Any, *topics: str, **options: Any) -> None:
        nonlocal made
        made += 1
        original(self, *topics, **options)

    AIOKafkaConsumer.__init__ = counted
    op = operations.DistributedSyncOperationWithResults("op-", tasks.BashTask("work", "true"))
    kafka = KafkaSettings(bootstrap_servers=server, topic="operations", partitions=1)
    try:
        async with aiowf.connect(
            url, namespace="argo", kafka=kafka, profile=Profile(runtime_image="r")
        ) as client:
            await op.execute(client=client)  # what is loaded once is not counted
            begin = time.process_time()
            results = await asyncio.gather(*(op.execute(client=client) for _ in range(OPERATIONS)))
            cpu = (time.process_time() - begin) * 1000 / OPERATIONS
            sockets = len(_sockets_to(server))
            assert all(dict(result.files) == {"f": b"x"} for result in results)
    finally:
        argo.kill()
        await argo.wait()
    return {"cpu": cpu, "consumers": made, "sockets": sockets}


def _sockets_to(server: str) -> list[str]:
    """Return this process's connections to an address."""
    port = f":{int(server.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    ours = {os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()}
    return [line[9] for line in lines if line[2].endswith(port) and f"socket:[{line[9]}]" in ours]


async def _argo(server: str) -> None:
    """Be an Argo Server that never tells of an end, and the pods that send the results."""
    from aiohttp import web

    producer = AIOKafkaProducer(bootstrap_servers=server)
    await producer.start()
    workflows: dict[str, Any] = {}

    async def create(request: web.Request) -> web.Response:
        workflow = orjson.loads(await request.read())["workflow"]
        meta = workflow["metadata"]
        meta |= {"uid": meta["name"], "resourceVersion": "1"}
        workflows[meta["name"]] = workflow
        partition = int(meta["annotations"]["aiowf.dev/reply-partition"])
        entry = FileEntry("f", 1, hashlib.sha256(b"x").hexdigest(), 1)
        name = meta["name"]
        for record in (*file_records(name, "f", [b"x"], 1), done_record(name, [entry])):
            await producer.send(
                "operations",
                record.value,
                name.encode(),
                partition=partition,
                headers=list(record.headers),
            )
        return web.Response(body=orjson.dumps(workflow), content_type="application/json")

    async def get(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        status = {
            "phase": "Running",
            "nodes": {name: {"id": name, "name": name, "type": "Steps", "phase": "Succeeded"}},
        }
        body = orjson.dumps({**workflows[name], "status": status})
        return web.Response(body=body, content_type="application/json")

    async def watch(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    app = web.Application()
    app.router.add_post("/api/v1/workflows/argo", create)
    app.router.add_get("/api/v1/workflows/argo/{name}", get)
    app.router.add_get("/api/v1/workflow-events/argo", watch)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    what, address = sys.argv[1:3]
    if what == "argo":
        asyncio.run(_argo(address))
    elif what == "send":
        asyncio.run(_send_slowly(address, sys.argv[3], int(sys.argv[4])))
    else:
        measures: dict[str, Callable[[str], Coroutine[Any, Any, dict[str, float]]]] = {
            "receive": _receive,
            "receive-raw": _receive_raw,
            "operations": _operate,
        }
        print(json.dumps(asyncio.run(measures[what](address))))
