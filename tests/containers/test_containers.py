"""Pods as real containers: images built, run, limited, stopped and removed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import aiowf
from aiowf import manifest, operations, tasks
from aiowf.engine.executor.containers import LABEL

pytestmark = pytest.mark.containers

UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers").exists()  # cgroups v2


async def some(command: list[str], *, wanted: bool) -> None:
    """Wait until there are containers, or none; there is nobody who would tell."""
    async with asyncio.timeout(60):
        while bool(await asyncio.to_thread(containers_of, command)) != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def containers_of(command: list[str]) -> list[str]:
    """Return the names of all containers of ours that there are, running or not."""
    ours = ["--filter", f"label={LABEL}", "--format", "{{.Names}}"]
    words = [*command, "ps", "--all", *ours]
    listed = subprocess.run(words, capture_output=True, text=True)
    return listed.stdout.split()


async def test_an_image_is_built_and_run(command: list[str], applications: Path) -> None:
    """An image without a command, from its Dockerfile: variables, shared directory, log, result."""
    task = tasks.CustomTask("sum", "samples-sum", a=40, b=2)
    operation = operations.DistributedSyncOperationWithResults("sum-", task)
    async with aiowf.connect("local", containers=command, build=applications) as client:
        result = await operation.execute()
        lines = [line async for line in client.get_run(result.name).logs("sum")]
    assert "42\n" == result.files.text("result")
    assert {"to stdout", "to stderr"} == set(lines)
    assert [] == await asyncio.to_thread(containers_of, command)


async def test_command_files_and_limits(command: list[str], applications: Path) -> None:
    """The pod's own command, in a container with the memory that it may have, leaves an output."""
    workflow = {
        "metadata": {"generateName": "limits-"},
        "spec": {
            "entrypoint": "main",
            "templates": [
                {
                    "name": "main",
                    "container": {
                        "image": "samples-sum",
                        "command": ["sh", "-c"],
                        "args": [
                            "cat /sys/fs/cgroup/memory/memory.limit_in_bytes "
                            "/sys/fs/cgroup/memory.max 2>/dev/null > /out/limit; exit 3"
                        ],
                        "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}},
                        "volumeMounts": [{"name": "out", "mountPath": "/out"}],
                    },
                    "volumes": [{"name": "out", "emptyDir": {}}],
                    "outputs": {
                        "parameters": [{"name": "limit", "valueFrom": {"path": "/out/limit"}}]
                    },
                }
            ],
        },
    }
    async with aiowf.connect("local", containers=command, build=applications) as client:
        run = await client.submit(workflow)
        result = await run.wait(check=False)
    assert result.message == "main: Error (exit code 3)"
    [node] = result.workflow.status.nodes.values()
    [limit] = node.outputs.parameters
    # Podman says that it leaves limits out where a user may set none (cgroups v1).
    if os.geteuid() == 0 or UNIFIED:
        assert str(64 * 2**20) == limit.value


async def test_a_container_is_killed_with_its_workflow(
    command: list[str], applications: Path
) -> None:
    """Terminating a workflow ends its container, and nothing is left of it."""
    # The first process of a container takes no SIGTERM that it has no handler for.
    patient = ["sh", "-c", "trap 'exit 143' TERM; sleep 1000 & wait"]
    task = tasks.CustomTask("sleep", "samples-sum", command=patient)
    operation = operations.SingleTaskOperation("sleep-", task)
    async with aiowf.connect("local", containers=command, build=applications) as client:
        run = await operation.execute(client=client)
        await some(command, wanted=True)
        await run.terminate()
        result = await run.wait(check=False)
    assert "Failed" == result.phase
    assert [] == await asyncio.to_thread(containers_of, command)


def workflow_of(script: str, **container: Any) -> dict[str, Any]:
    """Return a workflow that runs a shell script in a container."""
    words = {"image": "samples-sum", "command": ["sh", "-c"], "args": [script], **container}
    template = {"name": "main", "container": words}
    return {
        "metadata": {"generateName": "words-"},
        "spec": {"entrypoint": "main", "templates": [template]},
    }


