"""Waiting for workflows: what is shown meanwhile, and what Ctrl-C does."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TextIO

from aiowf.cli.errors import CommandError, Exit, say
from aiowf.display.escape import visible
from aiowf.errors import AiowfError

if TYPE_CHECKING:
    from rich.console import Console

    from aiowf.client import Client, Result, Run
    from aiowf.display.progress import Progress

# Seconds for which a workflow that was stopped is waited for before the command ends.
_PATIENCE = 5.0
_ANSWERS = {"l": "leave", "d": "leave", "s": "stop", "g": "go on", "": "go on"}
_DOING = {"stop": "stopping", "terminate": "terminating"}


def console(stream: TextIO) -> "Console":
    """Return a console of rich's for a stream; what it prints is text, and never markup."""
    from rich.console import Console

    return Console(file=stream, highlight=False, markup=False, emoji=False)


def exit_of(phase: str) -> Exit:
    """Return the exit code for the phase in which a workflow was last seen.

    Raises:
        CommandError: It has not ended, and is gone.
    """
    if phase == "Succeeded":
        return Exit.DONE
    if phase in ("Failed", "Error"):
        return Exit.FAILED
    raise CommandError(
        f"the workflow was deleted before its end was seen (last phase: {phase or 'none'})",
        "Somebody deleted it, or its time to live was over.",
        Exit.NOT_FOUND,
    )


async def attend(
    client: "Client",
    runs: "Sequence[Run[Any]]",
    progress: "Progress",
    *,
    on_cancel: str | None,
    log: bool = False,
    timeout: float | None = None,
) -> "list[Result[Any] | AiowfError]":
    """Show runs until all have ended; return what came of each, in their order.

    Ctrl-C asks once what is to become of them, where there is a terminal to ask at; a second one
    leaves at once.

    Args:
        client: Their client.
        runs: The runs.
        progress: Shows them.
        on_cancel: What Ctrl-C does where nobody can be asked: "stop", "terminate" or "leave"; None:
            "leave", and on the embedded engine, where nothing outlives this command, "stop".
        log: Whether to write their logs, too.
        timeout: Seconds to wait at most, or None.

    Raises:
        CommandError: They were left.
        OperationTimeoutError: They did not end in time.
    """
    following = asyncio.ensure_future(_follow_all(runs, progress, log=log, timeout=timeout))
    local = client.backend.engine is not None
    asked = ending = False
    async with _interrupts() as pressed:
        try:
            while not await _done_before(following, pressed):
                names = _several(runs)
                if asked:
                    raise _left(names, local)
                asked = True
                choice = on_cancel or ("stop" if local else "leave")
                can_ask = os.isatty(0) and os.isatty(2)
                if can_ask:
                    progress.pause()
                    choice = await _ask(following, pressed, names, local)
                if choice == "leave":
                    raise _left(names, local)
                progress.resume()
                if choice != "go on":
                    say(f"aiowf: {_DOING[choice]} {names}; Ctrl-C once more leaves at once")
                    ending = True
                    await _end(runs, choice)
                    if not can_ask:
                        await asyncio.wait({following}, timeout=_PATIENCE)
                        if not following.done():
                            raise _left(names, local)
            ended = following.result()
            if ending and local and any(isinstance(each, AiowfError) for each in ended):
                raise _left(_several(runs), local)
            return ended
        finally:
            following.cancel()
            await asyncio.wait({following})


async def _follow_all(
    runs: "Sequence[Run[Any]]", progress: "Progress", *, log: bool, timeout: float | None
) -> "list[Result[Any] | AiowfError]":
    return list(
        await asyncio.gather(*(_follow(run, progress, log=log, timeout=timeout) for run in runs))
    )


async def _follow(
    run: "Run[Any]", progress: "Progress", *, log: bool, timeout: float | None
) -> "Result[Any] | AiowfError":
    """Show a run and wait for its end; what can be said of a failure is returned, not raised."""
    beside = [asyncio.create_task(_view(run, progress))]
    logging = asyncio.create_task(_write_log(run, progress)) if log else None
    try:
        result = await run.wait(timeout, check=False)
        progress.take(result.workflow)
        if logging is not None:
            await asyncio.wait({logging}, timeout=_PATIENCE)
        return result if result.succeeded else await _failure(run, result)
    except AiowfError as error:
        return error
    finally:
        beside += [logging] if logging is not None else []
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
        for task in beside:  # a pipe that is closed ends the command; other trouble is told by wait
            if not task.cancelled() and isinstance(task.exception(), OSError):
                raise task.exception() or OSError


async def _failure(run: "Run[Any]", result: "Result[Any]") -> AiowfError:
    try:
        await run.wait()
    except AiowfError as error:
        return error
    raise AssertionError(f"{result.name} failed and did not") from None  # pragma: no cover


async def _view(run: "Run[Any]", progress: "Progress") -> None:
    async for change in run.watch():
        progress.take(change.workflow)


async def _write_log(run: "Run[Any]", progress: "Progress") -> None:
    async for line in run.logs():
        progress.write(line)


async def _done_before(following: "asyncio.Future[Any]", pressed: asyncio.Event) -> bool:
    """Wait; return whether the work is done, and not Ctrl-C pressed first."""
    press = asyncio.create_task(pressed.wait())
    try:
        await asyncio.wait({following, press}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        press.cancel()
    pressed.clear()
    return following.done()


async def _ask(
    following: "asyncio.Future[Any]", pressed: asyncio.Event, names: str, local: bool
) -> str:
    """Ask what is to become of the runs; a second Ctrl-C is the answer to leave."""
    if local:
        question = f"[s]top {names}, [d]rop it with its engine, or [g]o on waiting? "
    else:
        question = f"[l]eave {names} running, [s]top it, or [g]o on waiting? "
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        # A terminal gives whole lines, or nothing at its end.
        text = os.read(0, 1024).decode(errors="replace").strip().lower()
        if not answer.done():
            answer.set_result(text)

    sys.stderr.write(f"\n{question}")
    sys.stderr.flush()
    loop.add_reader(0, read)
    press = asyncio.create_task(pressed.wait())
    try:
        await asyncio.wait({following, press, answer}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(0)
        press.cancel()
    if following.done():
        say("")
        return "go on"
    return _ANSWERS.get(answer.result()[:1], "go on") if answer.done() else "leave"


async def _end(runs: "Sequence[Run[Any]]", choice: str) -> None:
    for run in runs:
        try:
            await (run.stop() if choice == "stop" else run.terminate())
        except AiowfError as error:
            say(f"aiowf: {visible(str(error).splitlines()[0])}")


def _left(names: str, local: bool) -> CommandError:
    if local:
        return CommandError(
            f"interrupted; {names} ended with the embedded engine",
            "`aiowf dev` is an engine that stays.",
            Exit.INTERRUPTED,
        )
    first = names.split(" ")[0]
    return CommandError(
        f"interrupted; {names} goes on",
        f"`aiowf watch {first}` follows it again, `aiowf stop {first}` ends it.",
        Exit.INTERRUPTED,
    )


def _several(runs: "Sequence[Run[Any]]") -> str:
    more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
    return f"{runs[0].name}{more}"


@asynccontextmanager
async def _interrupts() -> AsyncIterator[asyncio.Event]:
    """Give an event that Ctrl-C sets, instead of ending the program."""
    loop = asyncio.get_running_loop()
    pressed = asyncio.Event()
    before = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, pressed.set)
    try:
        yield pressed
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
