"""JSON text → values."""

from typing import Any


def parse(text: str) -> Any:
    """Read JSON that aiowf has written; short text without escapes is Python as well."""
    if len(text) < 999 and "\\" not in text:
        try:
            return eval(text, {"null": None, "true": True, "false": False})
        except (NameError, SyntaxError):
            pass  # NaN, Infinity; more brackets than Python takes
    import json

    return json.loads(text)
