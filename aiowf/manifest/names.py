"""Names and labels: what Argo and Kubernetes accept, and what comes nearest.

Pure functions. A check returns the text that may be used, or raises ConfigurationError that says
where, what is wrong, and the nearest text that would be right.
"""

import re
from collections.abc import Callable, Iterable

from aiowf.errors import ConfigurationError

MAX_LABEL = 63  # RFC 1123 labels, Kubernetes' label values, Argo's workflow names
MAX_TEMPLATE_NAME = 128  # Argo, names of templates, steps and DAG tasks
MAX_SUBDOMAIN = 253  # names of most Kubernetes objects
RANDOM_CHARACTERS = 10  # what a client adds to the name of an operation

# The syntax of each kind of name, with the rule in words.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_TEMPLATE = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_PARAMETER = re.compile(r"[-a-zA-Z0-9_]+")
_ENV = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_IMAGE = re.compile(
    r"(?:(?:[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?"  # registry
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"  # path
    r"(?::[\w][\w.-]{0,127})?"  # tag
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",  # digest
    re.ASCII,
)

_ENDS = "a letter or digit first and last"
_LABEL_RULE = f"only lower case letters, digits and '-' are allowed, {_ENDS}"
_SUBDOMAIN_RULE = f"only lower case letters, digits, '-' and '.' are allowed, {_ENDS}"
_TEMPLATE_RULE = "only letters, digits and '-' are allowed, a letter or digit first"
_PARAMETER_RULE = "only letters, digits, '-' and '_' are allowed"
_ENV_RULE = "only letters, digits, '_', '-' and '.' are allowed, and no digit first"
_LABEL_VALUE_RULE = f"only letters, digits, '-', '_' and '.' are allowed, {_ENDS}"


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return a hint like `did you mean "readOnly"?`; where nothing is near, a few candidates.

    Case, "_" and "-" do not count, so a name in snake case finds its camel case. None: nothing is
    near, and there are none or too many to list.
    """
    from difflib import get_close_matches

    plain: dict[str, str] = {}
    for candidate in candidates:
        plain.setdefault(_plain(candidate), candidate)
    found = get_close_matches(_plain(name), plain, n=1, cutoff=0.6)
    if found:
        return f'did you mean "{plain[found[0]]}"?'
    few = ", ".join(f'"{candidate}"' for candidate in plain.values())
    return f"there is {few}" if 0 < len(plain) <= 6 else None


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def shortened(text: str, limit: int = MAX_LABEL) -> str:
    """Return a text of at most `limit` characters: itself, or its begin and a hash of all of it."""
    if len(text) <= limit:
        return text
    return f"{text[: limit - 9].rstrip('-._')}-{_digest(text)}"


def _digest(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode()).hexdigest()[:8]


def dns_label(name: str, where: str = "name") -> str:
    """Return the name if it is an RFC 1123 label: lower case, digits and "-", at most 63.

    Raises:
        ConfigurationError: It is none; the hint is the nearest one.
    """
    return _checked(name, where, _LABEL, MAX_LABEL, _LABEL_RULE, _slug)


def dns_subdomain(name: str, where: str = "name") -> str:
    """Return the name if it is an RFC 1123 subdomain: labels joined by ".", at most 253.

    Raises:
        ConfigurationError: It is none; the hint is the nearest label.
    """
    return _checked(name, where, _SUBDOMAIN, MAX_SUBDOMAIN, _SUBDOMAIN_RULE, _slug)


def task_name(text: str, where: str = "name") -> str:
    """Return the name of a task: spaces become "-", lower case, then an RFC 1123 label.

    Raises:
        ConfigurationError: It is no such label, or longer than 63; the hint is the nearest one.
    """
    return dns_label(_text(text, where).replace(" ", "-").lower(), where)


def operation_name(text: str, where: str = "name") -> str:
    """Return the name of an operation, a prefix of workflow names: a missing last "-" is added.

    Ten random characters must find room within Argo's 63, so at most 53 are left.

    Raises:
        ConfigurationError: It is no begin of an RFC 1123 label, or too long.
    """
    name = text if _text(text, where).endswith("-") else text + "-"
    limit = MAX_LABEL - RANDOM_CHARACTERS
    if _LABEL.fullmatch(name + "0") and name[0] != "-" and len(name) <= limit:
        return name
    valid = _slug(name, limit - 1)
    raise ConfigurationError(
        f"{text!r:.150} cannot begin the name of a workflow: {_LABEL_RULE}, and at most {limit} "
        f"characters with the last '-', since {RANDOM_CHARACTERS} more are added",
        where=where,
        hint=f'use "{valid}-"' if valid else None,
    )


def template_name(text: str, where: str = "name") -> str:
    """Return the name of a template, a step or a DAG task if Argo accepts it.

    Raises:
        ConfigurationError: Argo does not accept it.
    """
    return _checked(text, where, _TEMPLATE, MAX_TEMPLATE_NAME, _TEMPLATE_RULE, _word("-"))


def parameter_name(text: str, where: str = "name") -> str:
    """Return the name of a parameter or an artifact if Argo accepts it.

    Raises:
        ConfigurationError: Argo does not accept it.
    """
    return _checked(text, where, _PARAMETER, None, _PARAMETER_RULE, _word("-", "_"))


def env_name(text: str, where: str = "env") -> str:
    """Return the name of an environment variable if every Kubernetes accepts it.

    Raises:
        ConfigurationError: Kubernetes before 1.34 would refuse it.
    """
    return _checked(text, where, _ENV, None, _ENV_RULE, _variable)


def label_value(text: str, where: str = "labels") -> str:
    """Return the value of a label if Kubernetes accepts it: at most 63, no blanks; "" is fine.

    Raises:
        ConfigurationError: Kubernetes would refuse it.
    """
    return _checked(text, where, _LABEL_VALUE, MAX_LABEL, _LABEL_VALUE_RULE, _word("-", "_", "."))


def label_key(text: str, where: str = "labels") -> str:
    """Return the key of a label or an annotation if Kubernetes accepts it: `[domain/]name`.

    Raises:
        ConfigurationError: Kubernetes would refuse it.
    """
    prefix, slash, name = _text(text, where).rpartition("/")
    if slash:
        dns_subdomain(prefix, where)
    _checked(name, where, _LABEL_NAME, MAX_LABEL, _LABEL_VALUE_RULE, _word("-", "_", "."))
    return text


def volume_name(text: str) -> str:
    """Return the name of the volume for a path or a claim: an RFC 1123 label.

    A claim whose name is a label keeps it; "/mnt/shared" becomes "mnt-shared". A text that would
    lose more than its slashes gets a hash, so that different paths have different names.
    """
    slug = _slug(text, len(text))
    plain = text if "/" not in text else text.strip("/").replace("-", "_").replace("/", "-")
    if slug and slug == plain and len(slug) <= MAX_LABEL:
        return slug
    return f"{slug[: MAX_LABEL - 9].rstrip('-') or 'volume'}-{_digest(text)}"


def is_image_reference(text: str) -> bool:
    """Return whether a text has the form `[registry/]path[:tag][@digest]` of a container image."""
    return _IMAGE.fullmatch(text) is not None


def _text(value: str, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"expected a text, not {value!r:.80}", where=where)
    return value


def _checked(
    text: str,
    where: str,
    syntax: re.Pattern[str],
    limit: int | None,
    rule: str,
    mend: Callable[[str, int], str],
) -> str:
    """Return the text if it is of the syntax and not too long, else refuse it."""
    if not syntax.fullmatch(_text(text, where)):
        problem = f"{text!r:.150} is not valid: {rule}"
    elif limit is not None and len(text) > limit:
        problem = f"{text!r:.150} has {len(text)} characters, and may have {limit}"
    else:
        return text
    valid = mend(text, limit or len(text))
    raise ConfigurationError(problem, where=where, hint=f'use "{valid}"' if valid else None)


def _slug(text: str, limit: int) -> str:
    """Return the nearest RFC 1123 label, or "" where no character is left."""
    return shortened(re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-"), limit)


def _word(*allowed: str) -> Callable[[str, int], str]:
    """Return what replaces every character but letters, digits and the allowed ones by "-"."""
    wrong = re.compile(f"[^A-Za-z0-9{re.escape(''.join(allowed))}]+")
    ends = "".join(allowed)
    return lambda text, limit: shortened(wrong.sub("-", text).strip(ends), limit)


def _variable(text: str, _: int) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_")
    return f"_{name}" if name[:1].isdigit() else name
