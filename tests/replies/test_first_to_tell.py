"""What ends the wait: notice, files or watch, whichever is first."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import respx
from mock_kafka import MockCluster, mock_cluster
from respx_server import serve

import aiowf
from aiowf import operations, tasks
from aiowf.client import settling
from aiowf.profile import Profile
from aiowf.wire.frames import Record
from aiowf.wire.replies import (
    FileEntry,
    Notice,
    done_record,
    file_records,
    notice_record,
    pack_files,
)

TOPIC = "aiowf-replies"
WORKFLOWS = "/api/v1/workflows/argo"
PROFILE = Profile(runtime_image="registry/aiowf-runtime:1")
PLAIN = operations.DistributedSyncOperation("op-", tasks.BashTask("work", "true"))
RESULTS = operations.DistributedSyncOperationWithResults("op-", tasks.BashTask("work", "true"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    """Give a cluster with the reply topic."""
    with mock_cluster() as made:
        made.create(TOPIC, 4)
        yield made


class SlowServer:
    """An Argo Server whose controller has not looked at the workflow yet, until a test says so."""

    def __init__(self) -> None:
        self.router = respx.Router(assert_all_called=False)
        self.workflow: dict[str, Any] = {}
        self.created = asyncio.Event()
        self.status: dict[str, Any] = {"phase": "Running", "startedAt": None, "finishedAt": None}
        self.told = asyncio.Event()
        self.router.post(path=WORKFLOWS).mock(side_effect=self.on_create)
        self.router.get(path="/api/v1/workflow-events/argo").mock(side_effect=self.on_watch)
        self.router.get(path=WORKFLOWS).mock(side_effect=self.on_list)
        self.router.get(path__regex=rf"{WORKFLOWS}/[^/]+").mock(side_effect=self.on_get)
        self.router.put(path__regex=rf"{WORKFLOWS}/[^/]+/stop").mock(side_effect=self.on_get)

    @property
    def name(self) -> str:
        return str(self.workflow["metadata"]["name"])

    def on_create(self, request: httpx.Request) -> httpx.Response:
        if self.workflow:
            return httpx.Response(409, json={"code": 6, "message": "already exists"})
        self.workflow = json.loads(request.content)["workflow"]
        self.workflow["metadata"] |= {"uid": "uid", "resourceVersion": "1"}
        self.created.set()
        return httpx.Response(200, json=self.workflow)

    def on_get(self, _: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={**self.workflow, "status": self.status})

    def on_list(self, _: httpx.Request) -> httpx.Response:
        items = [{**self.workflow, "status": self.status}] if self.workflow else []
        return httpx.Response(200, json={"metadata": {}, "items": items})

    def on_watch(self, _: httpx.Request) -> httpx.Response:
        async def events() -> AsyncIterator[bytes]:
            yield b":\n"
            await self.told.wait()
            meta = {**self.workflow["metadata"], "resourceVersion": "2"}
            event = {"type": "MODIFIED", "object": {"metadata": meta, "status": self.status}}
            yield b"data: " + json.dumps({"result": event}).encode() + b"\n\n"
            await asyncio.Event().wait()

        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=events())

    def end(self, phase: str, *, tell: bool = True, **outputs: str) -> None:
        """Let the entry node end, and tell it to those who watch."""
        parameters = [{"name": name, "value": text} for name, text in outputs.items()]
        node = {
            "id": self.name,
            "name": self.name,
            "type": "Pod",
            "phase": phase,
            "templateName": "work",
            "outputs": {"parameters": parameters},
        }
        self.status = {"phase": phase, "nodes": {self.name: node}, "startedAt": None}
        if tell:
            self.told.set()

    def env(self, template: str) -> dict[str, Any]:
        """Return the environment of a template's container."""
        (found,) = [t for t in self.workflow["spec"]["templates"] if t["name"] == template]
        return {each["name"]: each.get("value") for each in found["container"]["env"]}


@asynccontextmanager
async def running(
    cluster: MockCluster | None, op: Any = PLAIN, **options: Any
) -> AsyncIterator[tuple[SlowServer, aiowf.Client, "asyncio.Task[Any]"]]:
    """Execute an operation; give the server, the client and the execution once it was submitted."""
    server = SlowServer()
    execute = options.pop("execute", {})
    async with (
        asyncio.timeout(30),
        serve(server.router) as url,
        aiowf.connect(
            url,
            namespace="argo",
            kafka=cluster.servers if cluster else None,
            profile=PROFILE,
            **options,
        ) as client,
    ):
        task = asyncio.create_task(op.execute(client=client, **execute))
        await asyncio.wait(
            {task, asyncio.create_task(server.created.wait())},
            return_when=asyncio.FIRST_COMPLETED,
        )
        try:
            yield server, client, task
        finally:
            task.cancel()
            await asyncio.wait({task})


