"""Names, labels, quantities and durations by the rules of Argo and Kubernetes."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiowf.errors import ConfigurationError
from aiowf.manifest.names import (
    dns_label,
    dns_subdomain,
    env_name,
    is_image_reference,
    label_key,
    label_value,
    nearest,
    operation_name,
    parameter_name,
    shortened,
    task_name,
    template_name,
    volume_name,
)
from aiowf.manifest.units import duration, quantity, seconds


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (dns_label, "a"),
        (dns_label, "a-1"),
        (dns_label, "n" * 63),
        (dns_subdomain, "a.b-c.d"),
        (template_name, "My-Template"),
        (template_name, "1a"),
        (template_name, "n" * 128),
        (parameter_name, "_a-B"),
        (env_name, "_A.b-1"),
        (label_value, ""),
        (label_value, "A_b.c-1"),
        (label_key, "a"),
        (label_key, "example.com/A_b"),
        (quantity, "500m"),
        (quantity, "1.5Gi"),
        (quantity, "1e3"),
        (quantity, ".5"),
        (quantity, "+2E"),
        (duration, "90"),
        (duration, "1h30m"),
        (duration, "1.5s"),
    ],
)
def test_what_is_right_passes(check: Callable[[str], str], text: str) -> None:
    """A check returns a right text as it is."""
    assert check(text) == text


@pytest.mark.parametrize(
    ("check", "text", "hint"),
    [
        (dns_label, "A_b", 'use "a-b"'),
        (dns_label, "-", None),
        (dns_label, "a\n", 'use "a"'),
        (dns_label, "a.b", 'use "a-b"'),
        (dns_label, "n" * 64, f'use "{"n" * 54}-'),
        (dns_subdomain, "a..b", 'use "a-b"'),
        (task_name, "My_Task", 'use "my-task"'),
        (task_name, "größe", 'use "gr-e"'),
        (operation_name, "Sim", 'use "sim-"'),
        (operation_name, "-", None),
        (operation_name, "-a", 'use "a-"'),
        (template_name, "a b", 'use "a-b"'),
        (template_name, "", None),
        (parameter_name, "a.b", 'use "a-b"'),
        (env_name, "1 a", 'use "_1_a"'),
        (env_name, "ä", None),
        (label_value, "a b", 'use "a-b"'),
        (label_value, "n" * 64, "use "),
        (label_key, "a!", 'use "a"'),
        (label_key, "A!/b", 'use "a"'),
        (quantity, "512MB", 'did you mean "512M"?'),
        (quantity, "512 mib", 'did you mean "512Mi"?'),
        (quantity, "2 cpu", 'did you mean "2"?'),
        (quantity, "10 bytes", 'did you mean "10"?'),
        (quantity, "1gigabyte", None),
        (quantity, "-1", None),
        (duration, "1d", None),
        (duration, "", None),
        (duration, "1h 30m", None),
    ],
)
def test_what_is_wrong_is_refused_with_the_nearest(
    check: Callable[[str, str], str], text: str, hint: str | None
) -> None:
    """A check says where, what is wrong, and what would be right."""
    with pytest.raises(ConfigurationError) as caught:
        check(text, "here")
    assert caught.value.where == "here"
    assert (caught.value.hint or "").startswith(hint or "")
    assert hint is not None or caught.value.hint is None


@pytest.mark.parametrize(
    ("check", "value"),
    [(task_name, 3), (dns_label, None), (operation_name, b"x"), (quantity, True), (quantity, None)],
)
def test_what_is_no_text_is_refused(check: Callable[[Any], str], value: Any) -> None:
    """Another type is a ConfigurationError too."""
    with pytest.raises(ConfigurationError, match="expected a"):
        check(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1e"])
def test_what_is_no_number_is_no_quantity(value: Any) -> None:
    """Infinity and half an exponent are refused."""
    with pytest.raises(ConfigurationError, match="is no quantity"):
        quantity(value)


def test_numbers_are_quantities() -> None:
    """Python's numbers become Kubernetes' texts."""
    assert [quantity(2), quantity(0.5), quantity(1e-05)] == ["2", "0.5", "1e-05"]


def test_a_number_is_no_duration() -> None:
    """Argo wants a text; the hint says which."""
    with pytest.raises(ConfigurationError) as caught:
        duration(600)  # type: ignore[arg-type]
    assert caught.value.hint == 'use "600s"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90.0),
        ("1h30m", 5400.0),
        ("500ms", 0.5),
        ("1m.5s", 60.5),
        ("2us", 2e-6),
        ("3µs", 3e-6),
    ],
)
def test_durations_have_seconds(text: str, expected: float) -> None:
    """Go's units add up to seconds."""
    assert seconds(text) == pytest.approx(expected)


