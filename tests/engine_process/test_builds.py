"""Images that are built; a script stands where tests/containers have podman and docker."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from pod_testing import MakeExecutor, MakePod, nothing, read_log

from aiowf.engine.executor.containers import Containers
from aiowf.engine.pod import PodResult

# A build notes that it runs, and then waits until it may go on; the answer is in a pipe.
CLIENT = """#!/bin/sh
cd "$(dirname "$0")"
case $1 in
build) echo build >> calls; read answer < answers; echo "built: $answer"; test "$answer" = good ;;
run) echo run >> calls; echo "Error: no such thing"; echo "Run 'x run --help'"; exit $(cat code) ;;
inspect) cat state ;;
image) echo it is here ;;
esac
"""


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """A directory with a program that is called as podman is, and what it goes by."""
    (tmp_path / "client").write_text(CLIENT)
    (tmp_path / "client").chmod(0o755)
    os.mkfifo(tmp_path / "answers")
    (tmp_path / "code").write_text("0")
    (tmp_path / "state").write_text("exited")
    return tmp_path


def containers(client: Path) -> dict[str, Any]:
    """Return the options of an executor all of whose pods are containers."""
    command = (str(client / "client"),)
    made = Containers(
        command=command, all_pods=True, dockerfiles={"built": "/d"}, engine=str(client)
    )
    return {"containers": made, "max_pods": 4}


async def answer(client: Path, word: str) -> None:
    """Let the build that waits, or comes next, end."""
    await asyncio.to_thread((client / "answers").write_text, f"{word}\n")


def calls(client: Path) -> list[str]:
    """Return what the program was called for."""
    return (client / "calls").read_text().split()


async def test_pods_share_a_build(
    client: Path, make_executor: MakeExecutor, make_pod: MakePod
) -> None:
    """Pods that begin together wait for one build, and later ones for none."""
    pods = [make_pod("true", container={"image": "built"}) for _ in range(3)]
    async with make_executor(**containers(client)) as executor:
        runs = [asyncio.ensure_future(executor.run(pod, nothing)) for pod in pods[:2]]
        await answer(client, "good")
        assert [PodResult(exit_code=0)] * 2 == await asyncio.gather(*runs)
        assert PodResult(exit_code=0) == await executor.run(pods[2], nothing)
    assert ["build", "run", "run", "run"] == calls(client)


async def test_a_build_that_fails_is_told_to_all_and_tried_again(
    client: Path, make_executor: MakeExecutor, make_pod: MakePod
) -> None:
    """Everybody who waits has what it says in message and log; the next pod has a new build."""
    pods = [make_pod("true", container={"image": "built"}) for _ in range(3)]
    async with make_executor(**containers(client)) as executor:
        runs = [asyncio.ensure_future(executor.run(pod, nothing)) for pod in pods[:2]]
        await answer(client, "bad")
        failed = PodResult(exit_code=128, message="built: bad", reason="StartError")
        assert [failed] * 2 == await asyncio.gather(*runs)
        assert [b"built: bad"] == await read_log(executor, pods[0])
        run = asyncio.ensure_future(executor.run(pods[2], nothing))
        await answer(client, "good")
        assert PodResult(exit_code=0) == await run
    assert ["build", "build", "run"] == calls(client)


async def test_a_pod_that_is_killed_leaves_the_build_to_others(
    client: Path, make_executor: MakeExecutor, make_pod: MakePod
) -> None:
    """Who waits for a build can be killed at once; the others get their image."""
    pods = [make_pod("true", container={"image": "built"}) for _ in range(2)]
    async with make_executor(**containers(client)) as executor:
        killed, other = (asyncio.ensure_future(executor.run(pod, nothing)) for pod in pods)
        while not (client / "calls").exists():  # nobody would tell
            await asyncio.sleep(0.01)
        executor.kill(pods[0].key, grace=30)
        assert 143 == (await killed).exit_code
        assert not other.done()
        await answer(client, "good")
        assert PodResult(exit_code=0) == await other
    assert ["build", "run"] == calls(client)


async def test_an_executor_that_ends_takes_its_builds_along(
    client: Path, make_executor: MakeExecutor, make_pod: MakePod
) -> None:
    """A build that nobody waits for any more ends with the executor."""
    async with asyncio.timeout(20), make_executor(**containers(client)) as executor:
        run = asyncio.ensure_future(
            executor.run(make_pod("true", container={"image": "built"}), nothing)
        )
        while not (client / "calls").exists():  # nobody would tell
            await asyncio.sleep(0.01)
    assert 143 == (await run).exit_code


async def test_without_the_program_nothing_is_built(
    client: Path, make_executor: MakeExecutor, make_pod: MakePod
) -> None:
    """A podman that has gone meanwhile is a start error with its name."""
    options = containers(client)
    (client / "client").unlink()
    async with make_executor(**options) as executor:
        result = await executor.run(make_pod("true", container={"image": "built"}), nothing)
    assert (128, "StartError") == (result.exit_code, result.reason)
    assert str(result.message).endswith("client: No such file or directory")


@pytest.mark.parametrize(
    ("command", "code", "state", "message"),
    [
        (["none"], 127, "created", 'exec: "none": executable file not found in $PATH'),
        (["/none"], 127, "created", 'exec: "/none": stat /none: no such file or directory'),
        (["/etc"], 126, "created", 'exec: "/etc": permission denied'),
        (["sh"], 127, "exited", ""),
        (["sh"], 125, "exited", ""),
        (None, 127, "created", "Error: no such thing"),
        (["sh"], 125, "", "Error: no such thing"),
    ],
)
async def test_why_a_container_did_not_start(
    client: Path,
    make_executor: MakeExecutor,
    make_pod: MakePod,
    command: list[str] | None,
    code: int,
    state: str,
    message: str,
) -> None:
    """A program that is missing is told as Argo does, anything else in the client's words."""
    (client / "code").write_text(str(code))
    (client / "state").write_text(state)
    async with make_executor(**containers(client)) as executor:
        pod = make_pod("x", container={"image": "pulled", "command": command})
        result = await executor.run(pod, nothing)
    if message.startswith("exec"):
        expected = PodResult(
            exit_code=64, message=f"failed to find name in PATH: {message}", reason="Error"
        )
    elif message:
        expected = PodResult(exit_code=128, message=message, reason="StartError")
    else:
        expected = PodResult(exit_code=code, reason="Error")
    assert expected == result
