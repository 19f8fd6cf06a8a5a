"""What commands say of outcomes: values on stdout, failures on stderr, and the exit code."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from aiowf.cli.errors import Exit, code_of, line_of, report_failure, say
from aiowf.cli.output import write, write_data


def tell(outcomes: Sequence[tuple[str, Any]], output: str, directory: str | None) -> int:
    """Write what came of everything; return the exit code."""
    from aiowf.client import Result

    if directory is not None:
        for title, outcome in outcomes:
            if isinstance(outcome, Result) and outcome.files:
                place = directory if len(outcomes) == 1 else f"{directory}/{outcome.name}"
                outcome.files.save(place)
                count = len(outcome.files)
                said = "1 file is" if count == 1 else f"{count:,} files are"
                say(f"aiowf: {title}: {said} in {place}")
    if output != "table":
        facts = [_facts(title, outcome) for title, outcome in outcomes]
        write_data(facts[0] if len(facts) == 1 else facts, output)
        return failures(outcomes)
    for title, outcome in outcomes:
        if isinstance(outcome, Exception):
            continue
        text = _text(outcome.value if isinstance(outcome, Result) else outcome)
        if text is not None:
            write(text if len(outcomes) == 1 else f"{title}: {text}")
        for warning in outcome.warnings if isinstance(outcome, Result) else ():
            say(f"aiowf: warning: {title}: {_text(warning)}")
    return failures(outcomes)


def failures(outcomes: Sequence[tuple[str, Any]]) -> int:
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
    from aiowf.client import Result
    from aiowf.replies.files import shown

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
        "files": [shown(path) for path in sorted(outcome.files)],
        "warnings": list(outcome.warnings),
    }