async def send(cluster: MockCluster, server: SlowServer, *records: Record) -> None:
    """Send records to where the workflow's annotations say."""
    notes = server.workflow["metadata"]["annotations"]
    partition = int(notes["aiowf.dev/reply-partition"])
    await asyncio.to_thread(cluster.send, notes["aiowf.dev/reply-topic"], partition, records)


def results(workflow: str, content: bytes = b"x", key: bytes | None = None) -> list[Record]:
    """Return the records of one file."""
    digest = hashlib.sha256(content).hexdigest()
    return [
        *file_records(workflow, "f", [content], 1, key=key),
        done_record(workflow, [FileEntry("f", len(content), digest, 1)], key=key),
    ]


async def test_files_end_the_wait_before_the_controller_notices(cluster: MockCluster) -> None:
    """As soon as the files are whole and verified the result is there, within a second."""
    async with running(cluster, RESULTS) as (server, _, task):
        await send(cluster, server, *results(server.name))
        async with asyncio.timeout(1):
            result = await task
    assert (result.phase, dict(result.files)) == ("Succeeded", {"f": b"x"})


async def test_a_notice_ends_the_wait(cluster: MockCluster) -> None:
    """The notice is first, the server confirms it: the watch need not tell."""
    async with running(cluster) as (server, _, task):
        assert server.workflow["spec"]["onExit"] == "exit-handler"
        env = server.env("exit-handler")
        assert (env["AIOWF_REPLY_TOPIC"], env["KAFKA_BOOTSTRAP_SERVERS"]) == (
            TOPIC,
            cluster.servers,
        )
        server.end("Succeeded", tell=False)
        await send(cluster, server, notice_record(Notice("Succeeded", None, server.name)))
        async with asyncio.timeout(1):
            assert (await task).succeeded


async def test_a_notice_of_a_failure_brings_the_reasons(cluster: MockCluster) -> None:
    """What failed stands in the workflow, which is read when the notice comes."""
    async with running(cluster, RESULTS) as (server, _, task):
        server.end("Failed", tell=False)
        await send(cluster, server, notice_record(Notice("Failed", None, server.name)))
        async with asyncio.timeout(2):
            with pytest.raises(aiowf.OperationFailedError):
                await task


async def test_a_notice_is_believed_where_the_server_lags(cluster: MockCluster) -> None:
    """An operation that returns nothing has succeeded when its notice says so."""
    async with running(cluster) as (server, _, task):
        await send(cluster, server, notice_record(Notice("Succeeded", None, server.name)))
        async with asyncio.timeout(2):
            result = await task
    assert (result.phase, result.workflow.status.phase) == ("Succeeded", "Running")


async def test_a_false_notice_of_failure_does_no_harm(cluster: MockCluster) -> None:
    """A failure is what the server calls one; until then a notice of it is a hint."""
    async with running(cluster) as (server, _, task):
        await send(cluster, server, notice_record(Notice("Failed", None, server.name)))
        await asyncio.wait({task}, timeout=1)
        assert not task.done()
        server.end("Succeeded")
        assert (await task).succeeded


async def test_the_watch_ends_the_wait_when_it_is_first(cluster: MockCluster) -> None:
    """Nobody has sent a notice: the watch suffices."""
    async with running(cluster) as (server, _, task):
        server.end("Succeeded")
        assert (await task).succeeded


async def test_completion_by_watch_alone(cluster: MockCluster) -> None:
    """With completion="watch" no workflow carries a notice."""
    async with running(cluster, completion="watch") as (server, _, task):
        assert "onExit" not in server.workflow["spec"]
        server.end("Succeeded")
        assert (await task).succeeded


