"""A session of aiowf with a server of which respx answers the requests."""

from collections.abc import AsyncIterator

import pytest
import respx
from respx_server import serve

from aiowf.argo import ArgoSession


@pytest.fixture
def router() -> respx.Router:
    """The routes of the server."""
    return respx.Router(assert_all_called=False)


@pytest.fixture
async def server(router: respx.Router) -> AsyncIterator[str]:
    """The URL of the server."""
    async with serve(router) as url:
        yield url


@pytest.fixture
async def argo(server: str) -> AsyncIterator[ArgoSession]:
    """A session with the server, in the namespace "argo"."""
    async with ArgoSession(server, token="Bearer dummy-token", namespace="argo") as session:
        yield session
