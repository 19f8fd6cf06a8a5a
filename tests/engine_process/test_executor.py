"""Pods as processes."""

import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest
from pod_testing import MakeExecutor, MakePod, nothing, read_log, texts

from aiowf.engine.executor import ProcessExecutor
from aiowf.engine.pod import Pod, PodLog, PodResult
from aiowf.manifest import EnvVar


async def test_a_pod_that_succeeds(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """Output, result and the moment of the start reach the controller."""
    pod = make_pod(source="echo out; echo err >&2", capture_stdout=True)
    starts: list[str] = []
    result = await executor.run(pod, lambda: starts.append(pod.name))
    assert result == PodResult(exit_code=0, stdout="out")
    assert starts == [pod.name]
    assert sorted(await read_log(executor, pod)) == [b"err", b"out"]


async def test_output_and_error_keep_their_order(
    executor: ProcessExecutor, make_pod: MakePod
) -> None:
    """Where nobody asks for the standard output alone, both go through one pipe."""
    pod = make_pod(source="for i in 1 2 3; do echo o$i; echo e$i >&2; done")
    result = await executor.run(pod, nothing)
    assert result.stdout is None
    assert await read_log(executor, pod) == [b"o1", b"e1", b"o2", b"e2", b"o3", b"e3"]


async def test_a_script_that_is_run_as_a_command(
    executor: ProcessExecutor, make_pod: MakePod
) -> None:
    """`sh -c` takes the file of the source for a command: it is executable."""
    pod = make_pod("sh", "-c", source="echo $((6 * 7))", capture_stdout=True)
    assert PodResult(exit_code=0, stdout="42") == await executor.run(pod, nothing)


async def test_a_pod_that_fails(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """Exit code and termination message are the process's own."""
    pod = make_pod(source='echo "no luck" > "$AIOWF_TERMINATION_LOG"; exit 3')
    assert await executor.run(pod, nothing) == PodResult(
        exit_code=3, message="no luck", reason="Error"
    )


async def test_a_pod_that_dies_by_a_signal(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """The exit code is 128 + the signal."""
    result = await executor.run(make_pod(source="kill -SEGV $BASHPID"), nothing)
    assert result == PodResult(exit_code=128 + signal.SIGSEGV, reason="Error")


async def test_command_not_found(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """Exit code and message are those of Argo's executor; nothing was started."""
    starts: list[None] = []
    result = await executor.run(make_pod("no-such-command"), lambda: starts.append(None))
    message = (
        'failed to find name in PATH: exec: "no-such-command": executable file not found in $PATH'
    )
    assert (result, starts) == (PodResult(exit_code=64, message=message, reason="Error"), [])


@pytest.mark.parametrize(
    ("argument", "message"),
    [("x" * 200_000, "Argument list too long"), ("\0", "embedded null byte")],
)
async def test_what_the_kernel_does_not_start(
    executor: ProcessExecutor, make_pod: MakePod, argument: str, message: str
) -> None:
    """A start error has code 128 and the kernel's reason, as Kubernetes has it."""
    result = await executor.run(make_pod("true", argument), nothing)
    assert result == PodResult(exit_code=128, message=message, reason="StartError")


async def test_files_go_in_and_out(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """What stands below /tmp/aiowf is in AIOWF_DIR; one newline at the end is cut."""
    pod = make_pod(
        source='cat "$AIOWF_DIR/in/x" > "$AIOWF_DIR/return"; printf "a\\n\\n" > "$AIOWF_DIR/two"',
        files={"/tmp/aiowf/in/x": b"{{x}} \xc3\xa4\n"},
        outputs={
            "return": "/tmp/aiowf/return",
            "two": "/tmp/aiowf/two",
            "none": "/tmp/aiowf/none",
        },
    )
    result = await executor.run(pod, nothing)
    assert result == PodResult(exit_code=0, outputs={"return": "{{x}} ä", "two": "a\n"})


async def test_an_output_that_is_too_large(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """The pod fails, and says which parameter it was."""
    pod = make_pod(
        source='head -c 5000000 /dev/zero > "$AIOWF_DIR/big"', outputs={"big": "/tmp/aiowf/big"}
    )
    result = await executor.run(pod, nothing)
    assert (result.exit_code, result.outputs) == (64, {})
    assert "'big'" in result.message


async def test_an_output_that_is_no_file(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """A FIFO does not hold up the engine; it counts as missing."""
    pod = make_pod(source='mkfifo "$AIOWF_DIR/pipe"', outputs={"pipe": "/tmp/aiowf/pipe"})
    assert await executor.run(pod, nothing) == PodResult(exit_code=0)


async def test_every_pod_has_a_place_of_its_own(
    executor: ProcessExecutor, make_pod: MakePod
) -> None:
    """Working directory and TMPDIR are empty at first, also where they were used before."""
    source = 'ls -A . "$TMPDIR"; touch here "$TMPDIR/there" "$HOME/home" "$AIOWF_DIR/ours"'
    logs = []
    for _ in range(3):
        pod = make_pod(source=source)
        await executor.run(pod, nothing)
        logs.append([line for line in await read_log(executor, pod) if not line.endswith(b":")])
    assert logs == [[b""]] * 3


async def test_directories_are_used_again(make_executor: MakeExecutor, make_pod: MakePod) -> None:
    """A pod that leaves nothing in its directories does not cost new ones."""
    async with make_executor(max_pods=1) as executor:
        places = []
        for source in ("pwd; echo x > $AIOWF_DIR/return", "pwd", "pwd; touch left", "pwd"):
            pod = make_pod(source=source)
            await executor.run(pod, nothing)
            places += await read_log(executor, pod)
    assert places[0] == places[1] == places[2] != places[3]


async def test_source_and_words_are_expanded(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """As on a cluster: words with the container's variables, a source with the init container's."""
    env = (EnvVar(name="A", value="one"), EnvVar(name="B", value="$(A) $$(A) $$"))
    pod = make_pod(
        "bash",
        source="echo \"$B\" \"$1\" '$(A)' '$(ARGO_WORKFLOW_NAME)' '$$'",
        container={"env": env, "command": ("bash",)},
    )
    await executor.run(pod, nothing)
    assert await read_log(executor, pod) == [b"one $(A) $  $(A) wf $"]
    words = make_pod("echo", "$(A)", "$(NOPE)", "$$(A)", container={"env": env})
    await executor.run(words, nothing)
    assert await read_log(executor, words) == [b"one $(NOPE) $(A)"]


async def test_a_long_source_is_not_expanded(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """From 128 KiB on a source travels in a config map, which nobody expands."""
    pod = make_pod(source="echo '$$'\n#" + "x" * 128 * 1024)
    await executor.run(pod, nothing)
    assert await read_log(executor, pod) == [b"$$"]


async def test_python_runs_the_engines_interpreter(
    executor: ProcessExecutor, make_pod: MakePod
) -> None:
    """As a command, and when a script looks for it."""
    code = "import sys; print(sys.executable)"
    direct = make_pod("python", "-c", code)
    indirect = make_pod(source=f'python3 -c "{code}"')
    for pod in (direct, indirect):
        await executor.run(pod, nothing)
    lines = await read_log(executor, direct) + await read_log(executor, indirect)
    assert [os.path.dirname(line) for line in lines] == [
        os.path.dirname(sys.executable).encode()
    ] * 2


async def test_the_runtime_is_always_importable(
    executor: ProcessExecutor, make_pod: MakePod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where aiowf is not installed, its root reaches the pods that run it."""
    root = str(Path(__file__).parents[2])
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != root])
    program = "import os; print(os.environ['PYTHONPATH'])"
    pod = make_pod("python", "-c", program, "aiowf.runtime")
    await executor.run(pod, nothing)
    assert await read_log(executor, pod) == [root.encode()]


async def test_not_more_than_max_pods_at_a_time(
    make_executor: MakeExecutor, make_pod: MakePod, tmp_path: Path
) -> None:
    """The others wait; no pod sees more than its limit of others."""
    seen = tmp_path / "seen"
    seen.mkdir()
    source = f"cd {seen}; mkdir $$$$; ls | wc -l; sleep 0.03; rmdir $$$$"
    async with make_executor(max_pods=3) as executor:
        pods = [make_pod(source=source) for _ in range(20)]
        await asyncio.gather(*(executor.run(pod, nothing) for pod in pods))
        counts = [int((await read_log(executor, pod))[0]) for pod in pods]
    assert max(counts) == 3


async def test_pods_run_in_order(make_executor: MakeExecutor, make_pod: MakePod) -> None:
    """First come, first served."""
    order: list[str] = []
    async with make_executor(max_pods=1) as executor:
        pods = [make_pod("true") for _ in range(10)]
        await asyncio.gather(*(executor.run(pod, partial(order.append, pod.name)) for pod in pods))
    assert order == [pod.name for pod in pods]


async def test_a_thousand_pods(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """All succeed, and no descriptor is left open."""
    before = len(os.listdir("/proc/self/fd"))
    pods = [make_pod("true") for _ in range(1000)]
    results = await asyncio.gather(*(executor.run(pod, nothing) for pod in pods))
    assert {result.exit_code for result in results} == {0}
    assert len(os.listdir("/proc/self/fd")) == before


async def test_killed_while_it_waits(make_executor: MakeExecutor, make_pod: MakePod) -> None:
    """A pod that is killed before its turn never starts, and its turn goes to the next."""
    async with make_executor(max_pods=1) as executor:
        blocker, killed, last = make_pod("sleep", "60"), make_pod("true"), make_pod("true")
        begun = asyncio.Event()
        runs = [
            asyncio.ensure_future(executor.run(blocker, begun.set)),
            asyncio.ensure_future(executor.run(killed, pytest.fail)),
            asyncio.ensure_future(executor.run(last, nothing)),
        ]
        await begun.wait()
        executor.kill(killed.key, grace=10)
        assert (await runs[1]).exit_code == 143
        executor.kill(blocker.key, grace=10)
        assert [(await run).exit_code for run in (runs[0], runs[2])] == [143, 0]


async def test_killed_with_grace(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """SIGTERM reaches the whole group, so that the shell and what it waits for both end."""
    pod = make_pod(source="sleep 60; echo not reached")
    begun = asyncio.Event()
    run = asyncio.ensure_future(executor.run(pod, begun.set))
    await begun.wait()
    executor.kill(pod.key, grace=30)
    async with asyncio.timeout(10):
        assert (await run).exit_code == 143


async def test_a_pod_that_ignores_sigterm(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """It is killed when its grace is over."""
    pod = make_pod(source="trap '' TERM; echo ready; while true; do sleep 1; done")
    run = asyncio.ensure_future(executor.run(pod, nothing))
    log = await _log_of(executor, pod)
    assert texts(await log.lines(follow=True)) == [b"ready"]
    executor.kill(pod.key, grace=0.2)
    async with asyncio.timeout(10):
        assert (await run).exit_code == 137


async def test_a_shorter_grace_counts(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """Who kills a second time, with less patience, need not wait for the first grace."""
    pod = make_pod(source="trap '' TERM; echo ready; while true; do sleep 1; done")
    run = asyncio.ensure_future(executor.run(pod, nothing))
    log = await _log_of(executor, pod)
    assert texts(await log.lines(follow=True)) == [b"ready"]
    executor.kill(pod.key, grace=60)
    executor.kill(pod.key, grace=0)
    executor.kill(pod.key, grace=60)
    async with asyncio.timeout(10):
        assert (await run).exit_code == 137


async def test_killed_before_it_has_started(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """A kill that comes while the process is being made is not lost."""
    pod = make_pod("sleep", "60")
    run = asyncio.ensure_future(executor.run(pod, nothing))
    await asyncio.sleep(0)
    executor.kill(pod.key, grace=30)
    async with asyncio.timeout(10):
        assert (await run).exit_code == 143


async def test_killed_before_its_turn_came(make_executor: MakeExecutor, make_pod: MakePod) -> None:
    """Also in the moment before it has begun to wait."""
    async with make_executor(max_pods=1) as executor:
        first, second = make_pod("sleep", "60"), make_pod("true")
        begun = asyncio.Event()
        blocking = asyncio.ensure_future(executor.run(first, begun.set))
        await begun.wait()
        run = executor.run(second, pytest.fail)
        waiting = asyncio.ensure_future(run)
        asyncio.get_running_loop().call_soon(lambda: executor.kill(second.key, grace=5))
        assert (await waiting).exit_code == 143
        blocking.cancel()
        await asyncio.wait([blocking])


async def test_the_same_pod_again(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """A pod that is run again, as after `argo retry`, begins with an empty log."""
    for text in ("one", "two"):
        pod = make_pod("echo", text, name="again")
        await executor.run(pod, nothing)
    assert await read_log(executor, pod) == [b"two"]


async def test_a_controller_that_fails(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """An error of the callback comes out of `run`, and the process has ended."""

    def fail() -> None:
        raise RuntimeError("not now")

    pod = make_pod("sleep", "60")
    with pytest.raises(RuntimeError, match="not now"):
        await executor.run(pod, fail)
    log = executor.read_log(pod.key)
    assert log is not None
    assert texts(await log.lines(follow=True)) == []


async def test_cancelling_kills(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """When `run` has been cancelled the process is gone."""
    pod = make_pod(source="echo $$$$; exec sleep 60")
    run = asyncio.ensure_future(executor.run(pod, nothing))
    (line,) = texts(await (await _log_of(executor, pod)).lines(follow=True))
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    with pytest.raises(ProcessLookupError):
        os.kill(int(line), 0)


async def test_cancelling_while_it_waits(make_executor: MakeExecutor, make_pod: MakePod) -> None:
    """A pod that was cancelled before its turn leaves the turn to others."""
    async with make_executor(max_pods=1) as executor:
        first, second, third = make_pod("sleep", "0.2"), make_pod("true"), make_pod("true")
        runs = [asyncio.ensure_future(executor.run(pod, nothing)) for pod in (first, second, third)]
        await asyncio.sleep(0)
        runs[1].cancel()
        results = await asyncio.gather(*runs, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert [results[0], results[2]] == [PodResult(exit_code=0)] * 2


async def test_closing_kills_all(make_executor: MakeExecutor, make_pod: MakePod) -> None:
    """Pods that run and pods that wait come to their end."""
    async with make_executor(max_pods=1) as executor:
        begun = asyncio.Event()
        runs = [
            asyncio.ensure_future(executor.run(make_pod("sleep", "60"), begun.set)),
            asyncio.ensure_future(executor.run(make_pod("sleep", "60"), nothing)),
        ]
        await begun.wait()
    assert [(await run).exit_code for run in runs] == [137, 143]


async def test_forgotten_pods_leave_nothing(
    make_executor: MakeExecutor, make_pod: MakePod, tmp_path: Path
) -> None:
    """Their directories go when they end, their logs when they are forgotten."""
    async with make_executor() as executor:
        pod = make_pod(source="mkdir -p a/b; chmod 000 a; seq 100000")
        await executor.run(pod, nothing)
        assert any((tmp_path / "pods").iterdir())
        executor.forget(pod.key)
        executor.forget("default/unknown")
        executor.kill("default/unknown", grace=1)
        assert executor.read_log(pod.key) is None
    assert list((tmp_path / "pods").iterdir()) == []


async def test_without_pidfds(
    executor: ProcessExecutor, make_pod: MakePod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system has none, a thread waits for the end."""
    monkeypatch.delattr(os, "pidfd_open")
    results = [await executor.run(make_pod(source=f"exit {n}"), nothing) for n in (0, 7)]
    assert [result.exit_code for result in results] == [0, 7]


async def _log_of(executor: ProcessExecutor, pod: Pod) -> PodLog:
    """Return the log of a pod whose run was just scheduled."""
    await asyncio.sleep(0)
    log = executor.read_log(pod.key)
    assert log is not None
    return log
