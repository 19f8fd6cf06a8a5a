"""What runs the children of a node: the part that steps, DAGs, loops and retries share.

A frame starts children within the limits of parallelism, and is told of each one that is
fulfilled. It never waits: between two events of its children it is only data.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field

from aiowf.engine.nodes import UNSUCCESSFUL, Node

if TYPE_CHECKING:
    from aiowf.engine.run import WorkflowRun

FAIL_FAST = "template has failed or errored children and failFast enabled"


@define(eq=False)
class Frame(ABC):
    """Base of all frames.

    Attributes:
        run: The workflow.
        node: The node whose children run here.
        limit: How many children may be active at once, or None.
        fail_fast: Whether no further child is started once one has failed (Argo's
            `templates[].failFast`).
    """

    run: "WorkflowRun"
    node: Node
    limit: int | None = None
    fail_fast: bool = False
    # Children that were started and are not fulfilled: never more than `limit`.
    active: int = 0
    # Whether a child was unsuccessful.
    failed: bool = False
    # What is still to be started, in order.
    waiting: deque[Callable[[], object]] = field(factory=deque)

    def submit(self, start: Callable[[], object]) -> None:
        """Start a child as soon as there is room; `fill` does it."""
        self.waiting.append(start)

    def fill(self) -> None:
        """Start waiting children while there is room for them."""
        while self.waiting:
            if self.limit is not None and self.active >= self.limit:
                return
            if self.fail_fast and self.failed:
                self.waiting.clear()
                return
            if self.run.is_full or self.run.is_suspended:
                self.run.starved[self] = None
                return
            self.active += 1
            self.waiting.popleft()()

    def child_done(self, child: Node) -> None:
        """Take note of a child that is fulfilled, and go on."""
        self.active -= 1
        self.failed = self.failed or child.phase in UNSUCCESSFUL
        self.fill()
        self.advance(child)

    def give_up(self) -> None:  # noqa: B027 (most frames wait for nothing else)
        """End a wait for anything but children, if nothing new may start."""

    @abstractmethod
    def advance(self, child: Node) -> None:
        """Go on after a child was fulfilled."""


def template_limits(data: Mapping[str, Any]) -> tuple[int | None, bool]:
    """Return parallelism and failFast of a template."""
    return data.get("parallelism"), bool(data.get("failFast"))
