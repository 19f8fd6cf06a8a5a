"""A value that users may also give as a mapping in Argo's and Kubernetes' own names."""

from collections.abc import Mapping
from typing import Any, TypeVar

from aiowf.errors import ConfigurationError
from aiowf.manifest.converter import structure
from aiowf.manifest.paths import path_of
from aiowf.manifest.spelling import check_fields

T = TypeVar("T")


def read_value(data: Any, cls: type[T], where: str, *, nulls: bool = True) -> T:
    """Return a value from itself or from a mapping.

    Args:
        data: The value, or the mapping.
        cls: Its class.
        where: Begin of the path in errors.
        nulls: Whether None for a field is an explicit null; else it says nothing.

    Raises:
        ConfigurationError: Something else, a field that Argo does not know (the hint is the nearest
            one), or one whose value has another type.
    """
    if isinstance(data, cls):
        return data
    if not isinstance(data, Mapping):
        raise ConfigurationError(
            f"expected a mapping or a {cls.__name__}, not {data!r:.80}", where=where
        )
    check_fields(data, cls.__name__, where)
    if not nulls:
        data = {name: item for name, item in data.items() if item is not None}
    try:
        return structure(data, cls)
    except ConfigurationError as error:
        raise ConfigurationError(
            error.message, where=path_of(where, error.where or ""), hint=error.hint
        ) from None
