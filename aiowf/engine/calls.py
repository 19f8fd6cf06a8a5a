"""How a template is called."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from aiowf.engine.nodes import Node


@frozen(kw_only=True)
class Call:
    """The use of a template by a step, a task, a retry or the workflow.

    Attributes:
        name: Name of the node.
        display_name: Its display name.
        template: Key of the template.
        reference: The templateRef by which it is named, or None.
        arguments: What is passed to it, as Argo's Arguments in JSON.
        flag: The node's nodeFlag.
        local: Variables of this execution alone.
        boundary: The Steps or DAG node around it, where that is not the owner's node.
        capture_stdout: Whether its standard output is an output.
        is_attempt: Whether it is one attempt of a Retry node.
        on_exit: Whether it is the exit handler.
    """

    name: str
    display_name: str
    template: str
    arguments: Mapping[str, Any]
    reference: Mapping[str, Any] | None = None
    flag: dict[str, bool] | None = None
    local: Mapping[str, str] = field(factory=dict)
    boundary: Node | None = None
    capture_stdout: bool = False
    is_attempt: bool = False
    on_exit: bool = False

    @classmethod
    def of_step(
        cls,
        step: Mapping[str, Any],
        name: str,
        *,
        capture_stdout: bool,
        boundary: "Node | None" = None,
    ) -> "Call":
        """Return the call that a step or task makes.

        Args:
            step: The step or task, resolved.
            name: Full name of its node.
            capture_stdout: Whether others refer to its standard output.
            boundary: The Steps or DAG node around it, if that is not its owner's.
        """
        return cls(
            name=name,
            display_name=step["name"],
            template=step["template"],
            reference=step.get("templateRef"),
            arguments=step.get("arguments") or {},
            boundary=boundary,
            capture_stdout=capture_stdout,
        )
