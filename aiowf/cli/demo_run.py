"""`aiowf demo`: four operations on the embedded engine, and a check of every result."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

from rich.console import Console

import aiowf
from aiowf import operations, tasks
from aiowf.cli.demo_tasks import count_hits, divide, estimate, write_report
from aiowf.display.progress import Progress
from aiowf.errors import OperationFailedError

POINTS = 200_000
SEEDS = (1, 2, 3, 4)
QUEUE = "demo-notices"


async def run_demo(console: Console) -> bool:
    """Run the demo; return whether every result was right."""
    console.print("[bold]aiowf[/bold] on the embedded engine: real workflows, nothing installed.\n")
    parts: list[tuple[str, Callable[[aiowf.Client, Progress], Awaitable[str]]]] = [
        ("A pipeline of parallel Python functions, whose values flow", _pipeline),
        ("A sync operation whose files come back", _with_results),
        ("An exit notice on a queue", _notice),
        ("A task that fails, and says why", _failure),
    ]
    good = True
    async with aiowf.connect("local") as client:
        for title, part in parts:
            console.print(f"[bold]{title}[/bold]")
            try:
                async with Progress(console) as progress:
                    said = await part(client, progress)
            except (aiowf.AiowfError, AssertionError) as error:
                good = False
                console.print(f"  [red]✗[/red] {type(error).__name__}: {error}", markup=True)
            else:
                console.print(f"  [green]✓[/green] {said}\n", markup=True)
    console.print("All results were right." if good else "[red]Something was wrong.[/red]")
    return good


async def _pipeline(client: aiowf.Client, progress: Progress) -> str:
    throws = [tasks.PythonTask(f"throw-{seed}", count_hits, args=(seed, POINTS)) for seed in SEEDS]
    total = tasks.PythonTask(
        "estimate-pi", estimate, args=([task.output for task in throws], POINTS)
    )
    run = await operations.SimpleDagOperation("pi-", throws, total).execute(client=client)
    result = await progress.follow(run)
    _expect(abs(result.value - math.pi) < 0.02, f"π came out as {result.value}")
    hits = [result.values[task] for task in throws]
    return f"π ≈ {result.value:.4f} from {len(hits)} tasks, {sum(hits):,} hits"


async def _with_results(client: aiowf.Client, progress: Progress) -> str:
    task = tasks.PythonTask("report", write_report, args=({"fast": 3, "slow": 4},))
    op = operations.DistributedSyncOperationWithResults("report-", task)
    result = await progress.during("report", op.execute(client=client))
    _expect(result.files.json("totals.json") == {"sum": 7}, f"files: {dict(result.files)}")
    _expect(result.value == 2, f"value: {result.value}")
    report = ", ".join(result.files.text("report.txt").splitlines())
    return f"{', '.join(sorted(result.files))} came back; the report says: {report}"


async def _notice(client: aiowf.Client, progress: Progress) -> str:
    op = operations.SingleTaskOperation(
        "greet-",
        tasks.BashTask("greet", "echo 'hello from a pod'"),
        on_exit_notify={"queue": QUEUE, "payload": '{"order": 17}'},
    )
    run = await op.execute(client=client)
    await progress.follow(run)
    lines = [line async for line in run.logs("greet")]
    _expect(lines == ["hello from a pod"], f"log: {lines}")
    async with asyncio.timeout(5):
        notice = await anext(client.notices.subscribe(QUEUE))
    _expect(notice.status == "Succeeded" and notice.workflow == run.name, f"notice: {notice}")
    return f"notice: {notice.status}, payload {notice.payload}"


async def _failure(client: aiowf.Client, progress: Progress) -> str:
    op: operations.DistributedSyncOperation[Any] = operations.DistributedSyncOperation(
        "mistake-", tasks.PythonTask("divide", divide, args=(1, 0))
    )
    try:
        await progress.during("divide", op.execute(client=client))
    except OperationFailedError as error:
        _expect("ZeroDivisionError" in str(error), str(error))
        progress.show(str(error))
        return "the error names the task, the exception and the line"
    raise AssertionError("the task that divides by zero did not fail")


def _expect(right: bool, otherwise: str) -> None:
    if not right:
        raise AssertionError(otherwise)
