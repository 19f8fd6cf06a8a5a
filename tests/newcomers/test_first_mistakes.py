"""What somebody new gets wrong: each mistake tells its cause and its remedy, within 15 seconds.

A wrong password for Kafka needs a real broker (tests/kafka); a missing topic is in tests/replies.
"""

import asyncio
import logging
import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import respx
from aiohttp import web
from aiohttp.test_utils import TestServer
from argo_double import ArgoDouble, pending
from respx_server import serve

import aiowf
from aiowf import operations, tasks
from aiowf.engine import launch
from aiowf.profile import ImageCatalogue, Profile

SECONDS = 15
OP = operations.DistributedSyncOperation("op-", tasks.BashTask("work", "true"))

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def local() -> AsyncIterator[aiowf.Client]:
    """A client on an embedded engine, for all mistakes that need one."""
    async with aiowf.connect("local", containers=False) as client:
        yield client


async def told(operation: Any = OP, /, client: aiowf.Client | None = None, **options: Any) -> str:
    """Execute an operation, and return the text of the error, which has to come in time."""
    async with asyncio.timeout(SECONDS):
        with pytest.raises(aiowf.AiowfError) as caught:
            await operation.execute(client=client, **options)
    return str(caught.value)


async def told_by(server: str, **settings: Any) -> str:
    """Execute an operation on a server, and return the text of the error."""
    async with asyncio.timeout(SECONDS):
        with pytest.raises(aiowf.AiowfError) as caught:
            async with aiowf.connect(server, **settings) as client:
                await OP.execute(client=client)
    return str(caught.value)


async def test_the_wrong_server(unused_tcp_port: int) -> None:
    """Nobody listens at the address: it is named, and the variable to look at."""
    text = await told_by(f"http://127.0.0.1:{unused_tcp_port}")
    assert f"127.0.0.1:{unused_tcp_port}" in text
    assert "ARGO_SERVER" in text


async def test_https_for_http() -> None:
    """A server without TLS, asked for it: the error says to write http."""
    async with TestServer(web.Application()) as server:
        text = await told_by(f"https://127.0.0.1:{server.port}")
    assert "The server speaks plain HTTP: write http://" in text


async def test_a_server_that_is_not_argo() -> None:
    """A web page is no answer of Argo: the error asks for the server and the base href."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>hello</html>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", page)
    async with TestServer(app) as server:
        text = await told_by(str(server.make_url("/")))
    assert "a web page" in text
    assert "ARGO_BASE_HREF" in text


async def test_the_wrong_token() -> None:
    """The server does not know the token: the error names the variable, and not the token."""
    engine = await launch()
    try:
        text = await told_by(engine.server, token="Bearer of-another-cluster")
    finally:
        await engine.aclose()
    assert "ARGO_TOKEN" in text
    assert "of-another-cluster" not in text


async def test_no_permission() -> None:
    """Kubernetes forbids it: its own words, and that a Role is needed."""
    said = 'workflows.argoproj.io is forbidden: User "x" cannot create resource "workflows"'
    router = respx.Router(assert_all_called=False)
    router.route().mock(return_value=httpx.Response(403, json={"code": 7, "message": said}))
    async with serve(router) as server:
        text = await told_by(server, namespace="argo")
    assert said in text
    assert "Role" in text


async def test_a_misspelt_image(local: aiowf.Client) -> None:
    """A name that is not in the catalogue: the nearest one that is."""
    profile = Profile(images=ImageCatalogue({"samples-sum": "registry.example/samples-sum:1"}))
    operation = operations.SingleTaskOperation("op-", tasks.CustomTask("sum", "samples-sm"))
    with pytest.raises(aiowf.ConfigurationError, match='did you mean "samples-sum"'):
        operation.to_workflow(profile)


async def test_an_image_that_cannot_be_pulled() -> None:
    """A pod that waits for its image: the reason, as Kubernetes says it, and what to look at."""
    reason = 'ErrImagePull: rpc error: failed to pull "registry.example/trian:1": not found'
    double = ArgoDouble(pending(reason))
    async with (
        serve(double.router) as server,
        aiowf.connect(server, namespace="argo") as client,
    ):
        text = await told(client=client, pending_timeout=1)
    assert reason in text
    assert "image" in text.splitlines()[-1]


async def test_a_missing_command(local: aiowf.Client) -> None:
    """An image whose own command nobody knows here: name the command, or a stand-in."""
    operation = operations.DistributedSyncOperation(
        "op-", tasks.CustomTask("sum", "registry.example/samples-sum:1")
    )
    text = await told(operation, client=local)
    assert "container.command" in text
    assert 'images={"samples-sum"' in text


async def test_a_command_without_its_image(
    local: aiowf.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The command of an image runs as a process here, if it is there: the log says so."""
    operation = operations.DistributedSyncOperation(
        "op-", tasks.CustomTask("print", "busybox:1", command=["echo", "hello"])
    )
    await operation.execute(client=local)
    assert "'busybox:1' is not used here: its command runs as a process" in caplog.text


async def test_an_unknown_claim(local: aiowf.Client) -> None:
    """A claim that does not exist becomes ephemeral: the warning says what would be lost."""
    operation = operations.DistributedSyncOperation(
        "op-", tasks.BashTask("work", "true"), shared_directory="modls:/models"
    )
    with pytest.warns(aiowf.AiowfWarning, match="the claim 'modls' does not exist.*is lost"):
        await operation.execute(client=local)


