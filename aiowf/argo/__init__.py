"""The asyncio client of an Argo Server: a thin layer of aiohttp around `aiowf.wire`."""

from aiowf.argo.logs import follow_logs
from aiowf.argo.session import ArgoSession
from aiowf.argo.settings import Settings, from_environment, from_server
from aiowf.argo.tokens import Token, basic
from aiowf.argo.watch import Ending, Subscription, Watch

__all__ = [
    "ArgoSession",
    "Ending",
    "Settings",
    "Subscription",
    "Token",
    "Watch",
    "basic",
    "follow_logs",
    "from_environment",
    "from_server",
]
