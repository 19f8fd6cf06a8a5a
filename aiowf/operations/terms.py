"""What is said of all workflows of a spread together: id, times, options."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from attrs import field, frozen

from aiowf.tasks.options import as_deadline
from aiowf.tasks.python import PythonTask


@frozen(kw_only=True)
class Terms:
    """How workflows are submitted and followed.

    Attributes:
        id: Makes them durable, or None.
        timeout: Seconds for all items together, from the first that is asked for; None: no end.
        pending_timeout: Seconds that a pod may be pending for any reason, or None.
        on_cancel: What becomes of them when whoever asks leaves early.
        options: The options of each operation.
    """

    id: str | None = None
    timeout: float | None = None
    pending_timeout: float | None = None
    on_cancel: str = "stop"
    options: Mapping[str, Any] = field(factory=dict)

    def options_within(self, seconds: float) -> Mapping[str, Any]:
        """Return the options of a workflow that has to end within this time."""
        left = max(1, math.ceil(seconds))
        own = as_deadline(self.options.get("active_deadline"))
        return {**self.options, "active_deadline": left if own is None else min(left, own)}

    def id_of(self, tasks: Sequence[PythonTask[Any]]) -> str | None:
        """Return the id of the workflow of these tasks: another for other names or arguments."""
        if self.id is None:
            return None
        calls = sha256()
        for task in tasks:
            calls.update(f"{task.name}\0{task.call}\0".encode())
        return f"{self.id}:{calls.hexdigest()}"


def terms_of(
    *,
    id: str | None,
    timeout: float | timedelta | None,
    pending_timeout: float | timedelta | None,
    on_cancel: str,
    options: Mapping[str, Any],
) -> Terms:
    """Return the terms as they were said, with times in seconds.

    Raises:
        ConfigurationError: One of them makes no sense.
    """
    from aiowf.client.execution import check_on_cancel
    from aiowf.client.planning import check_id
    from aiowf.client.waiting import seconds

    check_id(id)
    check_on_cancel(on_cancel)
    return Terms(
        id=id,
        timeout=seconds(timeout, "timeout"),
        pending_timeout=seconds(pending_timeout, "pending_timeout"),
        on_cancel=on_cancel,
        options=options,
    )
