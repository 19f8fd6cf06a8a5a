"""What stands behind a client: a server, and the channel by which results come back."""

import asyncio
import secrets
import warnings
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from attrs import define, field

from aiowf.client.forms import Forms
from aiowf.client.settings import DEFAULT_NAMESPACE, ClientSettings
from aiowf.errors import (
    AiowfError,
    AiowfWarning,
    ConfigurationError,
    EngineError,
    MissingResultsError,
    NotFoundError,
)
from aiowf.manifest import EnvVar, ObjectMeta
from aiowf.manifest.rendering import ReplyTarget
from aiowf.profile import Profile
from aiowf.replies.channel import Place
from aiowf.wire import labels
from aiowf.wire.requests import Request
from aiowf.wire.values import LargeValue

if TYPE_CHECKING:
    from aiowf.argo import ArgoSession
    from aiowf.engine import Engine
    from aiowf.replies.channel import Channel

_BY_PARAMETER = ReplyTarget(
    env=(
        EnvVar(name=labels.ENV_RESULTS_PATH, value=f"{labels.POD_DIRECTORY}/{labels.OUTPUT_FILES}"),
    ),
    by_parameter=True,
)


@define
class Backend:
    """Server, reply channel and profile of one client, between its open and its close.

    Attributes:
        engine: The embedded engine, if this client started it.
        has_engine: Whether the server is an embedded engine.
    """

    settings: ClientSettings
    argo: "ArgoSession"
    namespace: str
    channel: "Channel | None" = None
    engine: "Engine | None" = None
    has_engine: bool = False
    # Made for each client: its workflows carry it, and its one watch selects by it.
    session_id: str = field(factory=lambda: secrets.token_hex(8))
    # Workflows that were rendered here: what renders alike need not be rendered again.
    forms: Forms = field(factory=Forms, init=False)
    # Set when the client begins to close.
    closing: asyncio.Event = field(factory=asyncio.Event, init=False)
    # Claims of which nobody could be asked; each is warned of once.
    _unknown_claims: set[str] = field(factory=set, init=False)

    @property
    def profile(self) -> Profile:
        """Return where tasks run."""
        return self.settings.profile

    @property
    def runtime_image(self) -> str | None:
        """Return the image of aiowf.runtime where the profile need not name one."""
        return labels.ENGINE_RUNTIME_IMAGE if self.has_engine else None

    async def claim_exists(self, claim: str) -> bool:
        """Return whether a claim exists; true, with a warning, if nobody can say."""
        found = await self._ask_for_claim(claim)
        if found is None and claim not in self._unknown_claims:
            self._unknown_claims.add(claim)
            warnings.warn(
                f"nobody can say whether the claim {claim!r} exists: it is taken to exist "
                "(say Volume(…, ephemeral=True|False) to decide)",
                AiowfWarning,
                stacklevel=2,
            )
        if found is False:
            warnings.warn(
                f"the claim {claim!r} does not exist: the volume is ephemeral, and what is "
                "written to it is lost when the workflow has ended (Volume(…, ephemeral=True) says "
                "so outright)",
                AiowfWarning,
                stacklevel=2,
            )
        return found is not False

    async def _ask_for_claim(self, claim: str) -> bool | None:
        if self.has_engine:
            return await self.engine_knows_claim(claim)
        from aiowf.argo import claim_exists

        return await claim_exists(self.namespace, claim)

    async def engine_knows_claim(self, claim: str) -> bool:
        """Ask the embedded engine for a claim."""
        path = f"/aiowf/v1/claims/{self.namespace}/{claim}"
        answer = await self.argo.call_json(Request("engine", "GET", path))
        return bool(answer["exists"])

    async def fetch_value(self, workflow: ObjectMeta, task: str, value: LargeValue) -> bytes:
        """Return a value that was too large for a parameter.

        Args:
            workflow: Whose it is.
            task: The task that returned it.
            value: What its marker says.

        Raises:
            MissingResultsError: It cannot be had from here.
            CorruptResultsError: It is not what was sent.
        """
        if value.topic is not None:
            return await self._value_from_kafka(workflow, task, value)
        path = f"/aiowf/v1/values/{workflow.namespace}/{workflow.name}/{task}"
        try:
            async with self.argo.download(Request("engine", "GET", path)) as chunks:
                return b"".join([chunk async for chunk in chunks])
        except NotFoundError:
            raise MissingResultsError(
                f"the value of {task} is not on this server: an embedded engine had it",
                workflow_name=workflow.name,
            ) from None

    async def _value_from_kafka(self, workflow: ObjectMeta, task: str, value: LargeValue) -> bytes:
        if self.channel is None or self.settings.kafka is None:
            raise MissingResultsError(
                f"the value of {task} is in Kafka (topic {value.topic}), and this client does not "
                "know where that is",
                workflow_name=workflow.name,
                hint="Set KAFKA_BOOTSTRAP_SERVERS, or give aiowf.connect(kafka=…).",
            )
        from aiowf.replies.values import read_value

        place = place_of(workflow.annotations or {})
        is_noted = place is not None and place.topic == value.topic
        return await read_value(
            self.channel,
            value,
            str(workflow.name),
            log=place.log if place is not None and is_noted else "",
            key=self.settings.reply_key,
        )

    def reply_target(self, *, is_sync: bool, wants_files: bool) -> ReplyTarget | None:
        """Return where the pods of a workflow send results and notices, or None: nowhere.

        Raises:
            ConfigurationError: Pods need credentials for Kafka, and no Secret is named.
        """
        if self.channel is None:
            return _BY_PARAMETER if wants_files else None
        kafka, completion = self.settings.kafka, self.settings.completion
        # The embedded engine tells of the end at once; a pod that does so too costs time.
        notify = is_sync and (
            completion == "notice" or (kafka is not None and completion == "both")
        )
        if not (wants_files or notify or kafka):
            return None
        place = self.channel.place
        env = [EnvVar(name=labels.ENV_REPLY_TOPIC, value=place.topic)]
        values = kafka is not None and not self.has_engine
        if kafka is not None:
            env.append(EnvVar(name=labels.ENV_REPLY_PARTITION, value=str(place.partition)))
            if self.engine is None:
                env += kafka.pod_variables(signs=self.settings.reply_key is not None)
        return ReplyTarget(env=tuple(env), notify=notify, values=values)

    @property
    def reply_place(self) -> tuple[str, int] | None:
        """Return what decides, in this client, how a workflow that replies is rendered."""
        if self.channel is None:
            return None
        place = self.channel.place
        return place.topic, place.partition

    def reply_annotations(self) -> dict[str, str]:
        """Return what a later client needs in order to read the replies again."""
        if self.channel is None:
            return {}
        place = self.channel.place
        notes = {labels.REPLY_TOPIC: place.topic}
        if self.settings.kafka is not None:
            notes[labels.REPLY_PARTITION] = str(place.partition)
            notes[labels.REPLY_OFFSET] = str(place.offset)
            notes[labels.REPLY_LOG] = place.log
        return notes