async def test_the_wrong_address_of_kafka(unused_tcp_port: int) -> None:
    """No broker at the address: it is named, and the variable to look at."""
    text = await told_by("local", kafka=f"127.0.0.1:{unused_tcp_port}")
    assert f"127.0.0.1:{unused_tcp_port}" in text
    assert "KAFKA_BOOTSTRAP_SERVERS" in text


def needs_numpy() -> int:
    import a_module_that_is_nowhere  # type: ignore[import-not-found]

    return int(a_module_that_is_nowhere.answer)


@pytest.mark.filterwarnings("ignore:the function of the task .need. imports")
async def test_a_module_that_is_not_in_the_image(local: aiowf.Client) -> None:
    """The import fails in the pod: the error says how to bring the module."""
    operation = operations.DistributedSyncOperation("op-", tasks.PythonTask("need", needs_numpy))
    text = await told(operation, client=local)
    assert "No module named 'a_module_that_is_nowhere'" in text
    assert 'requirements=("a_module_that_is_nowhere",)' in text


async def test_a_closure_that_cannot_travel() -> None:
    """An open file does not travel: the variable, its line, and what to do instead."""
    with open(__file__) as source:  # noqa: ASYNC230 - as somebody new writes it

        def count() -> int:
            return len(source.read())

        with pytest.raises(aiowf.ConfigurationError) as caught:
            tasks.PythonTask("count", count)
    assert re.match(rf"{__file__}:\d+: source cannot travel", str(caught.value))
    assert "as an argument" in str(caught.value)


async def test_a_value_that_is_too_large() -> None:
    """A variable that no program could be started with: its size, the limit, another way."""
    with pytest.raises(aiowf.ConfigurationError) as caught:
        tasks.BashTask("work", "true", TEXT="x" * 300_000)
    assert "env.TEXT" in str(caught.value)
    assert "300000 bytes, and 102400 are the most" in str(caught.value)
    assert "in a file of a shared directory" in str(caught.value)


async def test_a_misspelt_option() -> None:
    """An option that does not exist: the nearest that does, and how to mean a variable."""
    with pytest.raises(aiowf.ConfigurationError) as caught:
        tasks.BashTask("work", "true", retry_limt=3)
    assert 'did you mean "retry_limit"' in str(caught.value)
    assert "env={" in str(caught.value)


async def test_no_event_loop() -> None:
    """`with` outside of a coroutine: the error shows `async with` and asyncio.run."""
    with pytest.raises(aiowf.ConfigurationError) as caught, aiowf.connect("local"):
        pass
    assert "async with aiowf.connect()" in str(caught.value)
    assert "asyncio.run(main())" in str(caught.value)


async def test_a_blocking_call(caplog: pytest.LogCaptureFixture) -> None:
    """Code that blocks the event loop is told of it, with what to do."""
    async with aiowf.connect("local"):
        await asyncio.sleep(0)
        time.sleep(2.2)  # noqa: ASYNC251 - the mistake itself
        await asyncio.sleep(0.01)
    assert "the event loop stood still for" in caplog.text
    assert "asyncio.to_thread" in caplog.text


async def test_a_timeout_that_is_too_small(local: aiowf.Client) -> None:
    """The error says what became of the workflow, and that execute() takes a longer time."""
    operation = operations.DistributedSyncOperation("op-", tasks.BashTask("work", "sleep 30"))
    text = await told(operation, client=local, timeout=0.5)
    assert "did not end within 0.5 s" in text
    assert "it was stopped" in text
    assert "longer timeout" in text


async def test_a_workflow_that_its_ttl_has_deleted(local: aiowf.Client) -> None:
    """A result that is asked for too late: the error points to the time to live."""
    async with asyncio.timeout(SECONDS):
        with pytest.raises(aiowf.NotFoundError) as caught:
            await local.get_run("deleted-long-ago")
    assert "deleted-long-ago" in str(caught.value)
    assert "TTL" in str(caught.value)


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a file system of its own")
async def test_a_full_disk(tmp_path: Path) -> None:
    """A disk that is full: the pod's own words, and where it was to write."""
    script = tmp_path / "full.py"
    script.write_text(
        textwrap.dedent("""
        import asyncio, aiowf
        from aiowf import operations, tasks

        fill = tasks.BashTask("fill", 'head -c 20000000 /dev/zero > "$shared_directory/big"')
        operation = operations.DistributedSyncOperationWithResults("op-", fill)
        try:
            asyncio.run(operation.execute(timeout=12))
        except aiowf.OperationFailedError as error:
            print(error)
        """)
    )
    small = tmp_path / "small"
    small.mkdir()
    mount = f"mount -t tmpfs -o size=1m tmpfs {small} || exit 77"
    command = f"{mount}; TMPDIR={small} {sys.executable} {script}"
    ended = await asyncio.to_thread(
        subprocess.run,
        ["unshare", "--mount", "bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if "Operation not permitted" in ended.stderr or ended.returncode == 77:
        pytest.skip("no file system may be mounted here")
    assert "No space left on device" in ended.stdout, ended.stderr
    assert "shared_volume_size" in ended.stdout


async def test_a_lost_loop_is_not_told_twice(caplog: pytest.LogCaptureFixture) -> None:
    """A watch that keeps failing in the same way is logged once."""
    caplog.set_level(logging.WARNING)
    async with TestServer(web.Application()) as server:
        await told_by(f"https://127.0.0.1:{server.port}")
    assert 1 >= caplog.text.count("the watch of")
