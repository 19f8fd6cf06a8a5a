"""Keep what the task prints, its child processes included, while the log still gets it at once."""

import atexit
import os
import sys
import threading
from typing import Any, Callable

from .env import write_env
from .output import deliver
from .replies import send_large


def tee() -> Callable[..., Any]:
    """Begin to keep the standard output; the function that comes back writes it down."""
    log = os.dup(1)
    source, sink = os.pipe()
    os.dup2(sink, 1)
    os.close(sink)
    kept = bytearray()

    def copy() -> None:
        while True:
            data = os.read(source, 65536)
            if not data:
                break
            kept.extend(data)
            while data:
                data = data[os.write(log, data) :]

    copier = threading.Thread(target=copy, daemon=True)
    copier.start()

    def end() -> None:
        sys.stdout.flush()
        os.dup2(log, 1)
        copier.join(10)  # a child that lives on may hold the pipe

    def finish(env: bool) -> None:
        atexit.unregister(end)
        end()
        text = kept.decode(errors="replace")
        text = text[:-1] if text.endswith("\n") else text
        deliver("stdout", text, send=send_large)
        if env:
            write_env("stdout-env", text)

    atexit.register(end)
    return finish
