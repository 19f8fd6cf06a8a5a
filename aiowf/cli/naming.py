"""Names of workflows among the arguments: the shell completes them."""

import asyncio
from typing import Any

import click
from click.shell_completion import CompletionItem

from aiowf.cli.target import Target

# Seconds after which a shell that waits for names gets none.
_PATIENCE = 2.0
_MOST = 50
LATEST = "@latest"


class WorkflowName(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """The name of a workflow."""

    name = "workflow"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it, if it can be one."""
        text = str(value)
        plain = text.replace("-", "").replace(".", "")
        if text != LATEST and not (len(text) <= 253 and plain.isascii() and plain.isalnum()):
            hint = f"; {LATEST} is the youngest" if text.startswith("@") else ""
            self.fail(f"{text!r} is no name of a workflow{hint}", param, ctx)
        return text

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin so; none where no server answers at once."""
        target = ctx.find_object(Target) or Target()
        try:
            return asyncio.run(_complete(target, incomplete))
        except Exception:  # a completion that fails must not disturb whoever types
            return []


async def _complete(target: Target, incomplete: str) -> list[CompletionItem]:
    # Loaded here, so that the patience is for the server alone.
    import aiowf.argo
    import aiowf.client.settings  # noqa: F401
    from aiowf.cli.listing import fetch

    async with asyncio.timeout(_PATIENCE), target.session() as session:
        found = await fetch(session, prefix=incomplete, limit=_MOST)
    return [
        CompletionItem(
            each["metadata"]["name"], help=str((each.get("status") or {}).get("phase") or "")
        )
        for each in found
    ]


NAME = WorkflowName()
