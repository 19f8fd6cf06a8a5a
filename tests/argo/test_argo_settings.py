"""Where the server is: arguments and environment as the argo command line reads them."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from respx_server import serve_bytes

from aiowf.argo import ArgoSession, Settings, claim_exists, from_environment, from_server
from aiowf.argo.tokens import Credentials
from aiowf.errors import ConfigurationError, ServerError


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("argo:2746", "https://argo:2746"),
        ("argo", "https://argo"),
        ("http://argo:2746/", "http://argo:2746"),
        ("https://argo/base/href/", "https://argo/base/href"),
        ("[::1]:2746", "https://[::1]:2746"),
        (" argo:2746\n", "https://argo:2746"),
        ("http://user:p%40ss@argo", "http://argo"),
    ],
)
def test_forms_of_a_server(server: str, url: str) -> None:
    """A host means TLS; an URL says what it means; its password goes elsewhere."""
    settings = from_server(server)
    assert settings.url == url
    assert settings.server == url
    assert (settings.token is not None) == ("@" in server)


@pytest.mark.parametrize(
    "server",
    [
        "",
        "ftp://argo",
        "http://",
        "argo:99999999",
        "unix:relative",
        "http://a/?q",
        "http://a/#f",
        "http://[a",
    ],
)
def test_what_is_no_server(server: str) -> None:
    """It is refused, without repeating what may hold a password."""
    with pytest.raises(ConfigurationError, match="host:port"):
        from_server(server)


def test_the_environment_is_read_as_argo_reads_it() -> None:
    """Every variable of the command line counts."""
    settings = from_environment(
        {
            "ARGO_SERVER": "argo:2746",
            "ARGO_BASE_HREF": "/argo/",
            "ARGO_SECURE": "false",
            "ARGO_INSECURE_SKIP_VERIFY": "true",
            "ARGO_TOKEN": "Bearer abc",
            "ARGO_NAMESPACE": "team",
        }
    )
    assert settings == Settings(
        url="http://argo:2746/argo", namespace="team", token="Bearer abc", verify=False
    )


def test_defaults_are_safe() -> None:
    """TLS is on and certificates are checked unless the environment says the very word."""
    for secure, skip in (("", ""), ("0", "1"), ("true", "yes")):
        settings = from_environment(
            {"ARGO_SERVER": "a", "ARGO_SECURE": secure, "ARGO_INSECURE_SKIP_VERIFY": skip}
        )
        assert (settings.url, settings.verify) == ("https://a", True)
        assert settings.ssl_context() is True


def test_without_a_server_the_variable_is_named() -> None:
    """The error says what to set."""
    with pytest.raises(ConfigurationError, match="ARGO_SERVER is not set"):
        from_environment({})


def test_in_a_pod_the_service_account_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its token file and namespace are used where the environment says nothing else."""
    monkeypatch.setattr("aiowf.argo.settings.SERVICE_ACCOUNT", tmp_path)
    (tmp_path / "token").write_text("t")
    assert from_environment({"ARGO_SERVER": "a"}).namespace == "default"
    (tmp_path / "namespace").write_text("team\n")
    settings = from_environment({"ARGO_SERVER": "a"})
    assert (settings.token, settings.namespace) == (tmp_path / "token", "team")
    assert from_environment({"ARGO_SERVER": "a", "ARGO_TOKEN": "Basic x"}).token == "Basic x"
    assert from_environment({"ARGO_SERVER": "http://u:p@a"}).token == "Basic dTpw"
    assert from_environment({"ARGO_SERVER": "unix:/s"}).token is None
    assert from_environment({"ARGO_SERVER": "unix:/s", "ARGO_TOKEN": "x"}).token == "x"


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY counts unless NO_PROXY or the settings say otherwise."""
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "inside")
    assert from_server("argo:2746").proxy() == "http://proxy:3128"
    assert from_server("inside:2746").proxy() is None
    assert from_server("unix:/s").proxy() is None
    assert Settings(url="https://argo", trust_env=False).proxy() is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, with its key and its authority in the same file."""
    file = tmp_path_factory.mktemp("tls") / "cert.pem"
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(file)
    authority.cert_pem.write_to_path(file, append=True)
    return file


