"""The engine's server process: builds the parts, listens, and ends orderly."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web
from attrs import field, fields, frozen

from aiowf.engine.addresses import SUBMISSIONS
from aiowf.engine.api import PREFIX, Api
from aiowf.engine.authority import Authority
from aiowf.engine.browsers import Doorkeeper
from aiowf.engine.claims import Claims
from aiowf.engine.directories import remove_tree
from aiowf.engine.exchange import CONTROLLER, KEPT, TEMPLATES
from aiowf.engine.executor import ProcessExecutor
from aiowf.engine.executor.containers import (
    Containers,
    find_containers,
    remove_containers,
)
from aiowf.engine.journal import Journal
from aiowf.engine.keeping import keep
from aiowf.engine.pod import Pod
from aiowf.engine.processes import end_descendants
from aiowf.engine.server import create_app
from aiowf.engine.topics import Topics
from aiowf.engine.values import Values
from aiowf.errors import EngineError
from aiowf.wire.labels import (
    ENV_REPLY_SOCKET,
    ENV_REPLY_TOKEN,
    ENV_REPLY_VALUE_PATH,
    SESSION,
)

if TYPE_CHECKING:
    from aiowf.engine.database import Database
    from aiowf.engine.skipping import SkippingClock

_DEADLINE = 4.0
_log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Settings:
    """What an engine is started with.

    Attributes:
        directory: An existing private directory.
        token: The client's token; "": none is asked for.
        cookie: A variable, as NAME=value, for the environment of all that it runs.
        socket: Path of the Unix socket to listen on.
        listener: Descriptor of a socket on which to listen as well, or None.
        hosts: The names by which requests may call the server; None: any.
        journal: Whether to tell the client of what happens.
        namespace: The namespace that is told to those who ask for it, or None.
        claims: Directory of persistent claims; None: in the private directory.
        db: File of the database; None: nothing outlives the engine.
        images: What runs in place of an image.
        max_pods: How many pods run at a time.
        namespaces: Whether pods may have mount namespaces.
        containers: The command that runs containers; None: podman or docker, if there is one, for
            images without a command; "": there are none.
        all_pods: Whether every pod is a container.
        dockerfiles: Image → directory of the Dockerfile that it is built from.
        environment: Variables of every pod, beside its own.
        rehearsal: Whether it serves tests, which set its images and its clock.
    """

    directory: str
    token: str
    cookie: str
    socket: str
    listener: int | None = None
    hosts: Sequence[str] | None = None
    journal: bool = False
    namespace: str | None = None
    claims: str | None = None
    db: str | None = None
    images: Mapping[str, list[str]] = field(factory=dict)
    max_pods: int | None = None
    namespaces: bool = True
    containers: Sequence[str] | None = None
    all_pods: bool = False
    dockerfiles: Mapping[str, str] = field(factory=dict)
    environment: Mapping[str, str] = field(factory=dict, repr=False)
    rehearsal: bool = False


def serve(settings: dict[str, Any], control: socket.socket, link: socket.socket) -> None:
    """Run the server until the supervisor says so, or ends.

    Args:
        settings: The client's settings, as the launcher wrote them.
        control: Where to say that the server is ready.
        link: Connected to the supervisor.
    """
    known = {one.name for one in fields(Settings)}
    chosen = Settings(**{name: value for name, value in settings.items() if name in known})
    # As many templates may be within one another as Argo allows; each takes some fifteen frames.
    sys.setrecursionlimit(max(3000, sys.getrecursionlimit()))
    try:
        asyncio.run(_serve(chosen, control, link))
    except Exception as error:
        cause = error
        while isinstance(cause, ExceptionGroup):
            cause = cause.exceptions[0]
        if not isinstance(cause, EngineError):
            raise
        control.sendall(orjson.dumps({"refused": [cause.message, cause.hint]}) + b"\n")
    if _is_at_end(link):
        # The supervisor was killed, so its work is ours.
        end_descendants(chosen.cookie, deadline=_DEADLINE)
        remove_containers(chosen.directory)
        for directory in settings["directories"]:
            remove_tree(directory)


@asynccontextmanager
async def engine(
    settings: Settings, journal: Journal | None = None
) -> AsyncIterator[web.Application]:
    """Run an engine: it listens within the context, and all it runs is killed at the end."""
    journal = journal or Journal()
    directory = Path(settings.directory)
    for name in ("pods", "topics"):
        (directory / name).mkdir()
    authority = Authority(settings.token)
    clock = _skipping_clock() if settings.rehearsal else None
    images = dict(settings.images)
    claims = Claims(Path(settings.claims) if settings.claims else directory / "claims")
    executor = _executor(settings, images, claims, authority)
    topics, values = Topics(directory / "topics"), Values(directory / "values")
    async with AsyncExitStack() as stack:
        database = await _open_database(settings.db, journal)
        if database is not None:
            stack.push_async_callback(database.aclose)
        await stack.enter_async_context(executor)
        executor.adopt_orphans()
        group = await stack.enter_async_context(asyncio.TaskGroup())
        cleaner = _Cleaner(group, topics, values, claims)
        app = create_app(
            executor,
            token=settings.token,
            clock=clock,
            claim_gone=cleaner.claim_gone,
            workflow_gone=cleaner.workflow_gone,
            journal=journal,
            doorkeeper=Doorkeeper(None if settings.hosts is None else frozenset(settings.hosts)),
            namespace=settings.namespace,
        )
        app.add_routes(Api(authority, topics, values, claims).routes())
        if clock is not None:
            from aiowf.engine.rehearsal import Rehearsal

            Rehearsal(
                authority=authority,
                controller=app[CONTROLLER],
                clock=clock,
                images=images,
                topics=topics,
                claims=claims,
                submissions=directory / SUBMISSIONS,
            ).install(app)
        store = app[CONTROLLER].store
        topics.is_session_alive = lambda session: any(
            workflow.labels.get(SESSION) == session for workflow in store.all()
        )
        group.create_task(journal.follow(store), name="engine-journal")
        if database is not None:
            kept = keep(database, app[CONTROLLER], app[TEMPLATES])
            app.on_shutdown.append(await stack.enter_async_context(kept))
            app[KEPT] = database.settle
        await _listen(stack, app, settings)
        yield app


def _executor(
    settings: Settings, images: Mapping[str, list[str]], claims: Claims, authority: Authority
) -> ProcessExecutor:
    return ProcessExecutor(
        Path(settings.directory) / "pods",
        claim=claims.path,
        images=images,
        max_pods=settings.max_pods,
        namespaces=settings.namespaces,
        keep=_kept(settings),
        pod_environment=_PodEnvironment(settings, authority),
        containers=_containers(settings),
    )


async def _open_database(path: str | None, journal: Journal) -> "Database | None":
    if path is None:
        return None
    try:
        from aiowf.engine.database import open_database
    except ModuleNotFoundError:
        raise EngineError(
            "a database needs the package aiosqlite", hint="pip install 'aiowf[dev]'"
        ) from None
    return await open_database(path, journal.write)


def _containers(settings: Settings) -> Containers | None:
    command = settings.containers
    command = find_containers(None) if command is None else tuple(command)
    if not command:
        return None
    return Containers(
        command=command,
        all_pods=settings.all_pods,
        dockerfiles=settings.dockerfiles,
        engine=settings.directory,
    )


def _skipping_clock() -> "SkippingClock":
    from aiowf.engine.skipping import SkippingClock

    return SkippingClock()


@frozen
class _Cleaner:
    """Deletes what belonged to workflows and claims that are gone, in the background."""

    group: asyncio.TaskGroup
    topics: Topics
    values: Values
    claims: Claims

    def claim_gone(self, namespace: str, name: str) -> None:
        self._clean(asyncio.to_thread(self.claims.delete, namespace, name))

    def workflow_gone(self, namespace: str, name: str) -> None:
        self._clean(self.values.forget(namespace, name))
        self._clean(self.topics.drop_unused())

    def _clean(self, action: Coroutine[Any, Any, object]) -> None:
        async def clean() -> None:
            try:
                await action
            except (OSError, ValueError):  # what cannot be deleted stays until the engine ends
                _log.exception("the engine could not clean up")

        self.group.create_task(clean())


@frozen
class _PodEnvironment:
    """What the engine adds to a pod's environment: where, and with what token, it replies."""

    settings: Settings
    authority: Authority

    def __call__(self, pod: Pod) -> dict[str, str]:
        name, _, text = self.settings.cookie.partition("=")
        token = self.authority.issue(pod.namespace, pod.workflow_name, pod.workflow_uid)
        path = f"{PREFIX}/values/{pod.namespace}/{pod.workflow_name}"
        return {
            **self.settings.environment,
            name: text,
            ENV_REPLY_SOCKET: self.settings.socket,
            ENV_REPLY_TOKEN: token,
            ENV_REPLY_VALUE_PATH: path,
        }


