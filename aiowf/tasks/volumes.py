"""Volumes as users write them: "claim:/path:mode"."""

import re
from collections.abc import Iterable
from typing import Any, Literal, cast

from attrs import frozen

from aiowf.errors import ConfigurationError

Mode = Literal["rw", "ro", "rwx"]
_MODES = ("rw", "ro", "rwx")
_FORM = '"[claim:]/path[:mode]", mode rw, ro or rwx'
# A claim's name is a DNS subdomain (RFC 1123), as Kubernetes checks it.
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@frozen(init=False)
class Volume:
    """A directory that pods share.

    Args:
        path: Where it is mounted, or the whole as text: "[claim:]/path[:mode]".
        claim: Name of the PersistentVolumeClaim; None: a volume that lives with the workflow.
        mode: "rw"; "ro": mounted read-only; "rwx": pods on several nodes may write.
        ephemeral: True: made for this workflow even if a claim of that name exists; False: the
            claim exists; None: whoever submits finds out.
        size: Size in MiB of an ephemeral volume; None: the operation's `shared_volume_size`.

    Raises:
        ConfigurationError: The text has another form, or a name or path cannot be.
    """

    path: str
    claim: str | None
    mode: Mode
    ephemeral: bool | None
    size: int | None

    def __init__(
        self,
        path: str,
        *,
        claim: str | None = None,
        mode: Mode | None = None,
        ephemeral: bool | None = None,
        size: int | None = None,
    ) -> None:
        path, claim, mode = _split(path, claim, mode)
        _check(path, claim, mode, ephemeral, size)
        for name, value in (
            ("path", path),
            ("claim", claim),
            ("mode", mode),
            ("ephemeral", claim is None or ephemeral),
            ("size", size),
        ):
            object.__setattr__(self, name, value)

    @property
    def read_only(self) -> bool:
        """Whether pods cannot write to it."""
        return self.mode == "ro"

    def __str__(self) -> str:
        return f"{self.claim}:{self.path}" if self.claim else self.path


def _split(path: Any, claim: str | None, mode: Mode | None) -> tuple[str, str | None, Mode]:
    if not isinstance(path, str):
        raise ConfigurationError(f"a volume is {_FORM}, not {path!r}")
    first, *rest = path.split(":")
    if rest and not first.startswith("/"):
        if claim is not None:
            raise ConfigurationError(f"the volume {path!r} names a claim, and claim={claim!r} too")
        claim, (first, *rest) = first, rest
    if rest:
        if mode is not None or len(rest) > 1:
            raise ConfigurationError(f"the volume {path!r} is not {_FORM}")
        mode = cast(Mode, rest[0])
    return first, claim, mode or "rw"


def _check(path: str, claim: str | None, mode: str, ephemeral: Any, size: Any) -> None:
    if not path.startswith("/") or not path.strip("/"):
        raise ConfigurationError(
            f"the volume's path {path!r} is not an absolute path such as /mnt/shared",
            hint=f"a volume is {_FORM}",
        )
    if {"", ".", ".."} & set(path[1:].split("/")):
        raise ConfigurationError(
            f"the volume's path {path!r} is not in its plain form", hint=f'use "{_plain(path)}"'
        )
    if "{{" in path:
        raise ConfigurationError(f"the volume's path {path!r} has {{{{ in it, and Argo no escape")
    if mode not in _MODES:
        raise ConfigurationError(
            f"the volume's mode is {mode!r}; it can be rw, ro or rwx", hint=f"a volume is {_FORM}"
        )
    if claim is not None and not (_CLAIM.fullmatch(claim) and len(claim) <= 253):
        raise ConfigurationError(
            f"{claim!r} cannot be the name of a claim: lower case letters, digits, - and . only"
        )
    if claim is None and ephemeral is False:
        raise ConfigurationError(f"the volume {path!r} has no claim, so it is ephemeral")
    if ephemeral not in (None, True, False):
        raise ConfigurationError(f"ephemeral is {ephemeral!r}, not True, False or None")
    if size is not None and (type(size) is not int or size <= 0):
        raise ConfigurationError(f"the volume's size is {size!r}, not a number of MiB")


def _plain(path: str) -> str:
    from posixpath import normpath

    return normpath(f"/{path.lstrip('/')}")


def as_volumes(volumes: Any, where: str) -> tuple[Volume, ...]:
    """Return volumes from a text, a Volume, or several of them.

    Raises:
        ConfigurationError: Something else, or two volumes at one path.
    """
    if not volumes:
        return ()
    if isinstance(volumes, str | Volume):
        return (_as_volume(volumes, where),)
    if not isinstance(volumes, Iterable):
        raise ConfigurationError(f"a volume is {_FORM}, or a Volume, not {volumes!r}", where=where)
    made = tuple(_as_volume(item, f"{where}[{n}]") for n, item in enumerate(volumes))
    check_paths(made, where)
    return made


def _as_volume(volume: Any, where: str) -> Volume:
    if isinstance(volume, Volume):
        return volume
    try:
        return Volume(volume)
    except ConfigurationError as error:
        error.where = where
        raise


def check_paths(volumes: Iterable[Volume], where: str) -> None:
    """Refuse two volumes at one path.

    Raises:
        ConfigurationError: There are two; the message names both.
    """
    seen: dict[str, Volume] = {}
    for volume in volumes:
        other = seen.setdefault(volume.path, volume)
        if other is not volume:
            raise ConfigurationError(
                f"two volumes are mounted at {volume.path}: {other}, {volume}", where=where
            )
