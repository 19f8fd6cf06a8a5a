"""The asyncio client of an Argo Server: a thin layer of aiohttp around `aiowf.wire`."""

from aiowf.argo.attempts import attempts
from aiowf.argo.kubernetes import claim_exists
from aiowf.argo.logs import LogLine, follow_logs
from aiowf.argo.session import ArgoSession
from aiowf.argo.settings import Settings, from_environment, from_server
from aiowf.argo.subscription import Ending, Subscription
from aiowf.argo.tokens import Token, basic
from aiowf.argo.watch import Watch

__all__ = [
    "ArgoSession",
    "Ending",
    "LogLine",
    "Settings",
    "Subscription",
    "Token",
    "Watch",
    "attempts",
    "basic",
    "claim_exists",
    "follow_logs",
    "from_environment",
    "from_server",
]
