"""The files by which a pod tells what came of it."""

import os
import sys
from typing import Any, Callable, NoReturn, Optional

from .encode import encode

BASE = os.environ.get("AIOWF_DIR", "/tmp/aiowf")
LIMIT = 262144


def note(message: str) -> None:
    """Leave the message where Kubernetes looks for it; it becomes the node's message."""
    try:
        with open(os.environ.get("AIOWF_TERMINATION_LOG", "/dev/termination-log"), "wb") as log:
            log.write(message.encode(errors="replace")[:4096])
    except OSError:
        pass


def fail(message: str) -> NoReturn:
    """End the task with the message."""
    note(message)
    sys.exit("aiowf: " + message)


def write(name: str, data: bytes) -> None:
    """Write a file that the template's outputs name."""
    os.makedirs(BASE, exist_ok=True)
    with open(os.path.join(BASE, name), "wb") as file:
        file.write(data)


def deliver(
    name: str,
    value: Any,
    to_json: Callable[[Any], str] = encode,
    send: Optional[Callable[[str, bytes], bytes]] = None,
) -> None:
    """Write the value as inert JSON; `send` takes one that is too large and gives its marker."""
    try:
        text = to_json(value).replace("$", "\\u0024").replace("{" * 2, "{\\u007b")
    except (TypeError, ValueError) as error:
        fail("the value cannot be sent: %s" % error)
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > LIMIT:
        if not send:
            fail("the value has %d bytes and is not what the annotation promises" % len(data))
        data = send(name, data)
    write(name, data)
