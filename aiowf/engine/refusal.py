"""How the server says no: gRPC codes, HTTP statuses and Kubernetes' own texts."""

from http import HTTPStatus
from typing import Any

# gRPC code → HTTP status, as Argo's gateway maps them.
_STATUS = {
    2: HTTPStatus.INTERNAL_SERVER_ERROR,
    3: HTTPStatus.BAD_REQUEST,
    4: HTTPStatus.GATEWAY_TIMEOUT,
    5: HTTPStatus.NOT_FOUND,
    6: HTTPStatus.CONFLICT,
    7: HTTPStatus.FORBIDDEN,
    8: HTTPStatus.TOO_MANY_REQUESTS,
    12: HTTPStatus.NOT_IMPLEMENTED,
    13: HTTPStatus.INTERNAL_SERVER_ERROR,
    14: HTTPStatus.SERVICE_UNAVAILABLE,
    16: HTTPStatus.UNAUTHORIZED,
}


class Refusal(Exception):
    """A request that is refused.

    Attributes:
        code: The gRPC code.
        message: What is wrong.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status of the answer."""
        return _STATUS[self.code]

    def answer(self) -> dict[str, Any]:
        """Return the body of a refused call."""
        return {"code": self.code, "message": self.message}

    def stream_error(self) -> dict[str, Any]:
        """Return the message that ends a refused stream."""
        return {
            "error": {
                "grpc_code": self.code,
                "http_code": int(self.status),
                "message": self.message,
                "http_status": self.status.phrase,
            }
        }


def invalid(message: str) -> Refusal:
    """Return the refusal of a wrong request (400)."""
    return Refusal(3, message)


def not_found(name: str) -> Refusal:
    """Return the refusal of a workflow that is not there (404)."""
    return Refusal(5, f'workflows.argoproj.io "{name}" not found')


def internal(message: str) -> Refusal:
    """Return what Argo answers with 500 code 13."""
    return Refusal(13, message)


def not_implemented() -> Refusal:
    """Return the refusal of an unknown route (501)."""
    return Refusal(12, "Not Implemented")