async def test_completion_by_notice_says_what_did_not_come(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With completion="notice" a notice that does not come is a warning, and no hang."""
    monkeypatch.setattr(settling, "REPLIES_AFTER_END", 0.2)
    async with running(cluster, completion="notice") as (server, _, task):
        server.end("Succeeded")
        result = await task
    assert result.warnings == ("the workflow has ended, and its exit notice did not come",)
    with pytest.raises(aiowf.ConfigurationError, match="needs a reply channel"):
        async with running(None, completion="notice"):
            pass


async def test_results_that_do_not_come_are_told(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the workflow has ended without them, the error says which are missing."""
    monkeypatch.setattr(settling, "REPLIES_AFTER_END", 0.2)
    async with running(cluster, RESULTS) as (server, _, task):
        await send(cluster, server, results(server.name)[1])
        server.end("Succeeded")
        with pytest.raises(aiowf.MissingResultsError, match="chunk 1 of 1 of 'f' is missing"):
            await task


async def test_an_outage_is_named_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """When Kafka stays away the watch ends the wait, and the error says that Kafka is away."""
    monkeypatch.setattr(settling, "REPLIES_AFTER_END", 0.2)
    monkeypatch.setattr(settling, "_OUTAGE_SLICES", 2)
    monkeypatch.setattr("aiowf.replies.reading._GAP", 0.1)
    with mock_cluster() as mine:
        mine.create(TOPIC, 1)
        async with running(mine, RESULTS) as (server, client, task):
            mine.down()
            channel = client.backend.channel
            assert channel is not None
            while not channel.is_interrupted:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            server.end("Succeeded")
            with pytest.raises(aiowf.MissingResultsError, match="does not answer"):
                await task
            mine.up()


async def test_late_results_are_waited_for(cluster: MockCluster) -> None:
    """Results that come shortly after the end, as after an outage, are results."""
    async with running(cluster, RESULTS) as (server, _, task):
        server.end("Succeeded")
        await asyncio.wait({task}, timeout=0.5)
        await send(cluster, server, *results(server.name))
        assert dict((await task).files) == {"f": b"x"}


async def test_a_corrupt_result_is_told(cluster: MockCluster) -> None:
    """A chunk that was changed ends the wait with the file's name."""
    async with running(cluster, RESULTS) as (server, _, task):
        chunk, done = results(server.name)
        await send(cluster, server, chunk._replace(value=b"y"), done)
        with pytest.raises(aiowf.CorruptResultsError, match="'f' was changed on its way"):
            await task


async def test_only_signed_records_count_with_a_key(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key comes from the environment, and reaches pods as a reference to a Secret."""
    monkeypatch.setenv("AIOWF_REPLY_KEY", "a key of 16 bytes and more")
    monkeypatch.setenv("KAFKA_SECRET", "kafka-credentials")
    key = b"a key of 16 bytes and more"
    async with running(cluster, RESULTS) as (server, client, task):
        assert "a key of 16" not in json.dumps(server.workflow)
        assert "a key of 16" not in repr(client.settings)
        assert '"key": "reply-key"' in json.dumps(server.workflow)
        await send(cluster, server, *results(server.name, b"forged"))
        await send(cluster, server, *results(server.name, b"true", key))
        assert dict((await task).files) == {"f": b"true"}


async def test_a_later_client_reads_what_was_sent_before(cluster: MockCluster) -> None:
    """The same id in another process: the replies are read from where the annotation says."""
    server = SlowServer()
    async with asyncio.timeout(30), serve(server.router) as url:
        options: Any = {"namespace": "argo", "kafka": cluster.servers, "profile": PROFILE}
        async with aiowf.connect(url, **options) as client:
            first = asyncio.create_task(RESULTS.execute(client=client, id="17"))
            await server.created.wait()
            await send(cluster, server, *results(server.name, b"before"))
            first.cancel()
            await asyncio.wait({first})
        # The server tells the truth about whose workflow it is.
        server.end("Succeeded", tell=False)
        async with aiowf.connect(url, **options) as client:
            result = await RESULTS.execute(client=client, id="17")
    assert dict(result.files) == {"f": b"before"}


async def test_without_kafka_small_files_come_as_a_parameter() -> None:
    """On an Argo Server alone files come in an output parameter; the user's code is the same."""
    async with running(None, RESULTS) as (server, _, task):
        (sender,) = [
            t for t in server.workflow["spec"]["templates"] if t["name"] == "send-result-event"
        ]
        assert sender["outputs"]["parameters"] == [
            {"name": "files", "valueFrom": {"path": "/tmp/aiowf/files", "default": ""}}
        ]
        assert server.env("send-result-event")["AIOWF_RESULTS_PATH"] == "/tmp/aiowf/files"
        server.end("Succeeded", files=pack_files({"a/b": b"\x00\xff", "c": b""}))
        assert dict((await task).files) == {"a/b": b"\x00\xff", "c": b""}
    async with running(None, RESULTS) as (server, _, task):
        server.end("Succeeded")
        with pytest.raises(aiowf.MissingResultsError, match="output parameter"):
            await task
    async with running(None, RESULTS, execute={"check": False}) as (server, _, task):
        server.end("Failed")
        assert dict((await task).files) == {}


async def test_kafka_on_the_embedded_engine(cluster: MockCluster) -> None:
    """The whole road: pods of the engine send to Kafka, and the client reads from there."""
    async with (
        asyncio.timeout(60),
        aiowf.connect("local", kafka={"bootstrap_servers": cluster.servers}) as client,
    ):
        op = operations.DistributedSyncOperationWithResults(
            "engine-", tasks.BashTask("work", "echo -n hello > $shared_directory/hello")
        )
        plain = operations.DistributedSyncOperation("engine-", tasks.PythonTask("add", add))
        result, other = await asyncio.gather(
            op.execute(client=client), plain.execute(client=client)
        )
    assert (dict(result.files), other.value) == ({"hello": b"hello"}, 3)
    templates = [t.name for t in result.workflow.spec.templates or ()]
    assert templates[-1] == "exit-handler"
    assert "KAFKA" not in str(result.workflow)


def add() -> int:
    return 1 + 2
