"""Kubernetes' label selectors, and the field selectors that Argo takes."""

import re
from collections.abc import Callable, Mapping

from aiowf.engine.refusal import invalid

Labels = Mapping[str, str]
Matches = Callable[[Labels], bool]
_SET = re.compile(r"\s*([^\s,!=()]+)\s+(in|notin)\s*\(([^()]*)\)\s*")
_EQUAL = re.compile(r"\s*([^\s,!=()<>]+)\s*(==|=|!=)\s*([^\s,!=()]*)\s*")
_EXISTS = re.compile(r"\s*(!?)\s*([^\s,!=()]+)\s*")


def _split(text: str) -> list[str]:
    """Split at the commas outside of parentheses."""
    return re.split(r",(?![^()]*\))", text)


def _requirement(text: str) -> Matches:
    if match := _SET.fullmatch(text):
        key, how, listed = match.groups()
        values = frozenset(value.strip() for value in listed.split(","))
        if how == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match := _EQUAL.fullmatch(text):
        key, how, value = match.groups()
        if how == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _EXISTS.fullmatch(text):
        absent, key = match.groups()
        return lambda labels: (key in labels) != bool(absent)
    raise invalid(
        f"unable to parse requirement: found '{text}', expected: in, notin, =, ==, !=, gt, lt"
    )


def label_selector(text: str | None) -> Matches:
    """Parse a label selector; an empty one matches everything.

    Raises:
        Refusal: It cannot be read.
    """
    if not text or not text.strip():
        return lambda labels: True
    requirements = [_requirement(part) for part in _split(text)]
    if len(requirements) == 1:
        return requirements[0]
    return lambda labels: all(matches(labels) for matches in requirements)


def field_requirements(text: str | None) -> list[tuple[str, str, str]]:
    """Return the requirements of a field selector as (field, operator, value).

    Raises:
        Refusal: It cannot be read.
    """
    found: list[tuple[str, str, str]] = []
    for part in (text or "").split(","):
        if not part:
            continue
        match = re.fullmatch(r"([^=!<>]+)(==|!=|=|>|<)(.*)", part)
        if match is None:
            raise invalid(f"invalid selector: '{part}'; can't understand '{part}'")
        name, how, value = match.groups()
        found.append((name, "=" if how == "==" else how, value))
    return found