@pytest.mark.parametrize(
    ("how", "works"),
    [
        ({}, False),
        ({"verify": False}, True),
        ({"ca_file": "cert"}, True),
        ({"ca_file": "cert", "cert_file": "cert"}, True),
        ({"verify": False, "cert_file": "cert"}, True),
    ],
    ids=["unknown", "insecure", "authority", "client", "insecure-client"],
)
async def test_tls(certificate: Path, how: dict[str, Any], works: bool) -> None:
    """A certificate is checked against the authorities, or not at all where that is asked."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()

    options = {key: str(certificate) if item == "cert" else item for key, item in how.items()}
    async with serve_bytes(talk, tls=context) as place:
        settings = Settings(url=f"https://{place}", **options)
        async with ArgoSession(settings, attempts=1) as session:
            if works:
                assert (await session.server.version()).version is None
            else:
                with pytest.raises(ServerError, match="TLS failed"):
                    await session.server.version()


def test_a_certificate_that_cannot_be_read_is_told() -> None:
    """It is a fault of the settings."""
    with pytest.raises(ConfigurationError, match="certificate"):
        Settings(url="https://a", ca_file="/no/such/file").ssl_context()


@pytest.fixture
def account(tmp_path: Path, certificate: Path) -> Path:
    """A service account whose authority is that of the certificate."""
    (tmp_path / "token").write_text("t0k3n\n")
    (tmp_path / "ca.crt").write_text(certificate.read_text())
    return tmp_path


@pytest.mark.parametrize(
    ("status", "answer"), [(200, True), (404, False), (403, None), (302, None)]
)
async def test_kubernetes_says_whether_a_claim_exists(
    account: Path, certificate: Path, status: int, answer: bool | None
) -> None:
    """The API is asked with the pod's own account; a refusal says nothing."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    heads: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    async with serve_bytes(talk, tls=context) as place:
        host, _, port = place.rpartition(":")
        environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        assert await claim_exists("ns", "c", environ=environ, account=account) is answer
    assert heads[0].startswith(b"GET /api/v1/namespaces/ns/persistentvolumeclaims/c HTTP/1.1")
    assert b"Authorization: Bearer t0k3n\r\n" in heads[0]


async def test_where_nobody_can_be_asked(account: Path, tmp_path: Path) -> None:
    """Outside a pod, without an account, or with an API that is away, there is no answer."""
    assert await claim_exists("ns", "c", environ={}, account=account) is None
    environ = {"KUBERNETES_SERVICE_HOST": "::1", "KUBERNETES_SERVICE_PORT": "1"}
    assert await claim_exists("ns", "c", environ=environ, account=tmp_path / "none") is None
    assert await claim_exists("ns", "c", environ=environ, account=account) is None
    (account / "ca.crt").unlink()
    assert await claim_exists("ns", "c", environ=environ, account=account) is None


async def test_a_provider_that_fails_is_told_without_its_token() -> None:
    """What a callable raises of the operating system is an error of the settings."""

    def provide() -> str:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(ConfigurationError, match="the token provider cannot be read: Permission"):
        await Credentials(provide).header()


async def test_a_plain_callable_may_return_an_awaitable() -> None:
    """A partial of a coroutine function is no coroutine function, and yet works."""

    async def provide() -> str:
        return "abc"

    credentials = Credentials(lambda: provide())
    assert await credentials.header() == "Bearer abc"
    assert repr(credentials) == "<Credentials hidden>"
    assert repr(Credentials(None)) == "<Credentials none>"


def test_a_server_named_elsewhere_is_not_below_the_base_href() -> None:
    """ARGO_BASE_HREF belongs to ARGO_SERVER; the token goes to whatever server is meant."""
    environ = {"ARGO_SERVER": "argo:2746", "ARGO_BASE_HREF": "/base", "ARGO_TOKEN": "Bearer x"}
    there = from_environment(environ, server="http://other:1")
    assert ("http://other:1", "Bearer x") == (there.url, there.token)
    assert "https://argo:2746/base" == from_environment(environ, server="argo:2746").url
