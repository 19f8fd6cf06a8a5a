"""Nouns of Kubernetes that workflows speak of.

Every class is frozen, takes keywords only and names its fields as Argo does, in snake case. None
means that the field is absent. `extra` holds what a typed field cannot say: unknown fields, and
explicit nulls.
"""

from collections.abc import Mapping

from aiowf.manifest.fields import (
    Raw,
    named,
    value,
)


@value
class ObjectMeta:
    """Name, labels, annotations and bookkeeping of a Kubernetes object.

    Source: `io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta`.
    """

    annotations: Mapping[str, str] | None = None
    creation_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    deletion_timestamp: str | None = None
    finalizers: tuple[str, ...] | None = None
    generate_name: str | None = None
    generation: int | None = None
    labels: Mapping[str, str] | None = None
    managed_fields: tuple[Raw, ...] | None = None
    name: str | None = None
    namespace: str | None = None
    owner_references: tuple[Raw, ...] | None = None
    resource_version: str | None = None
    self_link: str | None = None
    uid: str | None = None
    extra: Raw | None = None


@value
class ObjectFieldSelector:
    """A field of the pod's own object, such as `metadata.name`.

    Source: `io.k8s.api.core.v1.ObjectFieldSelector`.
    """

    api_version: str | None = None
    field_path: str | None = None
    extra: Raw | None = None


@value
class SecretKeySelector:
    """One key of a Secret (`io.k8s.api.core.v1.SecretKeySelector`)."""

    key: str | None = None
    name: str | None = None
    optional: bool | None = None
    extra: Raw | None = None


@value
class ConfigMapKeySelector:
    """One key of a ConfigMap (`io.k8s.api.core.v1.ConfigMapKeySelector`)."""

    key: str | None = None
    name: str | None = None
    optional: bool | None = None
    extra: Raw | None = None


@value
class EnvVarSource:
    """Where an environment variable takes its value from (`io.k8s.api.core.v1.EnvVarSource`)."""

    config_map_key_ref: ConfigMapKeySelector | None = None
    field_ref: ObjectFieldSelector | None = None
    file_key_ref: Raw | None = None
    resource_field_ref: Raw | None = None
    secret_key_ref: SecretKeySelector | None = None
    extra: Raw | None = None


@value
class EnvVar:
    """One environment variable: a literal `value` or a source (`io.k8s.api.core.v1.EnvVar`)."""

    name: str | None = None
    value: str | None = None
    value_from: EnvVarSource | None = None
    extra: Raw | None = None


@value
class SecretEnvSource:
    """The Secret of an `envFrom` entry (`io.k8s.api.core.v1.SecretEnvSource`)."""

    name: str | None = None
    optional: bool | None = None
    extra: Raw | None = None


@value
class ConfigMapEnvSource:
    """The ConfigMap of an `envFrom` entry (`io.k8s.api.core.v1.ConfigMapEnvSource`)."""

    name: str | None = None
    optional: bool | None = None
    extra: Raw | None = None


@value
class EnvFromSource:
    """A whole ConfigMap or Secret as environment variables (`io.k8s.api.core.v1.EnvFromSource`)."""

    config_map_ref: ConfigMapEnvSource | None = None
    prefix: str | None = None
    secret_ref: SecretEnvSource | None = None
    extra: Raw | None = None


@value
class ResourceRequirements:
    """Requests and limits of cpu, memory and devices, as Kubernetes quantities.

    Source: `io.k8s.api.core.v1.ResourceRequirements`.
    """

    claims: tuple[Raw, ...] | None = None
    limits: Mapping[str, str | int | float] | None = None
    requests: Mapping[str, str | int | float] | None = None
    extra: Raw | None = None


@value
class VolumeMount:
    """Where a container sees a volume (`io.k8s.api.core.v1.VolumeMount`)."""

    mount_path: str | None = None
    mount_propagation: str | None = None
    name: str | None = None
    read_only: bool | None = None
    recursive_read_only: str | None = None
    sub_path: str | None = None
    sub_path_expr: str | None = None
    extra: Raw | None = None


