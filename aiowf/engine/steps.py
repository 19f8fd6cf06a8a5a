"""Steps: groups that run one after the other, the steps of each in parallel."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
from attrs import define, field

from aiowf.engine.calls import Call
from aiowf.engine.expressions import should_execute
from aiowf.engine.frames import FAIL_FAST, Frame
from aiowf.engine.functions import ExpressionError
from aiowf.engine.loops import expand, is_loop
from aiowf.engine.nodes import UNSUCCESSFUL, Node, outbound_of
from aiowf.engine.outputs import Scope, template_outputs
from aiowf.engine.plan import Bound, ExecutionError
from aiowf.engine.substitution import substitute_json

Step = Mapping[str, Any]


@define(eq=False)
class StepsFrame(Frame):
    """Runs a steps template."""

    bound: Bound = field(kw_only=True)
    scope: Scope = field(init=False, factory=lambda: Scope("steps"))
    # The node of the group that runs, and its number.
    group: Node | None = field(init=False, default=None)
    number: int = field(init=False, default=-1)
    # Id of a child of the group → the step's name in the specification, and the step.
    steps: dict[str, tuple[str, Step]] = field(init=False, factory=dict)
    # Children of the group that are not fulfilled; those that wait to be started count too.
    open: int = field(init=False, default=0)

    def start(self) -> None:
        """Start the first group."""
        self._next_group()

    def _next_group(self) -> None:
        groups = self.bound.data["steps"]
        before, self.number = self.group, self.number + 1
        if self.number >= len(groups):
            self._succeed()
            return
        name = f"{self.node.name}[{self.number}]"
        self.group = self.run.table.add_group(
            name, f"[{self.number}]", "StepGroup", self.node, self
        )
        self._connect(before, self.group)
        self.steps = {}
        try:
            steps = self._resolved(groups[self.number])
        except (ExecutionError, ExpressionError) as error:
            self._fail_group("Error", str(error))
            return
        self.open = len(steps)
        if not steps:
            self._assess()
            return
        for origin, step in steps:
            self.submit(partial(self._start_step, self.group, origin, step))
        self.fill()

    def _connect(self, before: Node | None, group: Node) -> None:
        """Make the group a child of what came before it."""
        if before is None:
            self.node.child(group)
        elif not before.children:
            before.child(group)
        else:
            for child in list(before.children):
                for end in outbound_of(self.run.nodes, self.run.nodes[child]):
                    self.run.nodes[end].child(group)

    def _resolved(self, group: list[Step]) -> list[tuple[str, Step]]:
        """Return the steps, resolved and their loops expanded, each with its name in the spec."""
        text = orjson.dumps(group).decode()
        if "{{" in text:
            text = substitute_json(text, {**self.run.variables, **self.scope.values})
            group = orjson.loads(text)
        for step in group:
            if step.get("when") and not is_loop(step):
                _check_when(step["when"])
        return [(step["name"], one) for step in group for one in expand(step)]

    def _start_step(self, group: Node, origin: str, step: Step) -> Node:
        name = f"{group.name}.{step['name']}"
        phase, message = held_back(step)
        if phase:
            node = self.run.skip(name, step, self.node, self, phase, message)
            if phase == "Error":
                group.child(node)
                self._fail_group(phase, message)
                return node
        else:
            try:
                node = self.run.execute(
                    Call.of_step(
                        step, name, capture_stdout=self.bound.plan.refers_to_result_of(origin)
                    ),
                    self,
                )
            except ExecutionError as error:
                child = self.run.table.named(name)
                group.child(child)
                text = f"step group deemed errored due to child {name} error: {error}"
                self._fail_group("Error", text)
                return child
        group.child(node)
        self.steps[node.id] = (origin, step)
        return node

    def advance(self, child: Node) -> None:
        """Note the end of a step; assess the group after the last one."""
        if self.node.fulfilled or self.group is None or child.id not in self.group.children:
            return
        self.open -= 1
        if self.fail_fast and self.failed and not self.active:
            self._fail_group("Failed", FAIL_FAST)
        elif not self.open:
            self._assess()

    def _assess(self) -> None:
        assert self.group is not None
        nodes = self.run.nodes
        for child in (nodes[one] for one in self.group.children if one in self.steps):
            if child.phase in UNSUCCESSFUL and not continues(self.steps[child.id][1], child.phase):
                self._fail_group("Failed", f"child '{child.id}' failed")
                return
        self.run.table.mark(self.group, "Succeeded")
        for step in self.bound.data["steps"][self.number]:
            self._remember(step)
        self._next_group()

    def _remember(self, step: Step) -> None:
        """Let later groups refer to the outputs of a step."""
        name = step["name"]
        nodes = [self.run.nodes[one] for one, (origin, _) in self.steps.items() if origin == name]
        if is_loop(step):
            self.scope.add_all(name, nodes)
        elif nodes:
            self.scope.add(name, nodes[0])

    def _fail_group(self, phase: str, message: str) -> None:
        assert self.group is not None
        self.waiting.clear()
        self.run.table.mark(self.group, phase, message)
        self.node.outbound = self._outbound()
        self.run.settle(self.node, "Failed", message)

    def _succeed(self) -> None:
        self.node.outbound = self._outbound()
        try:
            self.node.outputs = template_outputs(self.bound, self.run, self.scope)
        except ExecutionError as error:
            self.run.settle(self.node, "Error", str(error))
            return
        self.run.settle(self.node, "Succeeded")

    def _outbound(self) -> tuple[str, ...]:
        """The ends of the last group."""
        nodes = self.run.nodes
        last = self.group.children if self.group is not None else ()
        return tuple(end for child in last for end in outbound_of(nodes, nodes[child]))


def _check_when(when: str) -> None:
    try:
        should_execute(when)
    except ExpressionError as error:
        raise ExecutionError(f"failed to resolve references: {error}") from None


def held_back(step: Step) -> tuple[str, str]:
    """Return the phase and message of a step or task that its `when` does not let run, or ""."""
    if not step.get("when"):
        return "", ""
    try:
        runs = should_execute(step["when"])
    except ExpressionError as error:
        return "Error", str(error)
    return ("", "") if runs else ("Skipped", f"when '{step['when']}' evaluated false")


def continues(step: Step, phase: str) -> bool:
    """Return whether a step's `continueOn` allows for an unsuccessful phase."""
    allowed = step.get("continueOn") or {}
    return bool(allowed.get("failed" if phase == "Failed" else "error"))
