"""Answers: status, headers and body → a value, or an ArgoError that names the request."""

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson

from aiowf.errors import ConfigurationError
from aiowf.manifest import structure
from aiowf.wire.errors import A_PAGE, error_of, unreadable
from aiowf.wire.requests import Request

T = TypeVar("T")


def read_json(request: Request, status: int, headers: Mapping[str, str], body: bytes) -> Any:
    """Return the JSON of an answer.

    Raises:
        ArgoError: The server refused, or what it answered is not JSON: under a wrong base href
            Argo answers 200 and the page of its user interface.
    """
    if status != 200:
        raise error_of(request, status, headers, body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = A_PAGE if body.lstrip()[:1] == b"<" else f"what is not JSON ({error})"
        raise unreadable(request, f"the server answered {what}", status=status) from None


def read_value(
    request: Request, status: int, headers: Mapping[str, str], body: bytes, cls: type[T]
) -> T:
    """Return the value that an answer holds.

    Raises:
        ArgoError: The server refused, or the answer does not have the form of `cls`.
    """
    return as_value(request, read_json(request, status, headers, body), cls)


def as_value(request: Request, data: Any, cls: type[T]) -> T:
    """Return JSON data as a value; with dict or str as `cls`, as it is.

    Raises:
        ServerError: The data does not have the form of `cls`.
    """
    if cls in (dict, str):
        if isinstance(data, cls):
            return data
        raise unreadable(request, f"the answer cannot be read: {data!r:.60} is no {cls.__name__}")
    try:
        return structure(data, cls)
    except ConfigurationError as error:
        raise unreadable(request, f"the answer cannot be read: {error}") from None


def read_items(request: Request, data: Any, cls: type[T]) -> tuple[T, ...]:
    """Return the items of a list answer; an empty one has `"items": null`."""
    items = data.get("items") if isinstance(data, dict) else data
    if items is None and isinstance(data, dict):
        return ()
    if not isinstance(data, dict) or not isinstance(items, list):
        raise unreadable(request, "the answer has no list of items")
    return tuple(as_value(request, item, cls) for item in items)