def test_task_names_are_made_of_what_people_write() -> None:
    """Spaces become "-", capitals small letters."""
    assert task_name("My First Task") == "my-first-task"


def test_operation_names_end_with_a_dash_and_leave_room() -> None:
    """53 characters with the "-" are the most, since ten more must fit into 63."""
    assert operation_name("sim") == "sim-"
    assert operation_name("sim-") == "sim-"
    assert operation_name("n" * 52) == "n" * 52 + "-"
    with pytest.raises(ConfigurationError, match="at most 53"):
        operation_name("n" * 53)


@given(st.text(max_size=100))
def test_the_nearest_name_is_a_right_name(text: str) -> None:
    """Whatever a hint proposes passes the check that proposed it."""
    checks: tuple[Callable[[str], str], ...] = (
        task_name,
        operation_name,
        template_name,
        parameter_name,
        env_name,
        label_value,
    )
    for check in checks:
        try:
            check(text)
        except ConfigurationError as error:
            if error.hint:
                proposed = error.hint.removeprefix('use "').removesuffix('"')
                assert check(proposed) == proposed


@given(st.text(max_size=100), st.integers(20, 63))
def test_shortened_texts_fit_and_differ(text: str, limit: int) -> None:
    """A text that is too long ends with a hash of all of it."""
    short = shortened(text, limit)
    assert len(short) <= limit
    assert short == text or short != shortened(text + "x", limit)


def test_volume_names_come_from_paths_and_claims() -> None:
    """Claims keep their names, paths lose their slashes, and different paths stay different."""
    assert volume_name("my-claim") == "my-claim"
    assert volume_name("/mnt/shared") == "mnt-shared"
    names = [volume_name(path) for path in ("/a/b", "/a-b", "/a_b", "/A/b", "/", "a.b", "/x" * 50)]
    assert len(set(names)) == len(names)
    assert [dns_label(name) for name in names] == names


@pytest.mark.parametrize(
    "text",
    [
        "alpine",
        "python:3.12-slim",
        "registry.example:5000/a/b_c:v1.0",
        "ghcr.io/Org/x".lower(),
        "localhost/x@sha256:" + "0" * 64,
        "[::1]:5000/x",
    ],
)
def test_image_references(text: str) -> None:
    """What a container runtime takes for an image is one."""
    assert is_image_reference(text)


@pytest.mark.parametrize(
    "text", ["", "A", "a b", "a:", "a:b:c", "a/B", "-a", "a@sha256:12", "a//b"]
)
def test_no_image_references(text: str) -> None:
    """What no container runtime takes is none."""
    assert not is_image_reference(text)


def test_the_nearest_is_told_whatever_its_spelling() -> None:
    """Snake case finds camel case; where nothing is near, a few are listed, many are not."""
    assert nearest("pod_gc", ["podGC", "priority"]) == 'did you mean "podGC"?'
    assert nearest("zzz", ["a", "b"]) == 'there is "a", "b"'
    assert nearest("zzz", map(str, range(7))) is None
    assert nearest("zzz", []) is None