@value
class EmptyDirVolumeSource:
    """A directory that lives as long as its pod (`io.k8s.api.core.v1.EmptyDirVolumeSource`)."""

    medium: str | None = None
    size_limit: str | int | float | None = None
    extra: Raw | None = None


@value
class PersistentVolumeClaimVolumeSource:
    """A claim that is used as a volume (`io.k8s.api.core.v1.PersistentVolumeClaimVolumeSource`)."""

    claim_name: str | None = None
    read_only: bool | None = None
    extra: Raw | None = None


@value
class KeyToPath:
    """One key of a Secret or ConfigMap as one file (`io.k8s.api.core.v1.KeyToPath`)."""

    key: str | None = None
    mode: int | None = None
    path: str | None = None
    extra: Raw | None = None


@value
class SecretVolumeSource:
    """A Secret as files (`io.k8s.api.core.v1.SecretVolumeSource`)."""

    default_mode: int | None = None
    items: tuple[KeyToPath, ...] | None = None
    optional: bool | None = None
    secret_name: str | None = None
    extra: Raw | None = None


@value
class ConfigMapVolumeSource:
    """A ConfigMap as files (`io.k8s.api.core.v1.ConfigMapVolumeSource`)."""

    default_mode: int | None = None
    items: tuple[KeyToPath, ...] | None = None
    name: str | None = None
    optional: bool | None = None
    extra: Raw | None = None


@value
class Volume:
    """A volume of the pod: a name and one source (`io.k8s.api.core.v1.Volume`)."""

    aws_elastic_block_store: Raw | None = None
    azure_disk: Raw | None = None
    azure_file: Raw | None = None
    cephfs: Raw | None = None
    cinder: Raw | None = None
    config_map: ConfigMapVolumeSource | None = None
    csi: Raw | None = None
    downward_api: Raw | None = named("downwardAPI")
    empty_dir: EmptyDirVolumeSource | None = None
    ephemeral: Raw | None = None
    fc: Raw | None = None
    flex_volume: Raw | None = None
    flocker: Raw | None = None
    gce_persistent_disk: Raw | None = None
    git_repo: Raw | None = None
    glusterfs: Raw | None = None
    host_path: Raw | None = None
    image: Raw | None = None
    iscsi: Raw | None = None
    name: str | None = None
    nfs: Raw | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    photon_persistent_disk: Raw | None = None
    portworx_volume: Raw | None = None
    projected: Raw | None = None
    quobyte: Raw | None = None
    rbd: Raw | None = None
    scale_io: Raw | None = named("scaleIO")
    secret: SecretVolumeSource | None = None
    storageos: Raw | None = None
    vsphere_volume: Raw | None = None
    extra: Raw | None = None


@value
class VolumeResourceRequirements:
    """A claim's requested and limiting size (`io.k8s.api.core.v1.VolumeResourceRequirements`)."""

    limits: Mapping[str, str | int | float] | None = None
    requests: Mapping[str, str | int | float] | None = None
    extra: Raw | None = None


@value
class LabelSelectorRequirement:
    """One expression of a label selector.

    Source: `io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement`.
    """

    key: str | None = None
    operator: str | None = None
    values: tuple[str, ...] | None = None
    extra: Raw | None = None


@value
class LabelSelector:
    """A selection of objects by their labels.

    Source: `io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector`.
    """

    match_expressions: tuple[LabelSelectorRequirement, ...] | None = None
    match_labels: Mapping[str, str] | None = None
    extra: Raw | None = None


@value
class PersistentVolumeClaimSpec:
    """Size and access modes of a claim (`io.k8s.api.core.v1.PersistentVolumeClaimSpec`)."""

    access_modes: tuple[str, ...] | None = None
    data_source: Raw | None = None
    data_source_ref: Raw | None = None
    resources: VolumeResourceRequirements | None = None
    selector: LabelSelector | None = None
    storage_class_name: str | None = None
    volume_attributes_class_name: str | None = None
    volume_mode: str | None = None
    volume_name: str | None = None
    extra: Raw | None = None