def place_of(annotations: Mapping[str, str]) -> Place | None:
    """Return where the replies to a workflow begin, as `reply_annotations` noted it, or None."""
    topic = annotations.get(labels.REPLY_TOPIC)
    if topic is None:
        return None
    numbers = [annotations.get(name, "") for name in (labels.REPLY_PARTITION, labels.REPLY_OFFSET)]
    partition, offset = (int(text) if text.isdecimal() else 0 for text in numbers)
    return Place(topic, partition, offset, annotations.get(labels.REPLY_LOG, ""))


def client_was_closed(run: str, *, is_local: bool) -> AiowfError:
    """Return the error for whoever follows a run when its client is closed."""
    if is_local:
        return EngineError(
            f"the client was closed before workflow {run} had ended, and with it the embedded "
            "engine that ran it",
            hint="Await the run inside of `async with aiowf.connect()`; or start a server that "
            "stays, `aiowf dev`, and connect to that.",
        )
    return AiowfError(
        f"the client was closed while workflow {run} was awaited; it goes on",
        hint=f"Wait on from another client: await client.get_run({run!r}).",
    )


def engine_is_gone(reason: str) -> EngineError:
    """Return the error for whoever needs an engine that is gone."""
    return EngineError(reason, hint="What it ran is lost. Open a new client to run it again.")


