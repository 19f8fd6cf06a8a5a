"""DAGs: tasks that run as soon as what they depend on allows it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
from attrs import define, field

from aiowf.engine.calls import Call
from aiowf.engine.depends import Dependencies, dependencies_of
from aiowf.engine.frames import FAIL_FAST, Frame
from aiowf.engine.loops import expand, is_loop
from aiowf.engine.nodes import COMPLETED, UNSUCCESSFUL, Node, outbound_of
from aiowf.engine.outputs import Scope, template_outputs
from aiowf.engine.plan import Bound, ExecutionError, named_by
from aiowf.engine.steps import continues, held_back
from aiowf.engine.substitution import substitute_json

_OMITTED = "omitted: depends condition not met"
# Result in `depends` → phase of the task.
_RESULT_PHASE = {
    "Succeeded": "Succeeded",
    "Failed": "Failed",
    "Errored": "Error",
    "Skipped": "Skipped",
    "Omitted": "Omitted",
}


@define(eq=False)
class _Task:
    """One task of a DAG.

    Attributes:
        data: The task as JSON data.
        needs: What it depends on.
        dependents: Names of the tasks that depend on it.
    """

    data: Mapping[str, Any]
    needs: Dependencies
    dependents: list[str] = field(factory=list)
    # Dependencies that are not fulfilled; at 0 the task's turn has come.
    missing: int = 0
    # Its node; None before its turn.
    node: Node | None = None
    # Phase with which its branch has come to it: its own once it completed, else the worst of its
    # dependencies'. An omitted task thus passes on the failure that omitted it.
    branch: str = "Succeeded"


@define(eq=False)
class DagFrame(Frame):
    """Runs a DAG template."""

    bound: Bound = field(kw_only=True)
    scope: Scope = field(init=False, factory=lambda: Scope("tasks"))
    tasks: dict[str, _Task] = field(init=False, factory=dict)
    # Names of the tasks that decide how the DAG ends.
    targets: tuple[str, ...] = field(init=False, default=())

    def start(self) -> None:
        """Start the tasks that depend on nothing."""
        self._prepare()
        for name, task in self.tasks.items():
            if not task.missing:
                self._begin(name)
        self.fill()
        self._assess()

    def _prepare(self) -> None:
        listed = self.bound.data["dag"].get("tasks") or []
        continue_on = {task["name"]: task.get("continueOn") or {} for task in listed}
        for data in listed:
            needs = dependencies_of(data, continue_on)
            self.tasks[data["name"]] = _Task(data, needs, missing=len(needs.tasks))
        for name, task in self.tasks.items():
            for needed in task.needs.tasks:
                self.tasks[needed].dependents.append(name)
        target = self.bound.data["dag"].get("target")
        leaves = [name for name, task in self.tasks.items() if not task.dependents]
        self.targets = tuple(target.split()) if target else tuple(leaves)
        if target:
            self._forget_all_but(self._ancestors())

    def _ancestors(self) -> set[str]:
        """The targets, and all that they depend on."""
        wanted: set[str] = set()
        todo = list(self.targets)
        while todo:
            name = todo.pop()
            if name not in self.tasks:
                raise ExecutionError(f"target '{name}' is not defined")
            if name not in wanted:
                wanted.add(name)
                todo.extend(self.tasks[name].needs.tasks)
        return wanted

    def _forget_all_but(self, wanted: set[str]) -> None:
        self.tasks = {name: task for name, task in self.tasks.items() if name in wanted}
        for task in self.tasks.values():
            task.dependents = [name for name in task.dependents if name in wanted]

    def _begin(self, name: str) -> None:
        """Take a task whose dependencies are all done: run it, or omit it."""
        task = self.tasks[name]
        if not task.needs.condition(self._has_result):
            self._skip(task, "Omitted", _OMITTED)
            return
        try:
            steps = self._resolved(task.data)
            if is_loop(task.data):
                self._begin_loop(task, steps)
                return
            phase, message = held_back(steps[0])
            if phase:
                self._skip(task, phase, message)
            else:
                self.submit(partial(self._start_task, task, steps[0]))
        except ExecutionError as error:
            self._skip(task, "Error", str(error))

    def _resolved(self, data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        text = orjson.dumps(data).decode()
        if "{{" in text:
            text = substitute_json(text, {**self.run.variables, **self.scope.values})
            data = orjson.loads(text)
        return expand(data)

    def _skip(self, task: _Task, phase: str, message: str) -> None:
        name = task.data["name"]
        self.active += 1
        task.node = self.run.skip(
            f"{self.node.name}.{name}", task.data, self.node, self, phase, message
        )
        self._connect(task)

    def _start_task(self, task: _Task, data: Mapping[str, Any]) -> Node:
        name = f"{self.node.name}.{data['name']}"
        try:
            self.run.execute(
                Call.of_step(
                    data, name, capture_stdout=self.bound.plan.refers_to_result_of(data["name"])
                ),
                self,
            )
        except ExecutionError as error:
            self.run.table.named(name).message = f"task '{name}' errored: {error}"
        task.node = self.run.table.named(name)
        self._connect(task)
        return task.node

    def _begin_loop(self, task: _Task, steps: list[Mapping[str, Any]]) -> None:
        name = task.data["name"]
        group = self.run.table.add_group(
            f"{self.node.name}.{name}", name, "TaskGroup", self.node, self
        )
        group.template, group.reference = named_by(task.data).values()
        task.node = group
        self.active += 1
        self._connect(task)
        capture = self.bound.plan.refers_to_result_of(name)
        frame = _LoopFrame(self.run, group, dag=self, steps=steps, capture_stdout=capture)
        group.frame = frame
        frame.start()

    def _connect(self, task: _Task) -> None:
        """Make the task's node a child of the ends of what it depends on."""
        assert task.node is not None
        if not task.needs.tasks:
            self.node.child(task.node)
        nodes = self.run.nodes
        for needed in task.needs.tasks:
            before = self.tasks[needed].node
            assert before is not None
            for end in outbound_of(nodes, before):
                nodes[end].child(task.node)

    def _has_result(self, name: str, result: str) -> bool:
        node = self.tasks[name].node
        assert node is not None
        if result in ("AnySucceeded", "AllFailed"):
            phases = [self.run.nodes[child].phase for child in node.children]
            loop = phases if node.type == "TaskGroup" else [node.phase]
            return "Succeeded" in loop if result == "AnySucceeded" else set(loop) == {"Failed"}
        return node.phase == _RESULT_PHASE.get(result)

    def advance(self, child: Node) -> None:
        """Go on after a task."""
        name = child.name.removeprefix(f"{self.node.name}.")
        task = self.tasks[name]
        before = [self.tasks[needed].branch for needed in task.needs.tasks]
        worst = next((phase for phase in before if phase in UNSUCCESSFUL), "Succeeded")
        task.branch = child.phase if child.phase in COMPLETED else worst
        if is_loop(task.data):
            self.scope.add_all(name, [self.run.nodes[one] for one in child.children])
        self.scope.add(name, child)
        for dependent in task.dependents:
            self.tasks[dependent].missing -= 1
            if not self.tasks[dependent].missing:
                self._begin(dependent)
        self.fill()
        self._assess()

    def _assess(self) -> None:
        """End the DAG if nothing of it runs and its targets are decided."""
        if self.node.fulfilled or self.active:
            return
        if self.fail_fast and self.failed:
            self._end("Failed", FAIL_FAST)
            return
        fail_fast = self.bound.data["dag"].get("failFast") is not False
        result = "Succeeded"
        for name in self.targets:
            task = self.tasks[name]
            if task.node is None:
                result = "Running"
                if not fail_fast:
                    break
            elif task.branch in UNSUCCESSFUL and not continues(task.data, task.branch):
                result = task.branch
                if fail_fast:
                    break
        if result != "Running":
            self._end(result)

    def _end(self, phase: str, message: str = "") -> None:
        self.waiting.clear()
        nodes = self.run.nodes
        ends = [task.node for name in self.targets if (task := self.tasks[name]).node]
        self.node.outbound = tuple(
            end for node in ends if node is not None for end in outbound_of(nodes, node)
        )
        if phase == "Succeeded":
            try:
                self.node.outputs = template_outputs(self.bound, self.run, self.scope)
            except ExecutionError as error:
                phase, message = "Error", str(error)
        self.run.settle(self.node, phase, message)


