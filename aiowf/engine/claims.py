"""Persistent claims as directories."""

import os
import re
from pathlib import Path

from attrs import frozen

from aiowf.engine.directories import remove_tree

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@frozen
class Claims:
    """The claims that the engine knows: `<namespace>/<claim>` below its directory. Blocks.

    Attributes:
        directory: Where they are; need not exist.
    """

    directory: Path

    def path(self, namespace: str, name: str) -> str:
        """Return the directory of a claim, which is made if there is none.

        Raises:
            OSError: It cannot be made.
            ValueError: This is no name of a claim.
        """
        path = self._path(namespace, name)
        path.mkdir(parents=True, exist_ok=True)
        return str(path)

    def exists(self, namespace: str, name: str) -> bool:
        """Return whether there is such a claim."""
        return self._path(namespace, name).is_dir()

    def create(self, namespace: str, name: str) -> None:
        """Make a claim, if there is none of that name."""
        self.path(namespace, name)

    def delete(self, namespace: str, name: str) -> None:
        """Delete a claim and all that is in it."""
        path = str(self._path(namespace, name))
        if os.path.isdir(path):
            remove_tree(path)

    def _path(self, namespace: str, name: str) -> Path:
        for text in (namespace, name):
            if not _NAME.fullmatch(text):
                raise ValueError(f"{text!r} is no name of a claim or namespace")
        return self.directory / namespace / name
