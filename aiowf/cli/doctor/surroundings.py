"""Checks of what surrounds the server: Kafka, images, and this machine."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from aiowf.cli.doctor.finding import Finding, judge_disk, judge_images, judge_topic, told
from aiowf.errors import AiowfError, ConfigurationError

if TYPE_CHECKING:
    from aiowf.cli.target import Target
    from aiowf.replies.settings import KafkaSettings


async def check_engine() -> AsyncIterator[Finding]:
    """Start the embedded engine, and end it."""
    from aiowf.engine import launch

    try:
        async with launch() as engine:
            said = f"starts here, with Python {sys.version.split()[0]} (process {engine.pid})"
        yield Finding("engine", "ok", said)
    except AiowfError as error:
        yield Finding("engine", "fail", *told(error))
    place = await asyncio.to_thread(tempfile.gettempdir)
    free = await asyncio.to_thread(shutil.disk_usage, place)
    yield judge_disk(place, free.free)


def check_images(target: "Target", *, embedded: bool) -> Finding:
    """Look at the images that the profile names."""
    try:
        profile = target.settings(kafka=False).profile
    except ConfigurationError as error:
        return Finding("images", "fail", *told(error))
    return judge_images(profile.base_image, profile.runtime_image, embedded=embedded)


async def check_kafka() -> AsyncIterator[Finding]:
    """Look whether Kafka is configured, answers, lets us in, and has the topic."""
    from aiowf.replies.settings import read_kafka

    try:
        settings = read_kafka(None, os.environ)
    except ConfigurationError as error:
        yield Finding("kafka", "fail", *told(error))
        return
    if settings is None:
        yield Finding("kafka", "ok", "not configured; results of up to 256 KB come without it")
        return
    from aiowf.replies.quiet import quieten, release

    quieten()  # what aiokafka logs is taken for the reason
    try:
        async for finding in _ask_kafka(settings):
            yield finding
    finally:
        release()


async def _ask_kafka(settings: "KafkaSettings") -> AsyncIterator[Finding]:
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    from aiowf.replies.connection import client_of, make_connector, stop
    from aiowf.replies.topics import identify

    place = settings.bootstrap_servers
    try:
        connector = await make_connector(settings)
        producer = AIOKafkaProducer(**connector.options)
        await connector.start(producer)
    except AiowfError as error:
        yield Finding("kafka", "fail", *told(error))
        return
    try:
        found = await identify(client_of(producer), settings.topic)
    except KafkaError as error:
        hint = "Look at the brokers' log, and at what this user may do."
        yield Finding("kafka", "fail", f"{place} does not tell of its topics: {error}", hint)
        return
    finally:
        await stop(producer)
    yield Finding("kafka", "ok", f"{place} lets us in ({settings.security_protocol})")
    yield judge_topic(settings.topic, found.partitions, settings.partitions)
