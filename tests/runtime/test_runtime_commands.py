"""`python -m aiowf.runtime`: what pods send, and what they say when they cannot."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from mock_kafka import MockCluster, mock_cluster

from aiowf.engine import launch
from aiowf.errors import UnavailableError
from aiowf.replies import Files, KafkaSettings, Place
from aiowf.replies.engine import EngineChannel
from aiowf.replies.kafka import KafkaChannel
from aiowf.runtime.__main__ import main
from aiowf.runtime.transport import EngineTransport, connect_engine
from aiowf.wire.frames import Record
from aiowf.wire.replies import Assembly, is_authentic, parse_notice, unpack_files

KEY = "a key of 16 bytes and more"


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    """Give a cluster with the reply topic."""
    with mock_cluster() as made:
        made.create("aiowf-replies", 4)
        yield made


@pytest.fixture
def environ(cluster: MockCluster, tmp_path: Path) -> dict[str, str]:
    """Give the environment of a pod."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": cluster.servers,
        "AIOWF_REPLY_TOPIC": "aiowf-replies",
        "AIOWF_REPLY_PARTITION": "2",
        "AIOWF_WORKFLOW_NAME": "wf-1",
        "AIOWF_TERMINATION_LOG": str(tmp_path / "termination"),
        "shared_directory": str(tmp_path / "shared"),
        "workflow_result": "Succeeded",
    }


async def sent(cluster: MockCluster, topic: str, partition: int = 0) -> list[Record]:
    """Return the records of a partition; the last one is told by a mark sent behind it."""
    await asyncio.to_thread(cluster.send, topic, partition, [Record(b"mark")])
    async with asyncio.timeout(20):
        settings = KafkaSettings(bootstrap_servers=cluster.servers)
        async with KafkaChannel(settings) as channel:
            found: list[Record] = []
            async for batch in channel.read(Place(topic, partition)):
                found += batch
                if found[-1].value == b"mark":
                    return found[:-1]
    raise AssertionError("unreachable")


def fill(directory: Path, size: int = 3_000_000) -> dict[str, bytes]:
    """Write files of many kinds; return those that are to be sent."""
    (directory / "deep" / "er").mkdir(parents=True)
    files = {
        "large.bin": os.urandom(size),
        "empty": b"",
        "deep/er/ünï code.txt": b"x",
    }
    for path, content in files.items():
        (directory / path).write_bytes(content)
    (directory / "link").symlink_to("/etc/passwd")
    (directory / "deep" / "up").symlink_to("..")
    os.mkfifo(directory / "fifo")
    return files


def fill_with(directory: bytes, names: Iterable[bytes]) -> None:
    """Make files of these names, which hold their names."""
    os.makedirs(directory)
    for name in names:
        Path(os.fsdecode(directory + b"/" + name)).write_bytes(name)


