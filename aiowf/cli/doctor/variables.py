"""Variables of the environment that nobody reads, or not as they were meant."""

import re
from collections.abc import Iterator, Mapping

from aiowf.cli.doctor.finding import Finding

_SWITCHES = ("ARGO_SECURE", "ARGO_INSECURE_SKIP_VERIFY")
_ARGO = ("ARGO_SERVER", "ARGO_TOKEN", "ARGO_NAMESPACE", "ARGO_BASE_HREF", *_SWITCHES)
# What argo's own command line reads besides, and what it sets in pods.
_ARGOS_OWN = ("ARGO_HTTP1", "ARGO_INSTANCEID", "ARGO_TEMPLATE", "ARGO_PROGRESS_FILE")
_ANY_POD = re.compile("ARGO_(CONTAINER|NODE|POD|WORKFLOW|INCLUDE|DEADLINE|TRACE|AGENT|EXECUTOR)")
# What Kubernetes says of the services of a namespace, and what Kafka's own programs read.
_SERVICE = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)$")
_KAFKAS_OWN = re.compile("KAFKA_(HOME|DEBUG|.*_OPTS|OPTS)$")
_BROKERS = re.compile("KAFKA_(URL|HOSTS?|ADDRESS|BROKERS?|SERVERS?|BOOTSTRAP)")


def check_variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a warning for each variable that looks like one of ours and is none."""
    from aiowf.manifest.names import nearest

    known = _known()
    for name in sorted(environ):
        if not name.startswith(("ARGO_", "KAFKA_", "AIOWF_")) or name in known or _is_others(name):
            continue
        near = '"KAFKA_BOOTSTRAP_SERVERS" names the brokers.' if _BROKERS.match(name) else None
        prefix = name.partition("_")[0]
        hint = near or nearest(name, (each for each in known if each.startswith(prefix)))
        yield Finding("environment", "warn", f"{name} is set, and nobody reads it", hint)
    for name in _SWITCHES:
        value = environ.get(name, "")
        if value.lower() not in ("", "true", "false"):
            meant = "true" if name == "ARGO_SECURE" else "false"
            said = f"{name}={value!r} counts as {meant}"
            yield Finding("environment", "warn", said, "Say true or false, as for argo.")


def _known() -> frozenset[str]:
    from aiowf.replies.settings import VARIABLES
    from aiowf.wire import labels

    ours = [value for name, value in vars(labels).items() if name.startswith("ENV_")]
    return frozenset((*_ARGO, *VARIABLES.values(), *ours, "AIOWF_PROFILE", "AIOWF_UI_URL"))


def _is_others(name: str) -> bool:
    patterns = (_ANY_POD.match(name), _SERVICE.search(name), _KAFKAS_OWN.match(name))
    return name in _ARGOS_OWN or any(patterns)
