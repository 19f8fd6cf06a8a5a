"""The token of a served engine, kept in a file of the user's. Blocks."""

import os
import re
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from aiowf.errors import EngineError

_TOKEN = re.compile(r"[-\w]{32,}", re.ASCII)


def token_path() -> Path:
    """Return where the token is: `aiowf/token` below $XDG_STATE_HOME, or ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return base / "aiowf" / "token"


def stored_token(path: Path) -> tuple[str, bool]:
    """Return the token of a file, and whether it was made just now.

    A token that others could have read is replaced.

    Raises:
        EngineError: The file cannot be written.
    """
    token = _read(path)
    if token is not None:
        return token, False
    token = secrets.token_urlsafe(32)
    try:
        _write(path, token)
    except OSError as error:
        raise EngineError(
            f"the token cannot be stored in {str(path)!r}: {error.strerror}",
            hint="Give a token of your own, or set XDG_STATE_HOME to a directory of yours.",
        ) from None
    return token, True


def _read(path: Path) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        is_ours = stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid()
        if not is_ours or about.st_mode & 0o077:
            return None
        text = file.read(4096).decode(errors="replace").strip()
    return text if _TOKEN.fullmatch(text) else None


def _write(path: Path, token: str) -> None:
    """Write the file at once and whole; nobody else may ever read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".token-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{token}\n")
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
