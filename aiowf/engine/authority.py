"""Who may ask the engine for what: its client everything, a pod what belongs to its workflow."""

import hashlib
import hmac
import secrets

from attrs import field, frozen


@frozen
class Authority:
    """Issues and checks tokens.

    A workflow's token is "<namespace>/<name>/<uid>/<mac>"; names and uids have no slash.

    Attributes:
        token: The client's token, which may do everything; "": everybody may.
    """

    token: str
    _secret: bytes = field(factory=lambda: secrets.token_bytes(32), init=False, repr=False)

    def issue(self, namespace: str, workflow: str, uid: str) -> str:
        """Return the token of a workflow's pods."""
        subject = f"{namespace}/{workflow}/{uid}"
        return f"{subject}/{self._mac(subject)}"

    def is_client(self, token: str) -> bool:
        """Return whether this is the client's token."""
        return not self.token or is_same(token, self.token)

    def workflow_of(self, token: str) -> tuple[str, str] | None:
        """Return namespace and name of the workflow that a token was issued for, or None."""
        subject, _, mac = token.rpartition("/")
        parts = subject.split("/")
        if len(parts) != 3 or not is_same(mac, self._mac(subject)):
            return None
        return parts[0], parts[1]

    def _mac(self, subject: str) -> str:
        return hmac.new(self._secret, _bytes(subject), hashlib.sha256).hexdigest()


def is_same(given: str, token: str) -> bool:
    """Return whether a token is the right one; the time that it takes tells nothing."""
    return hmac.compare_digest(_bytes(given), _bytes(token))


def _bytes(text: str) -> bytes:
    """Return the bytes of a header, which need not be UTF-8."""
    return text.encode(errors="surrogateescape")


def bearer(header: str | None) -> str:
    """Return the token of an Authorization header, or ""."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
