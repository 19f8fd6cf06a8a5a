"""What to do about a task that failed, as far as its last words tell."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiowf.client.run import Run

_REMEDIES = (
    (
        re.compile(r"No module named '([\w]+)"),
        'The image has no {0}: PythonTask(…, requirements=("{0}",)) installs it, or name an image '
        "that has it, image=….",
    ),
    (
        re.compile(r"OOMKilled"),
        "It used more memory than it may: resources=Resources(memory=…).",
    ),
    (
        re.compile(r"No space left on device"),
        "A disk is full: shared_volume_size=… makes the shared directory larger; on the embedded "
        "engine it is this machine's temporary directory (TMPDIR).",
    ),
    (
        re.compile(r"exit code 127\b"),
        "There is no such command: look at the spelling, and whether the image has it.",
    ),
)


def remedy(*texts: str) -> str | None:
    """Return what to do about a failure with this message and these last lines, or None."""
    for pattern, advice in _REMEDIES:
        for text in texts:
            if found := pattern.search(text):
                return advice.format(*found.groups())
    return None


def advice(run: "Run[Any]", *texts: str) -> str | None:
    """Return what to do about a run that failed with this message and these last lines, or None.

    What an earlier call with the same id had begun was not run by this one, and never will be.
    """
    found = (
        f"An earlier call with id={run._id!r} began it, and its result was found. To run it anew: "
        f"await client.delete({run.name!r}), or another id; to go on with what failed: "
        f"await client.get_run({run.name!r}).retry()."
        if run._found and run._id is not None
        else None
    )
    return "\n".join(filter(None, (remedy(*texts), found))) or None
