"""Write text so that neither Argo nor Kubernetes substitutes anything in it.

Argo replaces `{{…}}` wherever it stands in a template and passes over the text more than once: it
has no escape. Kubernetes then replaces `$(NAME)` and `$$` in env values, commands, args and
(through the executor's variable ARGO_TEMPLATE) script sources. So `{{`, `$$` and `$(` must not
occur: each kind of text has its own way to spell them otherwise.
"""

import re

LEFT_BRACE = "AIOWF_LB"
"""Name of the variable whose value is `{`; it comes before all variables made by `env_value`."""

_EXPANDED = re.compile(r"\$(?=[$(])")
_EXPANDED_IN_BASH = re.compile(r"\$(?:\$|\([-._A-Za-z0-9]+\))")
_SECOND_BRACE = re.compile(r"(?<=\{)\{")


def is_inert(text: str) -> bool:
    """Tell whether the text arrives unchanged as a script source, whatever the pod has."""
    return "{{" not in text and "$$" not in text and "$(" not in text


def json_text(text: str) -> str:
    r"""Spell the JSON text with `\u007b` and `\u0024`; a JSON reader sees the same value.

    Every `$` is replaced, so that the text may also be put behind another text. Half of a surrogate
    pair, as in the name of a file that is no UTF-8, is spelled as an escape too.
    """
    if not text.isascii():
        text = text.encode(errors="backslashreplace").decode()
    if "$" in text:
        text = text.replace("$", "\\u0024")
    return text.replace("{{", "{\\u007b") if "{{" in text else text


def python_literal(text: str) -> str:
    """Write the text as a Python string literal, readable if it has several lines."""
    if "\n" in text and not _UNQUOTABLE.search(text):
        body = text.replace("\\", "\\\\").replace("'''", "\\'\\'\\'")
        if body.endswith("'"):
            body = f"{body[:-1]}\\'"
        literal = f"'''{body}'''"
    else:
        literal = repr(text)
    return python_code(literal)


def python_code(code: str) -> str:
    """Escape in Python code whose `{{` and `$` can only be inside of plain string literals."""
    if is_inert(code):
        return code
    return _EXPANDED.sub(r"\\x24", _SECOND_BRACE.sub(r"\\x7b", code))


_UNQUOTABLE = re.compile("[\x00\r\ud800-\udfff]")
"""What a triple-quoted literal in a UTF-8 file cannot hold as it is."""


def bash_source(source: str) -> str:
    """Wrap a Bash source that would be changed into `eval $'…'`; return any other one as it is.

    `$(command)` stays where no variable could be called so: Kubernetes leaves it alone.
    """
    if "{{" not in source and not _EXPANDED_IN_BASH.search(source):
        return source
    quoted = source.replace("\\", "\\\\").replace("'", "\\'").replace("\r", "\\r")
    quoted = _EXPANDED.sub(r"\\x24", _SECOND_BRACE.sub(r"\\x7b", quoted))
    return f"eval $'{quoted}'\n"


def env_value(text: str) -> str:
    """Write the text as the value of a container's variable, or an item of its command and args.

    The container needs the variable `LEFT_BRACE` with the value `{` before it in its list.
    """
    if "$" in text:
        text = text.replace("$", "$$")
    return text.replace("{{", f"$({LEFT_BRACE})$({LEFT_BRACE})") if "{{" in text else text
