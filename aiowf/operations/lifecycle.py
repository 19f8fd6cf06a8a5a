"""What becomes of a workflow and its pods at the end, and who is told."""

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from attrs import frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest import PodGC, TTLStrategy, constant, unstructure
from aiowf.manifest.names import nearest
from aiowf.manifest.reading import read_value
from aiowf.manifest.units import duration
from aiowf.tasks.options import MAX_VARIABLE_BYTES, check_text


class Default(Enum):
    """Stands for an option that was not given, where None means something else."""

    DEFAULT = "default"


DEFAULT_TTL = constant(
    TTLStrategy(
        seconds_after_completion=3600, seconds_after_success=1200, seconds_after_failure=7200
    )
)
_POD_GC_STRATEGIES = (
    "OnPodCompletion",
    "OnPodSuccess",
    "OnWorkflowCompletion",
    "OnWorkflowSuccess",
)
_DEFAULT_DELAY = 600
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")  # of Kafka's own class Topic
EXIT_HANDLER = "exit-handler"


def as_ttl(ttl: Mapping[str, int] | TTLStrategy | None) -> TTLStrategy | None:
    """Return the time to live from a mapping (any subset), a TTLStrategy, or None.

    Raises:
        ConfigurationError: Something else, an unknown field, or no number of seconds.
    """
    if ttl is None:
        return None
    if ttl is DEFAULT_TTL:
        return DEFAULT_TTL
    strategy = read_value(ttl, TTLStrategy, "ttl_strategy", nulls=False)
    for name, seconds in unstructure(strategy).items():
        if type(seconds) is not int or seconds < 0:
            raise ConfigurationError(
                f"{seconds!r} is no number of whole seconds", where=f"ttl_strategy.{name}"
            )
    return strategy


def as_pod_gc(pod_gc: Mapping[str, Any] | str | PodGC | Default | None) -> PodGC | Default | None:
    """Return the garbage collection of pods from a mapping, a strategy's name, a PodGC, or None.

    A number as delay means seconds, which Argo wants as text.

    Raises:
        ConfigurationError: Something else, an unknown field or strategy, or no duration.
    """
    if pod_gc is None or isinstance(pod_gc, Default):
        return pod_gc
    if isinstance(pod_gc, str):
        pod_gc = PodGC(strategy=pod_gc)
    if isinstance(pod_gc, Mapping):
        delay = pod_gc.get("deleteDelayDuration")
        if type(delay) in (int, float):
            pod_gc = {**pod_gc, "deleteDelayDuration": f"{delay}s"}
    made = read_value(pod_gc, PodGC, "pod_gc", nulls=False)
    if made.delete_delay_duration is not None:
        duration(made.delete_delay_duration, "pod_gc.deleteDelayDuration")
    if made.strategy is not None and made.strategy not in _POD_GC_STRATEGIES:
        raise ConfigurationError(
            f"{made.strategy!r} is none of {', '.join(_POD_GC_STRATEGIES)}",
            where="pod_gc.strategy",
            hint=nearest(str(made.strategy), _POD_GC_STRATEGIES),
        )
    return made


def pod_gc_of(pod_gc: PodGC | Default | None, ttl: TTLStrategy | None) -> PodGC | None:
    """Return when pods are deleted: by default with a workflow that has succeeded."""
    if not isinstance(pod_gc, Default):
        return pod_gc
    seconds = ttl.seconds_after_success if ttl else None
    return _after_success(_DEFAULT_DELAY if seconds is None else seconds)


@lru_cache(64)
def _after_success(delay: int) -> PodGC:
    return PodGC(strategy="OnWorkflowSuccess", delete_delay_duration=f"{delay}s")


@frozen
class OnExitNotify:
    """A notice that goes out when the workflow has ended, however it did.

    Attributes:
        queue: The topic it is sent to.
        payload: What is sent along, byte for byte.
        image: An image that sends it, instead of the profile's; it is told by the variables
            `workflow_result`, `queue_name` and `payload`.
    """

    queue: str | None = None
    payload: str | None = None
    image: str | None = None

    def __attrs_post_init__(self) -> None:
        for name in ("queue", "payload", "image"):
            text = getattr(self, name)
            if text is not None and not isinstance(text, str):
                raise ConfigurationError(
                    f"expected a text, not {text!r:.80}",
                    where=f"on_exit_notify.{name}",
                    hint="json.dumps(…) makes a text of it" if name == "payload" else None,
                )
            if text is not None:
                hint = "send the place where it is kept, instead of itself"
                check_text(text, f"on_exit_notify.{name}", limit=MAX_VARIABLE_BYTES, hint=hint)
        if self.image is None:
            _check_topic(self.queue)


def _check_topic(queue: str | None) -> None:
    """Refuse what cannot be the name of a Kafka topic; an image of one's own may send elsewhere."""
    if not queue:
        raise ConfigurationError("a notice needs a queue", where="on_exit_notify.queue")
    if not _TOPIC.fullmatch(queue) or queue in (".", ".."):
        valid = re.sub(r"[^A-Za-z0-9._-]+", "-", queue).strip("-.")[:249]
        raise ConfigurationError(
            f"{queue!r:.100} is no name of a topic: only letters, digits, '.', '_' and '-' are "
            "allowed, at most 249",
            where="on_exit_notify.queue",
            hint=f'use "{valid}"' if valid else None,
        )


def as_notify(notify: Mapping[str, Any] | OnExitNotify | None) -> OnExitNotify | None:
    """Return the notice from a mapping, an OnExitNotify, or None.

    Raises:
        ConfigurationError: Something else, an unknown key, or no queue.
    """
    if notify is None or isinstance(notify, OnExitNotify):
        return notify
    if not isinstance(notify, Mapping):
        raise ConfigurationError(
            f"expected a mapping or OnExitNotify, not {notify!r:.80}", where="on_exit_notify"
        )
    keys = ("queue", "payload", "image")
    for key in notify:
        if key not in keys:
            raise ConfigurationError(
                f"unknown key {key!r}", where="on_exit_notify", hint=nearest(str(key), keys)
            )
    return OnExitNotify(**notify)
