"""`aiowf render` and `aiowf lint`: workflows before they are submitted."""

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

import click

from aiowf.cli.completion import OPERATION
from aiowf.cli.errors import CommandError, Exit, code_of, line_of, say
from aiowf.cli.output import (
    has_yaml,
    import_yaml,
    json_of,
    need_yaml,
    output_option,
    write,
    write_data,
    yaml_of,
)
from aiowf.cli.target import Target, connection_options, run_to_end
from aiowf.errors import AiowfError

if TYPE_CHECKING:
    from aiowf.manifest import Workflow


@click.command()
@click.argument("targets", nargs=-1, required=True, type=OPERATION, metavar="FILE.py:OP…")
@click.option(
    "-o",
    "--output",
    type=click.Choice(("yaml", "json")),
    callback=need_yaml,
    help="Default: yaml; its JSON form where PyYAML is not installed. json: several operations "
    "become a list.",
)
@connection_options
@click.pass_obj
def render(target: Target, targets: Sequence[str], output: str | None) -> None:
    """Show the workflow of an operation.

    Nothing is sent. Images and accounts are those of the profile that AIOWF_PROFILE names.
    """
    from aiowf.cli.source import load
    from aiowf.manifest import unstructure

    profile = target.settings(kafka=False).profile
    found = []
    for title, value in load(targets):
        if not callable(getattr(value, "to_workflow", None)):
            raise CommandError(
                f"{title} is {_kind(value)}, which becomes no workflow",
                "Name an operation that runs in containers.",
            )
        found.append(unstructure(value.to_workflow(profile)))
    if output == "json":
        write_data(found[0] if len(found) == 1 else found, output)
    else:
        write("---\n".join(_document(each) for each in found))


def _document(data: Any) -> str:
    """Return a document of YAML; without PyYAML in JSON, which is YAML as well."""
    return yaml_of(data) if has_yaml() else f"{json_of(data)}\n"


@click.command()
@click.argument("targets", nargs=-1, required=True, type=OPERATION, metavar="FILE…")
@click.option("--offline", is_flag=True, help="Do not ask the server, even if one is named.")
@output_option
@connection_options
@click.pass_obj
def lint(target: Target, targets: Sequence[str], offline: bool, output: str) -> int:
    """Check workflows without running them.

    FILE is one of YAML or JSON, "-" for standard input, or FILE.py:OP for an operation. Checked is
    what Argo would refuse, or drop without a word; and where a server is named, it is asked as
    well. Nothing is created.
    """
    named = not offline and not target.place().is_local
    findings: list[dict[str, Any]] = []
    subjects = _subjects(targets, findings)

    async def ask() -> None:
        async with target.client() as client:
            for place, what in subjects:
                findings.append({"place": place, "problem": await _problem(client.lint(what))})

    if named:
        run_to_end(target, ask())
    else:
        findings += [{"place": place, "problem": _check(target, what)} for place, what in subjects]
    wrong = [each for each in findings if each["problem"] is not None]
    if output != "table":
        write_data(findings, output)
    else:
        for each in findings:
            if each["problem"] is None:
                write(f"✓ {each['place']}")
            else:
                write(f"✗ {each['place']}: {each['problem']}")
        if not named:
            say("aiowf: no server was asked, so templates that are stored there are not known")
    return Exit.INVALID if wrong else Exit.DONE


async def _problem(lint: Awaitable[Any]) -> str | None:
    """Return what the server, or the check before it, finds wrong; None: nothing."""
    try:
        await lint
    except AiowfError as error:
        if code_of(error) is not Exit.INVALID:
            raise
        # The library advises to lint, which is what happens here.
        return line_of(error, hint="client.lint" not in (error.hint or ""))
    return None


def _subjects(targets: Sequence[str], findings: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Return what is to be checked, by its place; what cannot even be read is a finding."""
    from aiowf.cli.manifests import read
    from aiowf.cli.source import load

    found: list[tuple[str, Any]] = []
    if not all(map(_is_python, targets)):
        import_yaml()
    for each in targets:
        try:
            if _is_python(each):
                found += [(f"{each} ({name})", value) for name, value in load([each])]
            else:
                for document in read([each]):
                    if document.kind == "Workflow":
                        found.append((document.place, document.data))
                    else:
                        problem = f"a {document.kind} is not checked here, only workflows are"
                        findings.append({"place": document.place, "problem": problem})
        except Exception as error:
            findings.append({"place": each, "problem": _without(each, line_of(error))})
    return found


def _without(place: str, line: str) -> str:
    """Return what is wrong at a place that is told already."""
    return line.removeprefix(place).removeprefix(":").lstrip()


def _is_python(target: str) -> bool:
    """Return whether FILE.py:name or module:name is meant."""
    return ".py" in target or (":" in target and not target.endswith((".yaml", ".yml", ".json")))


def _check(target: Target, what: Any) -> str | None:
    """Return what is wrong, as far as that can be known without a server; None: nothing."""
    from aiowf.client.planning import as_workflow
    from aiowf.manifest.checks import check_workflow

    try:
        is_operation = hasattr(what, "to_workflow")
        check_workflow(_rendered(target, what) if is_operation else as_workflow(what))
    except AiowfError as error:
        return line_of(error)
    return None


def _rendered(target: Target, op: Any) -> "Workflow":
    """Return the workflow of an operation; without a server, as the embedded engine runs it."""
    from aiowf.manifest.rendering import Submission
    from aiowf.wire.labels import ENGINE_RUNTIME_IMAGE

    image = ENGINE_RUNTIME_IMAGE if target.place().is_local else None
    known = Submission(workflow_name="", runtime_image=image)
    found: Workflow = op.to_workflow(target.settings(kafka=False).profile, submission=known)
    return found


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"


COMMANDS = (render, lint)
