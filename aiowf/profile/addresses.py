"""Where a CloudHarness deployment keeps its Argo Server, its Kafka and its user interface.

The values name, for application `argo`, `harness.service.name` and `.port` and `harness.subdomain`;
for application `events`, `kafka.name` and `.port`; and for the whole, `namespace`, `domain` and
`tls`. Services are reached inside the cluster, by plain HTTP.
"""

from collections.abc import Mapping
from os import PathLike
from typing import Any

from attrs import frozen

from aiowf.errors import ConfigurationError
from aiowf.profile.cloudharness import load_values, part_of

_ARGO = ("argo-server", 2746)
_KAFKA = ("bootstrap", 9092)


@frozen(kw_only=True)
class Addresses:
    """Where the parts of a deployment are.

    Attributes:
        server: Address of the Argo Server.
        namespace: Namespace of the deployment and of its workflows.
        kafka: "host:port" of the Kafka brokers, or None where the deployment has none.
        ui: Base address of Argo's user interface, or None where no domain is named.
    """

    server: str
    namespace: str
    kafka: str | None = None
    ui: str | None = None


def cloudharness_addresses(values: str | PathLike[str] | Mapping[str, Any]) -> Addresses:
    """Read the addresses from an `allvalues.yaml`, given by its path or by its content.

    Raises:
        ConfigurationError: The file cannot be read, or has no application `argo`, or not
            the form that is said above.
    """
    values = load_values(values)
    apps = part_of(values, "apps")
    if "argo" not in apps:
        raise ConfigurationError(
            "the deployment has no application argo",
            where="values.apps",
            hint="Deploy it, or name a server: aiowf.connect(server, profile=…).",
        )
    namespace = str(values.get("namespace") or "default")
    harness = part_of(values, "apps", "argo", "harness")
    service = part_of(values, "apps", "argo", "harness", "service")
    kafka = part_of(values, "apps", "events", "kafka")
    domain, subdomain = values.get("domain"), harness.get("subdomain")
    scheme = "http" if values.get("tls") is False else "https"
    return Addresses(
        server=f"http://{_address(service, _ARGO, namespace)}",
        namespace=namespace,
        kafka=_address(kafka, _KAFKA, namespace) if "events" in apps else None,
        ui=f"{scheme}://{subdomain}.{domain}" if domain and subdomain else None,
    )


def _address(service: Mapping[str, Any], default: tuple[str, int], namespace: str) -> str:
    name, port = service.get("name") or default[0], service.get("port") or default[1]
    return f"{name}.{namespace}:{port}"