async def test_a_user_without_rights_has_its_own_directory_and_no_other(
    command: list[str], applications: Path
) -> None:
    """Whoever the image runs as writes to HOME and TMPDIR, and sees nothing of the engine's."""
    task = applications / "samples" / "tasks" / "anybody"
    task.mkdir(exist_ok=True)
    (task / "Dockerfile").write_text("FROM samples-sum\nUSER 1000\n")
    script = (
        "set -e; : > $TMPDIR/a; : > $HOME/b; : > /tmp/aiowf/c; "
        "cd $HOME/../..; busybox ls -A; busybox ls -A pods | busybox wc -l"
    )
    async with aiowf.connect("local", containers=command, build=applications) as client:
        run = await client.submit(workflow_of(script, image="samples-anybody"))
        result = await run.wait(check=False)
        lines = [line async for line in run.logs("main")]
    assert ("Succeeded", "1") == (result.phase, lines.pop()), (result.message, lines)
    assert 2 == len(lines), "the engine's directory in the container has the pod, and the socket"


async def test_what_the_client_says_and_what_the_program_says(
    command: list[str], applications: Path
) -> None:
    """A program may end with the client's codes; an image that cannot be built was never run."""
    broken = applications / "samples" / "tasks" / "broken"
    broken.mkdir(exist_ok=True)
    (broken / "Dockerfile").write_text("FROM samples-sum\nRUN exit 7\n")
    # Podman and docker would go by them, and find nothing.
    theirs = ("CONTAINERS_CONF", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "DOCKER_CONTEXT")
    misleading = dict.fromkeys(theirs, "/nowhere")
    env = [{"name": name, "value": value} for name, value in misleading.items()]
    async with aiowf.connect("local", containers=command, build=applications) as client:
        runs = [
            await client.submit(workflow_of("exit $((120 + 5))", env=env)),
            await client.submit(workflow_of("exit $((120 + 7))", env=env)),
            await client.submit(workflow_of("true", image="samples-broken")),
        ]
        *own, built = [await run.wait(check=False) for run in runs]
    codes = [f"main: Error (exit code {code})" for code in (125, 127)]
    assert codes == [result.message for result in own]
    assert str(built.message).startswith("main: StartError (exit code 128): ")


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("no-such-command", "executable file not found in $PATH"),
        ("/bin/none", "stat /bin/none: no such file or directory"),
        ("/bin", "permission denied"),
    ],
)
async def test_a_command_that_the_image_does_not_have(
    command: list[str], applications: Path, program: str, why: str
) -> None:
    """The pod ends as Argo's executor ends it, in the same words."""
    async with aiowf.connect("local", containers=command, build=applications) as client:
        run = await client.submit(workflow_of("true", command=[program]))
        result = await run.wait(check=False)
    says = f'main: Error (exit code 64): failed to find name in PATH: exec: "{program}": {why}'
    assert says == result.message
    [node] = result.workflow.status.nodes.values()
    assert "64" == node.outputs.exit_code


async def test_an_image_is_built_once(command: list[str], applications: Path) -> None:
    """Pods share a build, and later ones take it; one that failed is tried again."""
    task = applications / "samples" / "tasks" / "once"
    task.mkdir(exist_ok=True)
    (task / "Dockerfile").write_text("FROM samples-nothing\n")
    once = workflow_of("true", image="samples-once")
    async with aiowf.connect("local", containers=command, build=applications) as client:
        failed = await asyncio.gather(*(_ended(client, once) for _ in range(3)))
        (task / "Dockerfile").write_text("FROM samples-sum\n")
        built = await asyncio.gather(*(_ended(client, once) for _ in range(3)))
        (task / "Dockerfile").write_text("FROM samples-nothing\n")
        later = await _ended(client, once)
    assert all("main: StartError (exit code 128): " in str(one.message) for one in failed)
    assert 1 == len({one.message for one in failed})
    assert ["Succeeded"] * 4 == [one.phase for one in (*built, later)], built[0].message


async def _ended(client: aiowf.Client, workflow: dict[str, Any]) -> Any:
    return await (await client.submit(workflow)).wait(check=False)


async def test_an_image_that_cannot_be_pulled(command: list[str]) -> None:
    """A registry that nobody serves: the pod is pending, and says what the client says of it."""
    task = tasks.CustomTask("sum", "127.0.0.1:9/sum:1", image_pull_policy="Always")
    operation = operations.DistributedSyncOperation("sum-", task)
    async with aiowf.connect("local", containers=command):
        with pytest.raises(aiowf.OperationStuckError, match=r"ErrImagePull.*127\.0\.0\.1:9"):
            await operation.execute(pending_timeout=0.1)
    assert [] == await asyncio.to_thread(containers_of, command)


