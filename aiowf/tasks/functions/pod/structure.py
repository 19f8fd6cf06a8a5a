"""JSON values to what the annotations say: functions that make decoders out of decoders."""

from typing import Any, Callable

from .rich import tidy

Decoder = Callable[[Any], Any]


def same(value: Any) -> Any:
    """Leave the value as JSON has it."""
    return value


def many(make: Callable[..., Any], item: Decoder) -> Decoder:
    """Decode a list into a collection of items of one type."""
    return lambda value: make(map(item, value))


def row(make: Callable[..., Any], *items: Decoder) -> Decoder:
    """Decode a list into a tuple with a type for each place."""
    return lambda value: make(decode(x) for decode, x in zip(items, value))


def table(key: Decoder, item: Decoder) -> Decoder:
    """Decode an object into a dict."""
    return lambda value: {key(k): item(x) for k, x in value.items()}


def record(cls: Any, fields: Callable[[], dict[str, Any]]) -> Decoder:
    """Decode an object into an instance; `fields` gives (argument or "", decoder) by field name."""

    def decode(value: dict[str, Any]) -> Any:
        found = [(n, *how) for n, how in fields().items() if n in value]
        made = cls(**{arg: item(value[n]) for n, arg, item in found if arg})
        for n, arg, item in found:
            if not arg:
                object.__setattr__(made, n, item(value[n]))
        return made

    return decode


def member(cls: Any) -> Decoder:
    """Decode the value of an enum's member, or its text where it is the key of a dict."""

    def decode(value: Any) -> Any:
        for each in cls:
            if tidy(each.value) == value or str(tidy(each.value)) == value:
                return each
        return cls(value)

    return decode


def either(**kinds: Decoder) -> Decoder:
    """Decode one of several types, told apart by the kind of JSON value."""
    return lambda value: kinds.get(kind_of(value), same)(value)


def by_field(**decoders: Decoder) -> Decoder:
    """Decode one of several records, told apart by a field that only one of them has."""
    return lambda value: next(decoders[name] for name in decoders if name in value)(value)


def kind_of(value: Any) -> str:
    """Name the kind of a JSON value."""
    names = {bool: "flag", int: "number", float: "number", str: "string", list: "array"}
    return names.get(type(value), "null" if value is None else "object")


def structured(
    places: list[Any], rest: Decoder, names: dict[str, Any], others: Decoder
) -> Callable[..., Any]:
    """Decode positional arguments by place and keyword arguments by name."""

    def decode(args: list[Any], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        how = places + [rest] * (len(args) - len(places))
        return (
            [item(value) for item, value in zip(how, args)],
            {name: names.get(name, others)(value) for name, value in kwargs.items()},
        )

    return decode
