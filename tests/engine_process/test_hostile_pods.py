"""Pods that behave badly leave the engine, and every other pod, alone."""

import asyncio
import os
import select
from pathlib import Path

import pytest
from pod_testing import MakeExecutor, MakePod, nothing, read_log, texts

from aiowf.engine.executor import ProcessExecutor, log
from aiowf.engine.pod import PodResult

# Forks twice, leaves the session, closes what it has inherited or not, says its id, and sleeps.
DAEMON = """
import os, sys, time
keep = sys.argv[1] == "keep"
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        if not keep:
            os.closerange(0, 3)
        with open(os.environ["AIOWF_DIR"] + "/pid.new", "w") as file:
            file.write(str(os.getpid()))
        os.rename(os.environ["AIOWF_DIR"] + "/pid.new", os.environ["AIOWF_DIR"] + "/pid")
        time.sleep(600)
    os._exit(0)
while not os.path.exists(os.environ["AIOWF_DIR"] + "/pid"):
    time.sleep(0.01)
"""


@pytest.mark.parametrize("pipes", ["keep", "close"])
async def test_a_daemon_ends_with_its_pod(
    executor: ProcessExecutor, make_pod: MakePod, pipes: str
) -> None:
    """A daemon neither delays the pod's end, though it may hold the pipes, nor survives it."""
    pod = make_pod("python", "-c", DAEMON, pipes, outputs={"pid": "/tmp/aiowf/pid"})
    async with asyncio.timeout(20):
        result = await executor.run(pod, nothing)
    assert result.exit_code == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(result.outputs["pid"]), 0)


async def test_background_children_end_with_their_pod(
    executor: ProcessExecutor, make_pod: MakePod
) -> None:
    """What the shell has left running in its group is killed."""
    pod = make_pod(source="sleep 600 & echo $! > $AIOWF_DIR/pid", outputs={"pid": "/tmp/aiowf/pid"})
    result = await executor.run(pod, nothing)
    pid = int(result.outputs["pid"])
    await asyncio.to_thread(_wait_for_end, pid)


async def test_the_daemon_of_another_pod_is_left_alone(
    executor: ProcessExecutor, make_pod: MakePod
) -> None:
    """Only what carries the pod's own cookie is killed when it ends."""
    source = f"python3 -c '{DAEMON}' keep; cat $AIOWF_DIR/pid; echo; read < $AIOWF_DIR/wait"
    other = make_pod(source=f"mkfifo $AIOWF_DIR/wait; {source}")
    begun = asyncio.Event()
    run = asyncio.ensure_future(executor.run(other, begun.set))
    await begun.wait()
    reader = executor.read_log(other.key)
    assert reader is not None
    pid = int(texts(await reader.lines(follow=True))[0])
    await executor.run(make_pod("true"), nothing)
    os.kill(pid, 0)
    executor.kill(other.key, grace=0)
    await run
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_megabytes_of_output(
    executor: ProcessExecutor, make_pod: MakePod, tmp_path: Path
) -> None:
    """The newest 10 MiB of the log are kept, a line says so, and memory and disk stay bounded."""
    pod = make_pod(source="seq 1 4000000", capture_stdout=True)
    result = await executor.run(pod, nothing)
    lines = await read_log(executor, pod)
    assert (lines[0][:1], lines[-1]) == (b"[", b"4000000")
    assert b"bytes of this log were not kept" in lines[0]
    kept = sum(path.stat().st_size for path in (tmp_path / "pods").glob("*.log.*"))
    assert 5 * 1024**2 <= kept <= 11 * 1024**2
    numbers = [int(line) for line in lines[2:]]
    assert numbers == list(range(numbers[0], 4_000_001))
    assert result.stdout is not None
    assert len(result.stdout) <= 256 * 1024
    assert result.stdout.endswith("3999999\n4000000")


async def test_others_go_on_while_one_prints(
    make_executor: MakeExecutor, make_pod: MakePod
) -> None:
    """A pod that prints without end does not starve the others."""
    async with make_executor(max_pods=2) as executor:
        noisy = make_pod("yes", "x" * 1000)
        begun = asyncio.Event()
        run = asyncio.ensure_future(executor.run(noisy, begun.set))
        await begun.wait()
        async with asyncio.timeout(30):
            for _ in range(20):
                assert await executor.run(make_pod("true"), nothing) == PodResult(exit_code=0)
        executor.kill(noisy.key, grace=0)
        assert (await run).exit_code == 137


async def test_binary_output(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """Bytes are kept as they are; a result is text, with what is no text replaced."""
    pod = make_pod(source=r"printf '\377\000a\nno newline'", capture_stdout=True)
    result = await executor.run(pod, nothing)
    assert await read_log(executor, pod) == [b"\xff\x00a", b"no newline"]
    assert result.stdout == "\ufffd\0a\nno newline"


async def test_a_full_disk(
    executor: ProcessExecutor, make_pod: MakePod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written of a log is lost, a line says so, and all goes on."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log.OutputLog, "_write", full)
    pod = make_pod(source="seq 1 100000")
    assert (await executor.run(pod, nothing)).exit_code == 0
    lines = await read_log(executor, pod)
    assert b"bytes of this log were not kept" in lines[0]


async def test_a_disk_that_is_full_at_the_start(
    executor: ProcessExecutor, make_pod: MakePod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod whose directory cannot be made fails with the reason."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "mkdir", full)
    result = await executor.run(make_pod("true"), nothing)
    assert result == PodResult(
        exit_code=128, message="No space left on device", reason="StartError"
    )


async def test_a_pod_that_makes_its_directory_unreadable(
    make_executor: MakeExecutor, make_pod: MakePod, tmp_path: Path
) -> None:
    """Its directory goes all the same."""
    async with make_executor() as executor:
        pod = make_pod(source="mkdir -p a/b/c; chmod 0 a/b; chmod 500 a . ..")
        assert (await executor.run(pod, nothing)).exit_code == 0
    assert list((tmp_path / "pods").iterdir()) == []


async def test_zombies_are_reaped(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """Orphans that end while their pod runs on do not stay."""
    pod = make_pod(source="for i in 1 2 3; do (setsid true &); done; echo ready; exec sleep 600")
    begun = asyncio.Event()
    run = asyncio.ensure_future(executor.run(pod, begun.set))
    await begun.wait()
    reader = executor.read_log(pod.key)
    assert reader is not None
    assert texts(await reader.lines(follow=True)) == [b"ready"]
    async with asyncio.timeout(10):
        while _zombies():
            await asyncio.sleep(0.05)  # The kernel tells nobody when they are gone.
    executor.kill(pod.key, grace=0)
    await run


def _zombies() -> list[str]:
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    return [pid for pid in children if ") Z " in Path(f"/proc/{pid}/stat").read_text()]


def _wait_for_end(pid: int) -> None:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([pidfd], [], [], 10)[0], f"process {pid} lives on"
    finally:
        os.close(pidfd)
