"""Options of operations → what is stored of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict

from aiowf.errors import ConfigurationError
from aiowf.manifest import PodGC, TTLStrategy, WorkflowSpec
from aiowf.manifest.names import dns_subdomain
from aiowf.operations.context import PodExecutionContext
from aiowf.operations.lifecycle import OnExitNotify
from aiowf.tasks.frozen import EMPTY, FrozenMapping
from aiowf.tasks.options import as_overrides
from aiowf.tasks.volumes import Volume, as_volumes

SHARED = "/mnt/shared"


class OperationOptions(TypedDict, total=False):
    """The options of every operation that runs as a workflow, as one may pass them.

    What each means, and what it is by default, is said at ContainerizedOperation.
    """

    pod_context: PodExecutionContext | Iterable[PodExecutionContext] | None
    shared_directory: bool | str | Volume | Sequence[str | Volume] | None
    shared_volume_size: int
    ttl_strategy: Mapping[str, int] | TTLStrategy | None
    pod_gc: Mapping[str, Any] | str | PodGC | None
    on_exit_notify: Mapping[str, Any] | OnExitNotify | None
    labels: Mapping[str, str] | None
    annotations: Mapping[str, str] | None
    parallelism: int | None
    active_deadline: float | timedelta | None
    priority: int | None
    service_account: str | None
    spec_overrides: Mapping[str, Any] | WorkflowSpec | None


def as_shared(
    directory: bool | str | Volume | Sequence[str | Volume] | None,
) -> tuple[Volume, ...]:
    """Return the shared directories; True is one at /mnt/shared.

    Raises:
        ConfigurationError: It is none of the forms, or two are at one path.
    """
    return as_volumes(SHARED if directory is True else directory, "shared_directory")


def as_size(size: int) -> int:
    """Return a size in MiB.

    Raises:
        ConfigurationError: It is no positive number.
    """
    if type(size) is not int or size <= 0:
        raise ConfigurationError(f"{size!r} is no number of MiB", where="shared_volume_size")
    return size


def as_parallelism(parallelism: int | None) -> int | None:
    """Return the most pods at once.

    Raises:
        ConfigurationError: It is no positive number.
    """
    if parallelism is not None and (type(parallelism) is not int or parallelism <= 0):
        raise ConfigurationError(f"{parallelism!r} is no number of pods", where="parallelism")
    return parallelism


def as_priority(priority: int | None) -> int | None:
    """Return the priority.

    Raises:
        ConfigurationError: It is no whole number of 32 bits.
    """
    if priority is not None and (type(priority) is not int or abs(priority) >= 2**31):
        raise ConfigurationError(f"{priority!r} is no whole number", where="priority")
    return priority


def as_account(account: str | None) -> str | None:
    """Return the name of a service account.

    Raises:
        ConfigurationError: No account can have it.
    """
    return None if account is None else dns_subdomain(account, "service_account")


def as_spec_overrides(overrides: Mapping[str, Any] | WorkflowSpec | None) -> FrozenMapping[Any]:
    """Return overrides of the spec as frozen JSON data.

    Raises:
        ConfigurationError: A field is unknown.
    """
    return as_overrides(overrides, WorkflowSpec) if overrides else EMPTY