@define(eq=False)
class _LoopFrame(Frame):
    """Runs the items of a loop task; its node is a TaskGroup."""

    dag: DagFrame = field(kw_only=True)
    steps: list[Mapping[str, Any]] = field(kw_only=True)
    capture_stdout: bool = field(kw_only=True)
    open: int = field(init=False, default=0)

    def start(self) -> None:
        """Start the items; there may be none."""
        self.limit = self.dag.limit
        self.open = len(self.steps)
        for step in self.steps:
            self.submit(partial(self._start_item, step))
        self.fill()
        self._assess()

    def _start_item(self, step: Mapping[str, Any]) -> Node:
        boundary = self.dag.node
        name = f"{boundary.name}.{step['name']}"
        phase, message = held_back(step)
        if phase:
            node = self.run.skip(name, step, boundary, self, phase, message)
        else:
            try:
                self.run.execute(
                    Call.of_step(step, name, capture_stdout=self.capture_stdout, boundary=boundary),
                    self,
                )
            except ExecutionError as error:
                self.run.table.named(name).message = f"task '{name}' errored: {error}"
            node = self.run.table.named(name)
        self.node.child(node)
        return node

    def advance(self, child: Node) -> None:
        """Note the end of an item."""
        self.open -= 1
        self._assess()

    def _assess(self) -> None:
        if self.open or self.node.fulfilled:
            return
        phases = [self.run.nodes[one].phase for one in self.node.children]
        worst = next((phase for phase in phases if phase in UNSUCCESSFUL), "Succeeded")
        self.run.settle(self.node, worst)