def _kept(settings: Settings) -> list[str]:
    """Return what pods must see even if they have a /tmp of their own."""
    words = [word for words in settings.images.values() for word in words if os.path.isabs(word)]
    own = [settings.directory, os.path.dirname(settings.socket), str(Path(__file__).parents[2])]
    return [*own, *map(_place, words)]


def _place(path: str) -> str:
    """Return the directory of a file: what lies beside a program belongs to it."""
    directory = os.path.dirname(path)
    return path if directory in ("/", "/tmp") else directory


async def _listen(stack: AsyncExitStack, app: web.Application, settings: Settings) -> None:
    runner = web.AppRunner(
        # A stream ends with its reader, not when it is next written to.
        app,
        access_log=None,
        shutdown_timeout=0.1,
        handler_cancellation=True,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.UnixSite(runner, settings.socket).start()
    if settings.listener is not None:
        os.set_inheritable(settings.listener, False)
        await web.SockSite(runner, socket.socket(fileno=settings.listener)).start()


async def _serve(settings: Settings, control: socket.socket, link: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop.add_reader(link, stop.set)
    async with engine(settings, Journal(control if settings.journal else None)):
        with suppress(OSError):  # The client may be gone; then the supervisor tells us.
            control.send(orjson.dumps({"ready": os.getpid()}) + b"\n")
        await stop.wait()
        loop.remove_reader(link)


def _is_at_end(link: socket.socket) -> bool:
    link.setblocking(False)
    try:
        return link.recv(1) == b""
    except BlockingIOError:
        return False
