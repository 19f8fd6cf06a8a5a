"""What a task needs of a node: cpu, memory, devices."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest import ResourceRequirements
from aiowf.manifest.names import nearest
from aiowf.manifest.units import quantity
from aiowf.tasks.frozen import EMPTY, FrozenMapping

Quantity = str | int | float
_GPU = "nvidia.com/gpu"
_KINDS = ("requests", "limits")
_FORMS = 'say Resources(cpu=1, memory="1Gi") or {"requests": {...}, "limits": {...}}'


def _cpu(value: Quantity | None) -> str | None:
    return None if value is None else quantity(value, "resources.cpu")


def _memory(value: Quantity | None) -> str | None:
    return None if value is None else quantity(value, "resources.memory")


def _gpu(value: int | None) -> int | None:
    if value is not None and (type(value) is not int or value < 0):
        raise ConfigurationError(f"{value!r} is no number of GPUs", where="resources.gpu")
    return value


def _requests(amounts: Mapping[str, Quantity] | None) -> FrozenMapping[str]:
    return _amounts(amounts, "requests")


def _limits(amounts: Mapping[str, Quantity] | None) -> FrozenMapping[str]:
    return _amounts(amounts, "limits")


def _amounts(amounts: Mapping[str, Quantity] | None, kind: str) -> FrozenMapping[str]:
    if not amounts:
        return EMPTY
    if not isinstance(amounts, Mapping):
        raise ConfigurationError(
            f"expected a mapping, not {amounts!r:.80}", where=f"resources.{kind}", hint=_FORMS
        )
    return FrozenMapping(
        {name: quantity(amount, f"resources.{kind}.{name}") for name, amount in amounts.items()}
    )


@frozen
class Resources:
    """Requests and limits of a container.

    `cpu` and `memory` are requested, and the limit as well; a GPU is a limit, which Kubernetes
    takes for the request too. What needs other limits than requests says so in these two.

    Attributes:
        cpu: Cores: 2, 0.5 or "500m".
        memory: Bytes: "512Mi", "2Gi".
        gpu: Number of GPUs (nvidia.com/gpu).
        requests: Further requests, as Kubernetes names them; they win over `cpu` and `memory`.
        limits: Further limits, likewise.

    Raises:
        ConfigurationError: Kubernetes could not read a quantity.
    """

    cpu: str | None = field(default=None, converter=_cpu)
    memory: str | None = field(default=None, converter=_memory)
    gpu: int | None = field(default=None, converter=_gpu)
    requests: FrozenMapping[str] = field(default=EMPTY, kw_only=True, converter=_requests)
    limits: FrozenMapping[str] = field(default=EMPTY, kw_only=True, converter=_limits)

    def to_requirements(self) -> ResourceRequirements:
        """Return Kubernetes' form."""
        both: dict[str, str | None] = {"cpu": self.cpu, "memory": self.memory}
        return ResourceRequirements(
            requests=_given({**both, **self.requests}),
            limits=_given(
                {**both, _GPU: None if self.gpu is None else str(self.gpu), **self.limits}
            ),
        )


def _given(amounts: Mapping[str, str | None]) -> dict[str, str | int | float] | None:
    return {name: amount for name, amount in amounts.items() if amount is not None} or None


def as_resources(resources: Any) -> Resources | None:
    """Return what a task's `resources` means: a Resources, Kubernetes' mapping, or nothing.

    Raises:
        ConfigurationError: It is neither, or Kubernetes could not read a quantity.
    """
    if resources is None or isinstance(resources, Resources):
        return resources
    if isinstance(resources, ResourceRequirements):
        resources = {"requests": resources.requests, "limits": resources.limits}
    if not isinstance(resources, Mapping):
        raise ConfigurationError(
            f"these are no resources: {resources!r:.80}", where="resources", hint=_FORMS
        )
    for kind in resources:
        if kind not in _KINDS:
            raise ConfigurationError(
                f'unknown field "{kind}"',
                where="resources",
                hint=f"{nearest(str(kind), _KINDS)}; {_FORMS}",
            )
    return Resources(requests=resources.get("requests"), limits=resources.get("limits"))
