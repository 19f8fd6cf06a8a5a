"""Texts from workflows cannot move the cursor."""

import pytest

from aiowf.display.escape import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünï 🎉", "plain ünï 🎉"),
        ("a\tb", "a    b"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("up\x1b]8;;http://x\x07", "up\\x1b]8;;http://x\\x07"),
        ("right\u202eleft", "right\\u202eleft"),
        ("line\u2028break\r\n", "line\\u2028break\\r\\n"),
    ],
)
def test_control_characters_are_shown_not_obeyed(text: str, shown: str) -> None:
    """Escape sequences and direction marks appear as text."""
    assert shown == visible(text)