async def open_backend(settings: ClientSettings, stack: AsyncExitStack) -> Backend:
    """Open what the settings name; the stack closes it.

    Raises:
        EngineError: The embedded engine does not start.
        ConfigurationError: The settings contradict each other.
    """
    if settings.is_local:
        return await _open_engine(settings, stack)
    from aiowf.argo import ArgoSession, from_environment

    place = await asyncio.to_thread(from_environment, server=settings.server)
    session = await stack.enter_async_context(
        ArgoSession(place, token=settings.token, namespace=settings.namespace)
    )
    has_engine = settings.joins_engine or place.is_engine
    backend = Backend(settings, session, session.namespace, has_engine=has_engine)
    await _open_kafka(backend, stack)
    token = session.settings.token
    if has_engine and backend.channel is None and isinstance(token, str | None):
        await _open_channel(backend, stack, place.unix_path or place.url, token or "")
    if settings.completion == "notice" and backend.channel is None:
        raise ConfigurationError(
            'completion="notice" needs a reply channel, and none is configured',
            hint="Set KAFKA_BOOTSTRAP_SERVERS, or give aiowf.connect(kafka=…).",
        )
    return backend


async def _open_kafka(backend: Backend, stack: AsyncExitStack) -> None:
    """Open the reply channel over Kafka, if it is configured."""
    if backend.settings.kafka is not None:
        from aiowf.replies.kafka import KafkaChannel

        channel = KafkaChannel(backend.settings.kafka)
        backend.channel = await stack.enter_async_context(channel)


def _engine_environment(settings: ClientSettings) -> dict[str, str]:
    """Return what pods of the embedded engine need to know, and no manifest may say."""
    known = settings.kafka.local_environment() if settings.kafka is not None else {}
    if settings.reply_key is not None:
        known[labels.ENV_REPLY_KEY] = settings.reply_key.decode()
    return known


async def _open_engine(settings: ClientSettings, stack: AsyncExitStack) -> Backend:
    from aiowf.engine import launch

    engine = launch(
        images=settings.images,
        max_pods=settings.max_pods,
        claims=settings.claims,
        containers=settings.containers,
        build=settings.build,
        environment=_engine_environment(settings),
    )
    stack.push_async_callback(engine.aclose)
    # Loaded while the engine starts, in its own process: each takes about as long as the other.
    from aiowf.argo import ArgoSession
    from aiowf.replies import engine as _  # noqa: F401

    await engine
    namespace = settings.namespace or DEFAULT_NAMESPACE
    session = await stack.enter_async_context(
        ArgoSession(
            engine.server,
            token=f"Bearer {engine.token}",
            namespace=namespace,
            gone=lambda: engine_is_gone(engine.died.result()) if engine.died.done() else None,
        )
    )
    backend = Backend(settings, session, namespace, engine=engine, has_engine=True)
    await _open_kafka(backend, stack)
    if backend.channel is None:
        await _open_channel(backend, stack, engine.socket_path, engine.token)
    return backend


async def _open_channel(backend: Backend, stack: AsyncExitStack, place: str, token: str) -> None:
    """Open the reply channel of an embedded engine: over its socket, or where it is served."""
    from aiowf.replies.engine import EngineChannel

    backend.channel = await stack.enter_async_context(
        EngineChannel(place, token, topic=f"aiowf-replies.{backend.session_id}")
    )
