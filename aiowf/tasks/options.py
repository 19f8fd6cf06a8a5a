"""The options of tasks, told apart from environment variables, and their checks."""

from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, cast

from attrs import field, fields, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest import Backoff, RetryStrategy, Template
from aiowf.manifest.converter import constant, unstructure
from aiowf.manifest.names import env_name, label_key, label_value, nearest
from aiowf.manifest.reading import read_value
from aiowf.tasks.frozen import EMPTY, FrozenMapping, freeze
from aiowf.tasks.reference import Reference

EnvValue = str | int | float | bool | Reference

# Every keyword of every task type. Never add one: it would take a variable away from somebody.
# Later options are fields of TaskOptions.
OPTION_NAMES = frozenset(
    {
        "args",
        "command",
        "env",
        "func",
        "image",
        "image_name",
        "image_pull_policy",
        "kwargs",
        "name",
        "options",
        "requirements",
        "resources",
        "retry_limit",
        "source",
        "template_overrides",
        "volume_mounts",
    }
)
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
# Linux takes 128 KiB a string in the environment and the command line; the rest is for escapes.
MAX_VARIABLE_BYTES = 100 * 1024
_TOO_LONG = "pass it as an argument of a PythonTask, or in a file of a shared directory"
_MAX_ANNOTATIONS = 256 * 1024  # Kubernetes' limit, keys and values of an object together
_OURS = "AIOWF_"


def as_labels(labels: Mapping[str, str] | None) -> FrozenMapping[str]:
    """Return labels, checked as Kubernetes checks them.

    Raises:
        ConfigurationError: Kubernetes would refuse one.
    """
    if not labels:
        return EMPTY
    _check_mapping(labels, "labels")
    return FrozenMapping(
        {label_key(key): label_value(value, f"labels.{key}") for key, value in labels.items()}
    )


def as_annotations(annotations: Mapping[str, str] | None) -> FrozenMapping[str]:
    """Return annotations, checked as Kubernetes checks them.

    Raises:
        ConfigurationError: Kubernetes would refuse one.
    """
    if not annotations:
        return EMPTY
    _check_mapping(annotations, "annotations")
    for key, value in annotations.items():
        label_key(key, "annotations")
        if not isinstance(value, str):
            raise ConfigurationError(f"expected a text, not {value!r}", where=f"annotations.{key}")
        check_text(value, f"annotations.{key}")
    size = sum(len(text.encode()) for pair in annotations.items() for text in pair)
    if size > _MAX_ANNOTATIONS:
        raise ConfigurationError(
            f"they have {size} bytes, and Kubernetes takes {_MAX_ANNOTATIONS} of all together",
            where="annotations",
        )
    return FrozenMapping(annotations)


def as_pod_annotations(annotations: Mapping[str, str] | None) -> FrozenMapping[str]:
    """Return annotations of a template, in which Argo substitutes, and which nothing can escape.

    Raises:
        ConfigurationError: Kubernetes would refuse one, or Argo might change it.
    """
    for key, value in as_annotations(annotations).items():
        if "{{" in value:
            raise ConfigurationError(
                f"{value!r:.80} has {{{{ in it, which Argo may substitute and knows no escape for",
                where=f"annotations.{key}",
                hint="if that is wanted, say it in template_overrides: "
                f'{{"metadata": {{"annotations": {{{key!r}: …}}}}}}',
            )
    return as_annotations(annotations)


def _check_mapping(data: Any, where: str) -> None:
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"expected a mapping, not {data!r:.80}", where=where)


