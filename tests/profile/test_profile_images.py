"""The image catalogue: short names, references, and what is neither."""

from pathlib import Path

import pytest

from aiowf.errors import ConfigurationError
from aiowf.profile import ImageCatalogue

WITH_TAG = "write a reference with its tag: 'alpine:3.20'"
CATALOGUE = ImageCatalogue({"samples-sum": "registry.example/samples-sum:1"})


def test_a_name_of_the_catalogue_is_its_reference() -> None:
    """Tasks use the short name."""
    assert CATALOGUE.reference("samples-sum") == "registry.example/samples-sum:1"


@pytest.mark.parametrize("text", ["alpine:3.20", "ghcr.io/a/b", "a@sha256:" + "0" * 64])
def test_an_image_reference_stands_for_itself(text: str) -> None:
    """What has a tag, a registry or a digest is no name of the catalogue."""
    assert CATALOGUE.reference(text) == text


def test_a_bare_word_is_a_reference_where_there_is_no_catalogue() -> None:
    """Without a catalogue there is nothing that it could misspell."""
    assert ImageCatalogue().reference("alpine") == "alpine"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("sample-sum", 'did you mean "samples-sum"?'),
        ("alpine", f'there is "samples-sum"; {WITH_TAG}'),
        ("A b", f'there is "samples-sum"; {WITH_TAG}'),
    ],
)
def test_what_is_neither_is_refused_with_the_nearest_name(text: str, hint: str) -> None:
    """A misspelt name is found before anything is submitted."""
    with pytest.raises(ConfigurationError, match="neither in the image catalogue") as caught:
        CATALOGUE.reference(text, "tasks[0].image_name")
    assert (caught.value.where, caught.value.hint) == ("tasks[0].image_name", hint)


def test_what_is_no_image_is_refused_without_a_catalogue_too() -> None:
    """The hint says what a reference looks like."""
    with pytest.raises(ConfigurationError) as caught:
        ImageCatalogue().reference("A b")
    assert caught.value.hint == WITH_TAG


def test_a_catalogue_holds_references_only() -> None:
    """A wrong reference is refused where it is written."""
    with pytest.raises(ConfigurationError) as caught:
        ImageCatalogue({"a": "not an image"})
    assert caught.value.where == "images.a"


def test_a_catalogue_is_a_frozen_mapping() -> None:
    """It counts, iterates, compares and hashes as the mapping that it is made of."""
    images = {"a": "x:1", "b": "y:2"}
    catalogue = ImageCatalogue(images)
    images["c"] = "z:3"
    assert dict(catalogue) == {"a": "x:1", "b": "y:2"}
    assert len(catalogue) == 2
    assert catalogue["a"] == "x:1"
    assert catalogue == ImageCatalogue({"b": "y:2", "a": "x:1"})
    assert hash(catalogue) == hash(ImageCatalogue({"b": "y:2", "a": "x:1"}))
    assert catalogue != {"a": "x:1", "b": "y:2"}


def write(root: Path, *paths: str) -> None:
    """Make Dockerfiles below a directory."""
    for path in paths:
        file = root / path / "Dockerfile"
        file.parent.mkdir(parents=True)
        file.write_text("FROM scratch\n")


def test_a_directory_of_applications_is_a_catalogue(tmp_path: Path) -> None:
    """Directories are joined by "-"; tasks, server, backend and src leave no trace."""
    write(
        tmp_path,
        "myapp/tasks/mytask",
        "myapp/server",
        "nested/inner/tasks/a-b",
        "nested/inner/backend",
        "Upper",
        "myapp/node_modules/x",
    )
    assert dict(ImageCatalogue.from_directory(tmp_path)) == {
        "myapp": "myapp:latest",
        "myapp-mytask": "myapp-mytask:latest",
        "nested-inner": "nested-inner:latest",
        "nested-inner-a-b": "nested-inner-a-b:latest",
        "upper": "upper:latest",
    }


def test_the_registry_and_the_tag_are_those_of_all(tmp_path: Path) -> None:
    """A registry may end with a slash, as CloudHarness writes it."""
    write(tmp_path, "myapp/tasks/mytask")
    found = ImageCatalogue.from_directory(str(tmp_path), registry="r.example/x/", tag="1.4")
    assert dict(found) == {"myapp-mytask": "r.example/x/myapp-mytask:1.4"}


def test_two_dockerfiles_of_one_name_are_refused(tmp_path: Path) -> None:
    """Nobody could know which of them is meant."""
    write(tmp_path, "a/tasks/b", "a/b")
    with pytest.raises(ConfigurationError, match='are both the image "a-b"'):
        ImageCatalogue.from_directory(tmp_path)


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    """A misspelt path is no empty catalogue."""
    with pytest.raises(ConfigurationError, match="there is no directory"):
        ImageCatalogue.from_directory(tmp_path / "applicatoins")
