"""What a check has found, and the judgements that need nothing but facts."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from attrs import frozen

from aiowf.cli.errors import line_of
from aiowf.errors import AiowfError

State = Literal["ok", "warn", "fail"]
Answer = Literal["allowed", "denied", "unknown"]

# What a client does → the verb of a Role, where it has another name.
_VERBS = {"stop": "update"}

# A clock that differs by more than this makes durations and time-outs look wrong, and by more than
# that certificates and tokens.
_CLOCK_WARN, _CLOCK_FAIL = timedelta(seconds=5), timedelta(minutes=5)
_OLDEST = (3, 5)
_MEGABYTE = 1024 * 1024


@frozen
class Finding:
    """What a check has found.

    Attributes:
        check: What was looked at.
        state: "ok", "warn": it works, and yet …, or "fail".
        said: What was found.
        hint: What to do about it, or None.
    """

    check: str
    state: State
    said: str
    hint: str | None = None


def told(error: AiowfError) -> tuple[str, str | None]:
    """Return what an error says is wrong, and what to do: each a line."""
    hint = " ".join(error.hint.split()) if error.hint else None
    return line_of(error, hint=False), hint


def judge_clock(here: datetime, there: datetime | None) -> Finding:
    """Compare this machine's clock with the server's."""
    if there is None:
        return Finding("clock", "ok", "the server does not tell the time")
    apart = abs(here - there)
    seconds = apart.total_seconds()
    if apart <= _CLOCK_WARN:
        return Finding("clock", "ok", "like the server's")
    state: State = "fail" if apart > _CLOCK_FAIL else "warn"
    side = "ahead of" if here > there else "behind"
    return Finding(
        "clock",
        state,
        f"{seconds:,.0f} s {side} the server's",
        "Let both keep time (NTP): tokens, certificates and times to live go by the clock.",
    )


def judge_version(version: str | None) -> Finding:
    """Judge the version that a server says."""
    found = re.match(r"v?(\d+)\.(\d+)", version or "")
    if found is None:
        return Finding("version", "warn", f"the server says {version or 'nothing'}", None)
    if (int(found[1]), int(found[2])) < _OLDEST:
        return Finding(
            "version",
            "warn",
            f"Argo {version}, which is old",
            f"aiowf is tested with Argo 4; from {_OLDEST[0]}.{_OLDEST[1]} on it should work.",
        )
    return Finding("version", "ok", f"Argo {version}")


def judge_permissions(namespace: str, answers: Mapping[str, Answer]) -> Finding:
    """Judge what the server let a client do.

    Args:
        namespace: The namespace.
        answers: What was tried, such as "create", and what came of it.
    """
    where = f"workflows in namespace {namespace}"
    denied = [name for name, answer in answers.items() if answer == "denied"]
    if denied:
        verbs = ", ".join(_VERBS.get(name, name) for name in denied)
        rule = f"{{apiGroups: [argoproj.io], resources: [workflows], verbs: [{verbs}]}}"
        return Finding(
            "permissions",
            "fail",
            f"may not {_listed(denied)} {where}",
            f"The Role of the token's account lacks the rule {rule}: deploy/base/client.yaml has "
            "a Role with all that a client needs; `-n` names another namespace.",
        )
    unknown = [name for name, answer in answers.items() if answer == "unknown"]
    if unknown:
        said = f"nobody can say whether this account may {_listed(unknown)} workflows"
        return Finding("permissions", "warn", said, "The server did not answer as it should.")
    untried = "" if "delete" in answers else "; `--try` tries to stop and delete one"
    return Finding("permissions", "ok", f"may {_listed(list(answers))} {where}{untried}")


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def judge_topic(topic: str, partitions: int, wanted: int) -> Finding:
    """Judge the reply topic: 0 partitions mean that it does not exist."""
    if not partitions:
        return Finding(
            "topic",
            "warn",
            f"{topic} does not exist",
            "Clients make it if they may; else: kafka-topics.sh --create "
            f"--topic {topic} --partitions {wanted}",
        )
    return Finding("topic", "ok", f"{topic} with {partitions} partitions")


def judge_images(base: str, runtime: str | None, *, embedded: bool) -> Finding:
    """Judge which images a profile names."""
    if embedded:
        return Finding("images", "ok", "none is pulled: commands run on this machine")
    if runtime is None:
        return Finding(
            "images",
            "warn",
            f"functions run in {base}; no runtime image is named",
            "Exit notices and files that come back need one: build docker/runtime, and name it in "
            "Profile(runtime_image=…).",
        )
    return Finding("images", "ok", f"functions run in {base}, notices in {runtime}")


def judge_disk(place: str, free: int) -> Finding:
    """Judge the space for temporary files, in bytes."""
    said = f"{free / _MEGABYTE:,.0f} MiB are free in {place}"
    if free >= 200 * _MEGABYTE:
        return Finding("disk", "ok", said)
    state: State = "warn" if free >= 20 * _MEGABYTE else "fail"
    return Finding("disk", state, said, "Make room, or set TMPDIR to another place.")
