"""What a client needs to know of a thing that it can run."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from attrs import field, frozen

from aiowf.manifest.kubernetes import EnvVar
from aiowf.manifest.workflow import Workflow


@frozen(kw_only=True)
class ReplyTarget:
    """Where pods of a workflow send results and notices.

    Attributes:
        env: Environment variables for the pods that send.
        notify: Whether the exit handler has to send a notice to the reply topic too.
        by_parameter: Whether files come back as an output parameter: there is no reply channel.
        values: Whether scripts send there what is too large for a parameter.
    """

    env: tuple[EnvVar, ...] = ()
    notify: bool = False
    by_parameter: bool = False
    values: bool = False


@frozen(kw_only=True)
class Submission:
    """What is known only when an operation is submitted.

    Attributes:
        workflow_name: The full name of the workflow.
        claims: Claim name → whether it exists; a claim that is missing here is taken to exist.
        reply: Where the pods reply to, or None where they do not.
        runtime_image: Image of `aiowf.runtime`, where the profile names none, or None.
        deadline: Seconds for activeDeadlineSeconds, from the `timeout` of execute, or None.
    """

    workflow_name: str
    claims: Mapping[str, bool] = field(factory=dict)
    reply: ReplyTarget | None = None
    runtime_image: str | None = None
    deadline: int | None = None


class Renderable(Protocol):
    """Anything that can become a workflow: the operations, and whatever else has these members.

    It may have a property `shape` as well: what decides how it renders, and the parts in which it
    may differ all the same (a tuple of a hashable and a tuple). Whatever else has an equal first
    item renders alike for the same submission, but for the parts and the name: JSON data, each of
    which stands in the spec once, as it is. The client renders and checks such workflows once.
    None, or no such property: nobody knows.
    """

    @property
    def name(self) -> str:
        """Return the prefix of the workflow's name; it ends with "-"."""
        ...

    @property
    def is_sync(self) -> bool:
        """Return whether execute waits for the end."""
        ...

    @property
    def wants_files(self) -> bool:
        """Return whether the files of the shared directory come back."""
        ...

    @property
    def claims(self) -> tuple[str, ...]:
        """Return the names of the claims of which the client has to find out whether they exist."""
        ...

    @property
    def decoders(self) -> Mapping[str, Callable[[str | bytes], Any]]:
        """Return task name → what makes a value of what it returned, in order of execution."""
        ...

    def to_workflow(self, profile: Any = None, *, submission: Submission | None = None) -> Workflow:
        """Render the workflow."""
        ...
