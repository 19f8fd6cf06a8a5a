"""What is said to do about a task that failed."""

import pytest

from aiowf.client.remedies import remedy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ModuleNotFoundError: No module named 'numpy.linalg'", 'requirements=("numpy",)'),
        ("OOMKilled (exit code 137)", "Resources(memory=…)"),
        ("OSError: [Errno 28] No space left on device", "shared_volume_size"),
        ("main: Error (exit code 127)", "no such command"),
    ],
)
def test_last_words_that_have_a_remedy(text: str, expected: str) -> None:
    """A message or a log line that tells the cause gives a remedy that names the option."""
    assert expected in str(remedy("main: Error (exit code 1)", "another line", text))


def test_other_failures_have_none() -> None:
    """Nothing is guessed of a failure that says nothing known."""
    assert remedy("main: Error (exit code 1)", "ValueError: no") is None
