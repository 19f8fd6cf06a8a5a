"""The one question to Kubernetes itself: does this claim exist?"""

import asyncio
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import aiohttp

from aiowf.argo.settings import service_account

_DEADLINE = 5.0


async def claim_exists(
    namespace: str,
    claim: str,
    *,
    environ: Mapping[str, str] | None = None,
    account: Path | None = None,
) -> bool | None:
    """Return whether a PersistentVolumeClaim exists; None if nobody can say.

    The Kubernetes API is asked with the pod's service account. Outside a pod, without the
    permission (get persistentvolumeclaims), or when the API does not answer, nobody can say.

    Args:
        namespace: Its namespace.
        claim: Its name.
        environ: The environment, in which Kubernetes tells a pod where its API is.
        account: The service account's directory; None for the usual place.
    """
    environ = os.environ if environ is None else environ
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    directory = await asyncio.to_thread(service_account, account)
    if not host or directory is None:
        return None
    path = f"/api/v1/namespaces/{quote(namespace)}/persistentvolumeclaims/{quote(claim)}"
    server = f"[{host}]" if ":" in host else host
    try:
        token, context = await asyncio.to_thread(_identity, directory)
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_DEADLINE)) as session,
            session.get(
                f"https://{server}:{port or 443}{path}",
                headers={"Authorization": f"Bearer {token}"},
                ssl=context,
                allow_redirects=False,
            ) as response,
        ):
            return {200: True, 404: False}.get(response.status)
    except (aiohttp.ClientError, OSError, ValueError):
        return None


def _identity(directory: Path) -> tuple[str, ssl.SSLContext]:
    token = (directory / "token").read_text().strip()
    return token, ssl.create_default_context(cafile=str(directory / "ca.crt"))
