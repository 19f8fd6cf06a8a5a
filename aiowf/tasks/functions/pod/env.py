"""Values as text for the variables of a later task's container."""

from typing import Any, Callable

from .encode import encode
from .output import fail, write


def write_env(name: str, value: Any, to_json: Callable[[Any], str] = encode) -> None:
    """Write the value so that Argo and Kubernetes hand it on unchanged."""
    text = value if isinstance(value, str) else to_json(value)
    if len(text.encode(errors="replace")) > 102400:
        fail("the value is longer than 102400 bytes: too long for a variable, pass it as argument")
    text = text.replace("$", "$" * 2).replace("{" * 2, ("$" + "(AIOWF_LB)") * 2)
    write(name, text.encode(errors="replace"))