async def test_results_are_sent_to_the_partition(
    cluster: MockCluster, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Regular files of any kind arrive whole, authenticated, where the client reads; no links."""
    files = fill(Path(environ["shared_directory"]))
    environ["AIOWF_REPLY_KEY"] = KEY
    assert await asyncio.to_thread(main, ["send-results"], environ) == 0
    assert "sent: 3 files, 3000001 bytes" in capsys.readouterr().out
    records = await sent(cluster, "aiowf-replies", 2)
    assert all(is_authentic(record, KEY.encode()) for record in records)
    assert {record.key for record in records} == {"wf-1"}
    kept = Files()
    assembly = Assembly("wf-1", kept)
    whole = await asyncio.to_thread(lambda: [assembly.feed(record) for record in records])
    assert whole[-1]
    assert files == await asyncio.to_thread(dict, kept)


async def test_names_of_any_bytes_are_sent(
    cluster: MockCluster, environ: dict[str, str], tmp_path: Path
) -> None:
    """A file whose name is no UTF-8, or has a backslash, arrives by either way."""
    shared = bytes(tmp_path / "shared")
    files = {os.fsdecode(name): name for name in (b"a\xff", b"b\\c", b"d")}
    await asyncio.to_thread(fill_with, shared, files.values())
    environ["AIOWF_REPLY_KEY"] = KEY
    assert 0 == await asyncio.to_thread(main, ["send-results"], environ)
    records = await sent(cluster, "aiowf-replies", 2)
    assert all(is_authentic(record, KEY.encode()) for record in records)
    kept = Files()
    assembly = Assembly("wf-1", kept)
    assert [assembly.feed(record) for record in records][-1]
    assert files == dict(kept)
    target = tmp_path / "packed"
    environ = {"shared_directory": os.fsdecode(shared), "AIOWF_RESULTS_PATH": str(target)}
    assert 0 == await asyncio.to_thread(main, ["send-results"], environ)
    assert files == unpack_files(target.read_text(), workflow="wf-1")


def test_a_name_that_leads_out_elsewhere_is_told(
    environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What no client would save is an error in the pod that names the file."""
    fill(Path(environ["shared_directory"]))
    (tmp_path / "shared" / "..\\x").write_bytes(b"")
    environ["AIOWF_RESULTS_PATH"] = str(tmp_path / "packed")
    assert 1 < main(["send-results"], environ)
    assert "the file '..\\\\x' of the shared directory" in capsys.readouterr().err


async def test_a_notice_goes_to_queue_and_reply_topic(
    cluster: MockCluster, environ: dict[str, str]
) -> None:
    """One handler tells both: the user's queue, which is made, and the waiting client."""
    environ |= {"queue_name": "orders", "payload": '{"order": 17}'}
    cluster.create("orders", 1)
    assert await asyncio.to_thread(main, ["notify"], environ) == 0
    for topic, partition in (("orders", 0), ("aiowf-replies", 2)):
        (record,) = await sent(cluster, topic, partition)
        notice = parse_notice(record.value)
        assert (notice.status, notice.payload, notice.workflow) == (
            "Succeeded",
            '{"order": 17}',
            "wf-1",
        )


async def test_an_outage_is_waited_out(cluster: MockCluster, environ: dict[str, str]) -> None:
    """A broker that comes back before the deadline gets everything."""
    cluster.down()
    sending = asyncio.create_task(asyncio.to_thread(main, ["notify"], environ))
    await asyncio.sleep(1)
    cluster.up()
    assert await sending == 0
    assert await sent(cluster, "aiowf-replies", 2)


@pytest.mark.parametrize("error", [6, 5, 7, 19])
async def test_errors_that_pass_are_tried_again(
    cluster: MockCluster, environ: dict[str, str], error: int
) -> None:
    """No leader, a timeout, too few replicas: the record is sent again."""
    cluster.fail(0, error, error)
    assert await asyncio.to_thread(main, ["notify"], environ) == 0
    assert len(await sent(cluster, "aiowf-replies", 2)) >= 1


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize(
    ("changes", "command", "code", "message"),
    [
        ({}, "send-results", 2, "is not there"),
        ({"shared_directory": ""}, "send-results", 2, "shared_directory is not set"),
        ({"AIOWF_REPLY_TOPIC": ""}, "notify", 2, "nowhere to send"),
        ({"KAFKA_BOOTSTRAP_SERVERS": ""}, "notify", 2, "no reply channel is configured"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "nonsense"}, "notify", 2, "is no broker"),
        ({"AIOWF_REPLY_DEADLINE": "soon"}, "notify", 2, "no number of seconds"),
        ({"AIOWF_REPLY_KEY": "short"}, "notify", 2, "too short"),
        (
            {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:{closed}", "AIOWF_REPLY_DEADLINE": "0.6"},
            "notify",
            1,
            "did not take it within 0.6 s",
        ),
        (
            {"AIOWF_REPLY_PARTITION": "9", "AIOWF_REPLY_DEADLINE": "0.6"},
            "notify",
            1,
            "did not take it within 0.6 s",
        ),
    ],
)
def test_what_goes_wrong_is_one_line(
    environ: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    command: str,
    code: int,
    message: str,
) -> None:
    """The exit code says whether to correct or to wait; log and termination log say what."""
    changes = {name: text.format(closed=closed_port()) for name, text in changes.items()}
    assert main([command], environ | changes) == code
    (line,) = [each for each in capsys.readouterr().err.splitlines() if each]
    assert message in line
    assert Path(environ["AIOWF_TERMINATION_LOG"]).read_text() == line


def test_wrong_use_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command that there is, the usage is printed."""
    assert main(["nonsense"], {}) == 2
    assert "notify|send-results" in capsys.readouterr().err


def test_without_a_termination_log_the_log_has_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Outside of a pod, or where it cannot be written, nothing but the log says why."""
    assert main(["notify"], {"AIOWF_TERMINATION_LOG": str(tmp_path)}) == 2
    told = capsys.readouterr().err
    assert "nowhere to send the notice to. Set queue_name or AIOWF_REPLY_TOPIC." in told


def test_the_module_is_the_command(tmp_path: Path) -> None:
    """`python -m aiowf.runtime` ends with the command's exit code."""
    command = [sys.executable, "-m", "aiowf.runtime", "notify"]
    env = {"AIOWF_TERMINATION_LOG": str(tmp_path / "note")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ConfigurationError: there is nowhere to send")


def test_without_a_channel_small_files_go_into_a_file(
    tmp_path: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Up to 256 KB travel as an output parameter; more is an error that names Kafka."""
    shared, target = Path(environ["shared_directory"]), tmp_path / "aiowf" / "files"
    files = fill(shared, 200_000)
    environ = {"shared_directory": str(shared), "AIOWF_RESULTS_PATH": str(target)}
    assert main(["send-results"], environ) == 0
    assert files == unpack_files(target.read_text(), workflow="w")
    (shared / "more").write_bytes(bytes(100_000))
    assert main(["send-results"], environ) == 1
    assert "300,001 bytes" in (said := capsys.readouterr().err)
    assert "KAFKA_BOOTSTRAP_SERVERS" in said


def test_an_engine_that_refuses_or_is_gone_is_told() -> None:
    """The embedded engine's answer is in the error; without one, that is."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connection = connect_engine({"AIOWF_REPLY_URL": f"http://127.0.0.1:{port}"})
    assert connection is not None
    with pytest.raises(UnavailableError, match="the engine is gone"):
        EngineTransport(connection, "token").send("t", [Record(b"")])


@pytest.mark.parametrize(
    ("error", "message"), [(29, "TopicAuthorizationFailedError"), (10, "a record is too large")]
)
async def test_a_refusal_is_told_at_once(
    cluster: MockCluster,
    environ: dict[str, str],
    error: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What will not pass by waiting ends the step, with the reason."""
    cluster.fail(0, error)
    async with asyncio.timeout(10):
        assert await asyncio.to_thread(main, ["notify"], environ) == 1
    assert message in capsys.readouterr().err


async def test_the_engine_takes_the_same_records(environ: dict[str, str]) -> None:
    """On the embedded engine the same command sends over its socket, authorised by its token."""
    async with launch() as engine, EngineChannel(engine.socket_path, engine.token, topic="t") as t:
        mine = {
            "AIOWF_REPLY_SOCKET": engine.socket_path,
            "AIOWF_REPLY_TOKEN": engine.token,
            "AIOWF_REPLY_TOPIC": "t",
            "AIOWF_WORKFLOW_NAME": "wf-1",
            "AIOWF_TERMINATION_LOG": environ["AIOWF_TERMINATION_LOG"],
            "workflow_result": "Failed",
        }
        assert await asyncio.to_thread(main, ["notify"], mine) == 0
        async with asyncio.timeout(10):
            (record,) = await anext(t.replies())
        assert parse_notice(record.value).status == "Failed"
        wrong = {**mine, "AIOWF_REPLY_TOKEN": "wrong"}
        assert await asyncio.to_thread(main, ["notify"], wrong) == 1
