"""What commands write to stdout: tables for people, JSON and YAML for programs."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aiowf.cli.errors import CommandError

if TYPE_CHECKING:
    from aiowf.display.text import Column

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("table", "json", "yaml")


def output_option(command: F) -> F:
    """Add `--output`; that YAML can be written is seen before anything is done."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        callback=need_yaml,
        help="For people, or for programs.",
    )(command)


def need_yaml(context: click.Context, parameter: click.Parameter, output: Any) -> Any:
    """Return the format that is wanted.

    Raises:
        CommandError: It is YAML, and PyYAML is not installed.
    """
    if output == "yaml":
        import_yaml()
    return output


def write(text: str) -> None:
    """Write a line, or a text of several, to stdout."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def write_data(data: Any, output: str) -> None:
    """Write JSON data as JSON or YAML; programs get it as it is.

    Raises:
        CommandError: YAML is wanted, and PyYAML is not installed.
    """
    write(yaml_of(data) if output == "yaml" else json_of(data))


def json_of(data: Any, *, indent: bool = True) -> str:
    """Return data as JSON; what JSON cannot say stands as text, and control characters escaped."""
    import orjson

    option = orjson.OPT_INDENT_2 if indent else 0
    text = orjson.dumps(data, option=option | orjson.OPT_NON_STR_KEYS, default=str).decode()
    # C1 controls and DEL are plain characters to JSON, and commands to a terminal.
    return "".join(f"\\u{ord(c):04x}" if "\x7f" <= c <= "\x9f" else c for c in text)


def has_yaml() -> bool:
    """Return whether PyYAML is installed."""
    try:
        import_yaml()
    except CommandError:
        return False
    return True


def yaml_of(data: Any) -> str:
    """Return data as YAML.

    Raises:
        CommandError: PyYAML is not installed.
    """
    import orjson

    yaml = import_yaml()
    # By way of JSON, so that no two places share an object (YAML's anchors).
    plain = orjson.loads(orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS, default=str))
    text: str = yaml.dump(plain, Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True)
    return text


def import_yaml() -> Any:
    """Return the module `yaml`.

    Raises:
        CommandError: PyYAML is not installed.
    """
    try:
        import yaml
    except ModuleNotFoundError:
        raise CommandError(
            "YAML needs PyYAML, which is not installed: pip install 'aiowf[yaml]'"
        ) from None
    return yaml


def write_table(
    columns: "Sequence[Column]",
    rows: Sequence[Sequence[str]],
    styles: Sequence[str | None] = (),
    *,
    styled: int = 0,
) -> None:
    """Write a table, as wide as the terminal is; into a pipe nothing is cut.

    Args:
        columns: The columns.
        rows: Their cells, as they came from a server.
        styles: For each row the colour of one cell, or None.
        styled: Title number of that cell's column.
    """
    from aiowf.display.text import colours, joined, paint, table, terminal_width

    colour = colours(sys.stdout)
    heading, *lines = table(columns, rows, terminal_width())
    write(paint(joined(heading), "dim", colour=colour))
    text = []
    for line, style in zip(lines, styles or [None] * len(lines), strict=True):
        if colour and style and styled < len(line):
            line[styled] = paint(line[styled], style, colour=True)
        text.append(joined(line))
    if text:
        write("\n".join(text))
