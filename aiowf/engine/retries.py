"""Retries: whether a failed node is tried again, and when."""

from collections.abc import Mapping
from typing import Any

from attrs import define, evolve, field, frozen

from aiowf.engine import durations
from aiowf.engine.calls import Call
from aiowf.engine.closing import closing_message
from aiowf.engine.expressions import is_true
from aiowf.engine.frames import Frame
from aiowf.engine.functions import ExpressionError
from aiowf.engine.nodes import UNSUCCESSFUL, Node
from aiowf.engine.plan import ExecutionError
from aiowf.engine.substitution import substitute

# retryPolicy → the phases of the last attempt after which there is another one.
_POLICIES: Mapping[str, frozenset[str]] = {
    "Always": UNSUCCESSFUL,
    "OnFailure": frozenset({"Failed"}),
    "OnError": frozenset({"Error"}),
    "OnTransientError": frozenset(),
}
POLICIES = frozenset(_POLICIES)


@frozen
class Again:
    """The decision to try again.

    Attributes:
        delay: Seconds from the end of the last attempt to the next one.
    """

    delay: float


def decide(
    strategy: Mapping[str, Any], attempts: list[Node], variables: Mapping[str, str]
) -> Again | str:
    """Decide what follows the last attempt, which has failed.

    Args:
        strategy: The retryStrategy.
        attempts: All attempts so far.
        variables: `lastRetry.…`, for the expression.

    Returns:
        Again, or the message with which the Retry node ends as its last attempt did.

    Raises:
        ExpressionError: The expression cannot be evaluated.
        ValueError: A duration or a number cannot be read.
    """
    last = attempts[-1]
    delay = 0.0
    if strategy.get("backoff"):
        delay, refused = _backoff(strategy["backoff"], attempts)
        if refused:
            return refused
    expression = strategy.get("expression") or ""
    policy = strategy.get("retryPolicy") or ("Always" if expression else "OnFailure")
    if last.phase not in _POLICIES[policy]:
        return last.message
    limit = strategy.get("limit")
    if limit is not None and len(attempts) > int(limit):
        return "No more retries left"
    if expression and not is_true(expression, variables):
        return "retryStrategy.expression evaluated to false"
    return Again(delay)


def _backoff(backoff: Mapping[str, Any], attempts: list[Node]) -> tuple[float, str]:
    """Return the seconds to wait, and why there is no point in it, or ""."""
    if not backoff.get("duration"):
        raise ValueError("no base duration specified for retryStrategy")
    delay = durations.seconds(str(backoff["duration"]))
    factor = int(backoff.get("factor") or 0)
    if factor > 0:
        delay *= float(factor) ** (len(attempts) - 1)
    if backoff.get("cap"):
        delay = min(delay, durations.seconds(str(backoff["cap"])))
    if backoff.get("maxDuration"):
        end = attempts[0].started + durations.seconds(str(backoff["maxDuration"]))
        finished = attempts[-1].finished or 0.0
        if finished > end:
            return delay, "Max duration limit exceeded"
        if finished + delay > end:
            return delay, "Backoff would exceed max duration limit"
    return delay, ""


def last_retry(node: Node) -> dict[str, str]:
    """Return what an attempt is known by in expressions and in the next attempt."""
    seconds = int((node.finished or node.started) - node.started)
    return {
        "lastRetry.exitCode": (node.outputs or {}).get("exitCode") or "-1",
        "lastRetry.status": node.phase,
        "lastRetry.duration": str(seconds),
        "lastRetry.message": node.message,
    }


@define(eq=False)
class RetryFrame(Frame):
    """Runs a template until it succeeds, or there are no retries left."""

    call: Call = field(kw_only=True)
    strategy: Mapping[str, Any] = field(kw_only=True)
    attempts: list[Node] = field(init=False, factory=list)

    def start(self) -> None:
        """Make the first attempt."""
        self.active += 1
        self._attempt()

    def _attempt(self) -> Node:
        number = len(self.attempts)
        local = {"retries": str(number)}
        if self.attempts:
            local.update(last_retry(self.attempts[-1]))
        name = f"{self.node.name}({number})"
        try:
            call = evolve(
                self.call,
                name=name,
                display_name=f"{self.node.display_name}({number})",
                flag={**(self.node.flag or {}), "retried": True},
                local=local,
                boundary=None,
                is_attempt=True,
            )
            return self.run.execute(call, self)
        finally:
            child = self.run.table.named(name)
            self.node.child(child)
            self.attempts.append(child)

    def advance(self, child: Node) -> None:
        """Decide what follows an attempt."""
        if self.node.fulfilled:
            return
        self.node.outputs = child.outputs
        if child.phase not in UNSUCCESSFUL:
            self.run.settle(self.node, "Succeeded")
            return
        if self.run.closing(self.node):
            self.run.settle(self.node, child.phase, closing_message(self.run))
            return
        try:
            decision = decide(self._strategy(), self.attempts, last_retry(child))
        except (ExpressionError, ValueError) as error:
            self.run.settle(self.node, "Error", str(error))
            return
        if isinstance(decision, str):
            self.run.settle(self.node, child.phase, decision)
        elif decision.delay > 0:
            self.node.message = f"Backoff for {durations.spoken(decision.delay)}"
            self.run.later(decision.delay, self._again)
        else:
            self._again()

    def give_up(self) -> None:
        """End the wait for the next attempt, if nothing new may start."""
        if not self.node.fulfilled and not self.active and self.run.closing(self.node):
            self.waiting.clear()
            self.run.settle(self.node, self.attempts[-1].phase, closing_message(self.run))

    def _strategy(self) -> Mapping[str, Any]:
        expression = self.strategy.get("expression")
        if not expression or "{{" not in expression:
            return self.strategy
        variables = {**self.run.variables, **last_retry(self.attempts[-1])}
        return {**self.strategy, "expression": substitute(expression, variables)}

    def _again(self) -> None:
        if self.node.fulfilled:
            return
        self.node.message = ""
        self.submit(self._next)
        self.fill()

    def _next(self) -> Node:
        try:
            return self._attempt()
        except ExecutionError as error:
            self.run.settle(self.node, "Error", str(error))
            return self.attempts[-1]
