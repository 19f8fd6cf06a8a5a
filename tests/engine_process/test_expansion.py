"""Kubernetes' expansion of `$(NAME)`."""

import pytest

from aiowf.engine.executor.expansion import expand


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$(A)", "one"),
        ("x$(A)y$(B)z", "xoneytwoz"),
        ("$(NOPE) $(echo cmd)", "$(NOPE) $(echo cmd)"),
        ("$x ${x} $", "$x ${x} $"),
        ("$$", "$"),
        ("$$$$", "$$"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$one"),
        ("$(A", "$(A"),
        ("$()", "$()"),
        ("$(LB){workflow.name}}", "{{workflow.name}}"),
    ],
)
def test_expand(text: str, expected: str) -> None:
    """Known names are replaced, $$ is a dollar, everything else stays."""
    assert expand(text, {"A": "one", "B": "two", "LB": "{"}) == expected


def test_values_are_not_expanded_again() -> None:
    """A value that looks like a reference is taken as it is."""
    assert expand("$(A)", {"A": "$(B)", "B": "no"}) == "$(B)"
