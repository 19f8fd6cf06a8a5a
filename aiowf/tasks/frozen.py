"""Mappings as parts of values: they cannot change, and can be hashed."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

V = TypeVar("V")


class FrozenMapping(Mapping[str, V]):
    """A mapping that cannot change; equal to any mapping with the same items."""

    __slots__ = ("_hash", "_items")

    def __init__(self, items: Mapping[str, V] | None = None) -> None:
        self._items: dict[str, V] = dict(items or {})
        self._hash: int | None = None  # of _items; computed when first asked for

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._items.items()))
        return self._hash

    def __repr__(self) -> str:
        return repr(self._items)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenMapping, (self._items,)


EMPTY: FrozenMapping[Any] = FrozenMapping()


def freeze(data: Any) -> Any:
    """Return JSON data with its mappings frozen and its lists as tuples."""
    if isinstance(data, Mapping):
        return FrozenMapping({key: freeze(item) for key, item in data.items()})
    if isinstance(data, list | tuple):
        return tuple(map(freeze, data))
    return data


def thaw(data: Any) -> Any:
    """Return frozen data as dicts and lists again."""
    if isinstance(data, FrozenMapping):
        return {key: thaw(item) for key, item in data.items()}
    return [thaw(item) for item in data] if isinstance(data, tuple) else data


def plain(data: FrozenMapping[V]) -> dict[str, V] | None:
    """Return a frozen mapping of scalars as a dict, or None if it is empty."""
    return None if data is EMPTY else dict(data) or None


def freeze_mapping(data: Mapping[str, V] | None) -> FrozenMapping[V]:
    """Return a mapping of scalars frozen; None is an empty one."""
    if not data:
        return EMPTY
    return data if isinstance(data, FrozenMapping) else FrozenMapping(data)
