"""`aiowf submit`: files, and stored templates, become workflows."""

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from aiowf.cli.errors import CommandError, Exit
from aiowf.cli.execution import Execution, execution_options
from aiowf.cli.manifests import Document, parse_parameters, read, with_parameters
from aiowf.cli.output import write, write_data
from aiowf.cli.target import Target, no_server, run_to_end
from aiowf.cli.telling import failures, tell

if TYPE_CHECKING:
    from aiowf.client import Result, Run
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


@click.command()
@click.argument("files", nargs=-1, type=click.Path(allow_dash=True), metavar="[FILE.yaml…]")
@click.option("--from", "template", metavar="KIND/NAME",
              help="A stored template instead: workflowtemplate/etl.")  # fmt: skip
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE",
              help="A value for a parameter of the workflow.")  # fmt: skip
@click.option("--wait", "-w", is_flag=True, help="Wait for the end, and show what happens.")
@click.option("--log", is_flag=True, help="Show the logs, too; implies --wait.")
@execution_options
def submit(
    target: Target,
    execution: Execution,
    files: Sequence[str],
    template: str | None,
    parameters: Sequence[str],
    wait: bool,
    log: bool,
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
    values = parse_parameters(parameters)
    documents = [with_parameters(each, values) for each in read(files)]
    _check(documents)
    if not wait and target.place().is_local:
        raise no_server("nothing would run once this command ends (--wait runs it here)")
    stored = None if template is None else _template(template)

    async def work() -> "tuple[Sequence[Run[Any]], list[Result[Any] | AiowfError]]":
        async with target.client(embedded=wait, **execution.engine) as client:
            if stored is not None:
                kind, name = stored
                runs = [await client.submit_from(name, values, kind=kind, id=execution.id)]
            else:
                runs = [await client.submit(each.data, id=execution.id) for each in documents]
            if execution.is_for_people:
                write("\n".join(each.name for each in runs))
                sys.stdout.flush()
            if not wait:
                return runs, []
            return runs, await execution.wait(client, runs, log=log, shown=True)

    runs, ended = run_to_end(target, work())
    if wait:
        outcomes = [(run.name, outcome) for run, outcome in zip(runs, ended, strict=True)]
        if execution.is_for_people:
            return failures(outcomes)
        return tell(outcomes, execution.output, None)
    if not execution.is_for_people:
        told = [{"name": run.name, "namespace": run.namespace} for run in runs]
        write_data(told, execution.output)
    return Exit.DONE


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


COMMANDS = (submit,)
