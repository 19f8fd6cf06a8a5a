"""What a failed command says, in one line, and with which exit code."""

import errno
import sys
from enum import IntEnum

from aiowf.display.escape import visible


class Exit(IntEnum):
    """The exit codes; docs/cli.md tells them to users."""

    DONE = 0
    FAILED = 1  # the workflow ended, and not well; a check of `doctor` failed
    USAGE = 2  # the command line itself is wrong
    INVALID = 3  # a file, an operation, a manifest or a setting is wrong
    NOT_FOUND = 4  # the server has no such object
    DENIED = 5  # the server does not know the caller, or does not let it
    UNAVAILABLE = 6  # no server, or none that answers as it should
    UNFINISHED = 7  # the workflow goes on, or cannot get on: the command has stopped waiting
    LOCAL_IO = 8  # this machine: a full disk, a file that cannot be written
    INTERNAL = 70  # a defect of aiowf
    INTERRUPTED = 130  # Ctrl-C
    CLOSED_PIPE = 141  # whoever reads the output has gone


class CommandError(Exception):
    """A command cannot be done.

    Args:
        message: What is wrong, and why.
        hint: What to do next.
        code: The exit code.
    """

    def __init__(self, message: str, hint: str | None = None, code: Exit = Exit.INVALID) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


def code_of(error: BaseException) -> Exit:
    """Return the exit code for an error."""
    if isinstance(error, CommandError):
        return error.code
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return Exit.CLOSED_PIPE
    names = [each.__name__ for each in type(error).__mro__]  # aiowf.errors may not be loaded yet
    for name, code in _CODES:
        if name in names:
            return code
    return Exit.LOCAL_IO if isinstance(error, OSError) else Exit.INTERNAL


def line_of(error: BaseException, *, hint: bool = True) -> str:
    """Return what is wrong, why, and what to do next: one line, harmless for a terminal."""
    message, advice = _parts(error)
    if not hint or not advice:
        return visible(message)
    if advice.startswith(("pip install", "export ")):  # a command is to be pasted as it stands
        return visible(f"{message}: {advice}")
    stop = "" if not message or message[-1] in ".?!" else "."
    return visible(f"{message}{stop} {advice[0].upper()}{advice[1:]}".strip())


def _parts(error: BaseException) -> tuple[str, str]:
    """Return what is wrong, and what to do about it; each in one line."""
    message, hint = str(error), getattr(error, "hint", None)
    if isinstance(error, OSError) and error.strerror and not hasattr(error, "hint"):
        place = "the output cannot be written" if error.filename is None else error.filename
        message = f"{place}: {error.strerror}"
        hint = _OS_HINTS.get(error.errno or 0)
    elif hint and message.endswith(hint):
        message = message[: -len(hint)]
    elif not isinstance(error, OSError | CommandError) and not hasattr(error, "hint"):
        message = f"{type(error).__name__}: {message}"
        hint = "This is a defect of aiowf: `aiowf --debug …` shows where."
    message = "; ".join(filter(None, map(str.strip, message.splitlines())))
    return message, " ".join(hint.split()) if hint else ""


def report(error: BaseException, *, debug: bool) -> Exit:
    """Say on stderr why a command failed; return its exit code."""
    code = code_of(error)
    if debug and code not in (Exit.INTERRUPTED, Exit.CLOSED_PIPE):
        import traceback

        traceback.print_exception(error)
    if code is Exit.CLOSED_PIPE:
        return code
    if isinstance(error, KeyboardInterrupt):
        say("aiowf: interrupted")
    else:
        report_failure(error)
    return code


def report_failure(error: BaseException) -> None:
    """Say on stderr why a workflow did not succeed, with the last lines of its log."""
    tail = getattr(error, "log_tail", ())
    if not tail:
        say(f"aiowf: {line_of(error)}")
        return
    say(f"aiowf: {visible(str(error).splitlines()[0])}")
    for line in tail:
        say(f"  │ {visible(line)}")
    advice = getattr(error, "hint", None)
    if advice:
        say(visible(" ".join(advice.split())))


def say(line: str) -> None:
    """Write a line to stderr, if there is one."""
    if sys.stderr is not None:
        print(line, file=sys.stderr, flush=True)  # noqa: T201


# What to do about an error of the operating system.
_OS_HINTS = {
    errno.ENOSPC: "Make room there, or write somewhere else.",
    errno.EDQUOT: "Make room there, or write somewhere else.",
    errno.EACCES: "Look at its permissions, or write somewhere else.",
    errno.EROFS: "Write somewhere else.",
    errno.ENOENT: "Look at the path.",
}
# Class of aiowf.errors → exit code; the first that fits counts.
_CODES = (
    ("OperationFailedError", Exit.FAILED),
    ("OperationTimeoutError", Exit.UNFINISHED),
    ("OperationStuckError", Exit.UNFINISHED),
    ("ConfigurationError", Exit.INVALID),
    ("BadRequestError", Exit.INVALID),
    ("AlreadyExistsError", Exit.INVALID),
    ("ConflictError", Exit.INVALID),
    ("NotFoundError", Exit.NOT_FOUND),
    ("UnauthenticatedError", Exit.DENIED),
    ("PermissionDeniedError", Exit.DENIED),
    ("ArgoError", Exit.UNAVAILABLE),
    ("ReplyError", Exit.UNAVAILABLE),
    ("EngineError", Exit.UNAVAILABLE),
)
