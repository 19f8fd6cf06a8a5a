"""The command of the runtime image: configured by environment variables only."""

import os
import sys

from aiowf.errors import AiowfError, ConfigurationError

COMMANDS = ("notify", "send-results")


def main(arguments: list[str], environ: dict[str, str]) -> int:
    """Run one command; return its exit code: 0 done, 1 not delivered, 2 wrong use."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python -m aiowf.runtime {'|'.join(COMMANDS)}", file=sys.stderr)  # noqa: T201
        return 2
    from aiowf.runtime.sending import notify, send_results

    try:
        said = notify(environ) if arguments[0] == "notify" else send_results(environ)
    except (AiowfError, OSError) as error:
        _explain(f"{type(error).__name__}: {error}", environ)
        return 2 if isinstance(error, ConfigurationError) else 1
    print(said)  # noqa: T201
    return 0


def _explain(text: str, environ: dict[str, str]) -> None:
    """Say on one line why the step fails: in its log and in the termination log."""
    line = text.replace("\n", ". ")
    print(line, file=sys.stderr)  # noqa: T201
    try:
        path = environ.get("AIOWF_TERMINATION_LOG", "/dev/termination-log")
        with open(path, "w", encoding="utf-8") as file:
            file.write(line[:4096])
    except OSError:
        pass  # not in a pod, or a read-only one: the log has it


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], dict(os.environ)))