def as_seconds(value: float | timedelta | None, where: str) -> int | None:
    """Return a time as whole seconds, rounded up, at least 1.

    Raises:
        ConfigurationError: It is no positive time.
    """
    if value is None:
        return None
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 2**53:
        raise ConfigurationError(
            f"expected a positive number of seconds or a timedelta, not {value!r}", where=where
        )
    return -int(-seconds // 1)


def as_deadline(deadline: float | timedelta | None) -> int | None:
    """Return a deadline in whole seconds.

    Raises:
        ConfigurationError: It is no positive time.
    """
    return as_seconds(deadline, "active_deadline")


@frozen(kw_only=True)
class TaskOptions:
    """Further options of a task.

    Attributes:
        labels: Labels of the task's pods.
        annotations: Annotations of the task's pods; without `{{`, which Argo would substitute.
        active_deadline: Seconds (or a timedelta) after which a try of the task is ended.
    """

    labels: FrozenMapping[str] = field(default=EMPTY, converter=as_labels)
    annotations: FrozenMapping[str] = field(default=EMPTY, converter=as_pod_annotations)
    active_deadline: int | None = field(default=None, converter=as_deadline)


NO_OPTIONS = TaskOptions()
_LATER_OPTIONS = frozenset(each.name for each in fields(TaskOptions))


def environment(
    env: Mapping[str, EnvValue] | None, variables: Mapping[str, EnvValue]
) -> FrozenMapping[str | Reference]:
    """Return the variables of a task from `env` and from keyword arguments; the latter win.

    Raises:
        ConfigurationError: A keyword is or looks like an option, a name cannot be a variable, or a
            value is neither text nor number nor a reference.
    """
    if not variables:
        if env is None or not env:
            return EMPTY
        if isinstance(env, FrozenMapping):
            return cast(FrozenMapping[str | Reference], env)
    _check_mapping(env or {}, "env")
    for keyword in variables:
        _check_keyword(keyword)
    given = {**(env or {}), **variables}
    return FrozenMapping({_variable(name): _text(name, value) for name, value in given.items()})


@lru_cache(1024)
def _check_keyword(keyword: str) -> None:
    """Refuse a keyword that is meant for an option, of this task type or of another."""
    escape = f"if a variable of that name is meant, say env={{{keyword!r}: …}}"
    if keyword in OPTION_NAMES:
        raise ConfigurationError(
            f"this task type has no option {keyword!r}", where=keyword, hint=escape
        )
    # Variables are mostly in capitals, or numbered; options are neither.
    if keyword.isupper() or any(map(str.isdigit, keyword)):
        return
    snake = "".join(f"_{char.lower()}" if char.isupper() else char for char in keyword)
    near = get_close_matches(snake.strip("_"), sorted(OPTION_NAMES), 1, cutoff=0.8)
    if near:
        raise ConfigurationError(
            f'no task has an option {keyword!r}: did you mean "{near[0]}"?',
            where=keyword,
            hint=escape,
        )


@lru_cache(1024)
def _variable(name: str) -> str:
    if env_name(name).startswith(_OURS):
        raise ConfigurationError(
            f"the variable {name!r} is aiowf's own, as all that begin with {_OURS}", where="env"
        )
    return name


def _text(name: str, value: Any) -> str | Reference:
    if isinstance(value, str):
        return check_text(value, f"env.{name}", limit=MAX_VARIABLE_BYTES)
    if isinstance(value, Reference):
        return value
    if isinstance(value, int | float):
        return str(value)
    hint = "turn it into text, json.dumps(…) for example, or leave the variable out"
    if hasattr(type(value), "to_template"):
        output = "output" if hasattr(type(value), "output") else "stdout"
        hint = f"did you mean its value, {value.name}.{output}?"
    elif name in _LATER_OPTIONS:
        hint = f"for the option: options=TaskOptions({name}=…); for a variable: {hint}"
    raise ConfigurationError(
        f"the variable {name!r} is {value!r:.80}: variables are str, int, float or bool",
        where=f"env.{name}",
        hint=hint,
    )


def check_text(text: str, where: str, *, limit: int | None = None, hint: str = _TOO_LONG) -> str:
    """Return a text if it can travel to a container.

    Args:
        text: The text.
        where: Its place, for the error.
        limit: Most bytes that it may have, or None.
        hint: What to do with a longer one.

    Raises:
        ConfigurationError: It holds NUL, or what UTF-8 cannot express, or is too long.
    """
    if "\0" in text:
        raise ConfigurationError(f"there is a NUL character in {text!r:.80}", where=where)
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"{text!r:.80} is no text in UTF-8: {error}", where=where
        ) from None
    if limit is not None and size > limit:
        raise ConfigurationError(
            f"{text!r:.40} has {size} bytes, and {limit} are the most that Linux surely takes here",
            where=where,
            hint=hint,
        )
    return text


def check_retry_limit(limit: Any) -> int | None:
    """Return the limit if it is a number of retries, or None.

    Raises:
        ConfigurationError: It is neither.
    """
    if limit is None or (type(limit) is int and limit >= 0):
        return limit
    raise ConfigurationError(
        f"{limit!r} is no number of retries",
        where="retry_limit",
        hint="None: ten retries of what was no fault of the task; 0: none",
    )


# The wait between tries: 1, 2, 4, … seconds, at most a minute.
_BACKOFF = Backoff(duration="1s", factor=2, cap="1m")
# Exit codes of what is no fault of the task: a node lost or a pod evicted (-1), SIGKILL, SIGTERM.
_BLAMELESS = constant(
    RetryStrategy(
        limit=10,
        retry_policy="Always",
        expression="asInt(lastRetry.exitCode) in [-1, 137, 143]",
        backoff=_BACKOFF,
    )
)


def retry_strategy(limit: int | None) -> RetryStrategy | None:
    """Return Argo's form of a task's `retry_limit`."""
    if limit is None:
        return _BLAMELESS
    if limit == 0:
        return None
    return RetryStrategy(limit=limit, retry_policy="Always", backoff=_BACKOFF)


def check_pull_policy(policy: Any) -> str:
    """Return the policy if Kubernetes knows it.

    Raises:
        ConfigurationError: It does not.
    """
    if policy in PULL_POLICIES:
        return str(policy)
    raise ConfigurationError(
        f"{policy!r} is none of {', '.join(PULL_POLICIES)}",
        where="image_pull_policy",
        hint=nearest(str(policy), PULL_POLICIES),
    )


def as_overrides(overrides: Any, cls: type = Template) -> FrozenMapping[Any]:
    """Return overrides, a mapping in Argo's own names or a value of the class, as frozen JSON data.

    Raises:
        ConfigurationError: Something else, a field that Argo does not know (the hint is the nearest
            one), or one whose value has another type.
    """
    if overrides is None or not overrides:
        return EMPTY
    if isinstance(overrides, FrozenMapping):
        return overrides
    where = "template_overrides" if cls is Template else "spec_overrides"
    data = unstructure(overrides)
    read_value(data, cls, where)
    frozen_data: FrozenMapping[Any] = freeze(data)
    return frozen_data
