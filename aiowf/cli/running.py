"""`aiowf run` and `aiowf submit`: operations and files become workflows."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from aiowf.cli.calling import as_operation, becomes_workflow, call, check_calls
from aiowf.cli.completion import OPERATION
from aiowf.cli.embedded import engine_options, engine_settings
from aiowf.cli.errors import CommandError, Exit, code_of, report_failure, say
from aiowf.cli.listing import Since
from aiowf.cli.manifests import Document, parse_parameters, read, with_parameters
from aiowf.cli.output import output_option, write, write_data
from aiowf.cli.target import Target, connection_options, no_server, run_to_end

if TYPE_CHECKING:
    from aiowf.client import Client, Result, Run
    from aiowf.errors import AiowfError

_KINDS = {
    "workflowtemplate": "WorkflowTemplate",
    "wftmpl": "WorkflowTemplate",
    "clusterworkflowtemplate": "ClusterWorkflowTemplate",
    "cwft": "ClusterWorkflowTemplate",
    "cronworkflow": "CronWorkflow",
    "cronwf": "CronWorkflow",
    "cwf": "CronWorkflow",
}
_ON_CANCEL = click.option(
    "--on-cancel",
    type=click.Choice(("leave", "stop", "terminate")),
    help="What Ctrl-C does where nobody can be asked. Default: leave; on the embedded engine stop.",
)
_TIMEOUT = click.option("--timeout", type=Since(), help="Wait no longer than this: 30s, 10m, 2h.")
_ID = click.option("--id", metavar="TEXT", help="The same id attaches to the same workflow.")


@click.command()
@click.argument("targets", nargs=-1, required=True, type=OPERATION, metavar="FILE.py:OP…")
@click.option("--files", "directory", type=click.Path(file_okay=False), metavar="DIRECTORY",
              help="Save the files that come back there.")  # fmt: skip
@click.option("-a", "--arg", "arguments", multiple=True, metavar="VALUE",
              help="An argument for a function, in their order: JSON, or else text.")  # fmt: skip
@_ID
@_TIMEOUT
@_ON_CANCEL
@engine_options
@output_option
@connection_options
@click.pass_obj
def run(
    target: Target,
    targets: Sequence[str],
    arguments: Sequence[str],
    directory: str | None,
    id: str | None,
    timeout: timedelta | None,
    on_cancel: str | None,
    containers: bool | None,
    build: str | None,
    images: Mapping[str, Sequence[str]],
    output: str,
) -> int:
    """Run operations of a Python file.

    They run to their end, and what they give is shown: values on stdout, everything else on stderr.
    OP is the name of an operation, of a list of them, or of a function: one that @aiowf.task has
    decorated runs in a workflow, any other here, while a client is open. Without a server the
    embedded engine serves.
    """
    from aiowf.cli.source import is_operation, load

    engine = engine_settings(target, containers, build, images)
    found = load(targets)
    for title, value in found:
        if not (is_operation(value) or callable(value)):
            raise CommandError(f"{title} is {value!r:.60}, which cannot be run",
                               "Name an operation, a list of them, or a function.")  # fmt: skip
        if arguments and is_operation(value):
            raise CommandError(f"{title} is an operation, and takes no --arg",
                               "Its arguments are part of it.", Exit.USAGE)  # fmt: skip
    values = [_argument(each) for each in arguments]
    found = [(title, as_operation(value, values, directory)) for title, value in found]
    said = {"--id": id, "--files": directory, "--on-cancel": on_cancel}
    check_calls(found, [name for name, each in said.items() if each is not None], timeout)
    outcomes = run_to_end(target, _run(target, found, values, id, timeout, on_cancel, engine))
    return _tell(outcomes, output, directory)


async def _run(
    target: Target,
    found: Sequence[tuple[str, Any]],
    arguments: Sequence[Any],
    id: str | None,
    timeout: timedelta | None,
    on_cancel: str | None,
    engine: Mapping[str, Any],
) -> list[tuple[str, Any]]:
    """Run operations and functions; return what came of each, by its title."""
    from aiowf.cli.waiting import attend, console
    from aiowf.display.progress import Progress

    outcomes: list[tuple[str, Any]] = []
    seconds = timeout.total_seconds() if timeout else None
    async with target.client(embedded=True, kafka=True, **engine) as client:
        runs: list[tuple[str, Run[Any]]] = []
        for title, value in found:
            if becomes_workflow(value):
                runs.append((title, await client.submit(value, id=id)))
            else:
                outcomes.append((title, await call(title, value, arguments, seconds)))
        if runs:
            async with Progress(console(sys.stderr)) as progress:
                ended = await attend(
                    client,
                    [each for _, each in runs],
                    progress,
                    on_cancel=on_cancel,
                    timeout=seconds,
                )
            outcomes += zip([title for title, _ in runs], ended, strict=True)
    return outcomes


@click.command()
@click.argument("files", nargs=-1, type=click.Path(allow_dash=True), metavar="[FILE.yaml…]")
@click.option("--from", "template", metavar="KIND/NAME",
              help="A stored template instead: workflowtemplate/etl.")  # fmt: skip
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE",
              help="A value for a parameter of the workflow.")  # fmt: skip
@click.option("--wait", "-w", is_flag=True, help="Wait for the end, and show what happens.")
@click.option("--log", is_flag=True, help="Show the logs, too; implies --wait.")
@_ID
@_TIMEOUT
@_ON_CANCEL
@engine_options
@output_option
@connection_options
@click.pass_obj
def submit(
    target: Target,
    files: Sequence[str],
    template: str | None,
    parameters: Sequence[str],
    wait: bool,
    log: bool,
    id: str | None,
    timeout: timedelta | None,
    on_cancel: str | None,
    containers: bool | None,
    build: str | None,
    images: Mapping[str, Sequence[str]],
    output: str,
) -> int:
    """Submit workflows from files.

    FILE is YAML or JSON, with one document or several; "-" is standard input. All are checked
    before the first is sent. With --wait the embedded engine will do where no server is named.
    """
    if bool(files) == bool(template):
        raise click.UsageError(
            "Name files, or a template with --from.", click.get_current_context()
        )
    python = next((each for each in files if each.endswith(".py") or ".py:" in each), None)
    if python is not None:
        raise CommandError(
            f"{python} is Python, and no manifest",
            f"`aiowf run {shlex.quote(python)}` runs its operations.",
            Exit.USAGE,
        )
    wait = wait or log
    engine = engine_settings(target, containers, build, images)
    values = parse_parameters(parameters)
    documents = [with_parameters(each, values) for each in read(files)]
    _check(documents)
    if not wait and target.place().is_local:
        raise no_server("nothing would run once this command ends (--wait runs it here)")
    stored = None if template is None else _template(template)

    async def work() -> "tuple[Sequence[Run[Any]], list[Result[Any] | AiowfError]]":
        async with target.client(embedded=wait, **engine) as client:
            if stored is not None:
                kind, name = stored
                runs = [await client.submit_from(name, values, kind=kind, id=id)]
            else:
                runs = [await client.submit(each.data, id=id) for each in documents]
            if output == "table":
                write("\n".join(each.name for each in runs))
                sys.stdout.flush()
            if not wait:
                return runs, []
            return runs, await _wait(client, runs, log, timeout, on_cancel, output)

    runs, ended = run_to_end(target, work())
    if wait:
        outcomes = [(run.name, outcome) for run, outcome in zip(runs, ended, strict=True)]
        return _failures(outcomes) if output == "table" else _tell(outcomes, output, None)
    if output != "table":
        write_data([{"name": run.name, "namespace": run.namespace} for run in runs], output)
    return Exit.DONE


async def _wait(
    client: "Client",
    runs: "Sequence[Run[Any]]",
    log: bool,
    timeout: timedelta | None,
    on_cancel: str | None,
    output: str,
) -> "list[Result[Any] | AiowfError]":
    from aiowf.cli.waiting import attend, console
    from aiowf.display.progress import Progress

    screen = console(sys.stdout if output == "table" else sys.stderr)
    async with Progress(screen) as progress:
        return await attend(
            client,
            runs,
            progress,
            on_cancel=on_cancel,
            log=log,
            timeout=timeout.total_seconds() if timeout else None,
        )


def _argument(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _check(documents: Sequence[Document]) -> None:
    """Check all documents before the first is sent."""
    from aiowf.client.planning import as_workflow
    from aiowf.errors import ConfigurationError
    from aiowf.manifest.checks import check_workflow

    for document in documents:
        if document.kind != "Workflow":
            raise CommandError(
                f"{document.place} is a {document.kind}, and not a Workflow",
                "A stored template is submitted by --from workflowtemplate/NAME."
                if document.kind.lower() in _KINDS
                else "Only workflows are submitted; kubectl creates other objects.",
            )
        try:
            check_workflow(as_workflow(document.data))
        except ConfigurationError as error:
            hint = f"{error.hint} Nothing was sent." if error.hint else "Nothing was sent."
            raise CommandError(f"{document.place}: {error._lines()[0]}", hint) from error


def _template(text: str) -> tuple[str, str]:
    kind, slash, name = text.rpartition("/")
    found = _KINDS.get(kind.lower() if slash else "workflowtemplate")
    if found is None or not name:
        raise CommandError(
            f"--from {text!r} names no template",
            "Such as workflowtemplate/etl, clusterworkflowtemplate/etl or cronworkflow/etl.",
            Exit.USAGE,
        )
    return found, name


def _tell(outcomes: Sequence[tuple[str, Any]], output: str, directory: str | None) -> int:
    """Write what came of everything; return the exit code."""
    from aiowf.client import Result

    if directory is not None:
        for title, outcome in outcomes:
            if isinstance(outcome, Result) and outcome.files:
                place = directory if len(outcomes) == 1 else f"{directory}/{outcome.name}"
                outcome.files.save(place)
                say(f"aiowf: {title}: {len(outcome.files)} files are in {place}")
    if output != "table":
        facts = [_facts(title, outcome) for title, outcome in outcomes]
        write_data(facts[0] if len(facts) == 1 else facts, output)
        return _failures(outcomes)
    for title, outcome in outcomes:
        if isinstance(outcome, Exception):
            continue
        text = _text(outcome.value if isinstance(outcome, Result) else outcome)
        if text is not None:
            write(text if len(outcomes) == 1 else f"{title}: {text}")
        for warning in outcome.warnings if isinstance(outcome, Result) else ():
            say(f"aiowf: warning: {title}: {_text(warning)}")
    return _failures(outcomes)


def _failures(outcomes: Sequence[tuple[str, Any]]) -> int:
    """Say why some did not succeed; return the exit code, of the first of them."""
    errors = [outcome for _, outcome in outcomes if isinstance(outcome, Exception)]
    sys.stdout.flush()
    for error in errors:
        report_failure(error)
    return code_of(errors[0]) if errors else Exit.DONE


def _text(value: Any) -> str | None:
    """Return a value as people read it; None if there is none."""
    from aiowf.cli.output import json_of
    from aiowf.display.escape import visible

    if value is None:
        return None
    if isinstance(value, str):
        return "\n".join(visible(line) for line in value.split("\n"))
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, Mapping | list | tuple):
        return json_of(value, indent=False)
    return visible(repr(value))


def _facts(title: str, outcome: Any) -> dict[str, Any]:
    from aiowf.cli.errors import line_of
    from aiowf.client import Result

    if isinstance(outcome, Exception):
        result = getattr(outcome, "result", None)
        facts = _facts(title, result) if result is not None else {"operation": title}
        return {**facts, "error": line_of(outcome)}
    if not isinstance(outcome, Result):
        return {"operation": title, "value": outcome}
    return {
        "operation": title,
        "name": outcome.name,
        "phase": outcome.phase,
        "message": outcome.message,
        "value": None if not outcome.succeeded else outcome.value,
        "values": {name: outcome.values[name] for name in outcome.values}
        if outcome.succeeded
        else {},
        "files": sorted(outcome.files),
        "warnings": list(outcome.warnings),
    }


COMMANDS = (run, submit)
