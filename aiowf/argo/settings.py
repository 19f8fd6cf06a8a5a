"""Where the server is and how to reach it: from arguments, or as the argo command line reads it."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from attrs import evolve, field, frozen

from aiowf.argo.announced import find
from aiowf.argo.tokens import Token, basic
from aiowf.errors import ConfigurationError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_UNIX = "unix:"


def _check_url(instance: object, attribute: object, url: str) -> None:
    """Refuse what cannot stand in the first line of a request, where the base href goes."""
    if not (url.isascii() and url.isprintable()) or any(mark in url for mark in " ?#"):
        raise _no_server("url", "only printable ASCII can stand here, without spaces, ? and #")


@frozen(kw_only=True)
class Settings:
    """How to reach an Argo Server.

    Attributes:
        url: "scheme://host:port" and the base href, without a "/" at the end.
        unix_path: Path of the Unix socket that the server listens on, or None for TCP.
        namespace: The namespace meant where none is named.
        token: The token or where it comes from; None sends no header.
        verify: Whether the server's certificate is checked.
        ca_file: Certificates of the authorities to trust instead of the system's, or None.
        cert_file: The client's own certificate, or None.
        key_file: Its key, or None if it is in the same file.
        is_engine: Whether an embedded engine of this user's is known to listen there.
        trust_env: Whether HTTP_PROXY, HTTPS_PROXY and NO_PROXY are heeded.

    Raises:
        ConfigurationError: The URL holds what has to be percent-encoded.
    """

    url: str = field(validator=_check_url)
    unix_path: str | None = None
    namespace: str = "default"
    token: Token | None = field(default=None, repr=False)
    verify: bool = True
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    is_engine: bool = False
    trust_env: bool = True

    @property
    def server(self) -> str:
        """Return the server as `connect` takes it; it never holds a password."""
        return f"{_UNIX}{self.unix_path}" if self.unix_path else self.url

    def proxy(self) -> str | None:
        """Return the URL of the proxy that the environment names for this server, or None."""
        parts = urlsplit(self.url)
        if self.unix_path or not self.trust_env or proxy_bypass(parts.hostname or ""):
            return None
        return getproxies().get(parts.scheme)

    def ssl_context(self) -> ssl.SSLContext | bool:
        """Return what aiohttp needs to know about TLS; reads files.

        Raises:
            ConfigurationError: A certificate cannot be read.
        """
        if not self.verify and not self.cert_file:
            return False
        if not (self.ca_file or self.cert_file):
            return True
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"a certificate cannot be read: {error}") from None
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def from_server(
    server: str, *, secure: bool = True, base_href: str = "", where: str = "server"
) -> Settings:
    """Return the settings for a server.

    Args:
        server: "host:port", an URL (http:// or https://, with a base href or not), or
            "unix:/path/to/socket". A user name and password in an URL are used for HTTP basic
            authentication.
        secure: Whether "host:port" means TLS.
        base_href: Path under which the server answers.
        where: What names the server, for an error.

    Raises:
        ConfigurationError: This is no server.
    """
    server = server.strip()
    if server.startswith(_UNIX):
        path = server.removeprefix(_UNIX)
        if not path.startswith("/"):
            raise _no_server(where, "unix: needs an absolute path")
        return Settings(url="http://argo", unix_path=path)
    try:
        parts = urlsplit(
            server if "://" in server else f"{'https' if secure else 'http'}://{server}"
        )
        host, port = parts.hostname, parts.port
    except ValueError:  # whose text may hold a password
        raise _no_server(where, "this is no server's address") from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        # What may hold a password or a token is not repeated.
        named = "this" if set("@?#") & set(server) else repr(server)
        raise _no_server(where, f"{named} is no server's address")
    place = f"[{host}]" if ":" in host else host
    path = "/".join(part for part in f"{parts.path}/{base_href}".split("/") if part)
    try:
        return Settings(
            url=f"{parts.scheme}://{place}{f':{port}' if port else ''}{f'/{path}' if path else ''}",
            token=_basic_of(parts.username, parts.password),
        )
    except ConfigurationError as error:
        error.where = where
        raise


def from_environment(
    environ: Mapping[str, str] | None = None, *, server: str | None = None
) -> Settings:
    """Return the settings that the environment says, as the argo command line reads them.

    ARGO_SERVER is "host:port" (an URL and unix:/path are taken too), ARGO_BASE_HREF is appended,
    ARGO_SECURE is true unless "false", ARGO_INSECURE_SKIP_VERIFY counts only when "true",
    ARGO_TOKEN includes its scheme, ARGO_NAMESPACE. In a pod the service account's token and
    namespace stand in for those that are not set; and so do those of a server that this user runs
    on this machine (`aiowf dev`), with its scheme.

    Args:
        environ: The environment; None: this process's.
        server: Instead of ARGO_SERVER, and then without ARGO_BASE_HREF.

    Raises:
        ConfigurationError: ARGO_SERVER is not set, or is none.
    """
    environ = os.environ if environ is None else environ
    named = environ.get("ARGO_SERVER", "")
    server = server or named
    if not server:
        raise ConfigurationError(
            "ARGO_SERVER is not set",
            where="ARGO_SERVER",
            hint='Set it to "host:port", or name the server: connect("https://argo:2746").',
        )
    settings = from_server(
        server,
        secure=environ.get("ARGO_SECURE", "").lower() != "false",
        base_href=environ.get("ARGO_BASE_HREF", "") if server == named else "",
        where="ARGO_SERVER" if server == named else "server",
    )
    account = service_account()
    if not settings.unix_path:
        given = environ.get("ARGO_TOKEN") or settings.token
        settings = evolve(settings, token=given or (account / "token" if account else None))
    elif environ.get("ARGO_TOKEN"):
        settings = evolve(settings, token=environ["ARGO_TOKEN"])
    settings, told = _with_announced(settings, server, environ)
    return evolve(
        settings,
        namespace=environ.get("ARGO_NAMESPACE") or told or _account_namespace(account) or "default",
        verify=environ.get("ARGO_INSECURE_SKIP_VERIFY", "").lower() != "true",
    )


def _with_announced(
    settings: Settings, server: str, environ: Mapping[str, str]
) -> tuple[Settings, str | None]:
    """Add what this user's own server asks for, and its namespace, if this is one."""
    scheme, _, rest = server.rpartition("://")
    if settings.unix_path:
        found = find(settings.server, environ)
    elif scheme == "https" or (not scheme and environ.get("ARGO_SECURE", "").lower() == "true"):
        return settings, None
    else:
        # localhost may mean another address as well: then it is this one that is meant.
        place = rest.rstrip("/")
        found = find(place, environ) or find(place.replace("localhost", "127.0.0.1", 1), environ)
    if found is None:
        return settings, None
    if not settings.unix_path:
        settings = evolve(settings, url=f"http://{found.server}", is_engine=True)
    if not environ.get("ARGO_TOKEN"):
        settings = evolve(settings, token=found.token or None)
    return settings, found.namespace


def service_account(directory: Path | None = None) -> Path | None:
    """Return the directory of the pod's service account, or None outside a pod."""
    directory = SERVICE_ACCOUNT if directory is None else directory
    return directory if (directory / "token").is_file() else None


def _account_namespace(account: Path | None) -> str | None:
    try:
        return (account / "namespace").read_text().strip() if account else None
    except OSError:
        return None


def _basic_of(username: str | None, password: str | None) -> str | None:
    return basic(unquote(username), unquote(password or "")) if username else None


def _no_server(where: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        reason,
        where=where,
        hint='Write "host:port", "https://host:port/base" or "unix:/path/to/socket".',
    )
