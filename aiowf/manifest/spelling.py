"""Misspelt fields: Argo's server drops a field that it does not know without a word."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from attrs import frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest.names import nearest
from aiowf.manifest.paths import path_of

# Definition → field → what is in it: "" a leaf, "X" an object, "[X" a list and "{X" a map of them.
FieldNames = Mapping[str, Mapping[str, str]]


@cache
def field_names() -> FieldNames:
    """Return the fields of every definition that a workflow consists of, by Argo's schema."""
    from importlib.resources import files

    import orjson

    table: FieldNames = orjson.loads(
        files("aiowf.manifest").joinpath("field_names.json").read_bytes()
    )
    return table


@frozen
class UnknownField:
    """A field that Argo does not know.

    Attributes:
        where: The object that holds it, such as "templates[2].container.volumeMounts[0]".
        name: Its name.
        hint: The nearest right name, as a sentence, or None.
    """

    where: str
    name: str
    hint: str | None


def check_fields(data: Any, definition: str = "Workflow", where: str = "") -> None:
    """Check that every field, at any depth, is one that Argo knows.

    Args:
        data: JSON data (dicts, lists and scalars).
        definition: What it is, by Argo's short name, such as "Workflow" or "Template".
        where: The path of `data`, which begins the path in errors. Paths in a Workflow begin
            inside its `spec`.

    Raises:
        ConfigurationError: At least one is unknown. The first is told in full, with the nearest
            right name; names match in their case too, although Argo's server itself, being
            written in Go, would take "readonly" for "readOnly".
    """
    unknown = list(unknown_fields(data, definition, where))
    if not unknown:
        return
    first, *more = unknown
    others = ", ".join(path_of(other.where, other.name) for other in more[:5])
    hints = [first.hint, f"{len(more)} more: {others}" if more else None]
    raise ConfigurationError(
        f'unknown field "{first.name}"',
        where=first.where or None,
        hint="; ".join(hint for hint in hints if hint) or None,
    )


def unknown_fields(data: Any, definition: str, where: str = "") -> Iterator[UnknownField]:
    """Yield every field in JSON data that Argo does not know, in the order of the data."""
    if definition.startswith("["):
        for index, item in enumerate(data if isinstance(data, (list, tuple)) else ()):
            yield from unknown_fields(item, definition[1:], f"{where}[{index}]")
    elif isinstance(data, Mapping):
        if definition.startswith("{"):
            for key, item in data.items():
                yield from unknown_fields(item, definition[1:], path_of(where, key))
        elif definition:
            yield from _unknown_in_object(data, definition, where)


def _unknown_in_object(
    data: Mapping[str, Any], definition: str, where: str
) -> Iterator[UnknownField]:
    fields = field_names()[definition]
    for name, item in data.items():
        known = fields.get(name)
        if known is None:
            yield UnknownField(where, str(name), _hint(str(name), fields))
        elif known and item:
            yield from unknown_fields(item, known, path_of(where, name))


def _hint(name: str, fields: Mapping[str, str]) -> str | None:
    """Return the nearest field, or the part of the object where a field of that name belongs."""
    table = field_names()
    inside = [f'"{field}"' for field, kind in fields.items() if name in table.get(kind, ())]
    if inside:
        return f"it belongs in {' or '.join(inside)}"
    return nearest(name, fields)