@value
class PersistentVolumeClaimStatus:
    """What became of a claim (`io.k8s.api.core.v1.PersistentVolumeClaimStatus`)."""

    access_modes: tuple[str, ...] | None = None
    allocated_resource_statuses: Mapping[str, str] | None = None
    allocated_resources: Mapping[str, str | int | float] | None = None
    capacity: Mapping[str, str | int | float] | None = None
    conditions: tuple[Raw, ...] | None = None
    current_volume_attributes_class_name: str | None = None
    modify_volume_status: Raw | None = None
    phase: str | None = None
    extra: Raw | None = None


@value
class PersistentVolumeClaim:
    """A request for storage (`io.k8s.api.core.v1.PersistentVolumeClaim`)."""

    api_version: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: PersistentVolumeClaimSpec | None = None
    status: PersistentVolumeClaimStatus | None = None
    extra: Raw | None = None


@value
class PodAffinityTerm:
    """Which pods, and over which topology (`io.k8s.api.core.v1.PodAffinityTerm`)."""

    label_selector: LabelSelector | None = None
    match_label_keys: tuple[str, ...] | None = None
    mismatch_label_keys: tuple[str, ...] | None = None
    namespace_selector: LabelSelector | None = None
    namespaces: tuple[str, ...] | None = None
    topology_key: str | None = None
    extra: Raw | None = None


@value
class WeightedPodAffinityTerm:
    """A preferred term and its weight (1 to 100) (`io.k8s.api.core.v1.WeightedPodAffinityTerm`)."""

    pod_affinity_term: PodAffinityTerm | None = None
    weight: int | None = None
    extra: Raw | None = None


@value
class PodAffinity:
    """Terms that draw a pod to the nodes of other pods (`io.k8s.api.core.v1.PodAffinity`)."""

    preferred_during_scheduling_ignored_during_execution: (
        tuple[WeightedPodAffinityTerm, ...] | None
    ) = None
    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] | None = None
    extra: Raw | None = None


@value
class PodAntiAffinity:
    """Terms that keep a pod from the nodes of other pods (`io.k8s.api.core.v1.PodAntiAffinity`)."""

    preferred_during_scheduling_ignored_during_execution: (
        tuple[WeightedPodAffinityTerm, ...] | None
    ) = None
    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] | None = None
    extra: Raw | None = None


@value
class Affinity:
    """Scheduling constraints of a pod (`io.k8s.api.core.v1.Affinity`)."""

    node_affinity: Raw | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAntiAffinity | None = None
    extra: Raw | None = None


@value
class Toleration:
    """A taint that the pod bears (`io.k8s.api.core.v1.Toleration`)."""

    effect: str | None = None
    key: str | None = None
    operator: str | None = None
    toleration_seconds: int | None = None
    value: str | None = None
    extra: Raw | None = None


@value
class LocalObjectReference:
    """The name of an object in the same namespace (`io.k8s.api.core.v1.LocalObjectReference`)."""

    name: str | None = None
    extra: Raw | None = None


@value
class Container:
    """A container: image, command, environment, mounts (`io.k8s.api.core.v1.Container`)."""

    args: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    env_from: tuple[EnvFromSource, ...] | None = None
    image: str | None = None
    image_pull_policy: str | None = None
    lifecycle: Raw | None = None
    liveness_probe: Raw | None = None
    name: str | None = None
    ports: tuple[Raw, ...] | None = None
    readiness_probe: Raw | None = None
    resize_policy: tuple[Raw, ...] | None = None
    resources: ResourceRequirements | None = None
    restart_policy: str | None = None
    restart_policy_rules: tuple[Raw, ...] | None = None
    security_context: Raw | None = None
    startup_probe: Raw | None = None
    stdin: bool | None = None
    stdin_once: bool | None = None
    termination_message_path: str | None = None
    termination_message_policy: str | None = None
    tty: bool | None = None
    volume_devices: tuple[Raw, ...] | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None
    working_dir: str | None = None
    extra: Raw | None = None


@value
class ListMeta:
    """Bookkeeping of a list: its version and where it continues.

    Source: `io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta`.
    """

    continue_: str | None = None
    remaining_item_count: int | None = None
    resource_version: str | None = None
    self_link: str | None = None
    extra: Raw | None = None
