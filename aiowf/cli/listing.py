"""`aiowf list`: the workflows of a server, page by page, without their nodes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from aiowf.cli.output import output_option, write, write_data, write_table
from aiowf.cli.target import Target, asynchronous, connection_options

if TYPE_CHECKING:
    from aiowf.argo import ArgoSession

PHASES = ("Pending", "Running", "Succeeded", "Failed", "Error")
_PAGE = 500
_METADATA = ("name", "namespace", "uid", "labels", "creationTimestamp")
_STATUS = ("phase", "message", "progress", "startedAt", "finishedAt")
_FIELDS = (
    "metadata",
    *(f"items.metadata.{name}" for name in _METADATA),
    *(f"items.status.{name}" for name in _STATUS),
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Since(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """A length of time, such as 30m, 12h or 7d."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Return it as a timedelta."""
        if isinstance(value, timedelta):
            return value
        number, unit = str(value)[:-1], str(value)[-1:]
        if unit not in _UNITS or not number.isdecimal() or len(number) > 6:
            self.fail(f"{value!r} is no time, such as 30m, 12h or 7d", param, ctx)
        return timedelta(seconds=int(number) * _UNITS[unit])


@click.command("list")
@click.option(
    "--phase",
    "phases",
    multiple=True,
    type=click.Choice(PHASES, case_sensitive=False),
    help="Only those of this phase; may be given more than once.",
)
@click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    metavar="SELECTOR",
    help="Only those with this label: name=value, or Kubernetes' other selectors.",
)
@click.option("--prefix", metavar="TEXT", help="Only those whose name begins so.")
@click.option("--since", type=Since(), help="Only those created since then: 30m, 12h, 7d.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many, the youngest.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Of all namespaces.")
@output_option
@connection_options
@asynchronous
async def list_(
    target: Target,
    phases: Sequence[str],
    labels: Sequence[str],
    prefix: str | None,
    since: timedelta | None,
    limit: int | None,
    all_namespaces: bool,
    output: str,
) -> None:
    """List workflows, the youngest first."""
    async with target.session() as session:
        found = await fetch(
            session,
            selector=selector_of(phases, labels),
            prefix=prefix or "",
            since=since,
            limit=limit,
            namespace="" if all_namespaces else None,
        )
    if output != "table":
        write_data(found, output)
    elif not found:
        place = "any namespace" if all_namespaces else f"namespace {session.namespace}"
        write(f"no such workflows in {place}" if phases or labels or prefix or since
              else f"no workflows in {place}")  # fmt: skip
    else:
        _write(found, datetime.now(UTC), namespaces=all_namespaces)


async def fetch(
    session: "ArgoSession",
    *,
    selector: str = "",
    prefix: str = "",
    since: timedelta | None = None,
    limit: int | None = None,
    namespace: str | None = None,
) -> list[Mapping[str, Any]]:
    """Return workflows as JSON, without their nodes."""
    created_after = None
    if since is not None:
        created_after = (datetime.now(UTC) - since).isoformat(timespec="seconds")
    found: list[Mapping[str, Any]] = []
    async for page in session.workflows.pages(
        namespace=namespace,
        label_selector=selector or None,
        created_after=created_after,
        fields=_FIELDS,
        page_size=_PAGE if limit is None or prefix else min(limit, _PAGE),
    ):
        # Servers know a filter for prefixes since v3.7 only.
        found += [each for each in page if str(each["metadata"].get("name")).startswith(prefix)]
        if limit is not None and len(found) >= limit:
            return found[:limit]
    return found


def selector_of(phases: Sequence[str], labels: Sequence[str]) -> str:
    """Return the label selector for phases and selectors."""
    from aiowf.wire.labels import ARGO_PHASE

    said = list(labels)
    if phases:
        said.append(f"{ARGO_PHASE} in ({','.join(phases)})")
    return ",".join(said)


def _write(found: Sequence[Mapping[str, Any]], now: datetime, *, namespaces: bool) -> None:
    from aiowf.display.text import Column, duration
    from aiowf.display.tree import SIGNS, parse_time

    columns = [
        Column("NAMESPACE", 5),
        Column("NAME", 9),
        Column("PHASE", 8),
        Column("AGE", 6),
        Column("DURATION", 4),
        Column("PROGRESS", 3),
        Column("MESSAGE", 2, shrinks=True),
    ]
    rows, styles = [], []
    for workflow in found:
        meta, status = workflow["metadata"], workflow.get("status") or {}
        begun, ended = parse_time(status.get("startedAt")), parse_time(status.get("finishedAt"))
        created = parse_time(meta.get("creationTimestamp")) or begun
        phase = str(status.get("phase") or "Pending")
        cells = (
            meta.get("namespace") if namespaces else "",
            meta.get("name"),
            phase,
            duration(float(int((now - created).total_seconds()))) if created else "",
            duration((ended or now) - begun) if begun else "",
            status.get("progress"),
            status.get("message"),
        )
        rows.append([str(cell or "") for cell in cells])
        styles.append(SIGNS.get(phase, ("", None))[1])
    if not namespaces:
        columns, rows = columns[1:], [row[1:] for row in rows]
    write_table(columns, rows, styles, styled=2 if namespaces else 1)


COMMANDS = (list_,)
