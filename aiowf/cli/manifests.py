"""Files of workflows: YAML or JSON, one document or several, or standard input."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from aiowf.cli.errors import CommandError, Exit
from aiowf.cli.output import import_yaml

_MOST_BYTES = 10 * 1024 * 1024
_MOST_PARTS = 1_000_000


@frozen
class Document:
    """One document of a file.

    Attributes:
        place: The file, with the number of the document where there are several.
        data: What it says.
    """

    place: str
    data: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Return what it is; a document that does not say is a Workflow."""
        return str(self.data.get("kind") or "Workflow")


def read(paths: Sequence[str]) -> list[Document]:
    """Return the documents of files; "-" is standard input.

    Raises:
        CommandError: A file cannot be read, is not YAML, or holds no workflow.
    """
    return [document for path in paths for document in _read(path)]


def with_parameters(document: Document, parameters: Mapping[str, str]) -> Document:
    """Return a workflow with other values for its parameters.

    Raises:
        CommandError: It has no such parameter.
    """
    if not parameters:
        return document
    spec = _mapping(document.data.get("spec"))
    arguments = _mapping(spec.get("arguments"))
    listed = arguments.get("parameters")
    declared = [each for each in listed if isinstance(each, Mapping)] if listed else []
    known = [str(each.get("name")) for each in declared]
    unknown = next((name for name in parameters if name not in known), None)
    if unknown is not None and "workflowTemplateRef" not in spec:
        from aiowf.manifest.names import nearest

        hint = nearest(unknown, known) or "It has " + (", ".join(known) or "no parameters") + "."
        raise CommandError(f"{document.place}: the workflow has no parameter {unknown!r}", hint)
    changed = [
        {**each, "value": parameters[name]}
        if (name := str(each.get("name"))) in parameters
        else each
        for each in declared
    ]
    changed += [
        {"name": name, "value": value} for name, value in parameters.items() if name not in known
    ]
    arguments = {**arguments, "parameters": changed}
    return evolve(document, data={**document.data, "spec": {**spec, "arguments": arguments}})


def parse_parameters(words: Sequence[str]) -> dict[str, str]:
    """Return "name=value" words as a mapping.

    Raises:
        CommandError: One of them is none.
    """
    found = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise CommandError(
                f"-p {word!r}: a parameter is name=value", "Such as -p day=monday", Exit.USAGE
            )
        found[name] = value
    return found


def _mapping(data: Any) -> Mapping[str, Any]:
    return data if isinstance(data, Mapping) else {}


def _read(path: str) -> Iterator[Document]:
    name = "standard input" if path == "-" else path
    documents = [each for each in _parse(_text(path, name), name) if each is not None]
    if not documents:
        raise CommandError(f"{name} is empty", "It is to hold a Workflow, in YAML or JSON.")
    for number, data in enumerate(documents, 1):
        place = name if len(documents) == 1 else f"{name} (document {number})"
        if not isinstance(data, dict):
            raise CommandError(
                f"{place} is no workflow, but a {_KINDS.get(type(data), 'text')}",
                "A workflow begins with apiVersion, kind and metadata.",
            )
        _check_size(data, place)
        yield Document(place, data)


_KINDS: Mapping[type, str] = {list: "list", int: "number", float: "number", bool: "truth value"}


def _text(path: str, name: str) -> str:
    try:
        if path == "-":
            data = sys.stdin.buffer.read(_MOST_BYTES + 1) if sys.stdin is not None else b""
        else:
            with Path(path).open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}", _look(path)) from None
    if len(data) > _MOST_BYTES:
        raise CommandError(f"{name} has more than {_MOST_BYTES >> 20} MiB", "Is this a workflow?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(
            f"{name} is not UTF-8 text: byte {error.start} is 0x{data[error.start]:02x}",
            "Save it as UTF-8.",
        ) from None


def _look(path: str) -> str:
    if path == "-":
        return "Pipe something into it."
    place = Path(path)
    try:
        names = [each.name for each in place.parent.iterdir() if each != place]
    except OSError:
        names = []
    near = get_close_matches(place.name, names, 1, 0.8)
    if near and not place.exists():
        return f"Did you mean {place.with_name(near[0])}?"
    return "Look at its name and at its permissions."


def _parse(text: str, name: str) -> list[Any]:
    yaml = import_yaml()
    try:
        return list(yaml.load_all(text, Loader=_loader(yaml)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        said = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise CommandError(f"{name} is not YAML{place}: {said}", "Correct the file.") from None
    except RecursionError:
        raise CommandError(f"{name} is nested too deeply", "Is this a workflow?") from None


def _loader(yaml: Any) -> Any:
    """Return a loader that gives JSON's types alone, and takes no key twice."""

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            # Keys that a merge ("<<") brings may be overridden; those that are written may not.
            keys = [key.value for key, _ in node.value if key.tag != _MERGE]
            twice = next((key for key in keys if keys.count(key) > 1), None)
            if twice is not None and all(isinstance(key, str) for key in keys):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {twice!r} stands there twice", node.start_mark
                )
            found = super().construct_mapping(node, deep=deep)
            return {key if isinstance(key, str) else _json_key(key): found[key] for key in found}

    # A date stays the text that it is: Argo's parameters are texts.
    Loader.yaml_implicit_resolvers = {
        first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader


_MERGE = "tag:yaml.org,2002:merge"


def _json_key(key: Any) -> str:
    return {True: "true", False: "false", None: "null"}.get(key, str(key))


def _check_size(data: Any, place: str) -> None:
    """Check how much a document is when its aliases are written out."""
    left, waiting = _MOST_PARTS, [data]
    while waiting:
        part = waiting.pop()
        left -= 1
        if left < 0:
            raise CommandError(
                f"{place} has more than {_MOST_PARTS:,} parts", "Do its aliases multiply?"
            )
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list | tuple | set):
            waiting.extend(part)
