"""What can go wrong on the way to a server: which error it is, and whether to try again."""

import errno
import socket
import ssl

import aiohttp
from aiohttp.client_exceptions import UnixClientConnectorError
from aiohttp.http import HttpProcessingError

from aiowf.errors import AiowfError, RateLimitedError, ServerError, UnavailableError
from aiowf.wire.errors import NOT_CONNECTED, TLS_FAILED, no_connection, unreadable
from aiowf.wire.requests import Request

# A server that asks to wait for longer is not waited for: the caller is told.
_LONGEST_WAIT = 30.0
# Why nobody answers, by the number of the operating system's error.
_UNREACHABLE = {
    errno.ECONNREFUSED: "nobody listens there",
    errno.EHOSTUNREACH: "there is no way to this host",
    errno.ENETUNREACH: "there is no way to this network",
    errno.ENOENT: "there is no such socket",
}
# What aiohttp raises: a TimeoutError is an OSError.
FAULTS = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)
# What is said of answers that were damaged on their way.
_DAMAGED = ("the answer is not HTTP", "what is not JSON")
# What Go says of a handler that crashed: it would again.
_CRASHED = "runtime error:"
_UNKNOWN_AUTHORITY = (
    "Name the authority's certificate (SSL_CERT_FILE, or ca_file), or say that none is to be "
    "checked (ARGO_INSECURE_SKIP_VERIFY=true)."
)
_NO_TLS = "The server speaks plain HTTP: write http://, or set ARGO_SECURE=false."
_OTHER_NAME = "Name the server by a name that stands in its certificate."
# What to do about a handshake that failed, by OpenSSL's words.
_TLS_HINTS = (
    ("wrong version number", _NO_TLS),
    ("record layer failure", _NO_TLS),
    (
        "certificate has expired",
        "The server needs a new certificate; see also that this machine's clock is right.",
    ),
    ("not yet valid", "Compare the clocks of this machine and of the server."),
    ("ostname mismatch", _OTHER_NAME),
    ("IP address mismatch", _OTHER_NAME),
)


def wait_before_retry(error: Exception) -> bool | float:
    """Return whether to send a read again, or the seconds that the server asked to wait."""
    if isinstance(error, UnavailableError | RateLimitedError):
        wait = error.retry_after
        return True if wait is None else wait <= _LONGEST_WAIT and wait
    if not isinstance(error, ServerError):
        return False
    if _CRASHED in error.message:
        return False
    failed = error.status == 500 and error.code in (13, None)
    return failed or any(text in error.message for text in _DAMAGED)


def translated(request: Request, error: Exception, deadline: float) -> AiowfError:
    """Return what aiohttp raised as an error that names the request; an error of ours as it is.

    Its cause is to be left out: some of aiohttp's errors hold the headers that were sent, and with
    them the token.
    """
    said = (str(error) or type(error).__name__).replace(" ssl:default", "")
    match error:
        case AiowfError():
            return error
        case TimeoutError():
            return no_connection(request, f"no answer within {deadline:g} s")
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            text = f"{TLS_FAILED}{_tls_reason(error) or f': {said}'}"
            return unreadable(request, text, hint=_tls_hint(said))
        case aiohttp.ClientConnectorError():
            place = f"{error.host}:{error.port}"
            if isinstance(error, UnixClientConnectorError):
                place = f"unix:{error.path}"
            reason = _UNREACHABLE.get(error.os_error.errno or 0)
            if isinstance(error.os_error, socket.gaierror):
                reason = "there is no host of this name"
            hint = "Look at the address (ARGO_SERVER), and whether the server runs."
            text = f"{NOT_CONNECTED} {place}: {reason or said}"
            return no_connection(request, text, hint=hint)
        case aiohttp.ClientHttpProxyError():
            hint = "Look at HTTPS_PROXY and its password, or name the server in NO_PROXY."
            text = f"the proxy answered {error.status} {error.message}"
            return no_connection(request, text, hint=hint)
        case aiohttp.ClientPayloadError():
            return no_connection(request, f"the connection broke in the answer: {said}")
        case aiohttp.ClientConnectionError():
            return no_connection(request, f"no connection: {said}")
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return unreadable(request, f"the answer is not HTTP: {error.message}")
        case _:
            return unreadable(request, f"the request failed: {said}")


def _tls_reason(error: Exception) -> str | None:
    """Return with whom TLS failed, and why, in the words of OpenSSL; None: it does not say so."""
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLError() as cause):
            reason = getattr(cause, "verify_message", None) or cause.reason
        case aiohttp.ClientConnectorError(os_error=ssl.SSLError() as cause):
            reason = cause.reason and cause.reason.replace("_", " ").lower()
        case _:
            return None
    return f" with {error.host}:{error.port}: {reason}" if reason else None


def _tls_hint(said: str) -> str:
    """Return what to do about a handshake that failed."""
    return next((hint for text, hint in _TLS_HINTS if text in said), _UNKNOWN_AUTHORITY)