async def test_a_pull_ends_with_its_pod(command: list[str]) -> None:
    """A registry that never answers holds up neither the end of a workflow nor the engine's."""
    silent = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    task = tasks.CustomTask("sum", f"127.0.0.1:{port}/sum:1")
    async with aiowf.connect("local", containers=command) as client, asyncio.timeout(30), silent:
        runs = [await operations.SingleTaskOperation("sum-", task).execute() for _ in range(2)]
        await runs[0].terminate()
        result = await runs[0].wait(check=False)
        assert client.backend.engine is not None
    assert str(result.message).startswith("Stopped with strategy 'Terminate'")


def recorded(name: str) -> Any:
    """Return what a real controller made of a manifest."""
    file = Path(__file__).parents[1] / "data" / "argo" / f"status-{name}.json"
    return json.loads(file.read_text())


def comparable(status: Any) -> Any:
    """Leave out the times, and the name of the host."""
    aside = {"startedAt", "finishedAt", "hostNodeName"}
    if isinstance(status, dict):
        return {key: comparable(value) for key, value in status.items() if key not in aside}
    return [comparable(one) for one in status] if isinstance(status, list) else status


@pytest.mark.parametrize("name", ["bad-image", "pending-pods-2"])
async def test_an_image_that_is_nowhere_ends_as_on_a_cluster(command: list[str], name: str) -> None:
    """The final status is equal to that of the real controller, as docs/engine.md says."""
    real = recorded(name)
    async with aiowf.connect("local", containers=command) as client, asyncio.timeout(60):
        run = await client.submit(real["manifest"])
        async for _ in run.watch():
            nodes = (await run.workflow()).status.nodes or {}
            if any(str(node.message).startswith("ErrImagePull: ") for node in nodes.values()):
                break
        for action in real.get("actions", ()):
            assert "terminate" == action["verb"]
            await run.terminate()
        await run.wait(check=False)
        found = manifest.unstructure(await run.workflow())
    assert comparable(real["status"]) == comparable(found["status"])


async def test_nothing_is_left_if_only_the_client_lives(
    command: list[str], applications: Path
) -> None:
    """After kill -9 of supervisor and server the client removes their containers."""
    task = tasks.CustomTask("sleep", "samples-sum", command=["sleep", "1000"])
    operation = operations.SingleTaskOperation("sleep-", task)
    async with aiowf.connect("local", containers=command, build=applications) as client:
        await operation.execute(client=client)
        await some(command, wanted=True)
        engine = client.backend.engine
        assert engine is not None
        assert engine._popen is not None
        for pid in (engine._popen.pid, engine.pid):
            os.kill(pid, signal.SIGKILL)
        await engine.died
        assert [] == await asyncio.to_thread(containers_of, command)


async def test_nothing_is_left_of_an_engine_that_is_killed(
    command: list[str], applications: Path, tmp_path: Path
) -> None:
    """After kill -9 of the client its containers are removed."""
    script = tmp_path / "client.py"
    script.write_text(
        "import asyncio, aiowf\n"
        "from aiowf import operations, tasks\n"
        "task = tasks.CustomTask('sleep', 'samples-sum', command=['sleep', '1000'])\n"
        "async def main():\n"
        f"    options = {{'containers': {command}, 'build': {str(applications)!r}}}\n"
        "    async with aiowf.connect('local', **options):\n"
        "        await (await operations.SingleTaskOperation('sleep-', task).execute())\n"
        "asyncio.run(main())\n"
    )
    client = await asyncio.create_subprocess_exec(sys.executable, str(script))
    await some(command, wanted=True)
    os.kill(client.pid, signal.SIGKILL)
    await client.wait()
    await some(command, wanted=False)


async def test_a_persistent_claim_keeps_its_mode(
    command: list[str], applications: Path, tmp_path: Path
) -> None:
    """A container writes to a claim of the user's, whose directory nobody else may then enter."""
    claim = tmp_path / "default" / "kept"
    claim.mkdir(parents=True, mode=0o700)
    task = tasks.CustomTask("sum", "samples-sum", a=1, b=2)
    operation = operations.DistributedSyncOperation("sum-", task, shared_directory="kept:/kept")
    options = {"containers": command, "build": applications, "claims": tmp_path}
    async with aiowf.connect("local", **options):
        await operation.execute()
    assert "3\n" == (claim / "result").read_text()
    assert 0o700 == claim.stat().st_mode & 0o777
