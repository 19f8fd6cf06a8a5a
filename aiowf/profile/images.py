"""The images that a project builds, by the short names that its tasks use."""

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest.names import is_image_reference, nearest

if TYPE_CHECKING:
    from pathlib import Path

# Directories of a CloudHarness application that leave no trace in the names of its images.
NEUTRAL_DIRECTORIES = frozenset({"backend", "server", "src", "tasks"})
_SKIPPED_DIRECTORIES = frozenset({".git", ".tox", "node_modules"})


def _checked(images: Mapping[str, str]) -> Mapping[str, str]:
    for name, reference in images.items():
        if not isinstance(reference, str) or not is_image_reference(reference):
            raise ConfigurationError(
                f"{reference!r:.150} is no image: [registry/]path[:tag][@digest]",
                where=f"images.{name}",
            )
    return dict(images)


@frozen(eq=False)
class ImageCatalogue(Mapping[str, str]):
    """Short names of images and the references that they stand for; a frozen mapping.

    Attributes:
        images: Name → reference, such as "myapp-mytask" → "registry.example/myapp-mytask:1.4".

    Raises:
        ConfigurationError: A reference has not the form of one.
    """

    images: Mapping[str, str] = field(factory=dict, converter=_checked)

    @classmethod
    def from_directory(
        cls, directory: str | PathLike[str], *, registry: str = "", tag: str = "latest"
    ) -> "ImageCatalogue":
        """Find the images that are built from the Dockerfiles below a directory.

        `applications/myapp/tasks/mytask/Dockerfile` is the image `myapp-mytask`: the directories
        joined by "-", but for "tasks", "server", "backend" and "src", as CloudHarness names them.

        Args:
            directory: The directory of the applications.
            registry: Registry, with a path if need be, that the references begin with.
            tag: Tag of every image.

        Raises:
            ConfigurationError: There is no such directory, or two Dockerfiles have one name.
        """
        found = find_dockerfiles(directory)
        prefix = registry.rstrip("/") + "/" if registry else ""
        return cls({name: f"{prefix}{name}:{tag}" for name in found})

    def reference(self, name: str, where: str = "image") -> str:
        """Return the reference for a name of the catalogue; an image reference stands for itself.

        A bare word such as "alpine" is a reference only where the catalogue is empty; else it is
        taken for a misspelt name.

        Raises:
            ConfigurationError: It is neither; the hint tells the nearest name.
        """
        known = self.images.get(name)
        if known is not None:
            return known
        if is_image_reference(name) and (not self.images or any(mark in name for mark in "/:@")):
            return name
        raise ConfigurationError(
            f"{name!r:.150} is neither in the image catalogue nor an image reference",
            where=where,
            hint=self._hint(name),
        )

    def _hint(self, name: str) -> str:
        near = nearest(name, self.images)
        if near and near.startswith("did"):
            return near
        return "; ".join(filter(None, [near, "write a reference with its tag: 'alpine:3.20'"]))

    def __getitem__(self, name: str) -> str:
        return self.images[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.images)

    def __len__(self) -> int:
        return len(self.images)

    def __eq__(self, other: object) -> Any:
        if isinstance(other, ImageCatalogue):
            return self.images == other.images
        return NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self.images.items()))


def find_dockerfiles(directory: str | PathLike[str]) -> dict[str, "Path"]:
    """Return the Dockerfiles below a directory by the names of their images.

    Raises:
        ConfigurationError: There is no such directory, or two Dockerfiles have one name.
    """
    from pathlib import Path

    if not isinstance(directory, str | PathLike):
        raise ConfigurationError(f"expected a path, not {directory!r:.80}", where="directory")
    root = Path(directory)
    if not root.is_dir():
        raise ConfigurationError(f"there is no directory {root}", where="directory")
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("Dockerfile")):
        parts = path.relative_to(root).parent.parts
        name = "-".join(part for part in parts if part not in NEUTRAL_DIRECTORIES).lower()
        if not name or _SKIPPED_DIRECTORIES & set(parts):
            continue
        if name in found:
            raise ConfigurationError(
                f'{found[name]} and {path} are both the image "{name}"',
                where="directory",
                hint="rename one of the directories",
            )
        found[name] = path
    return found
