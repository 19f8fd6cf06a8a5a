"""TLS and proxies: real certificates, real handshakes, a proxy that really relays."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from respx_server import serve_bytes

from aiowf.argo import ArgoSession, Settings
from aiowf.errors import ArgoError, ServerError, UnavailableError

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The authority that the server's certificate is of."""
    return trustme.CA()


def write(ca: trustme.CA, path: Path) -> str:
    """Write the certificate of an authority; return its path."""
    ca.cert_pem.write_to_path(path)
    return str(path)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request with an empty object."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    await writer.drain()


@asynccontextmanager
async def serve_tls(
    certificate: trustme.LeafCert, *, clients: trustme.CA | None = None
) -> AsyncIterator[str]:
    """Serve with a certificate, to clients of an authority alone where one is given."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        clients.configure_trust(context)
    async with serve_bytes(answer, tls=context) as place:
        yield place


async def ask(settings: Settings) -> None:
    """Send a request."""
    async with ArgoSession(settings, token="Bearer s3cret", attempts=1) as session:
        await session.server.version()


async def test_a_server_of_ones_own_authority_is_trusted(
    authority: trustme.CA, tmp_path: Path
) -> None:
    """The authority's certificate is all that is needed."""
    ca_file = write(authority, tmp_path / "ca.pem")
    async with serve_tls(authority.issue_cert(HOST)) as place:
        await ask(Settings(url=f"https://{place}", ca_file=ca_file))


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        ("authority", "Name the authority's certificate"),
        ("name", "by a name that stands in its certificate"),
        ("time", "needs a new certificate"),
    ],
)
async def test_a_certificate_that_is_not_right_is_told_apart(
    authority: trustme.CA, tmp_path: Path, fault: str, hint: str
) -> None:
    """Another authority, another name and a time that is over each have their own remedy."""
    ca_file = write(trustme.CA() if fault == "authority" else authority, tmp_path / "ca.pem")
    past = datetime.now(UTC) - timedelta(days=1)
    certificate = {
        "authority": lambda: authority.issue_cert(HOST),
        "name": lambda: authority.issue_cert("argo.example"),
        "time": lambda: authority.issue_cert(
            HOST, not_before=past - timedelta(days=1), not_after=past
        ),
    }[fault]()
    async with serve_tls(certificate) as place:
        with pytest.raises(ServerError, match="TLS failed") as caught:
            await ask(Settings(url=f"https://{place}", ca_file=ca_file))
    assert hint in str(caught.value)
    assert ("GET", "/api/v1/version") == (caught.value.method, caught.value.path)


async def test_a_client_s_certificate(authority: trustme.CA, tmp_path: Path) -> None:
    """A server that asks for one gets it; without one the error names the request."""
    ca_file = write(authority, tmp_path / "ca.pem")
    own = tmp_path / "client.pem"
    authority.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(own)
    async with serve_tls(authority.issue_cert(HOST), clients=authority) as place:
        url = f"https://{place}"
        await ask(Settings(url=url, ca_file=ca_file, cert_file=str(own)))
        with pytest.raises(ArgoError) as caught:
            await ask(Settings(url=url, ca_file=ca_file))
    assert "/api/v1/version" == caught.value.path


class Proxy:
    """A proxy that relays what is asked by CONNECT, to those who know its password."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if b"Proxy-Authorization: Basic dTpw\r\n" not in head:  # u:p
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        there, out = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_pump(reader, out), _pump(there, writer))
        finally:
            out.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    target.close()


async def test_a_proxy_of_the_environment_relays(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS goes through the proxy, from end to end: it sees neither token nor path."""
    ca_file = write(authority, tmp_path / "ca.pem")
    proxy = Proxy()
    async with serve_tls(authority.issue_cert(HOST)) as place, serve_bytes(proxy.talk) as relay:
        monkeypatch.setenv("https_proxy", f"http://u:p@{relay}")
        monkeypatch.setenv("no_proxy", "")
        await ask(Settings(url=f"https://{place}", ca_file=ca_file))
    assert proxy.heads[0].startswith(f"CONNECT {place} HTTP/1.1\r\n".encode())
    assert b"s3cret" not in proxy.heads[0]


async def test_a_proxy_that_refuses_is_told_as_a_proxy(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its refusal is not taken for the server's, and the password is not shown."""
    ca_file = write(authority, tmp_path / "ca.pem")
    async with serve_bytes(Proxy().talk) as relay:
        monkeypatch.setenv("https_proxy", f"http://u:wr0ng@{relay}")
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(UnavailableError, match="the proxy answered 407") as caught:
            await ask(Settings(url="https://argo.example:2746", ca_file=ca_file))
    assert "wr0ng" not in str(caught.value)
    assert "/api/v1/version" == caught.value.path
