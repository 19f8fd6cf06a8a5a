"""What a client is told, and what it reads from the environment."""

import os
import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from attrs import field, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest.names import dns_label, nearest
from aiowf.profile import Profile
from aiowf.replies.settings import KafkaSettings, read_kafka
from aiowf.wire import labels
from aiowf.wire.replies import reply_key

Completion = Literal["both", "watch", "notice"]
LOCAL = "local"
CLOUDHARNESS = "cloudharness"
ALLVALUES = Path("/opt/cloudharness/resources/allvalues.yaml")
DEFAULT_NAMESPACE = "default"


def commands(images: Mapping[str, str | Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Return the commands that stand in for images; a text is split as a shell splits words."""
    if not isinstance(images, Mapping):
        raise ConfigurationError(
            f"expected images and their commands, not {images!r:.80}",
            where="images",
            hint='Such as {"samples-sum": ["python", "sum.py"]}.',
        )
    return {image: _words(image, command) for image, command in images.items()}


def _words(image: str, command: str | Sequence[str]) -> Sequence[str]:
    where = f"images[{image!r}]"
    if not isinstance(image, str) or not image.strip():
        raise ConfigurationError("expected the name of an image", where=where)
    try:
        words = shlex.split(command) if isinstance(command, str) else list(command)
    except (TypeError, ValueError):  # a number, or a quotation mark without its fellow
        words = []
    if not words or not all(isinstance(word, str) for word in words):
        raise ConfigurationError(
            f"expected the words of a command, not {command!r:.80}", where=where
        )
    return words


def _namespace(_: object, field: object, name: str | None) -> None:
    if name is not None:
        dns_label(name, "namespace")


def without_password(server: str) -> str:
    """Return the address of a server as it may be shown: without a user's name and password."""
    scheme, slashes, rest = server.rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}"


@frozen(kw_only=True)
class ClientSettings:
    """All that a client needs to open.

    Attributes:
        server: "local" for an embedded engine of its own, "unix:<path>" for one that runs already,
            else the address of an Argo Server.
        namespace: Where workflows are created; None leaves it to the server's own conventions.
        token: What authenticates the client, or a callable that gives it; never shown.
        kafka: Settings of the reply channel, or None.
        reply_key: With it every reply is authenticated; never shown.
        profile: Where tasks run.
        max_active: Most workflows in flight at once, or None for no bound.
        completion: What ends the wait for a sync operation.
        ui: Base address of Argo's user interface, or None.
        images: For the embedded engine: image name → the command that stands in for it.
        max_pods: For the embedded engine: most pods at once; None: the number of processors.
        claims: For the embedded engine: the directory of its persistent claims, which are the
            directories `<namespace>/<claim>` in it; None: it begins without any.
        containers: For the embedded engine: True, "podman", "docker" or a command with options:
            every pod is a container; False: none is; None: those are whose image has no command
            that could run here, if podman or docker is installed.
        build: For the embedded engine: the directory of applications whose images are built.
    """

    server: str = field(repr=lambda server: repr(without_password(server)))
    namespace: str | None = field(default=None, validator=_namespace)
    token: Any = field(default=None, repr=False)
    kafka: KafkaSettings | None = field(default=None, repr=False)
    reply_key: bytes | None = field(default=None, repr=False)
    profile: Profile = field(factory=Profile)
    max_active: int | None = None
    completion: Completion = "both"
    ui: str | None = None
    images: Mapping[str, Sequence[str]] = field(factory=dict, converter=commands)
    max_pods: int | None = None
    claims: str | Path | None = None
    containers: bool | str | Sequence[str] | None = None
    build: str | Path | None = None

    @property
    def is_local(self) -> bool:
        """Return whether an embedded engine serves that is to be started."""
        return self.server == LOCAL

    @property
    def joins_engine(self) -> bool:
        """Return whether an embedded engine serves that runs already.

        Nothing but an engine of ours listens on a Unix socket: an Argo Server cannot.
        """
        return self.server.startswith("unix:")


def read_settings(
    server: str | None,
    *,
    profile: Profile | str | Path | Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    **options: Any,
) -> ClientSettings:
    """Complete what the caller says by what the environment says.

    Raises:
        ConfigurationError: A value is wrong, or nothing says which server to use in a Kubernetes
            pod.
    """
    environ = os.environ if environ is None else environ
    _check_options(options)
    options["reply_key"] = reply_key(environ.get(labels.ENV_REPLY_KEY))
    if server == CLOUDHARNESS:
        return _cloudharness(profile, environ, options)
    options["ui"] = options.get("ui") or environ.get("AIOWF_UI_URL") or None
    options["namespace"] = options.get("namespace") or _namespace_of(environ)
    options["kafka"] = read_kafka(options.get("kafka"), environ)
    return ClientSettings(
        server=_server(server, environ), profile=_profile(profile, environ), **options
    )


def _namespace_of(environ: Mapping[str, str]) -> str | None:
    name = environ.get("ARGO_NAMESPACE") or None
    return name if name is None else dns_label(name, "ARGO_NAMESPACE")


def _server(server: str | None, environ: Mapping[str, str]) -> str:
    if server is not None and not isinstance(server, str):
        raise ConfigurationError(
            f"expected an address, not {server!r:.60}",
            where="server",
            hint='"host:port", an URL, "local" or "cloudharness".',
        )
    if server:
        exact = (LOCAL, CLOUDHARNESS, "localhost")
        if server not in exact and get_close_matches(server, (LOCAL, CLOUDHARNESS), 1, 0.8):
            hint = nearest(server, (LOCAL, CLOUDHARNESS))
            raise ConfigurationError(f"{server!r} is no address", where="server", hint=hint)
        return server
    if environ.get("ARGO_SERVER"):
        return environ["ARGO_SERVER"]
    if environ.get("KUBERNETES_SERVICE_HOST"):
        # A service that forgot its setting must not run its workflows inside its own pod,
        # unnoticed.
        raise ConfigurationError(
            "this is a Kubernetes pod and ARGO_SERVER is not set",
            hint='Set ARGO_SERVER=host:port; aiowf.connect("local") is the embedded engine.',
        )
    return LOCAL


def _profile(
    profile: Profile | str | Path | Mapping[str, Any] | None, environ: Mapping[str, str]
) -> Profile:
    if isinstance(profile, Profile):
        return profile
    if profile is not None:
        return Profile.cloudharness(profile)
    named = environ.get("AIOWF_PROFILE")
    if not named:
        return Profile()
    try:
        return Profile.cloudharness(named)
    except ConfigurationError as error:
        if error.where == "values":  # which is the file itself: say who names it
            error.where = "AIOWF_PROFILE"
        raise


def _cloudharness(
    profile: Any, environ: Mapping[str, str], options: dict[str, Any]
) -> ClientSettings:
    """Read server, namespace, images, Kafka and user interface from allvalues.yaml."""
    source = profile or environ.get("AIOWF_PROFILE") or environ.get("CH_VALUES_PATH") or ALLVALUES
    if isinstance(source, Profile):
        raise ConfigurationError(
            'aiowf.connect("cloudharness") reads the values itself',
            hint="Give profile= the path of allvalues.yaml, or a mapping.",
        )
    from aiowf.profile.addresses import cloudharness_addresses

    found = cloudharness_addresses(source)
    return ClientSettings(
        server=environ.get("ARGO_SERVER") or found.server,
        profile=Profile.cloudharness(source),
        **{
            **options,
            "namespace": options.get("namespace") or _namespace_of(environ) or found.namespace,
            "ui": options.get("ui") or environ.get("AIOWF_UI_URL") or found.ui,
            "kafka": read_kafka(
                found.kafka if options.get("kafka") is None else options["kafka"], environ
            ),
        },
    )


def _check_options(options: Mapping[str, Any]) -> None:
    if options.get("completion", "both") not in ("both", "watch", "notice"):
        raise ConfigurationError(
            f'completion={options["completion"]!r}: it must be "both", "watch" or "notice"'
        )
    for name in ("max_active", "max_pods"):
        most = options.get(name)
        if most is not None and (type(most) is not int or most < 1):
            raise ConfigurationError(f"{name}={most!r:.60}: it must be a positive number, or None")
    for name in ("claims", "build"):
        place = options.get(name)
        if place is not None and not isinstance(place, str | Path):
            raise ConfigurationError(f"{name}={place!r:.60}: it must be the path of a directory")
    ui = options.get("ui")
    if ui is not None and not _is_address(ui):
        raise ConfigurationError(
            f"ui={ui!r} is not an address", hint="Such as https://argo.example.org"
        )


def _is_address(text: object) -> bool:
    try:
        return isinstance(text, str) and urlsplit(text).scheme in ("http", "https")
    except ValueError:
        return False
